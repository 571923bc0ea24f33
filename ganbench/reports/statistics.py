"""Statistics over the seeds of a run: values are 1-D, one a seed; statistics reduce the last axis."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, bdtrik, gammaln, ndtr, stdtrit

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


def profile_band(values: Array, taus: Array, better: Direction, level: float = 0.95) -> tuple[Array, Array]:
    """The low and high ends of `performance_profile` at each of `taus`, pointwise, at confidence `level`.

    Percentiles of resampled runs, each row of a track a stratum of its own, as rliable has them (Agarwal et al. 2021).
    `values` (n,) are a row's scores, NaN where one was lost; the lost are resampled too. NaNs of one run.

    They are those of all resamples, without a draw: where k of n runs reach tau, those of a resample that do are
    binomial, n of chance k / n. Where none does, or all do, the band is as thin as the curve: of 20 runs it covers 96 %
    where half reach tau, and 88 % where a tenth does.
    """
    n = values.size
    if n < 2:
        return np.full(taus.shape, np.nan), np.full(taus.shape, np.nan)
    profile = performance_profile(values, taus, better)
    low, high = (_binomial_quantile(tail, n, profile) / n for tail in ((1 - level) / 2, (1 + level) / 2))
    return low, high


def _binomial_quantile(tail: float, n: int, chance: Array) -> Array:
    """The least k with P(K <= k) >= tail of K among n with each `chance`, 0 to 1. (scipy.stats is slow to import.)"""
    inside = np.clip(chance, 0.5 / n, 1 - 0.5 / n)  # the ends are no chance at all
    above = np.ceil(bdtrik(tail, n, inside))
    below = np.maximum(above - 1, 0)
    found = np.where(bdtr(below, n, inside) >= tail, below, above)  # where rounding went up
    quantile: Array = np.where((chance > 0) & (chance < 1), found, n * chance)
    return quantile


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
    """The expanded percentile bootstrap interval of `statistic` at confidence `level`; NaNs of one value.

    Percentiles of resampled statistics (Efron 1979), so far out that the interval of a mean is as wide as Student's
    (Hesterberg 2015, What teachers should know about the bootstrap, section 5.3): that of 5 normal values covers about
    92 % at level .95, from 8 on about 94 %. Fewer have no resample as far out: of 3 it covers about 75 %.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.size < 2:
        return (math.nan, math.nan)
    low, high = _interval(statistic(given[_resamples(given.size, resamples, seed)]), given.size, level)
    return float(low), float(high)


def stratified_interval(
    strata: Sequence[ArrayLike],
    statistic: Callable[[list[Array]], Array],
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[Array, Array]:
    """As `bootstrap_interval`, of a statistic of several lists of values (a task each), each resampled by itself.

    `statistic` is given a list of arrays (resamples, n of the stratum) and reduces their last axes, to (resamples, ...)
    of which low and high ends (...) come (Agarwal et al. 2021, section 4.1). One value alone is held as it is; NaNs
    where all strata are so.
    """
    given = [np.asarray(values, dtype=np.float64) for values in strata]
    drawn = [each[_resamples(each.size, resamples, seed + place)] for place, each in enumerate(given)]
    return _interval(statistic(drawn), min((each.size for each in given if each.size > 1), default=1), level)


def _interval(drawn: Array, n: int, level: float) -> tuple[Array, Array]:
    """Over the first axis."""
    if n < 2:
        return np.full(drawn.shape[1:], np.nan), np.full(drawn.shape[1:], np.nan)
    low, high = np.quantile(drawn, expanded_tails(n, level), axis=0)
    return low, high


def expanded_tails(n: int, level: float = 0.95) -> tuple[float, float]:
    """The quantiles of resamples of n values between which an interval at `level` lies."""
    out = float(ndtr(-math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + level) / 2)))
    return out, 1 - out


def interquartile_mean_of_all(strata: Sequence[Array]) -> Array:
    """The interquartile mean of all values of several strata (rliable's aggregate); over the last axis of each."""
    return interquartile_mean(np.concatenate(strata, axis=-1))


