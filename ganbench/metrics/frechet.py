"""Fréchet distance between Gaussians fitted to features: FID on Inception's, `fd-<extractor>` on any other's.

Heusel et al. 2017, GANs trained by a two time-scale update rule, equation 6; Dowson and Landau 1982.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ganbench.lazy import torch
from ganbench.metrics.arrays import feature_pair, sound
from ganbench.metrics.base import ANY, METRICS, Accumulator, Context, Metric, Value, View
from ganbench.metrics.held import COLLAPSED, HARDLY_VARY
from ganbench.metrics.moments import Gaussian, Moments, moments_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

KEPT = 4096
"""Generated features that are kept for the standard error: enough to know it within 2 %, in 34 MB at d = 2048."""

BLOCK = 512
"""Of them at once: 8 MB."""


def fid(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor) -> float:
    """Fréchet distance between two sets of features, numpy or torch (n, d), n >= 2; covariances with ddof 1.

    Where one set has no more rows than columns, the trace term is the nuclear norm of the centred cross matrix,
    which is exact and needs no d x d root. SampleError for non-finite features or widths that differ.
    """
    real, fake = feature_pair(real_features, fake_features, minimum=2)
    real, fake = real.double(), fake.double()
    if min(len(real), len(fake)) <= real.shape[1]:
        return sound(_from_features(real, fake), "the Fréchet distance", real, fake)
    return sound(frechet_distance(moments_of(real), moments_of(fake)), "the Fréchet distance", real, fake)


def frechet_distance(one: Gaussian, other: Gaussian, factor: Tensor | None = None) -> float:
    """‖μ₁ - μ₂‖² + Tr Σ₁ + Tr Σ₂ - 2 Tr (Σ₁Σ₂)^½.

    With Σ₁ = LLᵀ the eigenvalues of Σ₁Σ₂ are those of the symmetric LᵀΣ₂L: no matrix square root is needed.
    factor: L = factor_of(Σ₁), where `one` is held against many.
    """
    factor = factor_of(one.covariance) if factor is None else factor
    roots = torch.linalg.eigvalsh(factor.mT @ other.covariance @ factor).clamp_min(0).sqrt()
    return _distance(one, other, roots.sum())


def distance_and_stderr(real: Gaussian, fake: Gaussian, some_fake: Tensor) -> tuple[float, float]:
    """The distance, and its standard error over draws of the fake.n generated samples, the real ones held fixed.

    Delta method: with T = L (LᵀΣ₂L)^-½ Lᵀ the optimal map from the generated to the real Gaussian, a sample y moves the
    distance by 2 (μ₂ - μ₁)ᵀ(y - μ₂) + (y - μ₂)ᵀ (1 - T)(y - μ₂) less its mean; the deviation of that over `some_fake`
    (m, d), over √n. The distance's bias of order 1 / n is no part of it: fid_infinity takes that off.
    """
    factor = factor_of(real.covariance)
    values, vectors = torch.linalg.eigh(factor.mT @ fake.covariance @ factor)
    roots = values.clamp_min(0).sqrt()
    tiny = roots < 1e-7 * roots.max()  # directions that one of the two does not vary in: no map is defined there
    lifted = (factor @ vectors).mul_(torch.where(tiny, 0, roots.clamp_min(1e-300).rsqrt()))
    shift = fake.mean - real.mean
    moved = torch.cat([_moved(part.double().cpu() - fake.mean, shift, lifted) for part in some_fake.split(BLOCK)])
    return _distance(real, fake, roots.sum()), float(moved.std()) / fake.n**0.5


def _moved(y: Tensor, shift: Tensor, lifted: Tensor) -> Tensor:
    """How far each centred sample moves the distance, but for a constant."""
    return 2 * y @ shift + y.square().sum(1) - (y @ lifted).square_().sum(1)


def factor_of(covariance: Tensor) -> Tensor:
    """F with FFᵀ = Σ: Cholesky's, or where Σ is not positive definite by its eigenvectors."""
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if int(failed):
        values, vectors = torch.linalg.eigh(covariance)
        factor = vectors * values.clamp_min(0).sqrt()
    return factor


