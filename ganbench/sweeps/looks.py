"""Scores over training: runs are scored on their way too, at evenly spaced steps, and go on as if nobody had looked.

Each look leaves a picture of samples too, at the latents of all others.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict

from ganbench.spec import STEP, RunSpec, Score, Status
from ganbench.store.artifacts import GRID, atomic_write
from ganbench.sweeps import pictures

if TYPE_CHECKING:
    from ganbench.data import Dataset
    from ganbench.sweeps.task import Task
    from ganbench.training.state import RunState

LOOKS = "looks"
"""The folder, among a run's artifacts, of what it scored on its way: a file a step and scoring."""


def look_steps(steps: int, looks: int) -> tuple[int, ...]:
    """Where a run of `steps` is looked at: evenly, after its first step at the earliest and before its end."""
    if not looks:
        return ()
    evenly = (round(index * steps / (looks + 1)) for index in range(1, looks + 1))
    return tuple(sorted({step for step in evenly if 0 < step < steps}))


class Seen(NamedTuple):
    """What is known of a run's looks. `missing`: those that it went past without scores, as one line."""

    scores: tuple[Score, ...]
    seconds: float  # of scoring
    missing: str


class Looks:
    """The looks of a task's runs: `steps` says where, and a call scores runs that are there.

    What a run scored is on the disk before training goes on, so no checkpoint is beyond a look whose scores could
    still come: a run taken up again has them, or takes them again with the same numbers.
    """

    def __init__(self, task: Task, dataset: Dataset) -> None:
        self._task, self._dataset = task, dataset
        self.steps = look_steps(task.spec.steps, task.scoring.looks)
        self._key = self._scoring_key() if self.steps else ""

    def __call__(self, states: Sequence[RunState]) -> None:
        """Score each of these where it is now, but for what was scored before a kill."""
        for state in states:
            taken = self._read(state.spec, state.step)
            if taken is None or taken.error is not None:
                self._write(state.spec, self._taken(state))

    def of(self, state: RunState, status: Status) -> Seen:
        """What a run that ended so has scored on its way; nothing yet of one that is to go on."""
        past = [step for step in self.steps if step <= state.step and status is not Status.INTERRUPTED]
        found = {step: self._read(state.spec, step) for step in past}
        taken = [each for each in found.values() if each is not None]
        # one that diverged is not shown from there on, or from a step before, where its weights told sooner
        missing = [] if status is Status.DIVERGED else [_missing(step, each) for step, each in found.items()]
        return Seen(
            scores=tuple(score for each in taken for score in each.scores),
            seconds=sum(each.seconds for each in taken),
            missing=", ".join(filter(None, missing)),
        )

    def _scoring_key(self) -> str:
        """That of the scoring itself: how often it is done changes no score."""
        from ganbench.metrics import engine

        once = self._task.scoring.model_copy(update={"looks": 0})
        return engine.scoring_key(self._dataset, once, self._task.root)

    def _taken(self, state: RunState) -> _Taken:
        """What a metric raises is kept as the look's own failure: whether the run fails is for its end to say."""
        started = time.perf_counter()
        scores: tuple[Score, ...] = ()
        error = None
        try:
            scores = self._score(state)
        except Exception as raised:  # noqa: BLE001 - a user's metric may raise anything, and training goes on
            error = (str(raised).strip().splitlines() or [type(raised).__name__])[0]
        seconds = time.perf_counter() - started
        return _Taken(run=state.spec.id, key=self._key, step=state.step, seconds=seconds, error=error, scores=scores)

    def _score(self, state: RunState) -> tuple[Score, ...]:
        from ganbench.metrics.engine import score
        from ganbench.training.sampling import GeneratorSampler

        task, sampler = self._task, GeneratorSampler(state, self._dataset, self._task.root)
        protocol = sampler.protocol | {STEP: state.step}
        if task.pictures:
            pictures.samples(self._dataset, sampler, task.folder(state.spec) / f"{Path(GRID).stem}-{state.step}.png")
        return score(sampler, self._dataset, task.scoring, root=task.root, device=task.device, protocol=protocol)

    def _file(self, spec: RunSpec, step: int) -> Path:
        return self._task.folder(spec) / LOOKS / f"{step}-{self._key}.json"

    def _write(self, spec: RunSpec, taken: _Taken) -> None:
        atomic_write(self._file(spec, taken.step), json.dumps(taken.model_dump()).encode())  # JSON with NaN

    def _read(self, spec: RunSpec, step: int) -> _Taken | None:
        """A look's file; None where there is none that can be read and is of this run, step and scoring."""
        try:
            taken = _Taken.model_validate(json.loads(self._file(spec, step).read_bytes()))
        except (OSError, ValueError):
            return None
        return taken if (taken.run, taken.key, taken.step) == (spec.id, self._key, step) else None


class _Taken(BaseModel):
    """A look as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    key: str  # of the scoring
    step: int
    seconds: float  # of scoring
    error: str | None
    scores: tuple[Score, ...]


def _missing(step: int, taken: _Taken | None) -> str:
    if taken is None:
        return str(step)
    return "" if taken.error is None else f"{step} ({taken.error})"
