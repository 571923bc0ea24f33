"""A sweep: expand, drop what the store has, perform the rest, store what comes."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

from ganbench.data import Dataset, find
from ganbench.registry import load_file
from ganbench.spec import RunRecord, RunSpec, Scoring, Status, SweepSpec
from ganbench.store import Store
from ganbench.store.claims import Claims
from ganbench.sweeps.board import Board
from ganbench.sweeps.devices import RUNS_PER_GPU, cores, devices
from ganbench.sweeps.executors import executor
from ganbench.sweeps.expand import cost, expand
from ganbench.sweeps.ray_executor import ray_places
from ganbench.sweeps.task import Task


@dataclass(frozen=True)
class Surroundings:
    """Where and how a sweep runs: none of it changes what a run is."""

    device: str = "auto"  # auto, cpu, cuda, cuda:N
    executor: str = "process"
    workers: int | None = None  # processes; None: one a CPU core, or those that keep the GPUs busy
    root: Path | None = None  # folder of image data
    load: tuple[Path, ...] = ()  # users' files with variants and the like
    checkpoint_every: int = 500  # steps
    address: str | None = None  # of a running Ray cluster; None: one on this machine, for the sweep alone


class Watch(Protocol):
    """Who is told how a sweep gets on."""

    def begin(self, tasks: Sequence[Task], board: Board, skipped: int) -> None:
        """`tasks` are about to be performed; `skipped` runs of the sweep were done before."""
        ...

    def finished(self, record: RunRecord) -> None:
        """A run has ended and is stored."""
        ...

    def note(self, text: str) -> None:
        """A sentence for the person: what the sweep waits for."""
        ...

    def end(self) -> None:
        """Nothing more will come."""
        ...


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
    """Perform what the store lacks of the sweep. The same call after any interruption finishes it."""
    for path in where.load:
        load_file(path)
    runs = expand(spec)
    datasets = dict.fromkeys(run.dataset for run in runs)
    scorings = {name: _scoring(find(name), spec.scoring, where.root) for name in datasets}
    watch = watch or _Silent()
    store.note = watch.note
    records: list[RunRecord] = []
    keys = {name: key for name, (_, key) in scorings.items()}
    with Claims(store) as claims:
        for ids in claims.rounds(lambda: [run.id for run in _todo(runs, keys, store)]):
            todo = sorted((run for run in runs if run.id in ids), key=cost, reverse=True)
            tasks = _tasks(todo, {name: scoring for name, (scoring, _) in scorings.items()}, store, where, len(runs))
            board = Board(len(tasks))
            perform = executor(where.executor, _workers(where, tasks[0].device, runs), where.address).map
            with _told(watch, tasks, board, len(runs) - len(todo)) as tell, _stop_on_signals(board):
                for record in perform(tasks, board):
                    store.finish(record, keys[record.spec.dataset])
                    claims.release([record.spec.id])
                    records.append(record)
                    tell.finished(record)
            if board.stopping:
                break
    rest = {run.id for run in _todo(runs, keys, store)} | {record.spec.id for record in records}
    return Outcome(tuple(scorings), tuple(run.id for run in runs), tuple(records), len(runs) - len(rest))


def _scoring(dataset: Dataset, scoring: Scoring, root: Path | None) -> tuple[Scoring, str]:
    from ganbench.metrics import engine

    resolved = engine.resolve(dataset, scoring, root)
    return resolved, engine.scoring_key(dataset, resolved, root)


def _todo(runs: Sequence[RunSpec], keys: dict[str, str], store: Store) -> list[RunSpec]:
    """What the store has not finished under these scorings."""
    done = store.done({run.id: keys[run.dataset] for run in runs})
    return [run for run in runs if run.id not in done]


def _tasks(
    runs: Sequence[RunSpec], scorings: dict[str, Scoring], store: Store, where: Surroundings, sweep_size: int
) -> list[Task]:
    datasets = {name: find(name) for name in {run.dataset for run in runs}}
    for dataset in datasets.values():
        dataset.prepare(where.root)
    places = ray_places(where.device, where.address) if where.executor == "ray" else devices(where.device)
    threads = _threads(where, sweep_size)
    return [
        Task(
            spec=run,
            scoring=scorings[run.dataset],
            folder=store.folder(run.id),
            root=where.root,
            device=places[index % len(places)],
            threads=1 if datasets[run.dataset].kind == "points" else threads,
            checkpoint_every=where.checkpoint_every,
            load=where.load,
        )
        for index, run in enumerate(runs)
    ]


def _workers(where: Surroundings, device: str, runs: Sequence[RunSpec]) -> int:
    if where.workers is not None:
        return where.workers
    if where.executor == "ray":
        return len(runs)  # as many at once as the cluster takes
    if device.startswith("cuda"):
        small = all(find(name).kind == "points" for name in {run.dataset for run in runs})
        return len(devices(where.device)) * (RUNS_PER_GPU if small else 1)
    return min(cores(), len(runs))


def _threads(where: Surroundings, sweep_size: int) -> int:
    """CPU threads of a run on images: a function of the whole sweep, for a resumed run must add in the same order."""
    workers = 1 if where.executor == "inline" else where.workers or min(cores(), sweep_size)
    return max(1, cores() // workers)


class _Silent:
    def begin(self, tasks: Sequence[Task], board: Board, skipped: int) -> None:
        """Say nothing."""

    def finished(self, record: RunRecord) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


@contextlib.contextmanager
def _told(watch: Watch, tasks: Sequence[Task], board: Board, skipped: int) -> Iterator[Watch]:
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
    except BaseException:
        board.ask_to_stop()  # what runs still is to save its state
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
