"""`ganbench show`: a store at a glance and one run, while they are trained too."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from sqlalchemy import update

from ganbench.cli.show import command
from ganbench.errors import UnknownNameError
from ganbench.spec import RunRecord, RunSpec, Score, Status
from ganbench.store import Store
from ganbench.store.claims import Claims, held
from ganbench.store.tables import claims as claims_table
from ganbench.store.tables import runs as runs_table
from ganbench.training import checkpoint

FREE = "0123456789ab"
"""The id of a run that no store has."""
PROCESS = f"by process {os.getpid()} on {platform.node()}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "s.db") as opened:
        yield opened


def show(store: Store, *arguments: str) -> str:
    done = ask(store, *arguments)
    assert done.exit_code == 0, done.output
    return done.output


def ask(store: Store, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--store", store.name])


def spec(variant: str = "ns", seed: int = 0, **fields: str) -> RunSpec:
    given = {
        "variant": variant,
        "dataset": "ring",
        "network": "mlp",
        "seed": seed,
        "steps": 100,
        "settings": {"lr": 0.5},
    }
    return RunSpec.parse(given | fields)


def kl(value: float, **protocol: str | int) -> Score:
    return Score(metric="kl", version=1, value=value, protocol={"n_generated": 100} | protocol)


def add(store: Store, run: RunSpec, status: Status = Status.COMPLETED, *scores: Score) -> RunSpec:
    store.finish(RunRecord(spec=run, status=status, step=40, scores=scores))
    return run


def save(path: Path, **facts: object) -> None:
    checkpoint.save(path, {"G": torch.zeros(3)}, facts)


def stood(run_id: str, step: int, complete: bool = False) -> dict[str, object]:
    return {"run": run_id, "step": step, "seconds": 1.25, "complete": complete}


def cells(text: str) -> list[list[str]]:
    """The words of the table's lines."""
    return [line.split() for line in text.splitlines() if line.startswith(("DATASET", "ring ", "grid "))]


def test_a_glance_counts_ends_and_names_the_best(store: Store) -> None:
    add(store, spec(seed=0), Status.COMPLETED, kl(0.5), Score(metric="modes", version=1, value=8.0))
    best = add(store, spec(seed=1), Status.COMPLETED, kl(0.25), kl(0.01, use="selection"))
    add(store, spec(seed=2), Status.DIVERGED)
    lost = add(store, spec("wgan"), Status.COMPLETED, kl(float("nan")))
    add(store, spec("wgan", 1), Status.FAILED)
    add(store, spec("wgan", 2), Status.PRUNED)
    real = add(store, spec("real", steps=0), Status.COMPLETED, kl(0.001))
    other = add(store, spec(dataset="grid"), Status.COMPLETED, kl(3.0))
    text = show(store)
    assert cells(text) == [
        ["DATASET", "VARIANT", "COMPLETED", "DIVERGED", "PRUNED", "FAILED", "BEST", "RUN"],
        ["grid", "ns", "1", "kl", "3", other.id],
        ["ring", "ns", "2", "1", "kl", "0.25", best.id],
        ["ring", "real", "1", "kl", "0.001", real.id],
        ["ring", "wgan", "1", "1", "1", "kl", "nan", lost.id],
    ]
    assert f"best on ring: ns, kl 0.25, run {best.id} (lower is better; n_generated=100)" in text
    assert f"{store.name}: 8 runs, the last finished" in text
    assert text.endswith("in training: none\n")


def test_of_two_protocols_the_one_of_most_scores_is_looked_at(store: Store) -> None:
    add(store, spec(seed=0), Status.COMPLETED, kl(0.001, n_generated=5))
    best = [add(store, spec(seed=seed), Status.COMPLETED, kl(0.75 - seed / 4)) for seed in (1, 2)][1]
    assert f"best on ring: ns, kl 0.25, run {best.id} (lower is better; n_generated=100)" in show(store)


