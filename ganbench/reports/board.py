"""The leaderboard: a store's runs and scores as one row for each data set, metric, protocol, variant and network."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ganbench.errors import UnknownNameError
from ganbench.reports import looks, names, selection, statistics
from ganbench.reports.names import Direction, DirectionOf, Track
from ganbench.reports.ranking import compared, ordered, ranked
from ganbench.reports.selection import Chosen
from ganbench.spec import Status
from ganbench.store import Store
from ganbench.store.tables import RunRow, ScoreRow

TYPES = {
    "rank": "Int64",
    "dataset": "object",
    "metric": "object",
    "protocol": "object",
    "variant": "object",
    "network": "object",
    "seeds": "int64",
    "mean": "float64",
    "std": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "iqm": "float64",
    "best": "float64",
    "diverged": "int64",
    "failed": "int64",
    "steps": "int64",
    "seconds": "float64",
    "run_ids": "object",
    "configurations": "int64",
    "settings": "object",
    "selected_by": "object",
    "flags": "object",
    "versions": "object",
    "group": "object",
    "improvement": "float64",
    "training_std": "float64",
    "sampling_std": "float64",
    "search_std": "float64",
    "diverged_share": "float64",
    "source": "object",
    **dict.fromkeys(looks.COLUMNS, "float64"),
    "values": "object",
}
"""The columns of a leaderboard, in order."""

Names = str | Sequence[str] | None
Row = Mapping[str, Any]


def leaderboard(
    store: Store | str | Path | None,
    dataset: Names = None,
    metric: Names = None,
    variant: Names = None,
    *,
    direction: DirectionOf = names.direction,
) -> pd.DataFrame:
    """One row for each (dataset, protocol, metric, variant, network), with the columns TYPES; only those named, if any.

    seeds: how many seeds have a finite score; mean, std (ddof 1, NaN with one seed), the 95 % bootstrap interval of the
    mean (NaN with one), iqm and best are over them, and `values` lists them. Undefined scores are left out and counted
    in `flags`. diverged, failed: runs of the row's configuration that ended so; they are never numbers. seconds: mean
    training time of its completed runs. run_ids: all runs behind the row; read them as text.

    Where the spread comes from: sampling_std is what the draw of its samples does to a score (the scores' standard
    errors, NaN where the metric has none), training_std what is left of std without it, search_std the standard
    deviation of the means of all configurations tried (NaN of one).

    Where several hyperparameter configurations of a variant were tried (`configurations`), the row is one of them, and
    `settings` says in what it differs. selected_by: what it was chosen by. A search scores its runs once more, on a
    sample and a split held out for choosing ("fid on valid", "kl on selection"), and the best by those is shown,
    whatever it scores here. Without them it is the best mean of the row itself ("shown
    scores"), which flatters, and the more so the more were tried.

    source: empty, for the runs are here; published scores have theirs (published.beside).

    best_over_training: the mean over the row's runs of each one's best score, at its looks or its end; its std, and
    best_step, the median step of these bests; NaN where no run was looked at (docs/search.md). Nothing is ranked or
    chosen by them, and scores of looks make no rows.

    rank: 1 is the best mean in the metric's direction among rows of one data set, metric, protocol and version of
    both, whatever `variant` leaves in sight; ties share the smaller. Blank for `real` and for rows without a mean.
    group: rows of a track with the same letter are not told apart by their seeds (statistics.significance_groups);
    "a" is the best with its like. improvement: the chance that a run of the best row beats one of this row, .5 where
    they are alike, NaN for the best itself.

    Names that the store does not have are UnknownNameErrors.
    """
    return table(entries(store, dataset, metric, variant, direction), variant, direction)


def table(shown: Sequence[Entry], variant: Names = None, direction: DirectionOf = names.direction) -> pd.DataFrame:
    """The leaderboard of entries that are at hand; ranks are among all of them, rows those of `variant`."""
    frame = pd.DataFrame([_row(entry, direction) for entry in shown], columns=list(TYPES)).astype(TYPES)
    frame = ordered(compared(ranked(frame, direction), direction))
    return frame if variant is None else frame[frame["variant"].isin(listed(variant) or ())].reset_index(drop=True)


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


def records(frame: pd.DataFrame) -> list[Row]:
    """The rows of a leaderboard, by column."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


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


def _row(entry: Entry, direction: DirectionOf) -> dict[str, Any]:
    better = direction(entry.track.metric)
    chosen, selected_by = entry.shown(better)
    return {
        "dataset": entry.family.dataset,
        "metric": entry.track.metric,
        "protocol": entry.track.protocol,
        "variant": entry.family.variant,
        "network": entry.family.network,
        "diverged": chosen.count(Status.DIVERGED),
        "failed": chosen.count(Status.FAILED),
        "diverged_share": chosen.count(Status.DIVERGED) / len(chosen.behind),
        "steps": chosen.runs[0].steps,
        "seconds": _mean_seconds(chosen),
        "run_ids": " ".join(run.id for run in chosen.behind),
        "configurations": len(entry.configurations),
        "settings": _differences(chosen, entry.configurations),
        "selected_by": selected_by,
        "source": "",
        "flags": "; ".join(_flags(chosen)),
        "versions": f"dataset={entry.family.dataset_version} metric={entry.track.version}",
        **entry.looks.best(chosen.behind, chosen.scores, entry.track, better),
        **_summary(chosen, better),
        **_spread(chosen, entry.configurations),
    }


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


def _summary(configuration: Configuration, better: Direction) -> dict[str, Any]:
    values = configuration.values
    low, high = statistics.bootstrap_interval(values)
    return {
        "seeds": len(values),
        "mean": configuration.mean,
        "ci_low": low,
        "ci_high": high,
        "iqm": float(statistics.interquartile_mean(values)),
        "best": min(map(float, values), key=lambda value: names.loss(value, better), default=math.nan),
        "values": " ".join(repr(float(value)) for value in values),
    }


def _spread(chosen: Configuration, tried: Sequence[Configuration]) -> dict[str, float]:
    """The standard deviation over seeds, its parts, and that over the configurations tried."""
    over_seeds = float(statistics.std(chosen.values))
    errors = [score.stderr for score in chosen.scores.values() if math.isfinite(score.value)]
    by_samples = math.sqrt(float(statistics.mean(np.square(np.array(errors, dtype=np.float64)))))
    means = np.array([each.mean for each in tried])
    return {
        "std": over_seeds,
        "sampling_std": by_samples,
        "training_std": math.sqrt(left) if not (left := over_seeds**2 - by_samples**2) < 0 else 0.0,
        "search_std": float(statistics.std(means[np.isfinite(means)])),
    }


def _mean_seconds(configuration: Configuration) -> float:
    seconds = [run.seconds for run in configuration.behind if run.status is Status.COMPLETED]
    return float(statistics.mean(np.array(seconds, dtype=np.float64)))


def _differences(chosen: Configuration, tried: Sequence[Configuration]) -> str:
    """`key=value` of what was not the same in all configurations tried, as the chosen one has it."""
    mine, all_facts = _facts(chosen), [_facts(each) for each in tried]
    varying = [key for key in sorted(mine) if any(facts.get(key) != mine[key] for facts in all_facts)]
    return " ".join(f"{key}={mine[key]}" for key in varying)


def _facts(configuration: Configuration) -> Mapping[str, Any]:
    run = configuration.runs[0]
    versions = {f"{name}_version": value for name, value in run.spec["versions"].items()}
    return {**run.spec["settings"], **versions, "steps": run.steps}


def _flags(configuration: Configuration) -> list[str]:
    scored, undefined = len(configuration.scores), len(configuration.scores) - len(configuration.values)
    flags = {flag for score in configuration.scores.values() for flag in score.flags}
    return sorted(flags) + ([f"undefined in {undefined} of {scored} seeds"] if undefined else [])
