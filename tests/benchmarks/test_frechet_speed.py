"""The Fréchet distance at Inception's width, beside SciPy's matrix square root in the same run."""

from __future__ import annotations

import statistics
import time

import pytest
import scipy.linalg
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from ganbench.metrics import fid
from ganbench.metrics.frechet import frechet_distance
from ganbench.metrics.moments import Gaussian

D, N = 2048, 50_000


def _gaussian(seed: int) -> Gaussian:
    """Synthetic, n > d, with a spectrum that falls off like that of Inception's features."""
    source = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(D, D, generator=source, dtype=torch.float64))[0]
    spectrum = 10 / torch.arange(1, D + 1, dtype=torch.float64)
    mean = torch.randn(D, generator=source, dtype=torch.float64)
    return Gaussian(mean, basis * spectrum @ basis.T, N)


def _by_sqrtm(a: Gaussian, b: Gaussian) -> float:
    root = scipy.linalg.sqrtm((a.covariance @ b.covariance).numpy())
    traces = float(a.covariance.trace() + b.covariance.trace())
    return float((a.mean - b.mean).square().sum()) + traces - 2 * float(root.trace().real)


@pytest.mark.slow
@pytest.mark.speed
@pytest.mark.usefixtures("all_cores")
def test_ten_times_faster_than_sqrtm_and_equal(benchmark: BenchmarkFixture) -> None:
    """Agreement 1e-6 and a ratio of 10: the median of five, warmed up, against one run of sqrtm.

    Ours goes first: SciPy's BLAS keeps its threads spinning for a while, which would be measured with it.
    """
    a, b = _gaussian(0), _gaussian(1)
    _seconds(a, b)
    ours = statistics.median(_seconds(a, b) for _ in range(5))
    found = benchmark.pedantic(frechet_distance, (a, b), rounds=3)
    started = time.perf_counter()
    expected = _by_sqrtm(a, b)
    theirs = time.perf_counter() - started
    print(f"\nsqrtm {theirs:.2f} s, ours {ours:.2f} s, ratio {theirs / ours:.1f}")  # noqa: T201
    assert found == pytest.approx(expected, abs=1e-6)
    assert theirs / ours >= 10


@pytest.mark.slow
@pytest.mark.speed
@pytest.mark.usefixtures("all_cores")
def test_faster_still_with_fewer_samples_than_features() -> None:
    """1,000 samples of 2,048 features: the nuclear norm, the median of five, against one run of sqrtm.

    The bound is 40, not the 100 that older SciPy gives, whose sqrtm took 86 s on a singular product: 1.17's takes 16 s.
    It is itself inexact there: the tolerance is its own, ours is pinned to 1e-5 at a smaller size.
    """
    x, y = (torch.randn(1000, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in (0, 1))
    fid(x, y)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        found = fid(x, y)
        times.append(time.perf_counter() - started)
    ours = statistics.median(times)
    gaussians = [Gaussian(part.mean(0), torch.cov(part.mT), 1000) for part in (x, y)]
    started = time.perf_counter()
    expected = _by_sqrtm(*gaussians)
    theirs = time.perf_counter() - started
    print(f"\nn < d: sqrtm {theirs:.2f} s, ours {ours:.3f} s, ratio {theirs / ours:.0f}")  # noqa: T201
    assert found == pytest.approx(expected, rel=1e-3)
    assert theirs / ours >= 40


def _seconds(a: Gaussian, b: Gaussian) -> float:
    started = time.perf_counter()
    frechet_distance(a, b)
    return time.perf_counter() - started
