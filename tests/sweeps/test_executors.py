from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sweeps import small_sweep, wait_until

from ganbench.errors import RunError, UnknownNameError
from ganbench.registry import load_file
from ganbench.spec import Scoring, Status, SweepSpec
from ganbench.store import Store
from ganbench.sweeps.board import NOT_STARTED, Board
from ganbench.sweeps.devices import peak_megabytes
from ganbench.sweeps.executors import Inline, Processes, executor
from ganbench.sweeps.expand import expand
from ganbench.sweeps.queue import TaskQueue
from ganbench.sweeps.sweep import Surroundings, run_sweep
from ganbench.sweeps.task import Task

SCORING = Scoring(metrics=("modes", "kl"), samples=200)

BAD = """
import os, signal
import ganbench

def fail(nets, batch, h):
    raise KeyError("no such thing")

def die(nets, batch, h):
    os.kill(os.getpid(), signal.SIGKILL)

def explode(nets, batch, h):
    return nets.D(batch.real).mean() * float("inf")

for name, loss in (("fails", fail), ("dies", die), ("explodes", explode)):
    ganbench.VARIANTS.add(ganbench.Variant(name, name, "own", "", 2026, (ganbench.Phase("D", loss),)))
"""


def sweep(**fields: Any) -> SweepSpec:
    return small_sweep(**{"datasets": ["ring:std=0.5"], "steps": 30} | fields)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Loaded once: a name is registered once a process."""
    path = tmp_path_factory.mktemp("bad") / "bad_variants.py"
    path.write_text(BAD)
    load_file(path)
    return path


def tasks(spec: SweepSpec, folder: Path, load: tuple[Path, ...] = ()) -> list[Task]:
    return [Task((run,), SCORING, folder, threads=1, load=load) for run in expand(spec)]


def queue(*given: Any) -> TaskQueue:
    return TaskQueue(tasks(*given))


def test_inline_and_processes_give_the_same_numbers(tmp_path: Path) -> None:
    spec = sweep()
    inline = {r.spec.id: r.scores for (r,) in Inline().map(queue(spec, tmp_path / "a"), Board(3))}
    with Processes(2) as pool:
        processes = {r.spec.id: r.scores for (r,) in pool.map(queue(spec, tmp_path / "b"), Board(3))}
    assert inline == processes
    assert len(inline) == 3


def test_failures_are_results_and_the_sweep_goes_on(tmp_path: Path, bad: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        spec = sweep(variants=["fails", "explodes", "ns"], seeds=1)
        outcome = run_sweep(spec, store, Surroundings("cpu", "inline", load=(bad,)))
        by_variant = {record.spec.variant: record for record in outcome.records}
        assert by_variant["fails"].status is Status.FAILED
        assert by_variant["fails"].error == "KeyError: 'no such thing'"
        assert "no such thing" in (store.folder(by_variant["fails"].spec.id) / "error.txt").read_text()
        assert by_variant["explodes"].status is Status.DIVERGED
        assert by_variant["explodes"].step == 1
        assert by_variant["ns"].status is Status.COMPLETED
        again = run_sweep(spec, store, Surroundings("cpu", "inline", load=(bad,)))
        assert [record.spec.variant for record in again.records] == ["fails"]  # only what failed is tried again


@pytest.mark.slow
def test_a_run_that_kills_its_worker_is_failed_and_the_others_finish(tmp_path: Path, bad: Path) -> None:
    given = queue(sweep(variants=["dies", "ns"], seeds=1), tmp_path, (bad,))
    with Processes(2) as pool:
        records = [record for (record,) in pool.map(given, Board(3))]
    ends = {record.spec.variant: record.status for record in records}
    assert ends == {"real": Status.COMPLETED, "dies": Status.FAILED, "ns": Status.COMPLETED}
    error = next(record.error for record in records if record.spec.variant == "dies")
    assert error == "its worker process died twice, the second time with no other run (killed, or out of memory?)"


def test_a_board_that_asks_to_stop_stops_every_executor(tmp_path: Path) -> None:
    board = Board(3)
    board.ask_to_stop()
    assert list(Inline().map(queue(sweep(), tmp_path), board)) == []
    given = queue(sweep(), tmp_path)
    with Processes(2) as pool:
        assert list(pool.map(given, board)) == []
    assert not given.taken


class FakePool:
    """Workers of which the one with the task on `line` dies, `deaths` times, when all others have done theirs."""

    def __init__(self, line: int, deaths: int, board: Board) -> None:
        self.line, self.deaths, self.board = line, deaths, board
        self.begun: Counter[int] = Counter()
        self.devices: Counter[str] = Counter()

    def submit(self, work: Any, index: int, task: Task) -> Future[Any]:
        self.begun[index] += 1
        self.devices[task.device] += 1
        self.board.set(index, 0)
        future: Future[Any] = Future()
        if index == self.line and self.begun[index] <= self.deaths:
            future.set_exception(BrokenProcessPool())
        else:
            future.set_result([task.spec.seed])
        return future

    def shutdown(self, cancel_futures: bool) -> None:
        return


@pytest.mark.parametrize("line", range(8))
def test_what_is_done_when_a_worker_dies_is_not_done_again(
    line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All come at once, in an order that nobody knows."""
    board = Board(8)
    fake, given = FakePool(line, 1, board), TaskQueue(tasks(sweep(seeds=8), tmp_path)[1:])
    monkeypatch.setattr(Processes, "_opened", lambda self, board: fake)
    found = [seed for (seed,) in Processes(8).map(given, board)]
    assert sorted(found) == list(range(8))
    assert fake.begun == {index: 2 if index == line else 1 for index in range(8)}


