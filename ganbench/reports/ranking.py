"""Who is better than whom: ranks of the rows of a leaderboard, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ganbench.reports import names, statistics
from ganbench.reports.names import REAL, Direction, DirectionOf
from ganbench.reports.statistics import Array

TRACK = ("dataset", "metric", "protocol", "versions")
"""What rows that are ranked together have in common."""

ORDER = ("dataset", "metric", "protocol", "versions", "competes", "rank", "variant", "network")
"""What a leaderboard's rows are sorted by: the real data first, then by rank."""


def ranked(frame: pd.DataFrame, direction: DirectionOf) -> pd.DataFrame:
    """With each row's rank by its mean, by track; blank for the real data and where there is no mean."""
    losses = [names.loss(mean, direction(metric)) for metric, mean in zip(frame["metric"], frame["mean"], strict=True)]
    merit = pd.Series(losses, index=frame.index, dtype="float64").where(frame["variant"] != REAL)
    ranks = merit.groupby([frame[column] for column in TRACK]).rank(method="min")
    return frame.assign(rank=ranks.astype("Int64"))


def compared(frame: pd.DataFrame, direction: DirectionOf) -> pd.DataFrame:
    """With who of the ranked rows is told apart from whom, by track; blank for the others."""
    groups, chances = [""] * len(frame), [math.nan] * len(frame)
    places = frame.reset_index(drop=True)
    for _, rows in places[places["rank"].notna()].groupby(list(TRACK), sort=False):
        rows = rows.sort_values(["rank", "variant", "network"])
        better = direction(str(rows["metric"].iloc[0]))
        values = [merits(text, better) for text in rows["values"]]
        numbers = statistics.significance_groups([[each] for each in values])
        for place, mine, number in zip(rows.index, values, numbers, strict=True):
            groups[place] = letters(number)
            if mine is not values[0]:
                chances[place] = float(statistics.probability_of_improvement([values[0]], [mine]))
    group = pd.Series(groups, frame.index, dtype="object")
    return frame.assign(group=group, improvement=pd.Series(chances, frame.index, dtype="float64"))


def merits(values: str, better: Direction) -> Array:
    """The scores of a row, one a seed, so turned that more is better."""
    return np.array([-names.loss(float(value), better) for value in values.split()], dtype=np.float64)


def letters(number: int) -> str:
    """a to z, then aa, ab, ..."""
    return (letters(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)


def ordered(frame: pd.DataFrame, by: Sequence[str] = ORDER) -> pd.DataFrame:
    """Rows sorted by columns of theirs, metrics with the primary one first."""
    places = {metric: place for place, metric in enumerate(sorted(set(frame["metric"]), key=names.order))}
    keys = frame.assign(metric=frame["metric"].map(places), competes=frame["variant"] != REAL)
    return frame.loc[keys.sort_values(list(by), na_position="last").index].reset_index(drop=True)


def led(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of one data set for a table with a line a variant and network: those of the leading track first.

    Lines come in the order of their first rows, so those ranked there lead, in the order of their ranks, and after them
    who is not on it: imported, or measured by another protocol. Leading is a track measured here rather than elsewhere;
    of those the first, that of the primary metric, which ranks more than half as many as any does.
    """
    ranks = frame["rank"].notna().groupby([frame[column] for column in TRACK], sort=False).sum()
    if ranks.empty:
        return frame
    here = [track for track in ranks.index if not names.elsewhere(track[TRACK.index("protocol")])] or list(ranks.index)
    first = next((track for track in here if 2 * ranks[track] > ranks[here].max()), here[0])
    leads = (frame[list(TRACK)] == list(first)).all(axis=1)
    return pd.concat([frame[leads], frame[~leads]])
