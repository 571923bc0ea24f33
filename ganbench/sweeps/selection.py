"""How a search chooses: by scores of its own, apart from those that are reported.

What is reported must not have been chosen on. Every trained run of a search is scored twice: as asked for, and by the
objective alone on another sample of the generator, held against the `valid` split where the metric looks at real data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganbench.canonical import Scalar, digest
from ganbench.data import Dataset
from ganbench.errors import SpecError
from ganbench.reports import names
from ganbench.reports.selection import RUNG
from ganbench.spec import SELECTION, RunRecord, Scoring, Status, SweepSpec
from ganbench.store import Store

if TYPE_CHECKING:
    from ganbench.sweeps.expand import Results

HELD_OUT = "valid"
SEED = 1
"""Of the sample that is chosen by; reported scores are of sample 0."""


@dataclass(frozen=True)
class Selection:
    """The objective of a data set's runs, and the scoring that measures it; picklable."""

    objective: str
    scoring: Scoring
    key: str  # of the scoring

    @property
    def protocol(self) -> dict[str, Scalar]:
        """What sets its scores apart from all others, and from those of another selection."""
        return SELECTION | {"selection": self.key}

    def of(self, record: RunRecord) -> dict[int, float]:
        """What the run scored, by step: at rungs, and at its end."""
        found = (score for score in record.scores if score.selects and score.protocol.get("selection") == self.key)
        return {int(score.protocol.get(RUNG, record.spec.steps)): score.value for score in found}

    def joined(self, key: str) -> str:
        """The key of both scorings, where `key` is that of what is reported."""
        return digest([key, self.key])


def selection(spec: SweepSpec, dataset: Dataset, scoring: Scoring, root: Path | None = None) -> Selection:
    """How configurations on this data set are compared; `scoring` is the resolved one of what is reported.

    UnknownNameError and SpecError for an objective that is no score, or whose held-out split is what is reported.
    """
    from ganbench.metrics import engine
    from ganbench.metrics.choice import narrowed, requests, scores_of

    objective, *more = scores_of(spec.objective or str(names.primary(scoring.metrics or ())))
    if more:
        raise SpecError(f"{spec.objective} is several scores: choose an objective from {', '.join((objective, *more))}")
    (request,) = requests(dataset, scoring.model_copy(update={"metrics": (objective,)}))
    part = narrowed(scoring, [request], scoring.samples)
    if request.card.split:
        if HELD_OUT in (scoring.split or "").split("+"):
            raise SpecError(f"a search chooses on the {HELD_OUT} split: hold what is reported against another, as test")
        part = part.model_copy(update={"split": HELD_OUT})
    resolved = engine.resolve(dataset, part, root)
    (score,) = resolved.metrics or ()
    return Selection(score, resolved, engine.scoring_key(dataset, resolved, root))


def results(store: Store, selections: Mapping[str, Selection], wanted: Mapping[str, int]) -> Results:
    """The objective of those of the runs that have come to an end or to a rung, by id and step.

    A run that diverged, or failed where `wanted` says that it was tried, has none at the step it was wanted at. One
    that was complete before is at a rung what it is at its end.
    """
    found: dict[tuple[str, int], float | None] = {}
    for record in store.records(wanted):
        spec, by_step = record.spec, selections[record.spec.dataset].of(record)
        found |= {(spec.id, step): value for step, value in by_step.items()}
        if record.status in (Status.DIVERGED, Status.FAILED):
            found.setdefault((spec.id, wanted[spec.id]), None)
        elif record.status is Status.COMPLETED and spec.steps in by_step:
            found.setdefault((spec.id, wanted[spec.id]), by_step[spec.steps])
    return found