def test_what_is_done_when_a_new_one_cannot_begin_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoMore(FakePool):
        def submit(self, work: Any, index: int, task: Task) -> Future[Any]:
            if index == 2 and self.deaths:
                self.deaths = 0
                raise BrokenProcessPool
            return super().submit(work, index, task)

    board = Board(3)
    fake, given = NoMore(-1, 1, board), TaskQueue(tasks(sweep(seeds=3), tmp_path)[1:])
    monkeypatch.setattr(Processes, "_opened", lambda self, board: fake)
    assert sorted(seed for (seed,) in Processes(3).map(given, board)) == [0, 1, 2]
    assert fake.begun == {0: 1, 1: 1, 2: 1}


def test_once_asked_to_stop_no_more_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(3)
    given = queue(sweep(), tmp_path)
    monkeypatch.setattr(Processes, "_opened", lambda self, board: FakePool(-1, 0, board))
    for _ in Processes(1).map(given, board):
        board.ask_to_stop()
    assert len(given.taken) == 1


def test_workers_that_cannot_begin_anything_are_not_tried_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0

    class Dead(FakePool):
        def submit(self, work: Any, index: int, task: Task) -> Future[Any]:
            nonlocal tried
            tried += 1
            raise BrokenProcessPool

    monkeypatch.setattr(Processes, "_opened", lambda self, board: Dead(0, 0, board))
    with pytest.raises(RunError, match="worker processes died 3 times before they began a run"):
        list(Processes(2).map(queue(sweep(), tmp_path), Board(3)))
    assert tried == 3


def test_a_task_goes_to_the_device_with_the_fewest(tmp_path: Path) -> None:
    (task, *_), (one, two, three) = tasks(sweep(), tmp_path), (Future[Any]() for _ in range(3))
    pool = Processes(4, ["cuda:0", "cuda:1"])
    assert pool._placed(task, {}).device == "cuda:0"
    assert pool._placed(task, {one: (0, "cuda:0")}).device == "cuda:1"
    assert pool._placed(task, {one: (0, "cuda:1"), two: (1, "cuda:1"), three: (2, "cuda:0")}).device == "cuda:0"
    assert Processes(4, ["cuda:1"])._placed(task, {}) is task


def test_tasks_are_spread_over_the_devices_of_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakePool(-1, 0, Board(6))
    monkeypatch.setattr(Processes, "_opened", lambda self, board: fake)
    monkeypatch.setattr("ganbench.sweeps.sweep.devices", lambda name: ["cuda:0", "cuda:1", "cuda:2"])
    monkeypatch.setattr("ganbench.sweeps.sweep._Sweep._keep", lambda self, records, claims: None)
    with Store(tmp_path / "s.db") as store:
        run_sweep(sweep(seeds=5), store, Surroundings("cuda", "process", workers=6, cohort=1))
    assert fake.devices == {"cuda:0": 2, "cuda:1": 2, "cuda:2": 2}


def test_a_board_is_wiped_for_other_tasks_and_grows() -> None:
    board = Board(3)
    asked = Board(1)
    asked.ask_to_stop()
    assert asked.wiped(2).stopping
    board.set(2, 7)
    assert board.wiped(2) is board
    assert list(board) == [NOT_STARTED] * 2
    assert board.wiped(3) is board
    assert list(board) == [NOT_STARTED] * 3
    larger = board.wiped(4)
    assert larger is not board
    assert list(larger) == [NOT_STARTED] * 4
    assert larger.wiped(8) is larger


