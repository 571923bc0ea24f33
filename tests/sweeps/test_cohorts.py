"""Which runs train together, and what happens to those that cannot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from small_sweeps import SMALL, small_sweep

from ganbench.errors import SpecError
from ganbench.registry import load_file
from ganbench.spec import RunSpec, Status, SweepSpec
from ganbench.store import Store
from ganbench.store.store import End
from ganbench.sweeps.board import Board
from ganbench.sweeps.cohorts import LARGEST, cohorts, size
from ganbench.sweeps.executors import Processes
from ganbench.sweeps.expand import expand
from ganbench.sweeps.halving import Leg
from ganbench.sweeps.queue import TaskQueue
from ganbench.sweeps.sweep import Surroundings, run_sweep
from ganbench.sweeps.task import Task

OWN = """
import os, signal
import ganbench

def moody(nets, batch, h):
    loss = nets.D(batch.real).mean()
    return loss if loss > 0 else -loss  # a branch on a number, which cannot be stacked

def die(nets, batch, h):
    os.kill(os.getpid(), signal.SIGKILL)

for name, loss in (("moody", moody), ("dies-together", die)):
    ganbench.VARIANTS.add(ganbench.Variant(name, name, "own", "", 2026, (ganbench.Phase("D", loss),)))
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "own_variants.py"
    path.write_text(OWN)
    load_file(path)
    return path


def sweep(**fields: Any) -> SweepSpec:
    return small_sweep(**{"seeds": 4} | fields)


def sizes(runs: list[RunSpec], largest: int | None = None, device: str = "cpu", workers: int = 2) -> list[int]:
    return [len(part) for part in cohorts(whole(runs), largest, device, workers)]


def whole(runs: list[RunSpec]) -> list[Leg]:
    return [Leg(run, run.steps) for run in runs]


def test_runs_that_differ_in_seed_and_numbers_are_together() -> None:
    runs = expand(sweep(set={**SMALL, "lr": [1e-3, 1e-4], "beta1": [0.0, 0.5]}))
    found = cohorts(whole(runs), 100, "cpu", 1)
    # β1 of 0 is no number among others: what is off is built otherwise
    assert [len(part) for part in found] == [1, 8, 8]
    assert sorted(leg.run.id for part in found for leg in part) == sorted(run.id for run in runs)


@pytest.mark.parametrize(
    "settings",
    [{"n_dis": [1, 2]}, {"width": [8, 16]}, {"r1": [0.0, 0.1]}, {"d_dropout": [0.1, 0.2]}, {"norm": ["none", "batch"]}],
)
def test_runs_that_are_built_otherwise_are_apart(settings: dict) -> None:
    assert sizes(expand(sweep(set={**SMALL, **settings})), 100) == [1, 4, 4]


def test_auto_spreads_a_shape_over_the_workers_where_it_is_worth_it() -> None:
    assert sizes(expand(sweep(seeds=6))) == [1] * 7  # three a worker are too few
    assert sizes(expand(sweep(seeds=8))) == [1, 4, 4]
    assert sizes(expand(sweep(seeds=100))) == [1, 32, 32, 32, 4]
    assert sizes(expand(sweep(seeds=100)), workers=1)[1] == LARGEST["points", "cpu"]
    assert sizes(expand(sweep(seeds=100)), device="cuda:0", workers=1) == [1, 100]
    assert sizes(expand(sweep(seeds=8, datasets=["mnist"], set={}))) == [1] * 9


def test_off_and_sizes() -> None:
    runs = expand(sweep(seeds=10))
    assert sizes(runs, size("off")) == [1] * 11
    assert sizes(runs, size("4")) == [1, 4, 4, 2]
    assert size("auto") is None
    for wrong in ("0", "-1", "many", "2.5"):
        with pytest.raises(SpecError, match="--cohort takes auto, off or a whole number above 0"):
            size(wrong)


