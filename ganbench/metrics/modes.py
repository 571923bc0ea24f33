"""Mode coverage on a mixture of Gaussians: which modes samples fall on, and how evenly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganbench.canonical import Scalar
from ganbench.errors import SampleError
from ganbench.lazy import np, torch
from ganbench.metrics.arrays import rows
from ganbench.metrics.base import METRICS, Context, Metric, Value, View

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

    from ganbench.data import Mixture

CHUNK = 4096
RESAMPLES = 200


@dataclass(frozen=True)
class ModeCoverage:
    """modes: captured ones; high_quality: percent of samples; kl, jsd: nats from the uniform, NaN where undefined."""

    modes: int
    high_quality: float
    kl: float
    jsd: float


def mode_coverage(samples: ArrayLike | Tensor, mixture: Mixture) -> ModeCoverage:
    """Mode coverage of points (n, d). Srivastava et al. 2017 (VEEGAN), Lin et al. 2018 (PacGAN).

    A sample is of high quality when it is closer than 3 σ (`mixture.reach`) to its nearest mode; a mode is captured
    when it is the nearest of at least one such sample. KL(histogram of those over modes ‖ uniform), and the
    Jensen–Shannon divergence of the two. True 2-D data have 98.889 % of high quality: more is under-dispersion, not
    quality.
    """
    x = rows(samples, "points")
    if x.shape[1] != mixture.means.shape[1]:
        raise SampleError(f"points are (n, {mixture.means.shape[1]}) with n >= 1, got shape {tuple(x.shape)}")
    counts = torch.stack([_histogram(part, mixture) for part in x.split(CHUNK)]).sum(0)
    return summarise(counts, len(x))


def _histogram(points: Tensor, mixture: Mixture) -> Tensor:
    """How many high-quality points each mode is nearest to."""
    means = mixture.means.to(points.device)
    squares = (points.double()[:, None] - means[None]).square().sum(2)
    nearest, mode = squares.min(1)
    good = nearest < mixture.reach**2
    return torch.bincount(mode[good], minlength=len(means)).cpu()


def summarise(counts: Tensor, n: int) -> ModeCoverage:
    """The four numbers from the histogram of high-quality samples over modes, of n samples."""
    good = int(counts.sum())
    captured = int((counts > 0).sum())
    if good == 0:
        return ModeCoverage(0, 0.0, math.nan, math.nan)
    p = counts.double() / good
    uniform = torch.full_like(p, 1 / len(p))
    middle = (p + uniform) / 2
    jsd = (_kl(p, middle) + _kl(uniform, middle)) / 2
    return ModeCoverage(captured, 100 * good / n, _kl(p, uniform), jsd)


@dataclass(frozen=True)
class Stderrs:
    """Standard errors over samples; None where there is no high-quality sample to draw again."""

    modes: float | None = None
    kl: float | None = None
    jsd: float | None = None


def bootstrap_stderr(counts: Tensor, n: int) -> Stderrs:
    """Deviations over RESAMPLES multinomial draws from the histogram, see `_shrunken`: cheap, whatever n is."""
    good = int(counts.sum())
    if good == 0:
        return Stderrs()
    draws = np.random.default_rng(0).multinomial(good, _shrunken(counts).numpy(), RESAMPLES)
    again = [summarise(torch.from_numpy(draw), n) for draw in draws]
    return Stderrs(*(float(np.std([getattr(each, name) for each in again])) for name in ("modes", "kl", "jsd")))


def _shrunken(counts: Tensor) -> Tensor:
    """Shares of modes, drawn to those of evenly captured modes by as much as chance alone accounts for.

    The shares of a finite sample are less even than those it came from, and draws from them would be so once more:
    where modes are even the error of the divergences would be 1.6 times too large. Hausser and Strimmer 2009.
    """
    n, captured = int(counts.sum()), (counts > 0).double()
    shares, even = counts.double() / n, captured / captured.sum()
    gap = float((even - shares).square().sum()) * (n - 1)
    weight = min(1.0, float(1 - shares.square().sum()) / gap) if gap > 0 else 1.0
    mixed = weight * even + (1 - weight) * shares
    return mixed / mixed.sum()


def _kl(p: Tensor, q: Tensor) -> float:
    return max(0.0, float((torch.xlogy(p, p) - torch.xlogy(p, q)).sum()))


class _Coverage:
    def __init__(self, context: Context) -> None:
        self._mixture, self._n = context.dataset.mixture(), context.n
        self._counts = torch.zeros(self._mixture.modes, dtype=torch.int64)

    def update(self, view: View) -> None:
        self._counts += _histogram(view.samples, self._mixture)

    def result(self) -> Mapping[str, Value]:
        found = summarise(self._counts, self._n)
        share = found.high_quality / 100
        flags = () if found.modes else ("no high-quality samples",)
        errors = bootstrap_stderr(self._counts, self._n)
        return {
            "modes": Value(found.modes, errors.modes, details={"of": self._mixture.modes}),
            "high_quality": Value(found.high_quality, 100 * math.sqrt(share * (1 - share) / self._n)),
            "kl": Value(found.kl, errors.kl, flags),
            "jsd": Value(found.jsd, errors.jsd, flags),
        }


def _protocol(context: Context) -> dict[str, Scalar]:
    mixture = context.dataset.mixture()
    return {"sigmas": round(mixture.reach / mixture.std, 3)}


METRICS.add(
    Metric(
        name="mode-coverage",
        directions={"modes": "higher", "high_quality": "higher", "kl": "lower", "jsd": "lower"},
        range="modes 0 to k; high_quality 0 to 100 %; kl 0 to ln k; jsd 0 to ln 2",
        title="Modes captured, high-quality samples, divergence from uniform modes",
        paper="Srivastava et al. 2017, VEEGAN; Lin et al. 2018, PacGAN",
        kinds=("points",),
        samples=2_500,
        minimum=1,
        start=_Coverage,
        protocol=_protocol,
    )
)