def probability_of_improvement(xs: Sequence[Array], ys: Sequence[Array]) -> Array:
    """P(X > Y) + P(X = Y) / 2 of a random pair of each stratum, averaged over strata.

    Agarwal et al. 2021, section 4.3. Each x is (..., n), each y (..., m), of scores of which more is better. 0 to 1,
    NaN of nothing.
    """
    chances = [_chance(np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in zip(xs, ys, strict=True)]
    return mean(np.stack(chances, axis=-1)) if chances else np.full((), np.nan)


def _chance(x: Array, y: Array) -> Array:
    if not x.shape[-1] or not y.shape[-1]:
        return np.full(x.shape[:-1], np.nan)
    wins = (x[..., :, None] > y[..., None, :]).mean(axis=(-2, -1))
    ties = (x[..., :, None] == y[..., None, :]).mean(axis=(-2, -1))
    chance: Array = wins + ties / 2
    return chance


EXACT = 40
"""Values of both sides up to which a rank-sum test goes through all their orders."""


def superiority_p(xs: Sequence[ArrayLike], ys: Sequence[ArrayLike]) -> float:
    """The one-sided p-value of the hypothesis that x is no better than y, strata by strata; more is better.

    The Wilcoxon-Mann-Whitney rank-sum test, conditional on ties; of several strata, their U are added, so that each
    pair counts the same (van Elteren 1960 with those weights). Exact, by counting all orders, up to 40 values a
    stratum; beyond, by the normal approximation with its correction for ties and continuity. 1 of nothing.
    """
    pairs = [(np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in zip(xs, ys, strict=True)]
    pairs = [(x, y) for x, y in pairs if x.size and y.size]
    if not pairs:
        return 1.0
    ranks = [_doubled_ranks(np.concatenate(pair)) for pair in pairs]
    found = sum(int(rank[: x.size].sum()) for rank, (x, _) in zip(ranks, pairs, strict=True))
    if all(rank.size <= EXACT for rank in ranks):
        sums = [_of_sums(x.size, tuple(sorted(rank))) for rank, (x, _) in zip(ranks, pairs, strict=True)]
        chances = functools.reduce(np.convolve, sums)
        return min(1.0, float(chances[found:].sum()))
    return _normal_p(found, [(x.size, rank.astype(np.float64)) for rank, (x, _) in zip(ranks, pairs, strict=True)])


def _doubled_ranks(values: Array) -> NDArray[np.int64]:
    """Twice the ranks, of equal ones their mean's: whole numbers. (scipy.stats takes half a second to import.)"""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    found: NDArray[np.int64] = (2 * below + counts + 1)[places]
    return found


@functools.lru_cache(maxsize=4096)
def _of_sums(n: int, ranks: tuple[int, ...]) -> Array:
    """The chance of each sum, from 0, of n of these ranks, drawn without replacement."""
    ways = np.zeros((n + 1, sum(ranks) + 1))
    ways[0, 0] = 1.0
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    chances: Array = ways[n] / math.comb(len(ranks), n)
    return chances


def _normal_p(found: int, strata: Sequence[tuple[int, Array]]) -> float:
    """Of the sum of doubled ranks; their variance without replacement holds the correction for ties."""
    expected = sum(n * ranks.mean() for n, ranks in strata)
    variance = sum(n * (ranks.size - n) / (ranks.size - 1) * ranks.var() for n, ranks in strata)
    if variance == 0:
        return 1.0
    return float(ndtr(-(found - expected - 1) / math.sqrt(variance)))  # 1: half a rank, doubled


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, so that one below .05 is among errors of 5 % in all (Holm 1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, worst = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        worst = max(worst, min(1.0, (len(order) - place) * p_values[index]))
        adjusted[index] = worst
    return adjusted


def significance_groups(rows: Sequence[Sequence[ArrayLike]], level: float = 0.05) -> list[int]:
    """Of rows (of strata of values, more is better), in the order of merit, who is not told apart from whom: 0, 1, ...

    Group 0 is the best row and all that it is not significantly better than; group 1 the best of the others with its
    like, and so on. Who is best is known from the same values, so any two rows might have been compared, either way:
    with k rows left p is multiplied by k (k - 1) (Bonferroni), and the chance that anyone is told apart among equals
    is at most `level`. Few values tell little apart: two rows 4 against 4, five rows 6 against 6.
    """
    groups, left, number = [0] * len(rows), list(range(len(rows))), 0
    while left:
        first, others = left[0], left[1:]
        pairs = len(left) * (len(left) - 1)
        left = [other for other in others if superiority_p(rows[first], rows[other]) * pairs < level]
        number += 1
        for index in left:
            groups[index] = number
    return groups


@functools.lru_cache(maxsize=64)
def _resamples(n: int, resamples: int, seed: int) -> NDArray[np.int32]:
    """Indices (resamples, n), the same for every row of a table that has n seeds."""
    return np.random.default_rng(seed).integers(n, size=(resamples, n), dtype=np.int32)
