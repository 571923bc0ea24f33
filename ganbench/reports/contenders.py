"""Who competes for a row of the leaderboard: a store's runs and scores as the configurations of each variant."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganbench.errors import UnknownNameError
from ganbench.reports import looks, names, selection, statistics
from ganbench.reports.names import Direction, DirectionOf, Track
from ganbench.reports.selection import Chosen
from ganbench.spec import Status
from ganbench.store import Store
from ganbench.store.tables import RunRow, ScoreRow

Names = str | Sequence[str] | None


def entries(
    store: Store | str | Path | None, dataset: Names, metric: Names, variant: Names, direction: DirectionOf
) -> list[Entry]:
    """The rows to be of those data sets and metrics, of all variants; UnknownNameError for what the store has not."""
    if not isinstance(store, Store):
        with Store.open_existing(store) as opened:
            return entries(opened, dataset, metric, variant, direction)
    check_names(store, dataset, metric, variant)
    return entries_of(*store.rows(listed(dataset), listed(metric)), metric, direction)


def check_names(store: Store, dataset: Names, metric: Names, variant: Names) -> None:
    """UnknownNameError for a name that the store has not."""
    known = store.names()
    for kind, asked in (("dataset", dataset), ("metric", metric), ("variant", variant)):
        _check(kind, listed(asked), known[kind])


def entries_of(
    runs: Sequence[RunRow], scores: Sequence[ScoreRow], metric: Names, direction: DirectionOf
) -> list[Entry]:
    """The rows to be, of runs and scores that are at hand."""
    metrics, results = listed(metric), _Results(runs, scores, direction)
    return [entry for entry in results.entries() if metrics is None or entry.track.metric in metrics]


def listed(given: Names) -> list[str] | None:
    """One name or several as a list; None for all."""
    return [given] if isinstance(given, str) else None if given is None else list(given)


def _check(kind: str, asked: list[str] | None, known: set[str]) -> None:
    for name in asked or ():
        if known and name not in known:
            raise UnknownNameError(f"{kind} of this store", name, known)


class _Family(NamedTuple):
    """Whose configurations compete for one row."""

    dataset: str
    dataset_version: str
    variant: str
    network: str


@dataclass(frozen=True)
class Configuration:
    """The ended runs that differ in their seed alone, and those of them that are scored on a track."""

    runs: list[RunRow]
    scores: dict[str, ScoreRow]  # by run id

    @cached_property
    def values(self) -> statistics.Array:
        """The finite scores, in the order of seeds."""
        values = np.array([score.value for score in self.scores.values()], dtype=np.float64)
        return values[np.isfinite(values)]

    @cached_property
    def mean(self) -> float:
        return float(statistics.mean(self.values))

    @property
    def group(self) -> str:
        """The id of what its runs share."""
        return self.runs[0].group

    def held_out_merit(self, better: Direction) -> tuple[int, bool, float]:
        """Sorts the best first, where the scores are held-out ones."""
        lost = len(self.behind) - len(self.values)
        return selection.merit(self.mean, len(self.behind), lost, better)

    @property
    def completed(self) -> bool:
        return any(run.status is Status.COMPLETED for run in self.runs)

    @property
    def behind(self) -> list[RunRow]:
        """The runs that the row stands for."""
        return [run for run in self.runs if run.id in self.scores or run.status is not Status.COMPLETED]

    def count(self, status: Status) -> int:
        return sum(run.status is status for run in self.runs)


class Entry(NamedTuple):
    """A row to be: the configurations of a family that have a score on the track, or could have had.

    `chosen` is the one that was selected by held-out scores, if any.
    """

    family: _Family
    track: Track
    configurations: list[Configuration]
    looks: looks.Looks  # of all runs
    chosen: Chosen | None = None

    def shown(self, better: Direction) -> tuple[Configuration, str]:
        """The configuration of the row, and what it was chosen by; empty where there was no choice."""
        if len(self.configurations) == 1:
            return self.configurations[0], ""
        for configuration in self.configurations:
            if self.chosen and configuration.group == self.chosen.group:
                return configuration, self.chosen.by
        return self.by_merit(better)[0], selection.SHOWN

    def by_merit(self, better: Direction) -> list[Configuration]:
        """The configurations as they were chosen, the best first; those that nothing compared come last."""
        places = {group: place for place, group in enumerate(self.chosen.groups)} if self.chosen else {}
        last = len(places)
        return sorted(self.configurations, key=lambda each: (places.get(each.group, last), *_merit(each, better)))


class _Results:
    """Runs and scores by whom and how they are compared."""

    def __init__(self, runs: Sequence[RunRow], scores: Sequence[ScoreRow], direction: DirectionOf) -> None:
        self._direction = direction
        self._groups: dict[_Family, dict[str, list[RunRow]]] = defaultdict(lambda: defaultdict(list))
        self._scores: dict[tuple[str, Track], ScoreRow] = {}
        self._tracks: dict[tuple[str, str], set[Track]] = defaultdict(set)
        self._looks = looks.Looks()
        for run in runs:
            if run.status is not Status.INTERRUPTED:
                self._groups[_family(run)][run.group].append(run)
        of_run = {run.id: _family(run)[:2] for run in runs}
        for score in scores:
            if self._looks.take(score):
                continue
            track = Track(score.metric, score.protocol, score.version)
            self._scores[score.run_id, track] = score
            self._tracks[of_run[score.run_id]].add(track)
        self._selecting = {
            known: {track for track in tracks if selection.selects(track.protocol)}
            for known, tracks in self._tracks.items()
        }

    def entries(self) -> Iterator[Entry]:
        for family, groups in self._groups.items():
            chosen = self._chosen(family, groups) if len(groups) > 1 else {}
            for track in sorted(self._tracks[family[:2]] - self._selecting.get(family[:2], set())):
                configurations = [self._configuration(runs, track) for runs in groups.values()]
                if any(each.scores for each in configurations) or not any(each.completed for each in configurations):
                    in_it = [each for each in configurations if each.scores or not each.completed]
                    yield Entry(family, track, in_it, self._looks, selection.fitting(chosen, track.metric))

    def _chosen(self, family: _Family, groups: Mapping[str, list[RunRow]]) -> dict[str, Chosen]:
        """What each objective selects; of several measures of one objective, the one of most configurations."""
        found: dict[str, tuple[int, Chosen]] = {}
        ends = (each for each in self._selecting.get(family[:2], ()) if not selection.at_rung(each.protocol))
        for track in sorted(ends):
            better = self._direction(track.metric)
            tried = [each for runs in groups.values() if (each := self._configuration(runs, track)).scores]
            if len(tried) > found.get(track.metric, (0,))[0]:
                tried.sort(key=lambda each: (each.held_out_merit(better), each.group))
                compared = tuple(each.group for each in tried)
                found[track.metric] = len(tried), Chosen(compared, selection.named(track.metric, track.protocol))
        return {metric: chosen for metric, (_, chosen) in found.items()}

    def _configuration(self, runs: list[RunRow], track: Track) -> Configuration:
        found = ((run.id, self._scores.get((run.id, track))) for run in runs)
        return Configuration(runs, {run_id: score for run_id, score in found if score is not None})


def _family(run: RunRow) -> _Family:
    return _Family(run.dataset, str(run.spec["versions"].get("dataset", "")), run.variant, run.network)


def _merit(configuration: Configuration, better: Direction) -> tuple[bool, float, int, str]:
    """Sorts the best first: by mean, then more seeds; the id makes it the same every time."""
    mean = configuration.mean
    undefined = math.isnan(mean)
    return (
        undefined,
        0.0 if undefined else names.loss(mean, better),
        -len(configuration.values),
        configuration.group,
    )