def test_scores_that_choose_are_not_the_best(store: Store) -> None:
    """A search has more of them than of those that it reports."""
    for seed in range(3):
        add(store, spec(seed=seed), Status.PRUNED, kl(0.001, use="selection", step=10))
    best = add(store, spec(seed=3), Status.COMPLETED, kl(0.5))
    assert f"best on ring: ns, kl 0.5, run {best.id} (lower is better; n_generated=100)" in show(store)


def test_networks_are_told_apart_where_a_variant_has_several(store: Store) -> None:
    add(store, spec("ns"))
    add(store, spec("ns", network="residual"), Status.DIVERGED)
    assert cells(show(store)) == [
        ["DATASET", "VARIANT", "NETWORK", "COMPLETED", "DIVERGED"],
        ["ring", "ns", "mlp", "1"],
        ["ring", "ns", "residual", "1"],
    ]


def test_the_last_end_is_told_in_utc(store: Store) -> None:
    from datetime import UTC, datetime

    first, last, stopped = (add(store, spec(seed=seed)) for seed in range(3))
    add(store, spec(seed=3), Status.INTERRUPTED)
    for run, day in ((first, 3), (last, 4), (stopped, 2)):
        at = update(runs_table).where(runs_table.c.id == run.id)
        when = datetime(2026, 1, day, 5, 6, 7, tzinfo=UTC)
        store.transact(lambda connection, at=at, when=when: connection.execute(at.values(finished_at=when)))
    # the interrupted one was stored last, and is no end
    assert f"{store.name}: 4 runs, the last finished 2026-01-04 05:06:07 UTC" in show(store)


def test_an_empty_store_says_so(store: Store) -> None:
    assert show(store) == f"{store.name}: no run has ended yet\nin training: none\n"


def test_a_glance_says_who_trains_what_and_how_far_it_is(store: Store) -> None:
    known = add(store, spec(), Status.INTERRUPTED)
    with Claims(store) as claims:
        claims.take([FREE, "b" * 12, known.id])
        assert f"in training, or to be trained, {PROCESS}: 3 runs\n" in show(store)
        save(store.folder(FREE) / "checkpoint.safetensors", **stood(FREE, 1500))
        save(store.folder("c" * 12) / "checkpoint.safetensors", **stood("c" * 12, 7))  # of a run that nobody claims
        members = {known.id: stood(known.id, 20), "d" * 12: stood("d" * 12, 20)}
        save(store.artifacts / "cohorts" / "f-20.safetensors", members=members, ended={})
        assert show(store).endswith(f"{PROCESS}: 3 runs, 2 with checkpoints at steps 20 to 1,500\n")
    assert show(store).endswith("in training: none\n")


@pytest.mark.parametrize(("values", "there"), [({"expires": 0.0}, 0), ({"pid": 2**22 + 1}, 0), ({"host": "far"}, 1)])
def test_what_a_dead_sweep_claimed_is_not_in_training(store: Store, values: dict[str, object], there: int) -> None:
    with Claims(store) as claims:
        claims.take([FREE])
        store.transact(lambda connection: connection.execute(update(claims_table).values(**values)))
        assert len(held(store)) == there
        assert show(store).count(" on far: 1 run") == there
        assert (ask(store, FREE).exit_code == 0) == bool(there)


def test_a_run_in_training_that_is_not_stored(store: Store) -> None:
    with Claims(store) as claims:
        claims.take([FREE])
        text = show(store, FREE[:4])
        assert text.splitlines() == [
            f"run {FREE}",
            f"in training, or waiting for its turn, {PROCESS}",
            "no checkpoint yet",
            "its variant, settings and seed are not in the store before it ends",
        ]
        save(store.folder(FREE) / "checkpoint.safetensors", **stood(FREE, 500))
        assert "checkpoint at step 500, after 1.2 s of training\n" in show(store, FREE)
        members = {run_id: stood(run_id, 1000) for run_id in (FREE, "d" * 12, "e" * 12)}
        save(store.artifacts / "cohorts" / "f.safetensors", members=members, ended={})
        assert "checkpoint at step 1,000, after 1.2 s of training, one of 3 that train together\n" in show(store, FREE)
        save(store.folder(FREE) / "checkpoint.safetensors", **stood(FREE, 2000, complete=True))
        assert "step 2,000, after 1.2 s of training; trained to its end, its scores are to come\n" in show(store, FREE)
        (store.folder(FREE) / "checkpoint.safetensors").write_bytes(b"half")
        (store.artifacts / "cohorts" / "f.safetensors").write_bytes(b"")
        assert "no checkpoint yet" in show(store, FREE)


