"""The Inception score against torch-fidelity, its bounds, and its split rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_isc import isc_features_to_metric

from ganbench.errors import SampleError
from ganbench.metrics import inception_score
from ganbench.metrics.isc import _Splits


def _logits(n: int = 1003, classes: int = 1008, scale: float = 3.0) -> torch.Tensor:
    return scale * torch.randn(n, classes, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("splits", [1, 7, 10])
def test_equals_torch_fidelity_unshuffled(splits: int) -> None:
    """1e-12 at N = 1003, which no splits divide: another split rule, or ddof 1, is far off."""
    logits = _logits()
    expected = isc_features_to_metric(logits, splits=splits, shuffle=False)
    mean, std = inception_score(logits, splits)
    assert mean == pytest.approx(expected["inception_score_mean"], abs=1e-12 * mean)
    assert std == pytest.approx(expected["inception_score_std"], abs=1e-11 * mean)


@pytest.mark.parametrize("batch", [1, 64, 500])
def test_a_stream_equals_the_whole(batch: int) -> None:
    logits = _logits(203, 20)
    stream = _Splits(len(logits), 10)
    for part in logits.split(batch):
        stream.add(part)
    assert stream.result() == pytest.approx(inception_score(logits), abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**16), n=st.integers(10, 60), scale=st.floats(0, 100))
def test_between_one_and_the_number_of_classes(seed: int, n: int, scale: float) -> None:
    logits = scale * np.random.default_rng(seed).normal(size=(n, 7))
    assert 1 - 1e-12 <= inception_score(logits)[0] <= 7 + 1e-12


def test_the_ends_of_the_range() -> None:
    """Equal rows score 1; sure and balanced ones, whose other probabilities are exactly 0, the number of classes."""
    assert inception_score(torch.zeros(20, 5), 2) == pytest.approx((1, 0), abs=1e-12)
    sure = 1e4 * torch.eye(5, dtype=torch.float64).repeat(4, 1)
    assert inception_score(sure, 2) == pytest.approx((5, 0), abs=1e-12)


def test_std_is_over_splits_with_ddof_0() -> None:
    logits = torch.cat([torch.zeros(4, 2), torch.tensor([[1e4, 0.0], [0.0, 1e4]]).repeat(2, 1)])
    assert inception_score(logits, 2) == pytest.approx((1.5, 0.5), abs=1e-12)


@pytest.mark.parametrize(
    ("logits", "message"),
    [(torch.zeros(9, 3), "at least 10 samples, got 9"), (torch.full((20, 3), float("nan")), "not finite")],
)
def test_bad_logits_are_errors(logits: torch.Tensor, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        inception_score(logits)
