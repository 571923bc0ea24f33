"""Restricted Boltzmann machines and the deep belief net of a stack of them (Hinton et al. 2006)."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganbench.networks.parts import Order

INIT_STD = 0.01
GIBBS = 200
"""Sweeps of the top machine before its visible units are what samples come from."""


def draw(p: Tensor) -> Tensor:
    """Units that are 1 with probabilities p, from the global stream; by uniform numbers, which vmap can share."""
    return (torch.rand(p.shape, device=p.device) < p).to(p)


class Boltzmann(nn.Module):
    """A restricted Boltzmann machine of binary units: p(v, h) ∝ exp(vᵀWh + aᵀv + bᵀh)."""

    def __init__(self, visible: int, hidden: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(INIT_STD * torch.randn(hidden, visible))
        self.of_visible, self.of_hidden = nn.Parameter(torch.zeros(visible)), nn.Parameter(torch.zeros(hidden))

    def upward(self, v: Tensor) -> Tensor:
        """p(h = 1 | v), (n, hidden)."""
        return torch.sigmoid(F.linear(v, self.weight, self.of_hidden))

    def downward(self, h: Tensor) -> Tensor:
        """p(v = 1 | h), (n, visible)."""
        return torch.sigmoid(F.linear(h, self.weight.mT, self.of_visible))

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = -aᵀv - Σ sp(b + Wv), so that p(v) ∝ exp(-F(v)); (n,)."""
        return -v @ self.of_visible - F.softplus(F.linear(v, self.weight, self.of_hidden)).sum(1)

    @torch.no_grad()
    def gibbs(self, v: Tensor, sweeps: int) -> Tensor:
        """Visible units after `sweeps` times up and down, drawn from the global stream."""
        for _ in range(sweeps):
            v = draw(self.downward(draw(self.upward(v))))
        return v

    def contrastive_divergence(self, v: Tensor, sweeps: int) -> Tensor:
        """E F(v) - E F(v') with v' from Gibbs sweeps: its gradient is CD-k's. Hinton 2002, equation 5."""
        return (self.free_energy(v) - self.free_energy(self.gibbs(v, sweeps))).mean()


class BeliefNet(nn.Module):
    """A stack of machines, each on the hidden units of the one below; the top two layers are an associative memory."""

    def __init__(self, shape: tuple[int, ...], widths: list[int]) -> None:
        super().__init__()
        sizes = [math.prod(shape), *widths]
        self.shape = shape
        self.machines = nn.ModuleList(Boltzmann(*pair) for pair in itertools.pairwise(sizes))

    def machine(self, index: int) -> Boltzmann:
        """Machine `index`, from the bottom."""
        found = self.machines[index]
        assert isinstance(found, Boltzmann)
        return found

    def greedy_loss(self, images: Tensor, progress: float, sweeps: int) -> Tensor:
        """CD of the one machine whose turn it is, on what those below make of images in 0..1; progress 0 to 1."""
        index = min(int(progress * len(self.machines)), len(self.machines) - 1)
        with torch.no_grad():
            v = draw(images.flatten(1))
            for below in range(index):
                v = draw(self.machine(below).upward(v))
        return self.machine(index).contrastive_divergence(v, sweeps)

    def forward(self, z: Tensor) -> Tensor:
        """Images in 0..1: the top machine's chain from the signs of z, then down by probabilities of the last layer.

        The chain draws from the global stream, which whoever samples has set.
        """
        top = len(self.machines) - 1
        v = self.machine(top).gibbs(draw(self.machine(top).downward((z > 0).float())), GIBBS)
        probabilities = self.machine(top).downward(draw(self.machine(top).upward(v)))
        for below in reversed(range(top)):
            probabilities = self.machine(below).downward(draw(probabilities))
        images: Tensor = probabilities.unflatten(1, self.shape)
        return images


def build(order: Order) -> dict[str, nn.Module]:
    """G alone: `depth` machines of `width` hidden units."""
    depth, width = int(order.settings["depth"]), int(order.settings["width"])
    return {"G": BeliefNet(order.shape, [width] * (depth - 1) + [order.latents])}
