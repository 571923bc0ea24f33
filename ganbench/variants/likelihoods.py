"""Losses of latent-variable models: reconstruction, the Gaussian KL, codes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ganbench.lazy import F
from ganbench.variants.base import H, Hyper

if TYPE_CHECKING:
    from torch import Tensor

SIGMA = Hyper("sigma", 0.05, "deviation of the Gaussian likelihood of points", low=1e-6)


def unit(images: Tensor, h: H) -> Tensor:
    """Images from their network's range to 0..1."""
    low, high = h["pixels"]
    scaled: Tensor = (images - low) / (high - low)
    return scaled


def reconstruction(x: Tensor, made: Tensor, h: H) -> Tensor:
    """E -log p(x | z) in nats a sample, the sum over dimensions.

    Images are Bernoulli with the probabilities that G gives (Kingma and Welling 2014, appendix C.1); points are
    Gaussian with the deviation `sigma`, without the constant.
    """
    if h["pixels"] is None:
        squares: Tensor = ((x - made) / h["sigma"]).square().flatten(1).sum(1)
        return squares.mean() / 2
    each = F.binary_cross_entropy(unit(made, h), unit(x, h), reduction="none")
    return each.flatten(1).sum(1).mean()


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """E KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + σ² - log σ² - 1). Kingma and Welling 2014, appendix B."""
    return (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean() / 2


def categorical_information(logits: Tensor, codes: Tensor) -> Tensor:
    """H(c) + E log Q(c | x) for uniform classes, codes one-hot (n, k). Chen et al. 2016, equation 5."""
    k = codes.shape[1]
    return math.log(k) + (codes * F.log_softmax(logits, 1)).sum(1).mean()


def continuous_information(means: Tensor, codes: Tensor) -> Tensor:
    """E log Q(c | x) but for its constant, Q a Gaussian of unit variance: -½ Σ (c - μ)². Chen et al. 2016."""
    return -(codes - means).square().sum(1).mean() / 2
