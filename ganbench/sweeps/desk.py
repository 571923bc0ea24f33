"""What the Board is within one machine, for runs on many: a small actor that workers tell and the driver asks."""

from __future__ import annotations

import time
from typing import Any

TELL_EVERY = 0.3
"""Seconds between two beats that a run sends."""


class Desk:
    """Step counters of tasks, and one flag that asks all of them to stop. Made an actor by the driver."""

    def __init__(self) -> None:
        self._steps: dict[int, int] = {}
        self._stopping = False

    def beat(self, task: int, step: int) -> bool:
        """Note that `step` steps of the task are done; True asks to stop."""
        self._steps[task] = step
        return self._stopping

    def steps(self) -> dict[int, int]:
        """Steps done of every task that has begun."""
        return self._steps

    def forget(self, task: int) -> None:
        """The task is to begin anew."""
        self._steps.pop(task, None)

    def ask_to_stop(self) -> None:
        """Answer every beat from now on with True."""
        self._stopping = True


class DeskPulse:
    """A task's line to the desk (see training.loop.Pulse): it never waits for an answer, nor fails for want of one."""

    def __init__(self, desk: Any, task: int) -> None:
        self._desk, self._task = desk, task
        self._told = 0.0  # when, in seconds
        self._answer: Any = None

    def begin(self) -> bool:
        """Note that the task has begun; True where it should not."""
        import ray

        try:
            return bool(ray.get(self._desk.beat.remote(self._task, 0), timeout=60))
        except ray.exceptions.RayError:
            return False

    def beat(self, step: int) -> bool:
        """Tell the step, at most every TELL_EVERY seconds; True asks to stop."""
        now = time.monotonic()
        if now - self._told < TELL_EVERY:
            return False
        self._told = now
        stop = self._answered()
        self._answer = self._desk.beat.remote(self._task, step)
        return stop

    def _answered(self) -> bool:
        """What the desk said to the beat before this one; False while it has said nothing."""
        import ray

        try:
            ready = self._answer is not None and ray.wait([self._answer], timeout=0)[0]
            return bool(ready and ray.get(self._answer))
        except ray.exceptions.RayError:
            return False
