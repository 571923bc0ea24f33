"""The 1-nearest-neighbour two-sample test against its definition, hand cases and its exact expectation."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from ganbench.data import Dataset
from ganbench.errors import SampleError
from ganbench.metrics import METRICS
from ganbench.metrics.engine import score
from ganbench.metrics.nearest_neighbour import _drawn, one_nearest_neighbour
from ganbench.spec import Scoring

SEEDS = st.integers(0, 2**16)


@settings(deadline=None, max_examples=8)
@given(seed=SEEDS, n=st.integers(2, 25), scale=st.floats(0.2, 2))
def test_equals_scikit_learns_leave_one_out(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(n, 3)), rng.normal(0.2, scale, size=(n, 3))
    labels = np.repeat([0, 1], n)
    classifier = KNeighborsClassifier(1, algorithm="brute")
    right = cross_val_predict(classifier, np.concatenate([real, fake]), labels, cv=LeaveOneOut()) == labels
    found = one_nearest_neighbour(real, fake)
    assert found.accuracy == pytest.approx(right.mean())
    assert (found.real, found.fake) == pytest.approx((right[:n].mean(), right[n:].mean()))
    assert found.n == n


def test_hand_case_on_a_line() -> None:
    """Real points 0, 10, 20, generated ones .125, .25, 19.

    The nearest of 0 is .125 (wrong), of 10 is 19, at 9, before 0 and 20, at 10 (wrong), of 20 is 19 (wrong); of .125
    both 0 and .25 (half right), of .25 is .125 (right), of 19 is 20.
    """
    real, fake = np.array([[0.0], [10], [20]]), np.array([[0.125], [0.25], [19]])
    found = one_nearest_neighbour(real, fake)
    assert (found.real, found.fake) == (0, 0.5)
    assert found.accuracy == 0.25


def test_sets_apart_are_told_apart() -> None:
    real, fake = np.random.default_rng(0).normal(size=(2, 30, 5)) + np.array([0, 100])[:, None, None]
    assert one_nearest_neighbour(real, fake).accuracy == 1


def test_copies_deceive_the_classifier() -> None:
    """Below .5: memorised samples do not pass for equal distributions."""
    real = np.random.default_rng(0).normal(size=(30, 5))
    assert one_nearest_neighbour(real, real[::-1].copy()).accuracy == 0


def test_one_point_alone_is_no_evidence() -> None:
    """All points of both sets are one: every neighbour is equally near."""
    assert one_nearest_neighbour(np.ones((7, 3)), np.ones((7, 3))).accuracy == 0.5


def test_a_collapsed_generator_amid_the_data() -> None:
    """Xu et al.: real points' neighbours are generated ones or real, generated points' are generated."""
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(100, 2)), rng.normal(0, 1e-3, size=(100, 2))
    found = one_nearest_neighbour(real, fake)
    assert found.fake > 0.95
    assert found.real < found.fake


def test_expectation_for_equal_distributions() -> None:
    """800 draws of 8 and 8 points: the mean is within 4.5 of its standard errors of 7 / 15, one false alarm in
    150,000, and as far from .5, which a coin would give."""
    rng = np.random.default_rng(1)
    values = np.array([one_nearest_neighbour(*rng.normal(size=(2, 8, 2))).accuracy for _ in range(800)])
    error = values.std() / math.sqrt(len(values))
    assert abs(values.mean() - 7 / 15) < 4.5 * error
    assert abs(values.mean() - 0.5) > 4.5 * error


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS, n=st.integers(2, 30), m=st.integers(2, 30))
def test_the_larger_set_is_cut_and_the_sets_are_exchangeable(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(n, 3)), rng.normal(0.5, 1, size=(m, 3))
    least = min(n, m)
    found, other = one_nearest_neighbour(real, fake), one_nearest_neighbour(fake, real)
    drawn = (_drawn(torch.from_numpy(part), least) for part in (real, fake))
    assert found == one_nearest_neighbour(*drawn)
    assert (found.accuracy, found.real, found.fake, found.n) == (other.accuracy, other.fake, other.real, least)


def test_rows_are_drawn_from_all_of_the_larger_set() -> None:
    rows = _drawn(torch.arange(1000.0)[:, None], 100).flatten().tolist()
    assert len(set(rows)) == 100
    assert max(rows) > 800


@pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 1)])
def test_too_few_samples_are_one_line(n: int, m: int) -> None:
    with pytest.raises(SampleError, match=r"n >= 2, got shape \(1, 2\)") as caught:
        one_nearest_neighbour(np.zeros((n, 2)), np.zeros((m, 2)))
    assert "\n" not in str(caught.value)


def test_the_card(grey: Dataset) -> None:
    """Of 200 real images the first 150 are compared with; the binomial standard error is over all 300 points."""
    fake = grey.images("train")[:150] // 2

    def sampler(n: int) -> Iterator[Tensor]:
        yield from fake[:n].split(40)

    (found,) = score(sampler, grey, Scoring.parse({"metrics": ["one_nn"], "samples": 150, "features": "pixels"}))
    direct = one_nearest_neighbour(grey.images("test").flatten(1) / 255, fake.flatten(1) / 255)
    assert 0 < found.value == direct.accuracy < 1
    assert found.details == {"real_accuracy": direct.real, "fake_accuracy": direct.fake, "n_each": 150}
    assert found.stderr == pytest.approx(math.sqrt(found.value * (1 - found.value) / 300))
    assert found.protocol.items() >= {"features": "pixels", "split": "test"}.items()
    assert METRICS.get("one-nn").directions == {"one_nn": 0.5}
