"""Runs on a Ray cluster: on this machine's cores, or on many machines. Records come back here; here alone is the store.

A run's checkpoint lies in its folder. Where the machines share that folder, a run whose machine is lost goes on from
there on another; where they do not, it starts over and comes to the same numbers.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ganbench.errors import SpecError
from ganbench.spec import RunRecord, Status
from ganbench.sweeps.board import NOT_STARTED, Board
from ganbench.sweeps.desk import Desk, DeskPulse
from ganbench.sweeps.devices import RUNS_PER_GPU, devices
from ganbench.sweeps.queue import TaskQueue
from ganbench.sweeps.ray_cluster import check, connected
from ganbench.sweeps.task import Task
from ganbench.sweeps.work import perform

TRIES = 3
"""Times a run is begun whose worker or machine is lost each time; then it is failed."""
LOOK = 0.25
"""Seconds between two looks at steps and at whether to stop."""


class Ray:
    """On the Ray cluster at `address`, or one of this machine for the sweep alone: at most `workers` tasks at once."""

    def __init__(self, workers: int | None, address: str | None = None) -> None:
        self._workers, self._address = workers, address
        self._joined = contextlib.ExitStack()
        self._ray: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ray = None
        self._joined.close()

    def map(self, queue: TaskQueue, board: Board) -> Iterator[list[RunRecord]]:
        """See Executor. A run whose worker or machine is lost is begun again, TRIES times in all.

        Without a limit Ray is given all at once: what waits for a place tells a cluster that scales to grow.
        """
        if self._ray is None:
            self._ray = self._joined.enter_context(connected(self._address))
        check(self._ray.nodes(), [_resources(task) for task in queue.tasks.values()])
        yield from _Flight(self._ray, queue, board, self._workers).records()


def ray_device(device: str, address: str | None) -> str:
    """The device of tasks for Ray, which picks the GPU itself; a cluster's are not known here: `cuda` is taken."""
    if device.startswith("cuda:"):
        raise SpecError(f"Ray picks the GPUs itself, not {device!r}: use --device cuda")
    if device == "cuda" and address is not None:
        return "cuda"
    return devices(device)[0].split(":")[0]


def _resources(task: Task) -> dict[str, float]:
    """What a run takes of its machine."""
    from ganbench.data import find

    points = find(task.spec.dataset).kind == "points"
    share = {"num_gpus": 1 / RUNS_PER_GPU if points else 1.0} if task.device.startswith("cuda") else {}
    return {"num_cpus": float(task.threads or 1), **share}


class _Flight:
    """The runs of one sweep on their way through a cluster."""

    def __init__(self, ray: Any, queue: TaskQueue, board: Board, limit: int | None) -> None:
        self._ray, self._queue, self._board, self._limit = ray, queue, board, limit
        self._again: deque[tuple[int, Task]] = deque()  # taken, to be begun anew
        self._running: dict[Any, tuple[int, Task]] = {}  # by the reference of its result
        self._losses: Counter[Path] = Counter()  # by where the task keeps its runs
        self._work = ray.remote(max_retries=0)(_work)
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        # beside the driver, where no other machine's end can take it along
        self._desk = ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(Desk).remote()

    def records(self) -> Iterator[list[RunRecord]]:
        while self._running or ((self._again or self._queue) and not self._board.stopping):
            if self._board.stopping:
                self._stop()
            else:
                self._submit()
            done, _ = self._ray.wait(list(self._running), timeout=LOOK) if self._running else ([], [])
            self._copy_steps()
            for reference in done:
                if records := self._result(reference, *self._running.pop(reference)):
                    yield records

    def _submit(self) -> None:
        while self._again and self._room() != 0:
            self._begin(*self._again.popleft())
        for index, task in self._queue.take(self._room()).items():
            self._begin(index, task)

    def _room(self) -> int | None:
        """How many more may run; None: any number."""
        return None if self._limit is None else max(0, self._limit - len(self._running))

    def _begin(self, index: int, task: Task) -> None:
        work = self._work.options(**_resources(task))
        self._running[work.remote(index, task, self._desk, str(Path.cwd()))] = (index, task)

    def _result(self, reference: Any, index: int, task: Task) -> list[RunRecord]:
        """The records; none where the task did not begin, or was lost and waits again."""
        errors = self._ray.exceptions
        try:
            records: list[RunRecord] = self._ray.get(reference)
        except errors.RayTaskError as error:
            raise error.cause from None
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError, errors.ObjectLostError):
            return self._lost(index, task)
        return records

    def _lost(self, index: int, task: Task) -> list[RunRecord]:
        """Begin again; runs that train together at last in halves, lest it is memory that they lack."""
        self._losses[task.together] += 1
        self._desk.forget.remote(index)  # and the board: what has not begun is not waited for when all is to stop
        self._board.set(index, NOT_STARTED)
        if self._losses[task.together] < TRIES:
            self._again.append((index, task))
            return []
        if len(task.specs) > 1:
            self._again.extend((index, half) for half in task.halves())
            return []
        error = f"its worker or machine was lost {TRIES} times (killed, or out of memory?)"
        return [RunRecord(spec=task.spec, status=Status.FAILED, error=error)]

    def _copy_steps(self) -> None:
        try:
            steps = self._ray.get(self._desk.steps.remote(), timeout=10 * LOOK)
        except (self._ray.exceptions.RayActorError, self._ray.exceptions.GetTimeoutError):
            return  # the desk starts again; the workers' next beats bring the steps back
        for index, step in steps.items():
            self._board.set(index, step)

    def _stop(self) -> None:
        """Begin no more, and ask those that run to save their state and end."""
        self._again.clear()
        self._desk.ask_to_stop.remote()
        for reference, (index, _) in list(self._running.items()):
            if self._board.step(index) == NOT_STARTED:  # it may wait for a place for ever
                self._ray.cancel(reference)
                del self._running[reference]


def _work(index: int, task: Task, desk: Any, folder: str) -> list[RunRecord]:
    """Perform one task on some machine, in the driver's working folder, for paths may be relative to it."""
    pulse = DeskPulse(desk, index)
    if pulse.begin():
        return []
    Path(folder).mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    if task.device.startswith("cuda"):
        task = replace(task, device="cuda:0")  # of those that Ray lets this process see
    return perform(task, pulse)
