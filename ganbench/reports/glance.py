"""A store at a glance, while a sweep runs too: how the runs of each variant have ended, and the best of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ganbench.reports import names, selection
from ganbench.reports.names import REAL, Track
from ganbench.spec import Status
from ganbench.store import Store
from ganbench.store.tables import RunRow, ScoreRow


class Best(NamedTuple):
    """A score, and the run that has it."""

    metric: str
    value: float
    run_id: str


@dataclass
class Standing:
    """Where a variant stands on a data set with a network. `best`: by the data set's primary metric, if any."""

    dataset: str
    variant: str
    network: str
    ends: Counter[Status] = field(default_factory=Counter)
    best: Best | None = None


def standings(store: Store) -> tuple[list[Standing], dict[str, Track]]:
    """All of them by name, and what the best of each data set are the best by.

    That is the primary metric of what was measured here, of several protocols the one of most scores; scores by which a
    search chooses do not count, nor do those of looks over training, nor imported ones beside our own.
    """
    runs, scores = store.rows()
    found: dict[tuple[str, str, str], Standing] = {}
    for run in runs:
        key = run.dataset, run.variant, run.network
        found.setdefault(key, Standing(*key)).ends[run.status] += 1
    by_id = {run.id: run for run in runs}
    primary = _primary(by_id, scores)
    for score in scores:
        run = by_id[score.run_id]
        if primary.get(run.dataset) == _track(score):
            _see(found[run.dataset, run.variant, run.network], score)
    return [found[key] for key in sorted(found)], primary


def _primary(runs: Mapping[str, RunRow], scores: Iterable[ScoreRow]) -> dict[str, Track]:
    """The track of each data set's primary metric."""
    sizes: dict[str, Counter[Track]] = defaultdict(Counter)
    for score in scores:
        if not selection.selects(score.protocol) and selection.looked(score.protocol) is None:
            sizes[runs[score.run_id].dataset][_track(score)] += 1
    return {dataset: _first(tracks) for dataset, tracks in sizes.items()}


def _first(tracks: Mapping[Track, int]) -> Track:
    ours = [track for track in tracks if not names.elsewhere(track.protocol)] or list(tracks)
    metric = names.primary(track.metric for track in ours)
    return min((track for track in ours if track.metric == metric), key=lambda track: (-tracks[track], track))


def _track(score: ScoreRow) -> Track:
    return Track(score.metric, score.protocol, score.version)


def _see(standing: Standing, score: ScoreRow) -> None:
    if standing.best is None or names.better(score.metric, score.value, standing.best.value):
        standing.best = Best(score.metric, score.value, score.run_id)


def best_of(rows: Sequence[Standing]) -> Standing | None:
    """The one with the best score, of one data set; real data do not compete."""
    best: Standing | None = None
    for row in rows:
        if row.variant == REAL or row.best is None:
            continue
        if best is None or best.best is None or names.better(row.best.metric, row.best.value, best.best.value):
            best = row
    return best
