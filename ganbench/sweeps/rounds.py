"""A sweep's rounds: what to run next, given what the store knows."""

from __future__ import annotations

from pathlib import Path

from ganbench.data import Dataset, find
from ganbench.spec import RunSpec, Scoring, SweepSpec
from ganbench.store import Store
from ganbench.sweeps.expand import Expansion
from ganbench.sweeps.selection import Selection, results, selection


class Rounds:
    """The runs of a sweep, round by round. A sweep that learns nothing has one; a search has one a batch, and a last
    one for its best.

    scorings: what is reported, resolved, by data set. keys: by run id, the key under which a run is done. first_size:
    runs of the first round, had the store been empty.
    """

    def __init__(self, spec: SweepSpec, store: Store, root: Path | None = None) -> None:
        self._store = store
        datasets = {find(name).name: find(name) for name in spec.datasets}
        Expansion(spec).runs({})  # its faults are told before anything is looked up for scoring
        reported = {name: _scoring(dataset, spec.scoring, root) for name, dataset in datasets.items()}
        self.scorings = {name: scoring for name, (scoring, _) in reported.items()}
        self._keys = {name: key for name, (_, key) in reported.items()}
        self._selections: dict[str, Selection] = {}
        if spec.searches:
            chosen_by = ((name, selection(spec, each, self.scorings[name], root)) for name, each in datasets.items())
            self._selections = dict(chosen_by)
        self._expansion = Expansion(spec, {name: each.objective for name, each in self._selections.items()})
        self.first_size = len(self._expansion.runs({}))
        self.keys: dict[str, str] = {}
        self._searched: set[str] = set()

    def next(self) -> list[RunSpec]:
        """The runs that follow from what the store knows, without those of rounds before; none when all is done."""
        known = results(self._store, self._selections, self._searched, ended=self.keys) if self._searched else {}
        runs = self._expansion.runs(known)
        fresh = [run for run in runs if run.id not in self.keys]
        if fresh and self._selections:
            self._searched = self._expansion.searched(known)
        self.keys |= {run.id: self._key(run) for run in fresh}
        return fresh

    def selection(self, run: RunSpec) -> Selection | None:
        """What the run's configuration is chosen by; None where there is nothing to choose."""
        return self._selections[run.dataset] if run.id in self._searched else None

    def _key(self, run: RunSpec) -> str:
        chosen_by = self.selection(run)
        return chosen_by.joined(self._keys[run.dataset]) if chosen_by else self._keys[run.dataset]


def _scoring(dataset: Dataset, scoring: Scoring, root: Path | None) -> tuple[Scoring, str]:
    from ganbench.metrics import engine

    resolved = engine.resolve(dataset, scoring, root)
    return resolved, engine.scoring_key(dataset, resolved, root)
