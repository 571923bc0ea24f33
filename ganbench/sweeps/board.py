"""Where every task of a sweep stands, in memory that workers write and the driver reads, without locks.

A worker killed while it holds a lock would stop all others; a plain array of step counters cannot.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

NOT_STARTED = -1


class Board:
    """Step counters of `n` tasks and one flag that asks all of them to stop."""

    def __init__(self, n: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._n = n
        self._steps = context.RawArray("q", [NOT_STARTED] * n)
        self._stop = context.RawValue("b", 0)

    def wiped(self, n: int) -> Board:
        """A board for `n` other tasks: this one, which workers know, or where it is too small one twice as large."""
        board = self if n <= len(self._steps) else Board(2 * n)
        board._stop.value = self._stop.value
        board._n = n
        board._steps[:n] = [NOT_STARTED] * n
        return board

    def pulse(self, task: int) -> TaskPulse:
        """What the task's loop beats."""
        return TaskPulse(self, task)

    def set(self, task: int, step: int) -> None:
        """Note that `step` steps of the task are done."""
        self._steps[task] = step

    def step(self, task: int) -> int:
        """Steps done; NOT_STARTED before the first look."""
        return int(self._steps[task])

    def __iter__(self) -> Iterator[int]:
        return iter(self._steps[: self._n])

    def ask_to_stop(self) -> None:
        """Ask every running task to save its state and end, and no other to start."""
        self._stop.value = 1

    @property
    def stopping(self) -> bool:
        """Whether tasks have been asked to stop."""
        return bool(self._stop.value)


class TaskPulse:
    """A task's own line of the board (see training.loop.Pulse)."""

    def __init__(self, board: Board, task: int) -> None:
        self._board, self._task = board, task

    def beat(self, step: int) -> bool:
        """Note the step; True asks to stop."""
        self._board.set(self._task, step)
        return self._board.stopping