def test_a_run_in_training_that_was_interrupted_before(store: Store) -> None:
    run = add(store, spec(), Status.INTERRUPTED)
    with Claims(store) as claims:
        claims.take([run.id])
        lines = show(store, run.id[:6]).splitlines()
    assert lines[:4] == [
        f"run {run.id}  ns on ring, network mlp, seed 0",
        f"in training, or waiting for its turn, {PROCESS}",
        "no checkpoint yet",
        "before that: status interrupted after 40 of 100 steps, 0.0 s of training",
    ]
    assert "settings lr=0.5" in lines
    assert not any("in training" in line for line in show(store, run.id).splitlines())


def test_unknown_and_ambiguous_ids_are_one_line(store: Store) -> None:
    with Claims(store) as claims:
        claims.take([FREE])
        unknown = ask(store, "xyz")
        assert isinstance(unknown.exception, UnknownNameError)
        assert str(unknown.exception) == f"unknown run 'xyz': choose from {FREE}"
        claims.take([FREE[:-1] + "c"])
        assert str(ask(store, FREE[:5]).exception).startswith("run id '01234' is ambiguous: give more of it, as in ")
    assert "the store holds no runs yet" in str(ask(store, "xyz").exception)


def test_help_has_examples() -> None:
    assert "watch ganbench show" in CliRunner().invoke(command, ["--help"]).output


def test_it_shows_without_torch(store: Store) -> None:
    run = add(store, spec())
    save(store.folder(FREE) / "checkpoint.safetensors", **stood(FREE, 500))
    with Claims(store) as claims:
        claims.take([FREE, run.id])
        code = (
            "import sys\nfrom ganbench.cli.show import glance, one\nfrom ganbench.store import Store\n"
            f"with Store.open_existing({store.name!r}) as store:\n"
            f"    assert 'at step 500' in glance(store)\n    assert 'at step 500' in one(store, {FREE!r})\n"
            "assert not {'torch', 'pandas'} & set(sys.modules)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_sweep_is_looked_at_while_it_runs(tmp_path: Path) -> None:
    """Enough steps that it cannot have ended: it is stopped here."""
    command = [
        sys.executable, "-m", "ganbench", "sweep", "--quiet", "--variant", "ns", "--dataset", "ring", "--seeds", "2",
        "--steps", "10000000", "--checkpoint-every", "20", "--set", "width=8", "--samples", "200", "--device", "cpu",
        "--executor", "inline", "--cohort", "off",
    ]  # fmt: skip
    sweep = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: list(tmp_path.glob("ganbench.artifacts/*/checkpoint.safetensors")), sweep)
        with Store.open_existing(tmp_path / "ganbench.db") as store:
            text = show(store)
            (run_id,) = {path.parent.name for path in tmp_path.glob("ganbench.artifacts/*/checkpoint.safetensors")}
            of_run = show(store, run_id[:8])
            assert sweep.poll() is None
    finally:
        sweep.kill()
        sweep.communicate()
    assert ["ring", "real", "1"] in [line[:3] for line in cells(text)]
    process = f"by process {sweep.pid} on {platform.node()}"
    assert f"in training, or to be trained, {process}: 1 run, 1 with checkpoints at step" in text
    assert f"in training, or waiting for its turn, {process}\ncheckpoint at step " in of_run
    with Store.open_existing(tmp_path / "ganbench.db") as store:  # killed: at once nobody's
        assert show(store).endswith("in training: none\n")


def wait_until(condition, process: subprocess.Popen, seconds: float = 120) -> None:
    """Poll a condition that the process brings about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        assert process.poll() is None, process.communicate()[1].decode()
        os.sched_yield()
