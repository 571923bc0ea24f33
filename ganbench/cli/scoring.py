"""What a person sees while samples are scored: bars with images a second, on a terminal's stderr."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

DELAY = 2.0
"""Seconds before anything is shown: what is done by then needs no bar."""


class Bars:
    """A metrics' Progress: within the block, a bar for each thing that is done; nothing where stderr is no terminal.

    unit: of samples, "images" or "points". Steps that are computations, not passes over samples, share one bar.
    """

    def __init__(self, unit: str, console: Console | None = None, delay: float = DELAY) -> None:
        self._unit = unit
        self._console = console or Console(stderr=True, markup=False, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._timer = threading.Timer(delay, self._progress.start)
        self._timer.daemon = True
        self._bars: dict[str, TaskID] = {}
        self._begun: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._last = monotonic()
        if self._console.is_terminal:
            self._timer.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self._timer.cancel()
        if self._timer.is_alive():
            self._timer.join()  # it may be starting the bars at this moment
        if self._progress.live.is_started:
            self._progress.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """`what` is done so far, of so much."""
        computing = what.startswith("computing ")
        key = "computing" if computing else what
        now = monotonic()
        if key not in self._bars:
            self._begun[key] = self._last  # it began when the one before ended, not when it was first heard of
            self._bars[key] = self._progress.add_task(what, total=total, rate="")
        rate = "" if computing else self._rate(done, now - self._begun[key])
        self._progress.update(self._bars[key], description=what, completed=done, total=total, rate=rate)
        self._last = now

    def _rate(self, done: int, seconds: float) -> str:
        return f"{done / seconds:,.0f} {self._unit}/s" if seconds > 0 else ""
