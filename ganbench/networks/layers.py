"""Layers that keep no hidden state but spectral norm's u, and so can be differentiated, stacked and averaged."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from ganbench.errors import DataError, UnknownNameError

NORMS = ("none", "batch", "layer", "spectral")


class BatchNorm(nn.Module):
    """Batch normalisation over all but the channel axis (Ioffe and Szegedy 2015), for (n, c) and (n, c, h, w).

    Training uses the batch's statistics and keeps none. A copy made by `standing_statistics` uses those it gathered.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps
        self.gathered: list[tuple[int, Tensor, Tensor]] | None = None
        self.standing: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel of x."""
        if self.gathered is not None:
            axes = [axis for axis in range(x.dim()) if axis != 1]
            variance, mean = torch.var_mean(x.double(), axes, correction=0)
            self.gathered.append((x.numel() // x.shape[1], mean, variance))
        if self.standing is not None:
            return F.batch_norm(x, *self.standing, self.weight, self.bias, eps=self.eps)
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)

    def settle(self) -> None:
        """Take the statistics of everything seen since gathering began: mean, and variance (ddof 0) about that mean.

        Batches count by their size. The squares are taken about the means, for E x² - (E x)² cancels.
        """
        if not self.gathered:
            raise DataError("standing statistics need at least one batch of latents, got none")
        counts, means, variances = zip(*self.gathered, strict=True)
        share = torch.tensor(counts, dtype=torch.float64, device=means[0].device)[:, None] / sum(counts)
        mean = (share * torch.stack(means)).sum(0)
        variance = (share * (torch.stack(variances) + (torch.stack(means) - mean).square())).sum(0)
        self.standing = mean.to(self.weight), variance.to(self.weight)
        self.gathered = None


@torch.no_grad()
def standing_statistics(generator: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> nn.Module:
    """A copy of `generator` in eval mode, its batch norms holding the statistics over all batches of inputs.

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
            copied(*batch)
        for norm in norms:
            norm.settle()
    return copied.eval()


class _PowerIteration(torch.autograd.Function):
    """(W, u) → (u', v'), constants to autograd; with `keep`, u becomes u' in place.

    A function of its own because `torch.func` runs its forward below the transforms: a plain `copy_` would be
    refused under `torch.func.grad`, which is how gradient penalties are taken.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(matrix: Tensor, u: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
        v = F.normalize(matrix.mT @ u, dim=0)
        new = F.normalize(matrix @ v, dim=0)
        if keep:
            u.copy_(new)
        return new, v

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(*output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, None]:
        return None, None, None


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
        u, v = _PowerIteration.apply(matrix, self.u, self.training)
        normed: Tensor = weight / torch.dot(u, matrix @ v)  # σ = uᵀ W v
        return normed


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


class VirtualBatchNorm(nn.Module):
    """Batch normalisation by a reference batch, which is the first `reference` samples of what it is given.

    A sample's statistics are those of the reference batch and itself. Salimans et al. 2016, section 3.5.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps
        self.reference = 0

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel of x (n, c) or (n, c, h, w), the reference batch by its own statistics."""
        axes = list(range(2, x.dim()))
        means = x.mean(axes, keepdim=True) if axes else x
        squares = x.square().mean(axes, keepdim=True) if axes else x.square()
        mean, square = self._with_each(means), self._with_each(squares)
        shape = (1, -1, *(1,) * len(axes))
        scale = (square - mean.square() + self.eps).rsqrt() * self.weight.view(shape)
        return (x - mean) * scale + self.bias.view(shape)

    def _with_each(self, moments: Tensor) -> Tensor:
        """The mean of moments over the reference batch, and for other samples over it and themselves."""
        n = self.reference
        total = moments[:n].sum(0, keepdim=True)
        others = (total + moments[n:]) / (n + 1)
        return torch.cat([(total / n).expand_as(moments[:n]), others])


class MinibatchDiscrimination(nn.Module):
    """(n, features) → (n, features + kernels): how near each sample is to the others of its batch.

    o_i = Σ_{j≠i} exp(-‖M_i - M_j‖₁) for each of `kernels` linear maps M to `dimensions`. Salimans et al. 2016, 3.2.
    """

    def __init__(self, features: int, kernels: int, dimensions: int) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(features, kernels * dimensions) / features**0.5)
        self.kernels = kernels

    def forward(self, features: Tensor) -> Tensor:
        """Features with their closeness after them."""
        return torch.cat([features, closeness((features @ self.maps).unflatten(1, (self.kernels, -1)))], 1)


def closeness(m: Tensor) -> Tensor:
    """m (n, kernels, dimensions) → o (n, kernels), o_i = Σ_{j≠i} exp(-‖m_i - m_j‖₁)."""
    distances = (m[:, None] - m[None]).abs().sum(3)
    return torch.exp(-distances).sum(1) - 1  # each is at distance 0 of itself


def one_hot(y: Tensor, classes: int) -> Tensor:
    """Classes (n,) as float32 (n, classes). torch's own reads classes, which waits for them and which vmap cannot."""
    return (y[:, None] == torch.arange(classes, device=y.device)).float()


def normalised(layer: nn.Linear | nn.Conv2d, norm: str, *, inner: bool = True) -> list[nn.Module]:
    """A discriminator's layer with its normalisation: none, batch, layer or spectral.

    Spectral norm goes on every layer; batch and layer norm on `inner` ones only (not on D's input layer, nor on
    what gives the logits: Radford et al. 2016). Layer norm is over all units of a sample.
    """
    if norm not in NORMS:
        raise UnknownNameError("norm", norm, NORMS)
    channels = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    if norm == "spectral":
        parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    if norm == "batch" and inner:
        return [layer, BatchNorm(channels)]
    if norm == "layer" and inner:
        return [layer, nn.GroupNorm(1, channels)]
    return [layer]