def _distance(one: Gaussian, other: Gaussian, roots: Tensor) -> float:
    """Rounding alone can take a distance of 0 below 0."""
    shift = (one.mean - other.mean).square().sum()
    return max(0.0, float(shift + one.covariance.trace() + other.covariance.trace() - 2 * roots))


def _from_features(real: Tensor, fake: Tensor) -> float:
    """Tr (Σ₁Σ₂)^½ = ‖X Yᵀ‖_* for X, Y the centred features over √(n - 1)."""
    means = real.mean(0), fake.mean(0)
    x, y = ((part - mean) / (len(part) - 1) ** 0.5 for part, mean in zip((real, fake), means, strict=True))
    roots = torch.linalg.svdvals(x @ y.mT).sum()
    shift = (means[0] - means[1]).square().sum()
    return max(0.0, float(shift + x.square().sum() + y.square().sum() - 2 * roots))


class _Frechet:
    """Streams moments of generated features; held against the cached moments of real ones."""

    def __init__(self, context: Context, name: str) -> None:
        self._context, self._name, self._moments = context, name, Moments()
        self._kept: list[Tensor] = []

    def update(self, view: View) -> None:
        features = view.features(self._context.features)
        if self._moments.n < KEPT:
            self._kept.append(features[: KEPT - self._moments.n].cpu())
        self._moments.update(features)

    def result(self) -> Mapping[str, Value]:
        context = self._context
        real, fake = context.real.moments(context.split, context.n_real), self._moments.result()
        self._moments = Moments()  # 34 MB at Inception's width
        value, stderr = distance_and_stderr(real, fake, torch.cat(self._kept))
        return {self._name: Value(value, stderr, flags_of(real, fake))}


def flags_of(real: Gaussian, fake: Gaussian) -> tuple[str, ...]:
    """What is wrong with a distance between these: too few samples for their width, or hardly any variance."""
    dim = len(real.mean)
    sets = ((real.n, "real"), (fake.n, "generated"))
    flags = [f"rank-deficient: {n} {name} samples for {dim} features" for n, name in sets if n <= dim]
    if float(fake.covariance.trace()) < COLLAPSED * float(real.covariance.trace()):
        flags.append(HARDLY_VARY)
    return tuple(flags)


def on_inception_and_any(
    start: Callable[[Context, str], Accumulator], names: tuple[str, str], titles: tuple[str, str], **facts: Any
) -> None:
    """Register a metric of Gaussians twice: pinned to Inception, with FID's protocol of 50,000 samples against all
    training images, and on any features, with 10,000 against as many test samples. `start` is told the score's name."""
    protocols: tuple[dict[str, Any], ...] = (
        {"kinds": ("images",), "samples": 50_000, "extractor": "inception", "split": "train+valid", "n_real": 0},
        {"kinds": ("images", "points"), "samples": 10_000, "extractor": ANY, "split": "test", "n_real": 10_000},
    )
    for name, title, protocol in zip(names, titles, protocols, strict=True):
        METRICS.add(
            Metric(
                name=name,
                directions={name: "lower"},
                title=title,
                start=_told(start, name),
                per_extractor=protocol["extractor"] == ANY,
                **protocol,
                **facts,
            )
        )


def _told(start: Callable[[Context, str], Accumulator], name: str) -> Callable[[Context], Accumulator]:
    return lambda context: start(context, name)


on_inception_and_any(
    _Frechet,
    ("fid", "fd"),
    (
        "Fréchet Inception distance",
        "Fréchet distance on any features (comparable with FID on Inception's alone)",
    ),
    range="0 to ∞",
    paper="Heusel et al. 2017, GANs trained by a two time-scale update rule",
    minimum=2,
)
