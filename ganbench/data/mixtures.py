"""Mixtures of Gaussians: equal weights, one standard deviation, so modes and density are known exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganbench import rng
from ganbench.errors import DataError


@dataclass(frozen=True, eq=False)  # tensors do not compare to one truth
class Mixture:
    """An equal mixture of k isotropic Gaussians. means: (k, d) float64; std: standard deviation of each."""

    means: Tensor
    std: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "means", torch.as_tensor(self.means, dtype=torch.float64))
        if self.means.dim() != 2 or self.means.numel() == 0:
            raise DataError(f"a mixture's means are (modes, dimensions), got shape {tuple(self.means.shape)}")
        if not self.means.isfinite().all():
            raise DataError("a mixture's means must be finite numbers: one is NaN or infinite")
        if not 0 < self.std < math.inf:
            raise DataError(f"a mixture's std must be above 0, got {self.std}")

    @property
    def modes(self) -> int:
        """How many Gaussians."""
        return int(self.means.shape[0])

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n independent points, float32 (n, d); a function of the seed."""
        return self.draw(n, rng.stream(seed, "mixture"))

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """n independent points, float32 (n, d), on the generator's device."""
        if n < 0:
            raise DataError(f"the number of points must be 0 or more, got {n}")
        device = generator.device
        index = torch.randint(self.modes, (n,), generator=generator, device=device)
        noise = torch.randn(n, self.means.shape[1], generator=generator, device=device)
        return noise.mul_(self.std).add_(self.means.to(device, torch.float32)[index])

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density in nats at each row of x (n, d), float64 (n,); DataError where d is not the mixture's."""
        if x.dim() != 2 or x.shape[1] != self.means.shape[1]:
            raise DataError(f"points are (n, {self.means.shape[1]}), got shape {tuple(x.shape)}")
        squares = (x.double()[:, None, :] - self.means.to(x.device)[None]).square().sum(2)
        scale = self.means.shape[1] * math.log(self.std * math.sqrt(2 * math.pi)) + math.log(self.modes)
        return torch.logsumexp(-squares / (2 * self.std**2), 1) - scale


def ring(modes: int = 8, radius: float = 1.0, std: float = 0.01) -> Mixture:
    """`modes` Gaussians at angles 2πi / modes on a circle. Defaults: PacGAN, Lin et al. 2018."""
    angles = 2 * math.pi * torch.arange(_count(modes, "modes"), dtype=torch.float64) / modes
    return Mixture(radius * torch.stack([angles.cos(), angles.sin()], 1), std)


def grid(side: int = 5, spacing: float = 2.0, std: float = 0.05) -> Mixture:
    """`side` x `side` Gaussians `spacing` apart, centred on the origin. Defaults: PacGAN, Lin et al. 2018."""
    ticks = spacing * (torch.arange(_count(side, "side"), dtype=torch.float64) - (side - 1) / 2)
    return Mixture(torch.cartesian_prod(ticks, ticks), std)


def _count(value: int, name: str) -> int:
    if not isinstance(value, int) or value < 1:
        raise DataError(f"{name} must be a whole number of at least 1, got {value}")
    return value


FAMILIES: dict[str, Callable[..., Mixture]] = {"ring": ring, "grid": grid}


def of(family: str, parameters: Mapping[str, Any]) -> Mixture:
    """The mixture of a family of that name with these parameters."""
    return FAMILIES[family](**parameters)
