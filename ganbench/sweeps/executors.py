"""Executors: where tasks are performed. Each has one method, `map`, and yields a task's records when it ends."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol, Self

from ganbench.errors import SpecError, UnknownNameError
from ganbench.spec import EXECUTORS, RunRecord, Status
from ganbench.sweeps.board import NOT_STARTED, Board
from ganbench.sweeps.devices import cores
from ganbench.sweeps.queue import TaskQueue
from ganbench.sweeps.ray_executor import Ray
from ganbench.sweeps.task import Task
from ganbench.sweeps.work import perform


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
    """In `workers` processes. A worker that dies takes its run with it; the run is tried again, alone, then failed."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._known: Board | None = None  # to the pool's workers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def map(self, queue: TaskQueue, board: Board) -> Iterator[list[RunRecord]]:
        """See Executor."""
        waiting: dict[int, Task] = {}
        while (waiting or queue) and not board.stopping:
            yield from self._until_broken(waiting, board, queue)
            for index in [index for index in waiting if board.step(index) != NOT_STARTED]:
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
        try:
            yield from self._performed(waiting, board, queue or TaskQueue([]))
        except BrokenProcessPool:
            self._close()

    def _performed(self, waiting: dict[int, Task], board: Board, queue: TaskQueue) -> Iterator[list[RunRecord]]:
        pool = self._opened(board)
        running = {pool.submit(_work, index, task): index for index, task in waiting.items()}
        while True:
            # no more than there are workers: what waits here another machine could do
            fresh = {} if board.stopping else queue.take(max(0, self._workers - len(running)))
            waiting |= fresh
            running |= {pool.submit(_work, index, task): index for index, task in fresh.items()}
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                records = future.result()
                del waiting[running.pop(future)]
                if records:
                    yield records

    def _opened(self, board: Board) -> ProcessPoolExecutor:
        """The workers, started as tasks need them, who know this board."""
        if self._known is not board:
            self._close()
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._workers, context, initializer=_enter, initargs=(board,))
            self._known = board
        return self._pool

    def _close(self) -> None:
        """Let the workers end what they do, and go."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool = self._known = None


_board: Board


def _enter(board: Board) -> None:
    """Set a worker up: the driver alone answers Ctrl-C, and a worker never outlives its driver."""
    global _board
    _board = board
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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


def executor(name: str, workers: int | None, address: str | None = None) -> Executor:
    """The executor of that name, of so many workers at most (None: one a core; on Ray as many as there is room for).

    `address` is that of a running Ray cluster.
    """
    if name not in EXECUTORS:
        raise UnknownNameError("executor", name, EXECUTORS)
    if name == "ray":
        return Ray(workers, address)
    if address is not None:
        raise SpecError(f"an address is that of a Ray cluster, executor {name!r} has none: use --executor ray")
    return Inline() if name == "inline" else Processes(workers or cores())