def test_a_sweep_in_cohorts_has_the_runs_of_one_without(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as one, Store(tmp_path / "b.db") as other:
        together = run_sweep(sweep(), one, Surroundings("cpu", "inline", cohort=3))
        alone = run_sweep(sweep(), other, Surroundings("cpu", "inline", cohort=1))
        assert sorted(together.run_ids) == sorted(alone.run_ids)
        by_id = {record.spec.id: record for record in alone.records}
        for record in together.records:
            assert record.status is Status.COMPLETED
            expected = by_id[record.spec.id].scores
            assert [score.protocol for score in record.scores] == [score.protocol for score in expected]
            if record.spec.variant != "real":
                assert one.folder(record.spec.id).joinpath("curves.png").exists()
        assert sorted(record.provenance["cohort"] for record in together.records) == [1, 1, 3, 3, 3]
        assert not list((tmp_path / "a.artifacts" / "cohorts").glob("*"))


def test_an_interrupted_sweep_makes_the_same_cohorts(tmp_path: Path) -> None:
    """A run that is scored already takes nobody's place."""
    with Store(tmp_path / "s.db") as store:
        whole = run_sweep(sweep(seeds=6), store, Surroundings("cpu", "inline", cohort=3))
    assert {record.provenance["cohort"] for record in whole.records} == {1, 3}
    with Store(tmp_path / "t.db") as store:
        run_sweep(sweep(seeds=1), store, Surroundings("cpu", "inline"))
        rest = run_sweep(sweep(seeds=6), store, Surroundings("cpu", "inline", cohort=3))
    assert {record.spec.seed: record.provenance["cohort"] for record in rest.records} == {1: 2, 2: 2, 3: 3, 4: 3, 5: 3}


def test_what_cannot_be_stacked_trains_alone(tmp_path: Path, own: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        outcome = run_sweep(sweep(variants=["moody"]), store, Surroundings("cpu", "inline", load=(own,), cohort=4))
    assert outcome.count(Status.COMPLETED) == 5
    assert {record.provenance["cohort"] for record in outcome.records} == {1}


def test_what_does_not_fit_into_memory_is_halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganbench.training import loop

    together = loop.train_together

    def short_of_memory(specs, *arguments, **options):
        if len(specs) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return together(specs, *arguments, **options)

    monkeypatch.setattr(loop, "train_together", short_of_memory)
    with Store(tmp_path / "s.db") as store:
        outcome = run_sweep(sweep(seeds=6), store, Surroundings("cpu", "inline", cohort=6))
    assert outcome.count(Status.COMPLETED) == 7
    assert sorted(record.provenance["cohort"] for record in outcome.records) == [1, 1, 1, 2, 2, 2, 2]


def test_an_error_of_scoring_is_one_runs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganbench.sweeps import work

    scored = work._scored

    def fussy(given, dataset, looks, status, state):
        if state.spec.seed == 1:
            raise ValueError("not this one")
        return scored(given, dataset, looks, status, state)

    monkeypatch.setattr(work, "_scored", fussy)
    with Store(tmp_path / "s.db") as store:
        outcome = run_sweep(sweep(), store, Surroundings("cpu", "inline", cohort=4))
        failed = [record for record in outcome.records if record.status is Status.FAILED]
        assert [(record.spec.seed, record.error) for record in failed] == [(1, "ValueError: not this one")]


def test_what_came_of_a_cohort_is_stored_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait for the disk a run would be most of what a sweep of small runs costs."""
    stored: list[int] = []
    finish_all = Store.finish_all

    def counted(store: Store, ends: Sequence[End]) -> None:
        stored.append(len(ends))
        finish_all(store, ends)

    monkeypatch.setattr(Store, "finish_all", counted)
    with Store(tmp_path / "s.db") as store:
        run_sweep(sweep(seeds=5), store, Surroundings("cpu", "inline", cohort=4))
    assert sorted(stored) == [1, 1, 4]  # the row of real data, and five seeds


@pytest.mark.slow
def test_runs_that_kill_their_worker_are_failed_one_by_one(tmp_path: Path, own: Path) -> None:
    specs = expand(sweep(variants=["dies-together"], seeds=2))[1:]
    task = Task(tuple(specs), sweep().scoring, tmp_path, threads=1, load=(own,))
    with Processes(1) as pool:
        records = [record for (record,) in pool.map(TaskQueue([task]), Board(1))]
    assert [(record.spec.seed, record.status) for record in records] == [(0, Status.FAILED), (1, Status.FAILED)]
