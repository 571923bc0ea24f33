"""Fréchet distance between Gaussians fitted to features: FID on Inception's, `fd-<extractor>` on any other's.

Heusel et al. 2017, GANs trained by a two time-scale update rule, equation 6; Dowson and Landau 1982.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganbench.errors import SampleError
from ganbench.lazy import np, torch
from ganbench.metrics.base import METRICS, Context, Metric, Value, View
from ganbench.metrics.moments import Gaussian, Moments
from ganbench.spec import Scalar

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor


def fid(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor) -> float:
    """Fréchet distance between two sets of features, numpy or torch (n, d), n >= 2; covariances with ddof 1.

    Where one set has no more rows than columns, the trace term is the nuclear norm of the centred cross matrix,
    which is exact and needs no d x d root. SampleError for non-finite features or widths that differ.
    """
    real, fake = _features(real_features, "real"), _features(fake_features, "generated")
    if real.shape[1] != fake.shape[1]:
        raise SampleError(f"features differ in width: real {real.shape[1]}, generated {fake.shape[1]}")
    if min(len(real), len(fake)) <= real.shape[1]:
        return _from_features(real, fake)
    return frechet_distance(_moments(real), _moments(fake))


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """‖μ₁ - μ₂‖² + Tr Σ₁ + Tr Σ₂ - 2 Tr (Σ₁Σ₂)^½.

    With Σ₁ = LLᵀ the eigenvalues of Σ₁Σ₂ are those of the symmetric LᵀΣ₂L: no matrix square root is needed.
    """
    factor, failed = torch.linalg.cholesky_ex(one.covariance)
    if int(failed):
        values, vectors = torch.linalg.eigh(one.covariance)
        factor = vectors * values.clamp_min(0).sqrt()
    roots = torch.linalg.eigvalsh(factor.mT @ other.covariance @ factor).clamp_min(0).sqrt()
    return _distance(one.mean - other.mean, one.covariance.trace() + other.covariance.trace(), roots.sum())


def _distance(shift: Tensor, traces: Tensor, roots: Tensor) -> float:
    """Rounding alone can take a distance of 0 below 0."""
    return max(0.0, float(shift.square().sum() + traces - 2 * roots))


def _from_features(real: Tensor, fake: Tensor) -> float:
    """Tr (Σ₁Σ₂)^½ = ‖X Yᵀ‖_* for X, Y the centred features over √(n - 1)."""
    means = real.mean(0), fake.mean(0)
    x, y = ((part - mean) / (len(part) - 1) ** 0.5 for part, mean in zip((real, fake), means, strict=True))
    roots = torch.linalg.svdvals(x @ y.mT).sum()
    return _distance(means[0] - means[1], x.square().sum() + y.square().sum(), roots)


def _features(given: ArrayLike | Tensor, name: str) -> Tensor:
    x = given if isinstance(given, torch.Tensor) else torch.from_numpy(np.asarray(given))
    if x.dim() != 2 or x.shape[0] < 2:
        raise SampleError(f"{name} features are (n, d) with n >= 2, got shape {tuple(x.shape)}")
    x = x.detach().double().cpu()
    if not x.isfinite().all():
        raise SampleError(f"{name} features hold values that are not finite")
    return x


def _moments(x: Tensor) -> Gaussian:
    moments = Moments()
    moments.update(x)
    return moments.result()


class _Frechet:
    """Streams moments of generated features; held against the cached moments of real ones."""

    def __init__(self, context: Context) -> None:
        assert context.extractor is not None
        self._context, self._extractor, self._moments = context, context.extractor, Moments()
        self._split, self._n_real = _reference(context)

    def update(self, view: View) -> None:
        self._moments.update(view.features(self._extractor))

    def result(self) -> Mapping[str, Value]:
        from ganbench.metrics.reference import real_moments

        context = self._context
        real = real_moments(
            context.dataset, self._split, self._n_real, self._extractor, root=context.root, device=context.device
        )
        fake = self._moments.result()
        dim = self._extractor.dim
        flags = [f"rank-deficient: {n} {name} samples for {dim} features" for n, name in
                 ((real.n, "real"), (fake.n, "generated")) if n <= dim]  # fmt: skip
        if float(fake.covariance.trace()) < 1e-6 * float(real.covariance.trace()):
            flags.append("collapsed: the generated features hardly vary")
        return {_name(self._extractor.name): Value(frechet_distance(real, fake), flags=tuple(flags))}


def _name(extractor: str) -> str:
    return "fid" if extractor == "inception" else f"fd-{extractor}"


def _reference(context: Context) -> tuple[str, int]:
    """Which real images, and how many (0: all): FID is against the whole training set, the others against test."""
    return ("train+valid", 0) if context.extractor and context.extractor.name == "inception" else ("test", 10_000)


def _protocol(context: Context) -> dict[str, Scalar]:
    assert context.extractor is not None
    split, n = _reference(context)
    held = len(context.dataset.images(split, context.root))
    return {"split": split, "n_real": min(n or held, held), **context.extractor.protocol}


def _card(extractor: str, samples: int, **facts: Any) -> Metric:
    return Metric(
        name=_name(extractor),
        directions={_name(extractor): "lower"},
        range="0 to ∞",
        kinds=("images",),
        samples=samples,
        minimum=2,
        start=_Frechet,
        protocol=_protocol,
        extractor=extractor,
        **facts,
    )


METRICS.add(
    _card(
        "inception",
        50_000,
        title="Fréchet Inception distance",
        paper="Heusel et al. 2017, GANs trained by a two time-scale update rule",
    )
)
METRICS.add(
    _card(
        "efficientnet-lite0",
        10_000,
        title="Fréchet distance on EfficientNet-Lite0's features (not comparable with FID)",
        paper="Heusel et al. 2017; features of Tan and Le 2019, EfficientNet",
    )
)
