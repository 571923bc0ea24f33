"""The whole Parzen protocol beside one bandwidth of scikit-learn's kernel density, in the same run."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.neighbors import KernelDensity

from ganbench.metrics import parzen_log_likelihood

N, D = 10_000, 784


@pytest.mark.slow
@pytest.mark.speed
@pytest.mark.usefixtures("all_cores")
def test_ten_sigmas_beside_one_of_scikit_learn() -> None:
    """10,000 samples, 1,000 validation and 10,000 test points of 784 pixels; equal to 1e-8 nats at the chosen σ."""
    rng = np.random.default_rng(0)
    samples, valid, test = (rng.random((n, D)) ** 4 for n in (N, 1000, N))
    started = time.perf_counter()
    found = parzen_log_likelihood(samples, valid, test)
    ours = time.perf_counter() - started
    started = time.perf_counter()
    tree = KernelDensity(bandwidth=found.sigma, leaf_size=N).fit(samples)
    expected = tree.score_samples(test).mean()
    theirs = time.perf_counter() - started
    print(f"\nscikit-learn, one sigma {theirs:.1f} s; ours, ten {ours:.1f} s; ratio {theirs / ours:.1f}")  # noqa: T201
    assert found.mean == pytest.approx(expected, abs=1e-8)
    assert theirs / ours >= 15
