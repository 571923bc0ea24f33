"""The Fréchet distance against closed forms, its invariances, and SciPy's matrix square root."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganbench.errors import SampleError
from ganbench.metrics import fid
from ganbench.metrics.frechet import frechet_distance
from ganbench.metrics.moments import Gaussian, Moments

SEEDS = st.integers(0, 2**16)


def _features(seed: int, n: int, d: int) -> np.ndarray:
    """Correlated, off centre, of unequal scales."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def _by_sqrtm(x: np.ndarray, y: np.ndarray) -> float:
    a, b = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(a @ b)
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a + b) - 2 * np.trace(root).real)


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, n=st.integers(2, 40), m=st.integers(2, 40))
def test_symmetric(seed: int, n: int, m: int) -> None:
    x, y = _features(seed, n, 6), _features(seed + 1, m, 6)
    assert fid(x, y) == pytest.approx(fid(y, x), rel=1e-9, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, n=st.integers(2, 60))
def test_zero_on_itself(seed: int, n: int) -> None:
    """abs 1e-9 on unit-scale features, of full rank or not."""
    x = np.random.default_rng(seed).normal(size=(n, 16))
    assert fid(x, x.copy()) == pytest.approx(0, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(
    one=st.lists(st.floats(0.01, 10), min_size=5, max_size=5),
    other=st.lists(st.floats(0.01, 10), min_size=5, max_size=5),
    shift=st.floats(-3, 3),
)
def test_diagonal_gaussians_closed_form(one: list[float], other: list[float], shift: float) -> None:
    """Σ(√a - √b)² + ‖Δμ‖², to 1e-12 of the traces it is a difference of."""
    a, b = torch.tensor(one, dtype=torch.float64), torch.tensor(other, dtype=torch.float64)
    zero = torch.zeros(5, dtype=torch.float64)
    expected = float((a.sqrt() - b.sqrt()).square().sum() + 5 * shift**2)
    found = frechet_distance(Gaussian(zero, a.diag(), 10_000), Gaussian(zero + shift, b.diag(), 10_000))
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12 * float(a.sum() + b.sum()))


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS)
def test_a_shared_orthogonal_map_changes_nothing(seed: int) -> None:
    x, y = _features(seed, 50, 6), _features(seed + 1, 70, 6)
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))[0]
    assert fid(x @ q, y @ q) == pytest.approx(fid(x, y), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("n", "m", "tolerance"), [(300, 500, 1e-8), (40, 500, 1e-5), (30, 40, 1e-5)])
def test_equals_sqrtm(n: int, m: int, tolerance: float) -> None:
    """With more rows than columns, and with fewer in one set or both. ddof 0 would be off by 1/n."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(n, 64)), rng.normal(0.3, 1.5, size=(m, 64))
    assert fid(x, y) == pytest.approx(_by_sqrtm(x, y), abs=tolerance)


@pytest.mark.parametrize(("n", "m"), [(40, 500), (500, 40), (30, 40)])
def test_streamed_moments_agree_with_features_where_rank_is_short(n: int, m: int) -> None:
    """The engine has moments only: rounding noise beyond the rank may cost no more than 1e-4 of the distance."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(n, 64)), rng.normal(0.3, 1.5, size=(m, 64))
    gaussians = []
    for part in (x, y):
        moments = Moments()
        moments.update(torch.from_numpy(part))
        gaussians.append(moments.result())
    assert frechet_distance(*gaussians) == pytest.approx(fid(x, y), rel=1e-4)


def test_numpy_and_torch_float32_are_one() -> None:
    x, y = _features(0, 50, 4).astype(np.float32), _features(1, 60, 4).astype(np.float32)
    assert fid(x, y) == fid(torch.from_numpy(x), torch.from_numpy(y))


def test_a_constant_feature_is_no_trouble() -> None:
    """Its covariance has no Cholesky factor."""
    x, y = _features(0, 60, 4), _features(1, 60, 4)
    x[:, 2] = y[:, 2] = 1.0
    kept = [0, 1, 3]
    assert fid(x, y) == pytest.approx(fid(x[:, kept], y[:, kept]), rel=1e-6)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.zeros((5, 3)), np.zeros((5, 4)), "real 3, generated 4"),
        (np.zeros((1, 3)), np.zeros((5, 3)), r"\(1, 3\)"),
        (np.zeros((5, 3)), np.full((5, 3), np.nan), "not finite"),
        (np.zeros(5), np.zeros((5, 3)), r"\(5,\)"),
    ],
)
def test_bad_features_are_one_line(real: np.ndarray, fake: np.ndarray, message: str) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        fid(real, fake)
    assert "\n" not in str(caught.value)
