"""Sweeps that end in seconds, and what of their results must not depend on how they were run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ganbench.spec import RunRecord, SweepSpec
from ganbench.store import Store
from ganbench.sweeps.board import Board
from ganbench.sweeps.sweep import Surroundings, run_sweep

SMALL = {"width": 8, "depth": 1, "batch_size": 16}


def small_sweep(**fields: Any) -> SweepSpec:
    """Two seeds of tiny nets for 20 steps on the ring, scored by 200 samples, unless `fields` say otherwise."""
    given = {"variants": ["ns"], "datasets": ["ring"], "seeds": 2, "steps": 20, "set": SMALL}
    return SweepSpec.parse(given | {"scoring": {"metrics": ["modes", "kl"], "samples": 200}} | fields)


def outcome(record: RunRecord) -> tuple:
    """How a run ended, and its scores bit for bit."""
    scores = sorted((each.metric, float(each.value).hex(), each.protocol_text) for each in record.scores)
    return record.status, record.step, tuple(scores)


def outcomes(where: str | Path) -> dict[str, tuple]:
    """The outcome of every run of a store, by id."""
    with Store.open_existing(where) as store:
        return {record.spec.id: outcome(record) for record in store.records()}


SWEEP = small_sweep(variants=["ns", "sngan"], steps=200, set={**SMALL, "ema": 0.9})
"""Five runs, the real data among them."""


class Event(Protocol):
    """What two processes tell each other by."""

    def set(self) -> None: ...
    def wait(self, timeout: float | None = None) -> bool: ...


def run_at_once_with_another(where: str, first_is_there: Event, steps: int | None) -> list[str]:
    """SWEEP in this process: the first tells the second after so many steps, the second (None) waits for that.

    The ids of the runs that this one trained; of either process, which spawns, so it stands in a module of its own.
    """
    plain, beats = Board.set, 0

    def beat(self: Board, task: int, step: int) -> None:
        nonlocal beats
        plain(self, task, step)
        beats += 1
        if beats == steps:
            first_is_there.set()

    if steps is None:
        assert first_is_there.wait(120)
    Board.set = beat  # type: ignore[method-assign]
    try:
        with Store(where) as store:
            if steps == 0:
                first_is_there.set()
            done = run_sweep(SWEEP, store, Surroundings("cpu", "inline", checkpoint_every=20))
    finally:
        Board.set = plain  # type: ignore[method-assign]
        first_is_there.set()
    return [record.spec.id for record in done.records]


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Poll a condition that another process brings about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        os.sched_yield()
