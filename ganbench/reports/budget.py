"""What a search is expected to find with fewer configurations: best-of-k curves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ganbench.reports import names, selection, statistics
from ganbench.reports.contenders import Entry, Names, entries, listed
from ganbench.reports.names import REAL, DirectionOf
from ganbench.reports.ranking import TRACK, ordered
from ganbench.store import Store

COLUMNS = (
    "dataset",
    "metric",
    "protocol",
    "variant",
    "network",
    "k",
    "mean",
    "ci_low",
    "ci_high",
    "configurations",
    "lost",
    "selected_by",
    "versions",
)
"""The columns of a table of curves, in order."""

POINTS = 100
"""Values of k at most: all of them up to here, then evenly in their logarithm."""
RESAMPLES = 1000
BLOCK = 4_000_000
"""Numbers resampled at once."""


def best_of_k(
    store: Store | str | Path | None,
    dataset: Names = None,
    metric: Names = None,
    variant: Names = None,
    *,
    direction: DirectionOf = names.direction,
) -> pd.DataFrame:
    """One row for each (dataset, protocol, metric, variant, network) of several configurations and k, with COLUMNS.

    mean: the expected score (its configuration's mean over seeds) of the best of k of the configurations tried, drawn
    without replacement; the best is what the search would have chosen of them, by its held-out scores (`selected_by`),
    so the curve of a metric need not be monotone. ci_low, ci_high: 95 % bootstrap over configurations, of
    how far it would be off with others tried. lost: configurations without a score here (diverged, failed, pruned);
    they are never the best, and a draw of none but them does not count. Names that the store does not have are
    UnknownNameErrors.
    """
    return table(entries(store, dataset, metric, variant, direction), variant, direction)


def table(shown: Sequence[Entry], variant: Names = None, direction: DirectionOf = names.direction) -> pd.DataFrame:
    """The curves of entries that are at hand, of those of `variant`."""
    wanted = listed(variant)
    rows = [row for entry in shown if _searched(entry, wanted) for row in _rows(entry, direction)]
    return ordered(pd.DataFrame(rows, columns=list(COLUMNS)), [*TRACK, "variant", "network", "k"])


def _searched(entry: Entry, variants: Collection[str] | None) -> bool:
    wanted = variants is None or entry.family.variant in variants
    return wanted and entry.family.variant != REAL and len(entry.configurations) > 1


def _rows(entry: Entry, direction: DirectionOf) -> Iterator[dict[str, Any]]:
    means = np.array([each.mean for each in entry.by_merit(direction(entry.track.metric))])
    means = np.concatenate([means[np.isfinite(means)], means[~np.isfinite(means)]])
    if not np.isfinite(means).any():
        return
    ks = _ks(len(means))
    low, high = _interval(means, ks)
    same = {
        "dataset": entry.family.dataset,
        "metric": entry.track.metric,
        "protocol": entry.track.protocol,
        "variant": entry.family.variant,
        "network": entry.family.network,
        "configurations": len(means),
        "lost": int((~np.isfinite(means)).sum()),
        "selected_by": entry.chosen.by if entry.chosen else selection.SHOWN,
        "versions": f"dataset={entry.family.dataset_version} metric={entry.track.version}",
    }
    points = zip(ks, statistics.expected_best(means, ks), low, high, strict=True)
    for k, mean, below, above in points:
        yield same | {"k": int(k), "mean": float(mean), "ci_low": float(below), "ci_high": float(above)}


def _ks(n: int) -> NDArray[np.int64]:
    if n <= POINTS:
        return np.arange(1, n + 1)
    return np.unique(np.geomspace(1, n, POINTS).round().astype(np.int64))


def _interval(means: statistics.Array, ks: NDArray[np.int64]) -> tuple[statistics.Array, statistics.Array]:
    """The 95 % expanded percentile bootstrap over configurations, in the order of preference."""
    n, generator = len(means), np.random.default_rng(0)
    drawn = [
        statistics.expected_best(means[np.sort(generator.integers(n, size=(many, n)), axis=1)], ks)
        for many in _parts(RESAMPLES, max(1, BLOCK // n))
    ]
    low, high = np.nanquantile(np.concatenate(drawn), statistics.expanded_tails(n), axis=0)
    return low, high


def _parts(total: int, most: int) -> Iterator[int]:
    for start in range(0, total, most):
        yield min(most, total - start)
