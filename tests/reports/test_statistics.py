from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ganbench.reports.statistics import (
    bootstrap_interval,
    expanded_tails,
    interquartile_mean,
    mean,
    performance_profile,
    std,
)

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30).map(np.array)


@given(VALUES)
def test_iqm_is_the_trimmed_mean(values: np.ndarray) -> None:
    assert interquartile_mean(values) == pytest.approx(scipy.stats.trim_mean(values, 0.25), rel=1e-12, abs=1e-9)


@given(VALUES, st.randoms(use_true_random=False))
def test_iqm_is_between_the_ends_and_knows_no_order(values: np.ndarray, random) -> None:
    slack = 1e-9 * (1 + np.abs(values).max())
    assert values.min() - slack <= interquartile_mean(values) <= values.max() + slack
    shuffled = values.copy()
    random.shuffle(shuffled)
    assert interquartile_mean(shuffled) == interquartile_mean(values)


def test_iqm_by_hand() -> None:
    assert interquartile_mean(np.array([100.0, 1, 2, 3, -50, 4, 5, 6])) == 3.5  # of 2, 3, 4, 5
    assert interquartile_mean(np.array([3.0, 1, 8])) == 4  # n // 4 is 0


def test_std_is_the_sample_deviation_and_undefined_for_one() -> None:
    assert std(np.array([1.0, 2, 3, 4])) == pytest.approx(math.sqrt(5 / 3), rel=1e-15)
    assert math.isnan(std(np.array([1.0])))


def test_nothing_has_no_mean() -> None:
    assert math.isnan(mean(np.array([])))
    assert math.isnan(interquartile_mean(np.array([])))


@pytest.mark.parametrize("values", [[], [3.0]])
def test_no_interval_of_fewer_than_two(values: list[float]) -> None:
    assert all(math.isnan(end) for end in bootstrap_interval(values))


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12))
def test_the_interval_holds_the_mean_and_lies_between_the_ends(values: list[float]) -> None:
    """Mirrored about 0, so that the resampled means are symmetric about the mean."""
    mirrored = values + [-value for value in values]
    low, high = bootstrap_interval(mirrored)
    assert min(mirrored) - 1e-9 <= low <= 1e-9
    assert -1e-9 <= high <= max(mirrored) + 1e-9


def test_the_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(3).gamma(2.0, size=12)
    tail, _ = expanded_tails(12)
    reference = scipy.stats.bootstrap(
        (values,), np.mean, confidence_level=1 - 2 * tail, method="percentile", n_resamples=9999, random_state=1
    )
    low, high = bootstrap_interval(values)
    # two Monte-Carlo ends of 2,000 and 9,999 draws: each some 3 % of the interval's width
    width = reference.confidence_interval.high - reference.confidence_interval.low
    assert low == pytest.approx(reference.confidence_interval.low, abs=0.08 * width)
    assert high == pytest.approx(reference.confidence_interval.high, abs=0.08 * width)


def test_the_interval_is_repeatable_and_takes_its_seed_level_and_statistic() -> None:
    values = [1.0, 2, 4, 8, 16, 32]
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values) != bootstrap_interval(values, seed=1)
    narrow, broad = bootstrap_interval(values, level=0.5), bootstrap_interval(values, level=0.95)
    assert broad[0] < narrow[0] < narrow[1] < broad[1]
    assert bootstrap_interval(values, interquartile_mean)[1] != bootstrap_interval(values)[1]


def test_resamples_do_not_touch_the_global_generator() -> None:
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    bootstrap_interval([1.0, 2.0, 3.0, 4.5, 5.5], seed=99)
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize(("n", "least"), [(5, 0.87), (8, 0.905), (30, 0.92)])
def test_coverage(n: int, least: float) -> None:
    """Of 1,000 intervals of n normal values, 95 % are to hold the true mean (92 % of 5, see the docstring); fewer than
    `least` or more than 97.5 % has a chance under 1 in 1,000. Plain percentiles came to 84 % of 5 and 88 % of 8."""
    samples = np.random.default_rng(0).normal(5.0, 2.0, size=(1000, n))
    hits = [low <= 5.0 <= high for low, high in (bootstrap_interval(sample, resamples=1000) for sample in samples)]
    assert least <= np.mean(hits) <= 0.975


@pytest.mark.parametrize("better", ["higher", "lower"])
@given(VALUES, VALUES)
def test_a_profile_is_the_part_that_is_as_good(better, values: np.ndarray, taus: np.ndarray) -> None:
    """One minus scipy's empirical distribution function below, or that function itself."""
    ecdf = scipy.stats.ecdf(values)
    below = ecdf.cdf.evaluate(np.nextafter(taus, -np.inf))
    expected = ecdf.cdf.evaluate(taus) if better == "lower" else 1 - below
    np.testing.assert_allclose(performance_profile(values, taus, better), expected, atol=1e-12)


def test_lost_runs_reach_no_tau_of_a_profile() -> None:
    values, taus = np.array([1.0, 3.0, math.nan, math.nan]), np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_array_equal(performance_profile(values, taus, "lower"), [0, 0.25, 0.25, 0.5])
    np.testing.assert_array_equal(performance_profile(values, taus, "higher"), [0.5, 0.5, 0.25, 0.25])
    np.testing.assert_array_equal(performance_profile(values, taus, 2.5), [0, 0.25, 0.5, 0.5])  # distances .5 and 1.5
    np.testing.assert_array_equal(
        performance_profile(np.stack([values, values]), taus, "lower")[1], [0, 0.25, 0.25, 0.5]
    )
