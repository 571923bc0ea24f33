"""Tasks are claimed as they are taken, so that sweeps on one store share what there is to do."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from small_sweeps import SWEEP, outcomes

from ganbench.spec import RunRecord, RunSpec, Scoring, Status
from ganbench.store import Store
from ganbench.store.claims import Claims
from ganbench.sweeps.board import Board
from ganbench.sweeps.executors import Inline, Processes
from ganbench.sweeps.queue import TaskQueue
from ganbench.sweeps.sweep import Outcome, Surroundings, run_sweep
from ganbench.sweeps.task import Task

SETTINGS = {"width": 8, "depth": 1, "batch_size": 16}
SPECS = [
    RunSpec(variant="ns", dataset="ring", network="mlp", seed=seed, steps=10, settings=SETTINGS) for seed in range(6)
]
IDS = [spec.id for spec in SPECS]


def tasks(folder: Path) -> list[Task]:
    """Of two runs, three, and one."""
    scoring = Scoring(metrics=("modes",), samples=50)
    return [Task(tuple(part), scoring, folder, threads=1) for part in (SPECS[:2], SPECS[2:5], SPECS[5:])]


def test_alone_all_is_handed_out_in_order(tmp_path: Path) -> None:
    given = tasks(tmp_path)
    queue = TaskQueue(given)
    assert queue
    assert queue.runs == 6
    assert queue.take(0) == {}
    assert queue.take(2) == {0: given[0], 1: given[1]}
    assert queue.taken == set(IDS[:5])
    assert queue.take(2) == {2: given[2]}
    assert not queue
    assert queue.take(1) == queue.take() == {}
    assert queue.tasks == dict(enumerate(given))
    assert TaskQueue(given).take() == dict(enumerate(given))


@pytest.mark.parametrize("most", [1, 2, 3, None])
def test_what_others_have_taken_is_passed_over(most: int | None, tmp_path: Path) -> None:
    given, asked = tasks(tmp_path), []

    def claim(run_ids: Sequence[str]) -> list[str]:
        asked.extend(run_ids)
        return [run_id for run_id in run_ids if run_id not in {*IDS[:2], IDS[3]}]

    queue, found = TaskQueue(given, claim), []
    while fresh := queue.take(most):
        found.append(fresh)
    assert asked == IDS  # each once
    assert queue.taken == {IDS[2], IDS[4], IDS[5]}
    ours = {line: task for fresh in found for line, task in fresh.items()}
    assert {line: [spec.id for spec in task.specs] for line, task in ours.items()} == {1: [IDS[2], IDS[4]], 2: [IDS[5]]}
    assert queue.tasks == ours
    assert ours[2] is given[2]
    assert queue.runs == 3
    assert [len(fresh) for fresh in found] == ([1, 1] if most == 1 else [2])


SLOW = [pytest.param(Processes(workers), marks=pytest.mark.slow) for workers in (1, 2)]


@pytest.mark.parametrize("executor", [Inline(), *SLOW])
def test_no_more_is_claimed_than_can_be_begun(executor: Inline | Processes, tmp_path: Path) -> None:
    """What waits here, another machine could do."""
    places = executor._workers if isinstance(executor, Processes) else 1
    scoring = Scoring(metrics=("modes",), samples=50)
    queue, done = TaskQueue([Task((spec,), scoring, tmp_path, threads=1) for spec in SPECS]), 0
    with executor:
        for (record,) in executor.map(queue, Board(6)):
            assert record.status is Status.COMPLETED
            assert len(queue.taken) - done <= places
            done += 1
    assert done == 6


class Watch:
    """Lets something happen when a sweep begins, at its first record, or when it says something."""

    def __init__(self, **acts: Callable[[], None]) -> None:
        self.acts, self.told = acts, []
        self.left: list[int] = []

    def _act(self, event: str) -> None:
        self.acts.pop(event, lambda: None)()

    def begin(self, queue: TaskQueue, board: Board, skipped: int) -> None:
        self.queue = queue
        self._act("begin")

    def finished(self, record: RunRecord) -> None:
        self.left.append(self.queue.runs)
        self._act("finished")

    def note(self, text: str) -> None:
        self.told.append(text)
        self._act("note")

    def end(self) -> None:
        return


def sweep(where: Path, watch: Watch | None = None) -> Outcome:
    with Store(where) as store:
        return run_sweep(SWEEP, store, Surroundings("cpu", "inline"), watch)


def test_a_sweep_that_comes_second_does_what_the_first_has_not_begun(tmp_path: Path) -> None:
    others: list[Outcome] = []
    watch = Watch(finished=lambda: others.append(sweep(tmp_path / "s.db")))
    first = sweep(tmp_path / "s.db", watch)
    (second,) = others
    assert (len(first.records), first.skipped, first.interrupted) == (1, 4, False)
    assert (len(second.records), second.skipped, second.interrupted) == (4, 1, False)
    assert watch.left == [5]
    assert watch.told == []
    assert len(watch.queue.tasks) == watch.queue.runs == 1  # the others' do not count among what is to do
    sweep(tmp_path / "alone.db")
    assert outcomes(tmp_path / "s.db") == outcomes(tmp_path / "alone.db")


def test_what_another_claimed_and_let_go_undone_is_taken_up(tmp_path: Path) -> None:
    """It was free when the round was planned, another's when its turn came, and nobody's at the end."""
    where = tmp_path / "s.db"
    with Store(where) as store, Claims(store) as theirs:
        planned: list[str] = []

        def claim() -> None:
            planned.extend(spec.id for task in watch.queue.tasks.values() for spec in task.specs)
            assert len(theirs.take(planned[1:3])) == 2

        watch = Watch(begin=claim, note=lambda: theirs.release(planned[1:3]))
        done = sweep(where, watch)
    assert (len(done.records), done.interrupted) == (5, False)
    assert watch.left == [5, 3, 3, 2, 2]
    assert watch.told == ["waiting for 2 runs that another sweep on this store trains"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_waits_for_another_can_be_stopped(number: signal.Signals, tmp_path: Path) -> None:
    where, before = tmp_path / "s.db", signal.getsignal(number)
    with Store(where) as store, Claims(store) as theirs:

        def claim() -> None:
            theirs.take([task.spec.id for task in list(watch.queue.tasks.values())[-1:]])

        watch = Watch(begin=claim, note=lambda: os.kill(os.getpid(), number))
        done = sweep(where, watch)
    assert (len(done.records), done.interrupted) == (4, True)
    assert signal.getsignal(number) is before
