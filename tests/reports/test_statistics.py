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
    profile_band,
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


BETTER = ("higher", "lower", 2.5)


@pytest.mark.parametrize("better", BETTER)
@pytest.mark.parametrize("lost", [0, 3])
def test_a_band_is_that_of_resampled_profiles(better, lost: int) -> None:
    """Against a loop over 4,000 resamples: each end lies between their quantiles four Monte-Carlo errors to either side
    of its tail, else in 1 of 1,000 tests; at most taus they are one and the same, for counts are whole."""
    generator = np.random.default_rng(2)
    values = np.concatenate([generator.normal(2.0, size=9), np.full(lost, math.nan)])
    taus = np.linspace(0.0, 4.0, 23)
    drawn = [performance_profile(generator.choice(values, values.size), taus, better) for _ in range(4000)]
    for tail, end in zip((0.025, 0.975), profile_band(values, taus, better), strict=True):
        off = 4 * math.sqrt(tail * (1 - tail) / len(drawn))
        around = [max(tail - off, 0), tail, min(tail + off, 1)]
        low, found, high = np.quantile(drawn, around, axis=0, method="inverted_cdf")
        assert (low - 1e-12 <= end).all()
        assert (end <= high + 1e-12).all()
        assert np.isclose(end, found).mean() > 0.7


@given(VALUES.filter(lambda values: values.size > 1), VALUES, st.sampled_from(BETTER))
def test_a_band_holds_its_curve(values: np.ndarray, taus: np.ndarray, better) -> None:
    low, high = profile_band(values, taus, better)
    profile = performance_profile(values, taus, better)
    assert (low >= 0).all()
    assert (low <= profile + 1e-12).all()
    assert (profile - 1e-12 <= high).all()
    assert (high <= 1).all()
    np.testing.assert_array_equal(profile_band(values[::-1], taus, better), (low, high))


@pytest.mark.parametrize("n", [2, 3, 20, 227, 10_000])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_a_band_is_of_binomial_quantiles(n: int, level: float) -> None:
    values = np.arange(n, dtype=np.float64)
    taus = np.linspace(-1, n, 50).round()
    chances = performance_profile(values, taus, "lower")
    inside = (chances > 0) & (chances < 1)
    quantiles = [scipy.stats.binom.ppf(tail, n, chances) / n for tail in ((1 - level) / 2, (1 + level) / 2)]
    expected = [np.where(inside, each, chances) for each in quantiles]
    np.testing.assert_array_equal(profile_band(values, taus, "lower", level), expected)


def test_a_band_of_equal_scores_is_as_thin_as_its_curve() -> None:
    low, high = profile_band(np.full(6, 3.0), np.array([2.0, 3.0, 4.0]), "lower")
    np.testing.assert_array_equal(low, [0, 1, 1])
    np.testing.assert_array_equal(high, low)


@pytest.mark.parametrize("values", [[], [3.0]])
def test_no_band_of_fewer_than_two(values: list[float]) -> None:
    assert np.isnan(profile_band(np.array(values), np.array([1.0, 4.0]), "lower")).all()


@pytest.mark.parametrize("chance", [0.5, 0.25, 0.1])
def test_a_band_covers_what_it_says(chance: float) -> None:
    """Of 4,000 rows of 20 normal scores, at the tau that a run reaches with this chance: the rate is within four
    standard errors of what the binomial distribution makes it, else 1 in 16,000; 95 % were asked for."""
    tau = np.array([scipy.stats.norm.ppf(chance)])
    rows = np.random.default_rng(5).normal(size=(4000, 20))
    bands = np.array([profile_band(row, tau, "lower") for row in rows])[..., 0]
    found = np.mean((bands[:, 0] <= chance + 1e-12) & (chance - 1e-12 <= bands[:, 1]))
    expected = {0.5: 0.9586, 0.25: 0.9618, 0.1: 0.8760}[chance]
    assert abs(found - expected) < 4 * math.sqrt(expected * (1 - expected) / len(rows))
