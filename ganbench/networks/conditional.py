"""The pair of the first conditional GAN (Mirza and Osindero 2014, section 4.1), from memory of the paper."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganbench.errors import SpecError
from ganbench.networks.layers import Maxout, one_hot
from ganbench.networks.parts import Order


class _Generator(nn.Module):
    """z → 200 ReLU and y → 1000 ReLU, joined to `width` ReLU, then the logistic function; dropout .5."""

    def __init__(self, order: Order) -> None:
        super().__init__()
        width = int(order.settings["width"])
        self.classes, self.shape = order.classes, order.shape
        self.of_latent, self.of_class = nn.Linear(order.latents, 200), nn.Linear(order.classes, 1000)
        self.joint, self.last = nn.Linear(1200, width), nn.Linear(width, math.prod(order.shape))

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """(n, inputs), (n,) → (n, *shape) in 0..1."""
        told = one_hot(y, self.classes)
        hidden = torch.cat([self.of_latent(z).relu(), self.of_class(told).relu()], 1)
        hidden = F.dropout(hidden, 0.5, self.training)
        hidden = F.dropout(self.joint(hidden).relu(), 0.5, self.training)
        made: Tensor = self.last(hidden).sigmoid().unflatten(1, self.shape)
        return made


class _Discriminator(nn.Module):
    """x → maxout 240x5 and y → maxout 50x5, joined to maxout 240x4; dropout .5."""

    def __init__(self, order: Order) -> None:
        super().__init__()
        self.classes = order.classes
        self.of_sample, self.of_class = Maxout(math.prod(order.shape), 240, 5), Maxout(order.classes, 50, 5)
        self.joint, self.head = Maxout(290, 240, 4), nn.Linear(240, 1)

    def features(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, 240)."""
        hidden = torch.cat([self.of_sample(x.flatten(1)), self.of_class(one_hot(y, self.classes))], 1)
        joined: Tensor = self.joint(F.dropout(hidden, 0.5, self.training))
        return F.dropout(joined, 0.5, self.training)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(n,) logits."""
        scores: Tensor = self.head(self.features(x, y))
        return scores.flatten()


def build(order: Order) -> dict[str, nn.Module]:
    """G and D, which both are told the class; weights U(±.05)."""
    if order.settings.get("conditioning", "none") != "concat":
        raise SpecError("network 'maxout-cgan' is told classes as one-hot: use cgan, with conditioning = 'concat'")
    players: dict[str, nn.Module] = {"G": _Generator(order), "D": _Discriminator(order)}
    for player in players.values():
        for module in player.modules():
            if isinstance(module, nn.Linear):
                nn.init.uniform_(module.weight, -0.05, 0.05)
                nn.init.zeros_(module.bias)
    return players
