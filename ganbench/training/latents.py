"""The prior: how latents are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from ganbench.spec import Scalar


def latents(n: int, settings: Mapping[str, Scalar], generator: Generator) -> Tensor:
    """z of shape (n, latent_dim) on the generator's device, from the prior that `settings` name."""
    shape = (n, int(settings["latent_dim"]))
    if settings["prior"] == "normal":
        return torch.randn(shape, generator=generator, device=generator.device)
    bound = math.sqrt(3) if settings["prior"] == "uniform_unit" else 1.0
    z = torch.rand(shape, generator=generator, device=generator.device)
    return z.mul_(2 * bound).sub_(bound)
