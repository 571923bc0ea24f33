"""Executors: where tasks are performed. Each has one method, `map`, and yields a task's records when it ends."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Protocol, Self

from ganbench.errors import RunError, SpecError, UnknownNameError
from ganbench.spec import EXECUTORS, RunRecord, Status
from ganbench.sweeps.board import NOT_STARTED, Board
from ganbench.sweeps.devices import cores
from ganbench.sweeps.queue import TaskQueue
from ganbench.sweeps.ray_executor import Ray
from ganbench.sweeps.task import Task
from ganbench.sweeps.work import perform

TRIES = 3
"""Times in a row that workers may die before they begin anything."""


class Executor(Protocol):
    """A way to perform a sweep's tasks: what it starts with the first ones lasts to the end of the block."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def map(self, queue: TaskQueue, board: Board) -> Iterator[list[RunRecord]]:
        """Take tasks as there is room for them and perform each, beating its line of the board; once the board asks to
        stop, start no more.
        """
        ...


class Inline:
    """In this process, one after the other."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return

    def map(self, queue: TaskQueue, board: Board) -> Iterator[list[RunRecord]]:
        """See Executor."""
        while queue and not board.stopping:
            for index, task in queue.take(1).items():
                board.set(index, 0)
                yield perform(task, board.pulse(index))


class Processes:
    """In `workers` processes, spread over the devices `places`: a task goes where the fewest are, of several places.

    A worker that dies takes its run with it; the run is tried again, alone, then failed.
    """

    def __init__(self, workers: int, places: Sequence[str] = ()) -> None:
        self._workers, self._places = workers, places
        self._pool: ProcessPoolExecutor | None = None
        self._known: Board | None = None  # to the pool's workers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def map(self, queue: TaskQueue, board: Board) -> Iterator[list[RunRecord]]:
        """See Executor."""
        waiting: dict[int, Task] = {}
        in_vain = 0
        while (waiting or queue) and not board.stopping:
            for records in self._until_broken(waiting, board, queue):
                in_vain = 0
                yield records
            suspects = [index for index in waiting if board.step(index) != NOT_STARTED]
            in_vain = 0 if suspects else in_vain + 1
            if waiting and in_vain == TRIES:
                raise RunError(
                    f"worker processes died {TRIES} times before they began a run (killed, or out of memory?)"
                )
            for index in suspects:
                yield from self._alone(index, waiting, board)

    def _alone(self, index: int, waiting: dict[int, Task], board: Board) -> Iterator[list[RunRecord]]:
        """Try a task again that was under way when a worker died: by itself, so that no other pays for it.

        Where that fails too, runs that train together are tried in halves, lest it is memory that they lack.
        """
        suspect = {index: waiting[index]}
        yield from self._until_broken(suspect, board)
        if suspect and not board.stopping:
            yield from self._smaller(index, suspect.pop(index), board)
        if not suspect:
            del waiting[index]

    def _smaller(self, index: int, task: Task, board: Board) -> Iterator[list[RunRecord]]:
        if len(task.specs) == 1:
            yield [_crashed(task)]
            return
        for half in task.halves():
            yield from self._alone(index, {index: half}, board)

    def _until_broken(
        self, waiting: dict[int, Task], board: Board, queue: TaskQueue | None = None
    ) -> Iterator[list[RunRecord]]:
        """Perform what waits, and then what the queue has, until all is done or a worker dies.

        What is taken is put into `waiting`, and what is done is taken out of it.
        """
        queue, again, running = queue or TaskQueue([]), dict(waiting), dict[_Future, tuple[int, str]]()
        pool = self._opened(board)
        try:
            while True:
                # no more than there are workers: what waits here another machine could do
                taken = {} if board.stopping else queue.take(max(0, self._workers - len(running) - len(again)))
                waiting |= taken
                for index, task in (again | taken).items():
                    task = self._placed(task, running)
                    running[pool.submit(_work, index, task)] = index, task.device
                again = {}
                if not running:
                    return
                done = wait(running, return_when=FIRST_COMPLETED).done
                yield from _well_ended(done, running, waiting)
                for broken in done & running.keys():
                    broken.result()  # raises
        except BrokenProcessPool:
            self._close()
            yield from _well_ended(set(running), running, waiting)

    def _placed(self, task: Task, running: dict[_Future, tuple[int, str]]) -> Task:
        """The task, for the device with the fewest that run."""
        if len(self._places) < 2:
            return task
        busy = Counter(device for _, device in running.values())
        return replace(task, device=min(self._places, key=busy.__getitem__))

    def _opened(self, board: Board) -> ProcessPoolExecutor:
        """The workers, started as tasks need them, who know this board."""
        if self._known is not board:
            self._close()
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._workers, _Spawned(), initializer=_enter, initargs=(board,))
            self._known = board
        return self._pool

    def _close(self) -> None:
        """Let the workers end what they do, and go."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool = self._known = None


_Future = Future[list[RunRecord] | None]


def _well_ended(
    done: set[_Future], running: dict[_Future, tuple[int, str]], waiting: dict[int, Task]
) -> Iterator[list[RunRecord]]:
    """What came of those that did not break, which are taken out of what runs and of what waits."""
    for future in done:
        if future.cancelled() or future.exception() is not None:
            continue
        del waiting[running.pop(future)[0]]
        if records := future.result():
            yield records


class _Worker(SpawnProcess):
    """A worker that a broken pool ends for sure, though workers do not listen to SIGTERM."""

    def terminate(self) -> None:
        self.kill()


class _Spawned(SpawnContext):
    Process = _Worker


_board: Board


def _enter(board: Board) -> None:
    """Set a worker up: the driver alone answers Ctrl-C and SIGTERM, which reach all processes where a terminal or a
    scheduler sends them; and a worker never outlives its driver.
    """
    global _board
    _board = board
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _work(index: int, task: Task) -> list[RunRecord] | None:
    """Perform one task in a worker; None where it was asked to stop before it began."""
    if _board.stopping:
        return None
    _board.set(index, 0)
    return perform(task, _board.pulse(index))


def _crashed(task: Task) -> RunRecord:
    return RunRecord(
        spec=task.spec,
        status=Status.FAILED,
        error="its worker process died twice, the second time with no other run (killed, or out of memory?)",
    )


def executor(name: str, workers: int | None, address: str | None = None, places: Sequence[str] = ()) -> Executor:
    """The executor of that name, of so many workers at most (None: one a core; on Ray as many as there is room for).

    `address` is that of a running Ray cluster, `places` are the devices that processes share.
    """
    if name not in EXECUTORS:
        raise UnknownNameError("executor", name, EXECUTORS)
    if name == "ray":
        return Ray(workers, address)
    if address is not None:
        raise SpecError(f"an address is that of a Ray cluster, executor {name!r} has none: use --executor ray")
    return Inline() if name == "inline" else Processes(workers or cores(), places)
