"""Run by test_ten_thousand_runs.py in a process of its own: what a sweep of many runs costs beside their training.

    python many_runs.py RUNS FOLDER

Prints the seconds of each part and the megabytes that the process has ever held, as JSON. The runs are not trained:
what came of them is a formula.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganbench.reports.board import leaderboard
from ganbench.spec import RunRecord, RunSpec, Score, Status, SweepSpec
from ganbench.store import Store
from ganbench.store.claims import Claims
from ganbench.sweeps.devices import peak_megabytes
from ganbench.sweeps.queue import TaskQueue
from ganbench.sweeps.rounds import Rounds
from ganbench.sweeps.sweep import Surroundings, _tasks, run_sweep
from ganbench.sweeps.task import Task

VARIANTS = ("ns", "minimax", "lsgan", "hinge", "wgan", "wgan-gp", "dragan", "sngan", "rpgan", "ragan")
CONFIGURATIONS = 10
WHERE = Surroundings(device="cpu", workers=2)


def sweep(runs: int) -> SweepSpec:
    rates = [index / 1e4 for index in range(1, CONFIGURATIONS + 1)]
    seeds = runs // len(VARIANTS) // CONFIGURATIONS
    return SweepSpec.parse(
        {"variants": VARIANTS, "datasets": ["ring"], "seeds": seeds, "steps": 20, "set": {"lr": rates}}
    )


def plan(spec: SweepSpec, store: Store, claims: Claims) -> tuple[Rounds, list[Task]]:
    """What a sweep does before anything is trained."""
    rounds = Rounds(spec, store)
    legs = rounds.next()
    free = next(claims.free(lambda: [leg.run.id for leg in legs]))
    return rounds, _tasks(legs, free, rounds, store, WHERE)


def perform(ends: list[list[RunRecord]], tasks: list[Task], rounds: Rounds, store: Store, claims: Claims) -> None:
    """What the driver does task by task: claim, store, let go."""
    queue = TaskQueue(tasks, claims.take)
    for of_task in ends:
        queue.take(1)
        store.finish_all([(record, rounds.keys[record.spec.id]) for record in of_task])
        claims.release([record.spec.id for record in of_task])
    assert not queue


def records(tasks: list[Task]) -> list[list[RunRecord]]:
    """What came of each task."""
    values = random.Random(0)
    return [[_record(run, values) for run in task.specs] for task in tasks]


def _record(run: RunSpec, values: random.Random) -> RunRecord:
    protocol = {"generator": "last", "n_generated": 2500, "sampling_seed": 0}
    names = ("modes", "high_quality", "kl", "jsd")
    scores = tuple(Score(metric=name, version=1, value=values.random(), protocol=protocol) for name in names)
    made = {"device": "cpu", "host": "here", "threads": 1}
    return RunRecord(spec=run, status=Status.COMPLETED, step=run.steps, seconds=1.0, scores=scores, provenance=made)


def measure(runs: int, folder: Path) -> dict[str, float]:
    found: dict[str, float] = {}

    @contextmanager
    def timed(part: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        found[part] = time.perf_counter() - started

    spec = sweep(runs)
    with Store(folder / "s.db") as store:
        with Claims(store) as claims:
            with timed("plan"):
                rounds, tasks = plan(spec, store, claims)
            ends = records(tasks)
            with timed("store"):
                perform(ends, tasks, rounds, store, claims)
        with timed("again"):
            outcome = run_sweep(spec, store, WHERE)
        assert (outcome.skipped, outcome.records) == (runs + 1, ()), outcome.skipped  # with the row of real data
        with timed("leaderboard"):
            board = leaderboard(store)
    assert len(board) == 4 * (len(VARIANTS) + 1)
    assert board["values"].str.split().str.len().sum() == 4 * (runs // CONFIGURATIONS + 1)
    assert "torch" not in sys.modules, "it alone takes 500 MB and two seconds"
    return found


def main() -> None:
    found = measure(int(sys.argv[1]), Path(sys.argv[2]))
    print(json.dumps({**found, "megabytes": peak_megabytes("cpu")}))  # noqa: T201


if __name__ == "__main__":
    main()
