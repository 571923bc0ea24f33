"""Layers that keep no hidden state but spectral norm's u, and so can be differentiated, stacked and averaged."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize


class BatchNorm(nn.Module):
    """Batch normalisation over all but the channel axis (Ioffe and Szegedy 2015), for (n, c) and (n, c, h, w).

    Training uses the batch's statistics and keeps none. A copy made by `standing_statistics` uses those it gathered.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps
        self.gathered: list[tuple[Tensor, Tensor]] | None = None
        self.standing: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel of x."""
        if self.gathered is not None:
            axes = [axis for axis in range(x.dim()) if axis != 1]
            self.gathered.append((x.mean(axes), x.square().mean(axes)))
        if self.standing is not None:
            return F.batch_norm(x, *self.standing, self.weight, self.bias, eps=self.eps)
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)

    def settle(self) -> None:
        """Take the statistics of everything seen since gathering began: mean, and variance about that mean."""
        means, squares = zip(*self.gathered or [], strict=True)
        mean = torch.stack(means).double().mean(0)
        variance = torch.stack(squares).double().mean(0) - mean.square()
        self.standing = mean.to(self.weight), variance.clamp_min(0).to(self.weight)
        self.gathered = None


@torch.no_grad()
def standing_statistics(generator: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """A copy of `generator` in eval mode, its batch norms holding the statistics over equal-sized latent batches.

    Brock et al. 2019 (BigGAN), appendix: the statistics belong to the weights that are sampled, be they the last or
    their moving average. Deeper layers gather while shallower ones still normalise by the batch, as in training.
    """
    copied = copy.deepcopy(generator)
    norms = [module for module in copied.modules() if isinstance(module, BatchNorm)]
    for norm in norms:
        norm.gathered = []
    if norms:
        copied.train()
        for batch in batches:
            copied(batch)
        for norm in norms:
            norm.settle()
    return copied.eval()


class SpectralNorm(nn.Module):
    """W / σ(W), σ by one power iteration for each forward pass in training. Miyato et al. 2018, algorithm 1.

    `u` (out,) persists; v is computed from it, and neither is differentiated. In eval mode u stays.
    """

    u: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("u", F.normalize(torch.randn(weight.shape[0]), dim=0))

    def forward(self, weight: Tensor) -> Tensor:
        """The normalised weight, of the weight's shape."""
        matrix = weight.flatten(1)
        with torch.no_grad():
            v = F.normalize(matrix.mT @ self.u, dim=0)
            u = F.normalize(matrix @ v, dim=0)
            if self.training:
                self.u.copy_(u)
        return weight / torch.dot(u, matrix @ v)


class Maxout(nn.Module):
    """max over `pieces` linear maps for each unit: (n, inputs) → (n, units). Goodfellow et al. 2013."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, units * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """The largest piece of each unit."""
        pieces: Tensor = self.linear(x).unflatten(1, (-1, self.pieces))
        return pieces.amax(2)


class Logits(nn.Module):
    """(n, 1, ...) → (n,): the discriminator's last step."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop the axes of size one."""
        return x.flatten()


def normalised(layer: nn.Linear | nn.Conv2d, norm: str, *, inner: bool = True) -> list[nn.Module]:
    """A discriminator's layer with its normalisation: none, batch, layer or spectral.

    Spectral norm goes on every layer; batch and layer norm on `inner` ones only (not on D's input layer, nor on
    what gives the logits: Radford et al. 2016). Layer norm is over all units of a sample.
    """
    channels = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    if norm == "spectral":
        parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    if norm == "batch" and inner:
        return [layer, BatchNorm(channels)]
    if norm == "layer" and inner:
        return [layer, nn.GroupNorm(1, channels)]
    return [layer]
