"""A sweep: expand, drop what the store has, perform the rest, store what comes."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Self

from ganbench.data import find
from ganbench.registry import load_file
from ganbench.reports import events
from ganbench.spec import RunRecord, Status, SweepSpec
from ganbench.store import Store
from ganbench.store.claims import Claims
from ganbench.sweeps.board import Board
from ganbench.sweeps.cohorts import cohorts
from ganbench.sweeps.devices import RUNS_PER_GPU, cores, devices
from ganbench.sweeps.executors import Executor, executor
from ganbench.sweeps.expand import cost
from ganbench.sweeps.halving import Leg
from ganbench.sweeps.queue import TaskQueue
from ganbench.sweeps.ray_executor import ray_device
from ganbench.sweeps.rounds import Rounds
from ganbench.sweeps.task import Task
from ganbench.sweeps.watch import Watch, Watches

FIRST_TASKS = 256
"""Tasks for which the first board of a sweep has room; more take a larger one, and workers who know it."""


@dataclass(frozen=True)
class Surroundings:
    """Where and how a sweep runs: none of it changes what a run is."""

    device: str = "auto"  # auto, cpu, cuda, cuda:N
    executor: str = "process"
    workers: int | None = None  # processes; None: one a CPU core, or those that keep the GPUs busy
    root: Path | None = None  # folder of image data
    load: tuple[Path, ...] = ()  # users' files with variants and the like
    checkpoint_every: int = 500  # steps
    cohort: int | None = None  # runs that train together at most; None: by kind of data and device, 1: none
    events: bool = False  # whether runs leave TensorBoard's files
    address: str | None = None  # of a running Ray cluster; None: one on this machine, for the sweep alone
    compile_step: bool = False  # whether training steps are compiled
    pictures: bool = True  # whether runs leave curves and samples as pictures


@dataclass(frozen=True)
class Outcome:
    """What a sweep did: its data sets, its runs' ids in order, the records made now, how many were done before, and
    whether it was stopped before all was done.
    """

    datasets: tuple[str, ...]
    run_ids: tuple[str, ...]
    records: tuple[RunRecord, ...]
    skipped: int
    interrupted: bool

    def count(self, status: Status) -> int:
        """How many of the runs made now ended so."""
        return sum(record.status is status for record in self.records)


def run_sweep(spec: SweepSpec, store: Store, where: Surroundings, watch: Watch | None = None) -> Outcome:
    """Perform what the store lacks of the sweep. The same call after any interruption finishes it.

    A sweep that searches goes in rounds: what a sampler asks for next follows from what has come so far.
    """
    for path in where.load:
        load_file(path)
    if where.events:
        events.check()
    watch = watch or Watches()
    store.note = watch.note
    rounds = Rounds(spec, store, where.root)
    sweep = _Sweep(rounds, store, where, watch)
    with sweep.stopped_by_signals(), Claims(store) as claims, sweep:
        while not sweep.stopped and (legs := rounds.next()):
            sweep.perform(legs, claims)
        if sweep.stopped:
            sweep.want(rounds.next())  # what would have come
    return sweep.outcome()


class _Sweep:
    """A sweep under way: what is to be run, so far, and what has come."""

    def __init__(self, rounds: Rounds, store: Store, where: Surroundings, watch: Watch) -> None:
        self._rounds, self._store, self._where, self._watch = rounds, store, where, watch
        self._run_ids: dict[str, None] = {}  # in order
        self._records: dict[str, RunRecord] = {}  # what came last, by run
        self._lasting = contextlib.ExitStack()
        self._executor: Executor | None = None
        self._board = Board(FIRST_TASKS)
        self._told: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None:
            self._board.ask_to_stop()  # what runs still is to save its state
        self._lasting.close()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop."""
        return self._board.stopping

    @contextlib.contextmanager
    def stopped_by_signals(self) -> Iterator[None]:
        """Within the block Ctrl-C and SIGTERM let the running runs save their state; a second Ctrl-C ends at once.

        A second SIGTERM does not: to a process and to its group, some send it twice.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            if self.stopped and number == signal.SIGINT:
                raise KeyboardInterrupt
            self._board.ask_to_stop()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def want(self, legs: Sequence[Leg]) -> None:
        """Note that these are part of the sweep."""
        self._run_ids |= {leg.run.id: None for leg in legs}

    def perform(self, legs: Sequence[Leg], claims: Claims) -> None:
        """Perform what is left of a round, but for what other sweeps take of it; those are waited for.

        A run that another failed is tried here too.
        """
        self.want(legs)
        wanted, tried = [leg.run.id for leg in legs], set[str]()

        def left() -> list[str]:
            return [] if self.stopped else [run_id for run_id in self._undone(wanted) if run_id not in tried]

        for free in claims.free(left):
            tasks = _tasks(legs, free, self._rounds, self._store, self._where)
            queue = TaskQueue(tasks, partial(claims.take_left, left=self._undone))
            board = self._board = self._board.wiped(len(tasks))
            performed = self._opened(legs).map
            with _told(self._watch, queue, board, len(self._run_ids) - len(free)):
                for records in performed(queue, board):
                    self._keep(records, claims)
            tried.update(queue.taken)

    def _opened(self, legs: Sequence[Leg]) -> Executor:
        """What performs tasks: the same for all rounds, for workers take seconds to start."""
        if self._executor is None:
            where = self._where
            places = [] if where.executor == "ray" else devices(where.device)
            found = executor(where.executor, _most_workers(where, legs), where.address, places)
            self._executor = self._lasting.enter_context(found)
        return self._executor

    def outcome(self) -> Outcome:
        """What was done: runs that others did count as done before."""
        ids = tuple(self._run_ids)
        left = self._undone(ids)
        failed = {run_id for run_id, record in self._records.items() if record.status is Status.FAILED}
        return Outcome(
            datasets=tuple(self._rounds.scorings),
            run_ids=ids,
            records=tuple(self._records.values()),
            skipped=len(ids) - len({*left, *self._records}),
            interrupted=not failed.issuperset(left),
        )

    def _undone(self, run_ids: Sequence[str]) -> list[str]:
        """What the store has not finished under these scorings, by id."""
        done = self._store.done({run_id: self._rounds.keys[run_id] for run_id in run_ids})
        return [run_id for run_id in run_ids if run_id not in done]

    def _keep(self, records: Sequence[RunRecord], claims: Claims) -> None:
        """What came of a task: all of it was there at once, and one transaction is one wait for the disk."""
        self._store.finish_all([(record, self._rounds.keys[record.spec.id]) for record in records])
        claims.release([record.spec.id for record in records])
        for record in records:
            self._records[record.spec.id] = record
            self._watch.finished(record)
            self._tell(record)

    def _tell(self, record: RunRecord) -> None:
        """Say once each that what was to be compiled was not, and that a run has no scores at looks of it."""
        facts, spec = record.provenance, record.spec
        if fresh := facts.keys() & {"eager", "looks_missing"} - self._told:
            self._told |= fresh
        if "eager" in fresh:
            self._watch.note(f"{spec.variant} is not compiled throughout: {facts['eager']}")
        if "looks_missing" in fresh:
            self._watch.note(
                f"run {spec.id} has no scores at steps {facts['looks_missing']}: it was trained past them without; "
                "the looks of such runs need a new store"
            )


def _tasks(legs: Sequence[Leg], todo: set[str], rounds: Rounds, store: Store, where: Surroundings) -> list[Task]:
    """What is to be done, the costliest first, so that no core idles at the end."""
    datasets = {leg.run.dataset: find(leg.run.dataset) for leg in legs if leg.run.id in todo}
    for dataset in datasets.values():
        dataset.prepare(where.root)
    ray = where.executor == "ray"
    device = ray_device(where.device, where.address) if ray else devices(where.device)[0]
    threads = _threads(where, rounds.first_size)
    together = cohorts(legs, where.cohort, device, _workers(where, legs))
    left = [part for cohort in together if (part := tuple(leg for leg in cohort if leg.run.id in todo))]
    return [
        Task(
            specs=tuple(leg.run for leg in part),
            scoring=rounds.scorings[part[0].run.dataset],
            artifacts=store.artifacts,
            root=where.root,
            device=device,
            threads=1 if datasets[part[0].run.dataset].kind == "points" else threads,
            checkpoint_every=where.checkpoint_every,
            load=where.load,
            events=where.events,
            selection=rounds.selection(part[0].run),
            compiled=where.compile_step,
            pictures=where.pictures,
            until=part[0].until,
        )
        for part in sorted(left, key=lambda part: sum(map(cost, part)), reverse=True)
    ]


def _most_workers(where: Surroundings, legs: Sequence[Leg]) -> int | None:
    """Tasks at once; on Ray None, as many as the cluster takes."""
    if where.workers is not None or where.executor == "ray":
        return where.workers
    if where.executor == "inline":
        return 1
    if devices(where.device)[0].startswith("cuda"):
        small = all(find(name).kind == "points" for name in {leg.run.dataset for leg in legs})
        return len(devices(where.device)) * (RUNS_PER_GPU if small else 1)
    return cores()


def _workers(where: Surroundings, legs: Sequence[Leg]) -> int:
    """Among how many workers a round is spread."""
    most = cores() if where.executor == "ray" else _most_workers(where, legs) or cores()
    return most if where.workers else min(most, len(legs))


def _threads(where: Surroundings, sweep_size: int) -> int:
    """CPU threads of a run on images: a function of the sweep, for a resumed run must add in the same order.

    The size of a search is that of its first round.
    """
    workers = 1 if where.executor == "inline" else where.workers or min(cores(), sweep_size)
    return max(1, cores() // workers)


@contextlib.contextmanager
def _told(watch: Watch, queue: TaskQueue, board: Board, skipped: int) -> Iterator[None]:
    watch.begin(queue, board, skipped)
    try:
        yield
    finally:
        watch.end()
