"""Streamed moments equal NumPy's, however the stream is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganbench.errors import SampleError
from ganbench.metrics.moments import Moments


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**16),
    n=st.integers(2, 60),
    cuts=st.lists(st.integers(1, 59), max_size=5),
    offset=st.sampled_from([0.0, 1.0, 1e4]),
)
def test_any_batching_equals_numpy(seed: int, n: int, cuts: list[int], offset: float) -> None:
    """np.cov (ddof 1) to a relative 1e-12 of the largest variance; a flipped ddof is off by 1/n."""
    x = np.random.default_rng(seed).normal(offset, 2.0, (n, 4))
    moments = Moments()
    for part in np.split(x, sorted({cut for cut in cuts if cut < n})):
        moments.update(torch.from_numpy(part))
    found = moments.result()
    # an offset costs the input itself offset²·eps of variance: not the moments' fault, but NumPy's as well
    scale = np.abs(np.cov(x.T)).max() + offset
    np.testing.assert_allclose(found.mean.numpy(), x.mean(0), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.covariance.numpy(), np.cov(x.T), rtol=0, atol=1e-12 * scale)
    assert found.n == n


def test_float32_is_summed_in_float64() -> None:
    x = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0)) + 100
    moments = Moments()
    for part in x.split(777):
        moments.update(part)
    torch.testing.assert_close(moments.result().covariance, torch.cov(x.double().T), rtol=1e-11, atol=1e-11)


def test_one_sample_has_no_covariance() -> None:
    moments = Moments()
    moments.update(torch.zeros(1, 3))
    with pytest.raises(SampleError, match="at least 2 samples, got 1"):
        moments.result()
