"""A sweep: expand, drop what the store has, perform the rest, store what comes."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ganbench.data import find
from ganbench.registry import load_file
from ganbench.reports import events
from ganbench.spec import RunRecord, RunSpec, Status, SweepSpec
from ganbench.store import Store
from ganbench.sweeps.board import Board
from ganbench.sweeps.cohorts import cohorts
from ganbench.sweeps.devices import cores, devices
from ganbench.sweeps.executors import executor
from ganbench.sweeps.expand import cost
from ganbench.sweeps.rounds import Rounds
from ganbench.sweeps.task import Task
from ganbench.sweeps.watch import Watch, Watches

RUNS_PER_GPU = 4
"""Processes that share a GPU where runs are small (2-D points): one alone leaves it idle between launches."""


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


@dataclass(frozen=True)
class Outcome:
    """What a sweep did: its data sets, its runs' ids in order, the records made now, how many were done before."""

    datasets: tuple[str, ...]
    run_ids: tuple[str, ...]
    records: tuple[RunRecord, ...]
    skipped: int

    def count(self, status: Status) -> int:
        """How many of the runs made now ended so."""
        return sum(record.status is status for record in self.records)

    @property
    def interrupted(self) -> bool:
        """Whether it was stopped before all was done."""
        return len(self.records) + self.skipped < len(self.run_ids) or self.count(Status.INTERRUPTED) > 0


def run_sweep(spec: SweepSpec, store: Store, where: Surroundings, watch: Watch | None = None) -> Outcome:
    """Perform what the store lacks of the sweep. The same call after any interruption finishes it.

    A sweep that searches goes in rounds: what a sampler asks for next follows from what has come so far.
    """
    for path in where.load:
        load_file(path)
    if where.events:
        events.check()
    rounds = Rounds(spec, store, where.root)
    records: list[RunRecord] = []
    run_ids: list[str] = []
    skipped, stopped = 0, False
    while runs := rounds.next():
        run_ids += [run.id for run in runs]
        todo = _todo(runs, rounds.keys, store)
        skipped += len(runs) - len(todo)
        if stopped:
            break
        if todo:
            stopped = _perform(runs, todo, rounds, store, where, watch, records, skipped)
    return Outcome(tuple(rounds.scorings), tuple(run_ids), tuple(records), skipped)


def _perform(
    runs: Sequence[RunSpec],
    todo: set[str],
    rounds: Rounds,
    store: Store,
    where: Surroundings,
    watch: Watch | None,
    records: list[RunRecord],
    skipped: int,
) -> bool:
    """What is to be done of a round; what comes is stored and put to `records`. Whether it was asked to stop."""
    tasks = _tasks(runs, todo, rounds, store, where)
    board = Board(len(tasks))
    perform = executor(where.executor, _workers(where, runs)).map
    with _told(watch, tasks, board, skipped) as tell, _stop_on_signals(board):
        for record in perform(tasks, board):
            store.finish(record, rounds.keys[record.spec.id])
            records.append(record)
            tell.finished(record)
    return board.stopping


def _todo(runs: Sequence[RunSpec], keys: Mapping[str, str], store: Store) -> set[str]:
    """What the store has not finished under these scorings, by id."""
    return {run.id for run in runs} - store.done({run.id: keys[run.id] for run in runs})


def _tasks(runs: Sequence[RunSpec], todo: set[str], rounds: Rounds, store: Store, where: Surroundings) -> list[Task]:
    """What is to be done, the costliest first, so that no core idles at the end."""
    datasets = {run.dataset: find(run.dataset) for run in runs if run.id in todo}
    for dataset in datasets.values():
        dataset.prepare(where.root)
    places = devices(where.device)
    threads = _threads(where, rounds.first_size)
    together = cohorts(runs, where.cohort, places[0], _workers(where, runs))
    left = [part for cohort in together if (part := tuple(run for run in cohort if run.id in todo))]
    return [
        Task(
            specs=specs,
            scoring=rounds.scorings[specs[0].dataset],
            artifacts=store.artifacts,
            root=where.root,
            device=places[index % len(places)],
            threads=1 if datasets[specs[0].dataset].kind == "points" else threads,
            checkpoint_every=where.checkpoint_every,
            load=where.load,
            events=where.events,
            selection=rounds.selection(specs[0]),
        )
        for index, specs in enumerate(sorted(left, key=lambda specs: sum(map(cost, specs)), reverse=True))
    ]


def _workers(where: Surroundings, runs: Sequence[RunSpec]) -> int:
    if where.workers is not None:
        return where.workers
    if where.executor == "inline":
        return 1
    if devices(where.device)[0].startswith("cuda"):
        small = all(find(name).kind == "points" for name in {run.dataset for run in runs})
        return len(devices(where.device)) * (RUNS_PER_GPU if small else 1)
    return min(cores(), len(runs))


def _threads(where: Surroundings, sweep_size: int) -> int:
    """CPU threads of a run on images: a function of the sweep, for a resumed run must add in the same order.

    The size of a search is that of its first round.
    """
    workers = 1 if where.executor == "inline" else where.workers or min(cores(), sweep_size)
    return max(1, cores() // workers)


@contextlib.contextmanager
def _told(watch: Watch | None, tasks: Sequence[Task], board: Board, skipped: int) -> Iterator[Watch]:
    watch = watch or Watches()
    watch.begin(tasks, board, skipped)
    try:
        yield watch
    finally:
        watch.end()


@contextlib.contextmanager
def _stop_on_signals(board: Board) -> Iterator[None]:
    """Within the block Ctrl-C and SIGTERM let the running runs save their state; a second Ctrl-C ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if board.stopping:
            raise KeyboardInterrupt
        board.ask_to_stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
