"""Statistics over the seeds of a run: values are 1-D, one a seed; statistics reduce the last axis."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from ganbench.reports.names import Direction

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]


def mean(values: Array) -> Array:
    """The mean over the last axis; NaN of nothing."""
    return values.mean(axis=-1) if values.shape[-1] else np.full(values.shape[:-1], np.nan)


def std(values: Array) -> Array:
    """The sample standard deviation (ddof 1) over the last axis; NaN of fewer than two values."""
    return values.std(axis=-1, ddof=1) if values.shape[-1] > 1 else np.full(values.shape[:-1], np.nan)


def interquartile_mean(values: Array) -> Array:
    """The mean without the lowest and the highest quarter, n // 4 values each (Agarwal et al. 2021); NaN of nothing."""
    cut = values.shape[-1] // 4
    return mean(np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut])


def expected_best(values: Array, ks: NDArray[np.int64]) -> Array:
    """What the best of k of these is expected to score, for each k in `ks` (at most n): draws without replacement.

    `values` (..., n) are those that were tried, in the order of preference, the best first; what it was preferred by
    may be another score. Those lost (NaN) are last, and the expectation is over draws in which not all are lost; NaN
    where all are. Unbiased: Tang et al. 2020, Showing your work doesn't always work, equation 4.
    """
    n = values.shape[-1]
    places = np.arange(1, n + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = np.exp(_log_choose(n - places, ks[:, None] - 1) - _log_choose(n, ks[:, None]))  # of place r, (ks, n)
    chance = np.where(n - places >= ks[:, None] - 1, chance, 0.0)
    seen = np.isfinite(values)
    total = np.where(seen, values, 0.0) @ chance.T
    weight = seen.astype(np.float64) @ chance.T
    found: Array = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    return found


def performance_profile(values: Array, taus: Array, better: Direction) -> Array:
    """The part of runs that score as well as each of `taus` or better: run-score distributions (Agarwal et al. 2021).

    `values` (..., n) are runs' scores, NaN where one was lost (diverged, failed, undefined): no tau is reached by it.
    Where a number is best, `taus` are distances to it.
    """
    bounds = _losses(taus, better) if isinstance(better, str) else taus
    reached = _losses(values, better)[..., None, :] <= bounds[:, None]  # NaN reaches nothing
    return mean(reached.astype(np.float64))


def _losses(values: Array, better: Direction) -> Array:
    """`names.loss` of many."""
    if isinstance(better, str):
        return -values if better == "higher" else values
    return np.abs(values - better)


def _log_choose(n: ArrayLike, k: ArrayLike) -> Array:
    of, out = np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64)
    found: Array = gammaln(of + 1) - gammaln(out + 1) - gammaln(of - out + 1)
    return found


def bootstrap_interval(
    values: ArrayLike, statistic: Statistic = mean, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The percentile bootstrap interval of `statistic` (Efron 1979) at confidence `level`; NaNs of one value.

    It is too narrow where seeds are few: that of a mean of 5 normal values covers about 83 % at level .95.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.size < 2:
        return (float("nan"), float("nan"))
    drawn = statistic(given[_resamples(given.size, resamples, seed)])
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@functools.lru_cache(maxsize=8)
def _resamples(n: int, resamples: int, seed: int) -> NDArray[np.int32]:
    """Indices (resamples, n), the same for every row of a table that has n seeds."""
    return np.random.default_rng(seed).integers(n, size=(resamples, n), dtype=np.int32)
