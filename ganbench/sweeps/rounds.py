"""A sweep's rounds: what to run next, given what the store knows."""

from __future__ import annotations

from pathlib import Path

from ganbench.canonical import digest
from ganbench.data import Dataset, find
from ganbench.spec import RunSpec, Scoring, SweepSpec
from ganbench.store import Store
from ganbench.sweeps.expand import Expansion, Results
from ganbench.sweeps.halving import Leg
from ganbench.sweeps.selection import Selection, results, selection


class Rounds:
    """The runs of a sweep, round by round. A sweep that learns nothing has one; a search has one for each batch and
    rung, and a last one for its best.

    scorings: what is reported, resolved, by data set. keys: by run id, the key under which what is wanted of a run is
    done. first_size: runs of the first round, had the store been empty.
    """

    def __init__(self, spec: SweepSpec, store: Store, root: Path | None = None) -> None:
        self._store, self._learns = store, spec.learns
        datasets = {find(name).name: find(name) for name in spec.datasets}
        objectives: dict[str, str] = {}
        self._expansion = Expansion(spec, objectives)
        # its faults are told before anything is looked up for scoring
        self.first_size = len(self._expansion.legs({}))
        reported = {name: _scoring(dataset, spec.scoring, root) for name, dataset in datasets.items()}
        self.scorings = {name: scoring for name, (scoring, _) in reported.items()}
        self._keys = {name: key for name, (_, key) in reported.items()}
        self._selections: dict[str, Selection] = {}
        if spec.searches:
            chosen_by = ((name, selection(spec, each, self.scorings[name], root)) for name, each in datasets.items())
            self._selections = dict(chosen_by)
        objectives |= {name: each.objective for name, each in self._selections.items()}
        self.keys: dict[str, str] = {}
        self._wanted: dict[str, int] = {}  # steps, of every run so far
        self._searched: set[str] = set()
        self._known: Results = {}

    def next(self) -> list[Leg]:
        """The runs that follow from what the store knows, where they are new or to go on; none when all is done."""
        wanted = ((run_id, self._wanted[run_id]) for run_id in self._searched if self._learns)
        unknown = dict(each for each in wanted if each not in self._known)
        self._known = {**results(self._store, self._selections, unknown), **self._known}
        fresh = [leg for leg in self._expansion.legs(self._known) if leg.until > self._wanted.get(leg.run.id, -1)]
        if fresh and self._selections:
            self._searched = self._expansion.searched()
        self._wanted |= {leg.run.id: leg.until for leg in fresh}
        self.keys |= {leg.run.id: self._key(leg) for leg in fresh}
        return fresh

    def selection(self, run: RunSpec) -> Selection | None:
        """What the run's configuration is chosen by; None where there is nothing to choose."""
        return self._selections[run.dataset] if run.id in self._searched else None

    def _key(self, leg: Leg) -> str:
        chosen_by = self.selection(leg.run)
        key = chosen_by.joined(self._keys[leg.run.dataset]) if chosen_by else self._keys[leg.run.dataset]
        return key if leg.whole else digest([key, leg.until])


def _scoring(dataset: Dataset, scoring: Scoring, root: Path | None) -> tuple[Scoring, str]:
    from ganbench.metrics import engine

    resolved = engine.resolve(dataset, scoring, root)
    return resolved, engine.scoring_key(dataset, resolved, root)
