"""The prior: how latents, and the codes that follow them, are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ganbench.networks.layers import one_hot


def latents(n: int, h: Mapping[str, Any], generator: Generator) -> Tensor:
    """z of shape (n, inputs) on the generator's device, from the prior that settings name.

    Its last numbers are InfoGAN's codes where the run has them: a class as one-hot, then numbers of U(-1, 1).
    """
    classes, numbers = int(h.get("codes_categorical", 0)), int(h.get("codes_continuous", 0))
    z = _prior(n, int(h["inputs"]) - classes - numbers, str(h["prior"]), generator)
    if not classes + numbers:
        return z
    codes = [_uniform((n, numbers), generator)]
    if classes:
        drawn = torch.randint(classes, (n,), generator=generator, device=generator.device)
        codes.insert(0, one_hot(drawn, classes))
    return torch.cat([z, *codes], 1)


def small_images(images: Tensor, scale: int) -> Tensor:
    """Images (n, c, h, w) as latents: means over scale x scale pixels, flat (n, c h w / scale²)."""
    return F.avg_pool2d(images, scale).flatten(1)


def _prior(n: int, dimensions: int, prior: str, generator: Generator) -> Tensor:
    shape = (n, dimensions)
    if prior == "normal":
        return torch.randn(shape, generator=generator, device=generator.device)
    if prior == "uniform_positive":
        return torch.rand(shape, generator=generator, device=generator.device)
    return _uniform(shape, generator, math.sqrt(3) if prior == "uniform_unit" else 1.0)


def _uniform(shape: tuple[int, int], generator: Generator, bound: float = 1.0) -> Tensor:
    """U(-bound, bound)."""
    z = torch.rand(shape, generator=generator, device=generator.device)
    return z.mul_(2 * bound).sub_(bound)
