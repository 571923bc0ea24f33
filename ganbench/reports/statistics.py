"""Statistics over the seeds of a run: values are 1-D, one a seed; statistics reduce the last axis."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
