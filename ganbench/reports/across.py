"""A leaderboard across data sets: who ranks where on average, and who is told apart from whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ganbench.reports import names, statistics
from ganbench.reports.board import Row, records
from ganbench.reports.names import DirectionOf
from ganbench.reports.ranking import letters, merits
from ganbench.reports.statistics import Array

TYPES = {
    "rank": "Int64",
    "metric": "object",
    "protocol": "object",
    "variant": "object",
    "network": "object",
    "datasets": "int64",
    "seeds": "int64",
    "mean_rank": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "group": "object",
    "improvement": "float64",
    "improvement_low": "float64",
    "improvement_high": "float64",
    "over": "object",
}
"""The columns of the table, in order."""

Contender = tuple[str, str]
"""A variant and its network."""


def across(frame: pd.DataFrame, direction: DirectionOf = names.direction) -> pd.DataFrame:
    """Of a leaderboard, one row for each (metric, protocol, variant, network) that is on several data sets.

    mean_rank: the mean over data sets of the rank that the row's mean score has there, among those who are on all of
    them (`over`); ci_low, ci_high: its 95 % bootstrap interval, seeds resampled by data set (NaN with one seed).
    group: who is told apart by their seeds on all data sets together (statistics.significance_groups). improvement and
    its 95 % interval: the chance that a run of the best row beats one of this row on a data set drawn at random. Those
    who are not on all of the data sets have no rank. Scores themselves are not averaged: data sets have no common
    scale.
    """
    competing = [row for row in records(frame) if not pd.isna(row["rank"])]
    tracks: dict[tuple[str, ...], list[Row]] = {}
    for row in competing:
        tracks.setdefault((row["metric"], row["protocol"], row["versions"].split()[-1]), []).append(row)
    rows = [line for of_track in tracks.values() for line in _rows(of_track, direction)]
    return pd.DataFrame(rows, columns=list(TYPES)).astype(TYPES)


def _rows(rows: Sequence[Row], direction: DirectionOf) -> list[dict[str, Any]]:
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    if len(datasets) < 2:
        return []
    better = direction(rows[0]["metric"])
    values: dict[Contender, dict[str, Array]] = {}
    for row in rows:
        values.setdefault((row["variant"], row["network"]), {})[row["dataset"]] = merits(row["values"], better)
    complete = {who: [its[each] for each in datasets] for who, its in values.items() if len(its) == len(datasets)}
    same = {"metric": rows[0]["metric"], "protocol": rows[0]["protocol"], "over": " ".join(datasets)}
    return [
        same | {"variant": who[0], "network": who[1]} | _counts(values[who]) | result
        for who, result in [*_compared(complete), *((who, {}) for who in values if who not in complete)]
    ]


def _counts(its: dict[str, Array]) -> dict[str, Any]:
    blank = {"group": "", **dict.fromkeys(("mean_rank", "ci_low", "ci_high"), math.nan)}
    return {"datasets": len(its), "seeds": sum(len(each) for each in its.values()), **blank}


def _compared(contenders: dict[Contender, list[Array]]) -> list[tuple[Contender, dict[str, Any]]]:
    """The contenders by their mean rank, with what is said of it."""
    if not contenders:
        return []
    values = list(contenders.values())
    mean_ranks = _mean_ranks([np.stack([each.mean() for each in task]) for task in zip(*values, strict=True)])
    low, high = _intervals(values)
    order = sorted(range(len(values)), key=lambda place: (mean_ranks[place], list(contenders)[place]))
    groups = statistics.significance_groups([values[place] for place in order])
    best = values[order[0]]
    found = []
    for place, group in zip(order, groups, strict=True):
        result = {"rank": 1 + int((mean_ranks < mean_ranks[place]).sum()), "group": letters(group)}
        result |= {"mean_rank": mean_ranks[place], "ci_low": low[place], "ci_high": high[place]}
        result |= dict.fromkeys(("ci_low", "ci_high"), math.nan) if min(map(len, values[place])) < 2 else {}
        found.append((list(contenders)[place], result | _improvement(best, values[place])))
    return found


def _mean_ranks(means: Sequence[Array]) -> Array:
    """Of means (..., contenders), a list of them by data set, more is better: ranks from 1, averaged over data sets."""
    found: Array = np.mean([_ranks(each) for each in means], axis=0)
    return found


def _ranks(means: Array) -> Array:
    above = (means[..., None, :] > means[..., :, None]).sum(axis=-1)
    alike = (means[..., None, :] == means[..., :, None]).sum(axis=-1)
    found: Array = above + (alike + 1) / 2
    return found


def _intervals(values: Sequence[Sequence[Array]]) -> tuple[Array, Array]:
    """Of the contenders' mean ranks."""
    tasks = len(values[0])

    def mean_ranks(drawn: list[Array]) -> Array:
        return _mean_ranks([np.stack([each.mean(-1) for each in drawn[task::tasks]], -1) for task in range(tasks)])

    return statistics.stratified_interval([each for its in values for each in its], mean_ranks)


def _improvement(best: Sequence[Array], mine: Sequence[Array]) -> dict[str, float]:
    """Of the best over this one; of itself nothing."""
    if mine is best:
        return {}
    tasks, chance = len(best), float(statistics.probability_of_improvement(best, mine))
    if min(map(len, [*best, *mine])) < 2:
        return {"improvement": chance}
    low, high = statistics.stratified_interval(
        [*best, *mine], lambda drawn: statistics.probability_of_improvement(drawn[:tasks], drawn[tasks:])
    )
    return {"improvement": chance, "improvement_low": float(low), "improvement_high": float(high)}
