"""The best over training: what runs scored at their looks, beside their ends and never in place of them.

A generator taken where it was best was chosen on the very scores that are shown, which flatters. So it is a column of
its own, by which nothing is ranked.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from ganbench.reports import names, selection, statistics
from ganbench.reports.names import Direction, Track
from ganbench.store.tables import RunRow, ScoreRow

COLUMNS = ("best_over_training", "best_over_training_std", "best_step")
"""The columns of a leaderboard that come of looks."""


class Place(NamedTuple):
    """What a run scored, and after how many steps."""

    step: int
    value: float


class Looks:
    """Scores at looks by run, and by the track on which the run's end is."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Track], list[Place]] = defaultdict(list)

    def take(self, score: ScoreRow) -> bool:
        """Keep a score if it is of a look; whether it is."""
        look = selection.looked(score.protocol)
        if look is not None:
            step, protocol = look
            self._found[score.run_id, Track(score.metric, protocol, score.version)].append(Place(step, score.value))
        return look is not None

    def best(
        self, runs: Iterable[RunRow], ends: Mapping[str, ScoreRow], track: Track, better: Direction
    ) -> dict[str, float]:
        """COLUMNS of a row: mean and std (ddof 1) over its runs of each one's best score, looks and end together, and
        the median of the steps of these bests. Runs without looks do not count; NaN where there is none with any.
        """
        bests = [best for run in runs if (best := self._best(run, ends.get(run.id), track, better)) is not None]
        values = np.array([best.value for best in bests], dtype=np.float64)
        step = float(np.median([best.step for best in bests])) if bests else math.nan
        numbers = float(statistics.mean(values)), float(statistics.std(values)), step
        return dict(zip(COLUMNS, numbers, strict=True))

    def _best(self, run: RunRow, end: ScoreRow | None, track: Track, better: Direction) -> Place | None:
        """Of equal ones the earliest; None of a run that was not looked at, or has no finite score."""
        looks = self._found.get((run.id, track))
        if looks is None:
            return None
        places = [*looks, *([] if end is None else [Place(run.steps, end.value)])]
        finite = (place for place in places if math.isfinite(place.value))
        return min(finite, key=lambda place: (names.loss(place.value, better), place.step), default=None)