@pytest.mark.slow
def test_workers_last_from_round_to_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three batches and their rungs by one worker; and where a round has more tasks than the board, by another."""
    settings = {**sweep().set, "lr": {"low": 1e-4, "high": 1e-2, "log": True}}
    spec = sweep(seeds=1, set=settings, sampler="tpe", trials=6, batch=2, halving=2, rungs=1)
    with Store(tmp_path / "s.db") as store:
        whole = run_sweep(spec, store, Surroundings("cpu", "process", workers=1, cohort=1))
        assert len({record.provenance["pid"] for record in whole.records}) == 1
    monkeypatch.setattr("ganbench.sweeps.sweep.FIRST_TASKS", 1)
    with Store(tmp_path / "t.db") as store:
        again = run_sweep(spec, store, Surroundings("cpu", "process", workers=1, cohort=1))
    assert [record.status for record in again.records] == [record.status for record in whole.records]
    assert [record.scores for record in again.records] == [record.scores for record in whole.records]


@pytest.mark.slow
def test_a_worker_that_dies_between_rounds_is_replaced(tmp_path: Path) -> None:
    board = Board(3)
    given = tasks(sweep(), tmp_path)
    with Processes(1) as pool:
        ((first,),) = pool.map(TaskQueue(given[1:2]), board.wiped(1))
        os.kill(first.provenance["pid"], signal.SIGKILL)
        ((second,),) = pool.map(TaskQueue(given[2:3]), board.wiped(1))
    assert second.status is Status.COMPLETED
    assert second.provenance["pid"] != first.provenance["pid"]


@pytest.mark.slow
def test_where_one_worker_dies_the_others_are_not_waited_for(tmp_path: Path) -> None:
    """They do not listen to the SIGTERM by which a broken pool ends them, and may have hours to go."""
    board, given = Board(2), TaskQueue(tasks(sweep(steps=10_000_000, seeds=2), tmp_path)[1:])
    with Processes(2) as pool:
        driver = threading.Thread(target=lambda: list(pool.map(given, board)))
        driver.start()
        try:
            wait_until(lambda: all(step > 0 for step in board))
            killed, other = list(pool._pool._processes.values())
            os.kill(killed.pid, signal.SIGKILL)
            wait_until(lambda: not other.is_alive())
        finally:
            board.ask_to_stop()
            driver.join()


def test_signals_stop_a_sweep_in_this_process(tmp_path: Path) -> None:
    class StopAtFirst:
        def note(self, text) -> None:
            return

        def begin(self, tasks, board, skipped) -> None:
            return

        def finished(self, record) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        def end(self) -> None:
            return

    before = signal.getsignal(signal.SIGTERM)
    with Store(tmp_path / "s.db") as store:
        outcome = run_sweep(sweep(), store, Surroundings("cpu", "inline"), StopAtFirst())
        assert outcome.interrupted
        assert len(outcome.records) == 1
        rest = run_sweep(sweep(), store, Surroundings("cpu", "inline"))
        assert not rest.interrupted
        assert rest.skipped == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_rescoring_does_not_retrain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path / "s.db") as store:
        run_sweep(sweep(), store, Surroundings("cpu", "inline"))
        monkeypatch.setattr("ganbench.training.loop._run", lambda *_: pytest.fail("trained again"))
        more = sweep(scoring={"metrics": ["jsd"], "samples": 300})
        outcome = run_sweep(more, store, Surroundings("cpu", "inline"))
        assert outcome.count(Status.COMPLETED) == 3
        record = store.get(outcome.run_ids[1])
        assert {(score.metric, score.protocol["n_generated"]) for score in record.scores} == {
            ("modes", 200), ("kl", 200), ("jsd", 300)
        }  # fmt: skip


def test_unknown_executors() -> None:
    with pytest.raises(UnknownNameError, match="unknown executor 'processes': did you mean 'process'"):
        executor("processes", 2)


def test_the_peak_of_memory_is_of_this_process_in_megabytes() -> None:
    before = peak_megabytes("cpu")
    held = np.ones(400_000_000, dtype=np.uint8)
    assert before > 50
    assert peak_megabytes("cpu") >= before
    if Path("/proc/self/status").exists():
        now = int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) * 1024 / 1e6
        assert peak_megabytes("cpu") >= now - 1 >= held.nbytes / 1e6
