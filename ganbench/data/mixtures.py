"""Mixtures of Gaussians: equal weights, one standard deviation, so modes and density are known exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ganbench import rng
from ganbench.errors import DataError, SpecError

SIGMAS = 3.0
"""Standard deviations from its mode within which a sample is of high quality."""

Points = Callable[[Tensor, torch.Generator], Tensor]


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

    @property
    def reach(self) -> float:
        """The distance from a mode within which a sample is of high quality: three standard deviations."""
        return SIGMAS * self.std

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n independent points, float32 (n, d); a function of the seed."""
        return self.draw(n, rng.stream(seed, "mixture"))

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """n independent points, float32 (n, d), on the generator's device."""
        if n < 0:
            raise DataError(f"the number of points must be 0 or more, got {n}")
        index = torch.randint(self.modes, (n,), generator=generator, device=generator.device)
        return self.on(generator.device)(index, generator)

    def on(self, device: torch.device) -> Points:
        """What draws points of given modes on a device: (n,) modes and a generator → float32 (n, d)."""
        means, std = self.means.to(device, torch.float32), self.std

        def points(index: Tensor, generator: torch.Generator) -> Tensor:
            noise = torch.randn(len(index), means.shape[1], generator=generator, device=device)
            return torch.add(means[index], noise, alpha=std)

        return points

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density in nats at each row of x (n, d), float64 (n,); DataError where d is not the mixture's."""
        if x.dim() != 2 or x.shape[1] != self.means.shape[1]:
            raise DataError(f"points are (n, {self.means.shape[1]}), got shape {tuple(x.shape)}")
        squares = (x.double()[:, None, :] - self.means.to(x.device)[None]).square().sum(2)
        scale = self.means.shape[1] * math.log(self.std * math.sqrt(2 * math.pi)) + math.log(self.modes)
        return torch.logsumexp(-squares / (2 * self.std**2), 1) - scale


@dataclass(frozen=True, eq=False)
class Subspaces(Mixture):
    """Gaussians that each fill a subspace of their own: x = μ_k + σ B_k u, u normal of r dimensions.

    bases: (k, d, r) float64 with orthonormal columns. There is no density in all d dimensions.
    """

    bases: Tensor = field(default_factory=lambda: torch.empty(0))

    @property
    def reach(self) -> float:
        """The mean distance of true points from their mode and three of its deviations: σ (√r + 3/√2), for large r.

        Three σ, or ten, would leave every true point out: they lie at 26.44 ± .71 σ of 700 dimensions.
        """
        return self.std * (math.sqrt(self.bases.shape[2]) + SIGMAS / math.sqrt(2))

    def on(self, device: torch.device) -> Points:
        """As for every mixture."""
        means, bases = self.means.to(device, torch.float32), self.bases.to(device, torch.float32)

        def points(index: Tensor, generator: torch.Generator) -> Tensor:
            noise = torch.randn(len(index), bases.shape[2], generator=generator, device=device)
            made = means[index]
            for mode in range(len(means)):
                of_mode = (index == mode)[:, None]
                made = made + self.std * (noise * of_mode) @ bases[mode].mT
            return made

        return points

    def log_prob(self, x: Tensor) -> Tensor:
        """DataError: the points lie in subspaces, where densities of all dimensions are none."""
        raise DataError("a mixture of subspaces has no density in all dimensions")


def ring(modes: int = 8, radius: float = 1.0, std: float = 0.01) -> Mixture:
    """`modes` Gaussians at angles 2πi / modes on a circle. Defaults: PacGAN, Lin et al. 2018."""
    angles = 2 * math.pi * torch.arange(_count(modes, "modes"), dtype=torch.float64) / modes
    return Mixture(radius * torch.stack([angles.cos(), angles.sin()], 1), std)


def grid(side: int = 5, spacing: float = 2.0, std: float = 0.05) -> Mixture:
    """`side` x `side` Gaussians `spacing` apart, centred on the origin. Defaults: PacGAN, Lin et al. 2018."""
    ticks = spacing * (torch.arange(_count(side, "side"), dtype=torch.float64) - (side - 1) / 2)
    return Mixture(torch.cartesian_prod(ticks, ticks), std)


@lru_cache(maxsize=2)
def subspaces(modes: int = 10, dimensions: int = 1200, inner: int = 700, std: float = 1.0) -> Subspaces:
    """`modes` Gaussians of `inner` dimensions in random subspaces of `dimensions`, means normal, all from one stream.

    Srivastava et al. 2017 (VEEGAN), section 4.1, who say no more of it: means and bases are this project's.
    """
    if _count(inner, "inner") > _count(dimensions, "dimensions"):
        raise DataError(f"inner must be at most dimensions, got {inner} and {dimensions}")
    noise = rng.stream(0, "subspaces")
    means = torch.randn(_count(modes, "modes"), dimensions, generator=noise, dtype=torch.float64)
    directions = torch.randn(modes, dimensions, inner, generator=noise, dtype=torch.float64)
    return Subspaces(means, std, torch.linalg.qr(directions).Q)


def _count(value: int, name: str) -> int:
    if not isinstance(value, int) or value < 1:
        raise DataError(f"{name} must be a whole number of at least 1, got {value}")
    return value


FAMILIES: dict[str, Callable[..., Mixture]] = {"ring": ring, "grid": grid, "mog1200": subspaces}


def add(family: str, function: Callable[..., Mixture]) -> None:
    """A family of a user's own; SpecError where the name is another's, since results are stored under names."""
    if FAMILIES.setdefault(family, function) is not function:
        raise SpecError(f"mixture {family!r} is already registered: give yours another name")


def of(family: str, parameters: Mapping[str, Any]) -> Mixture:
    """The mixture of a family of that name with these parameters."""
    return FAMILIES[family](**parameters)
