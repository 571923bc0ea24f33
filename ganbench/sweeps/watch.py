"""Who is told how a sweep gets on."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ganbench.errors import SpecError
from ganbench.spec import RunRecord
from ganbench.sweeps.board import Board
from ganbench.sweeps.queue import TaskQueue


class Watch(Protocol):
    """Told of a sweep, or of each round of a search."""

    def begin(self, queue: TaskQueue, board: Board, skipped: int) -> None:
        """The tasks of `queue` are about to be performed; those that other sweeps take vanish from it.

        `skipped` runs of the sweep were done before, or others train them.
        """
        ...

    def finished(self, record: RunRecord) -> None:
        """A run has ended and is stored."""
        ...

    def note(self, text: str) -> None:
        """A sentence for the person: what the sweep waits for, or does otherwise than it was asked."""
        ...

    def end(self) -> None:
        """Nothing more will come."""
        ...


class Watches:
    """Several, or none."""

    def __init__(self, *watches: Watch) -> None:
        self._watches = watches

    def begin(self, queue: TaskQueue, board: Board, skipped: int) -> None:
        """See Watch."""
        for watch in self._watches:
            watch.begin(queue, board, skipped)

    def finished(self, record: RunRecord) -> None:
        """See Watch."""
        for watch in self._watches:
            watch.finished(record)

    def note(self, text: str) -> None:
        """See Watch."""
        for watch in self._watches:
            watch.note(text)

    def end(self) -> None:
        """See Watch."""
        for watch in self._watches:
            watch.end()


class JsonLines:
    """A line of JSON for each event, added to a file at once: what was there stays, and a kill cuts one line at most.

    Each has `event` ("begin", "run", "note", "end") and `time` (ISO 8601, UTC). "begin" says how many runs and steps
    there are to do, of which other sweeps may take some, and how many runs were done before or are others'; "run" what
    came of a run, its scores as lists of [metric, value, protocol] (NaN is null); "note" what is waited for or done
    otherwise; "end" how many ended how, and after how many seconds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a", encoding="utf-8").close()
        except OSError as error:
            raise SpecError(f"cannot write the log {path}: {error.strerror}") from None

    def begin(self, queue: TaskQueue, board: Board, skipped: int) -> None:
        """See Watch."""
        self._started, self._ends = time.monotonic(), Counter[str]()
        steps = sum(task.all_steps for task in queue.tasks.values())
        self._write("begin", runs=queue.runs, steps=steps, done_before=skipped)

    def finished(self, record: RunRecord) -> None:
        """See Watch."""
        self._ends[record.status.value] += 1
        spec = record.spec
        self._write(
            "run",
            run=spec.id,
            variant=spec.variant,
            dataset=spec.dataset,
            network=spec.network,
            seed=spec.seed,
            settings=spec.settings,
            status=record.status.value,
            step=record.step,
            seconds=round(record.seconds, 3),
            score_seconds=round(record.score_seconds, 3),
            error=record.error,
            scores=[[score.metric, score.finite, score.protocol_text] for score in record.scores],
        )

    def note(self, text: str) -> None:
        """See Watch."""
        self._write("note", text=text)

    def end(self) -> None:
        """See Watch."""
        self._write("end", seconds=round(time.monotonic() - self._started, 3), **self._ends)

    def _write(self, event: str, **facts: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"event": event, "time": now, **facts}, ensure_ascii=False, allow_nan=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
