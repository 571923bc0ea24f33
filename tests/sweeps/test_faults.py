"""A store that fails under a running sweep: one clear line, nothing lost, and the same command finishes."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import SWEEP, outcomes, run_at_once_with_another

from ganbench.errors import StoreError
from ganbench.spec import RunRecord, Status
from ganbench.store import Store, connect, patience
from ganbench.sweeps.board import Board
from ganbench.sweeps.sweep import Outcome, Surroundings, run_sweep

COMMAND = [
    sys.executable, "-m", "ganbench", "sweep", "-q", "--variant", "ns,sngan", "--dataset", "ring", "--seeds", "2",
    "--steps", "200", "--metrics", "modes,kl", "--samples", "200", "--set", "width=8", "--set", "depth=1",
    "--set", "batch_size=16", "--set", "ema=0.9", "--device", "cpu", "--executor", "inline", "--checkpoint-every", "20",
]  # fmt: skip


class Watch:
    """Does something at each record that is stored, and keeps what it is told."""

    def __init__(self, act: Callable[[int], None]) -> None:
        self.act, self.told, self.count = act, [], 0

    def begin(self, tasks: Any, board: Any, skipped: int) -> None:
        return

    def finished(self, record: RunRecord) -> None:
        self.count += 1
        self.act(self.count)

    def note(self, text: str) -> None:
        self.told.append(text)

    def end(self) -> None:
        return


def sweep(where: str | Path, watch: Watch | None = None) -> Outcome:
    with Store(where) as store:
        return run_sweep(SWEEP, store, Surroundings("cpu", "inline", checkpoint_every=20), watch)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple]:
    path = tmp_path_factory.mktemp("undisturbed") / "s.db"
    sweep(path)
    assert len(outcomes(path)) == 5
    return outcomes(path)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Artifacts of a server's store lie in the working folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_a_server_killed_and_restarted_under_a_sweep(undisturbed: dict[str, tuple], postgres: Any) -> None:
    """Twenty kills in four sweeps: after every record, sometimes coming back at once, sometimes while it is tried."""
    moments = random.Random(0)
    for _ in range(4):
        where, late = postgres.database(), []

        def disturb(count: int) -> None:
            postgres.kill()
            if moments.random() < 0.5:
                postgres.start()
            else:
                late.append(count)  # noqa: B023

        def note(text: str) -> None:
            if late:  # noqa: B023
                postgres.start()
                late.clear()  # noqa: B023

        watch = Watch(disturb)
        watch.note = note  # type: ignore[method-assign]
        done = sweep(where, watch)
        if late:
            postgres.start()
        assert done.count(Status.COMPLETED) == watch.count == 5
        assert outcomes(where) == undisturbed


@pytest.mark.slow
def test_a_server_that_does_not_come_back(
    undisturbed: dict[str, tuple], postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "OUTAGE_SECONDS", 0.5)
    where = postgres.database()
    watch = Watch(lambda count: postgres.kill() if count == 2 else None)
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"cannot write store postgresql.*: ") as caught:
        sweep(where, watch)
    assert "\n" not in str(caught.value)
    assert watch.told == ["the store does not answer: trying again for 0.5 s"]
    assert time.monotonic() - began < 60
    postgres.start()
    again = sweep(where)
    assert 3 <= len(again.records) <= 4  # that on whose way the server died may have come through
    assert outcomes(where) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_two_sweeps_at_once_train_each_run_once(
    undisturbed: dict[str, tuple], request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    where = str(tmp_path / "s.db") if kind == "sqlite" else request.getfixturevalue("postgres").database()
    command = [each for each in COMMAND if each != "-q"] + ["--store", where]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    texts = [process.communicate(timeout=200) for process in both]
    assert [process.returncode for process in both] == [0, 0], texts
    told = "".join(errors for _, errors in texts)
    trained = re.findall(r"^\[\d+/\d+\] (.*): completed", told, re.MULTILINE)
    assert len(trained) == len(set(trained)) == 5, texts
    assert outcomes(where) == undisturbed


@pytest.mark.slow
def test_a_second_sweep_that_comes_at_twenty_random_moments(undisturbed: dict[str, tuple], tmp_path: Path) -> None:
    """Two processes that last: the second sweep begins when the first has come some steps far."""
    moments, spawned = random.Random(3), multiprocessing.get_context("spawn")
    with spawned.Manager() as manager, ProcessPoolExecutor(2, mp_context=spawned) as pool:
        for number in range(20):
            where, first_is_there = str(tmp_path / f"{number}.db"), manager.Event()
            first = pool.submit(run_at_once_with_another, where, first_is_there, moments.randrange(400))
            second = pool.submit(run_at_once_with_another, where, first_is_there, None)
            trained = [*first.result(timeout=200), *second.result(timeout=200)]
            assert sorted(trained) == sorted(undisturbed)  # each by one of them
            assert outcomes(where) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_at_twenty_random_moments(
    number: signal.Signals, undisturbed: dict[str, tuple], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two steps; a sweep that is done before the last of them begins anew."""
    moments, plain, stops = random.Random(number), Board.set, 0
    beats = moments.randrange(400)

    def beat(self: Board, task: int, step: int) -> None:
        nonlocal beats
        plain(self, task, step)
        beats -= 1
        if beats == 0:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Board, "set", beat)
    where = tmp_path / "0.db"
    while stops < 20:
        if sweep(where).interrupted:
            stops += 1
        if stops < 20 and beats <= 0:
            beats = moments.randrange(1, 400)
        found = outcomes(where)
        if len(found) == len(undisturbed) and all(status.final for status, _, _ in found.values()):
            assert found == undisturbed  # all is done before the last stop: begin anew, stopping on
            where = tmp_path / f"{stops}-{beats}.db"
    sweep(where)
    assert outcomes(where) == undisturbed


@pytest.mark.slow
def test_a_store_that_another_keeps_locked_at_twenty_random_moments(
    undisturbed: dict[str, tuple], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locked between any two steps, it cannot take the record that comes next; what is done begins anew."""
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.1)
    moments, plain, where, locks = random.Random(1), Board.set, tmp_path / "0.db", 0
    held: list[sqlite3.Connection] = []
    beats = 0

    def beat(self: Board, task: int, step: int) -> None:
        nonlocal beats
        plain(self, task, step)
        beats -= 1
        if beats == 0:
            held.append(sqlite3.connect(where, isolation_level=None))
            held[0].execute("BEGIN IMMEDIATE")

    monkeypatch.setattr(Board, "set", beat)
    while locks < 20:
        beats = moments.randrange(1, 400)
        try:
            sweep(where)
        except StoreError as error:
            assert re.fullmatch(r"cannot write store .*\.db: database is locked", str(error))  # noqa: PT017
            locks += 1
            held.pop().close()
        else:
            assert not held
            assert outcomes(where) == undisturbed
            where = tmp_path / f"{locks}.db"
    beats = 0
    sweep(where)
    assert outcomes(where) == undisturbed


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
def test_cohorts_that_do_not_fit_into_twenty_amounts_of_memory(tmp_path: Path) -> None:
    """For real: the allocator fails, the cohort is halved until it fits, and runs come out as they do together."""
    script = Path(__file__).with_name("short_of_memory.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(tmp_path), "20"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    whole, *halved = json.loads(done.stdout)
    assert whole == [8] * 8
    assert all(max(sizes) < 8 for sizes in halved)
    assert {size for sizes in halved for size in sizes} >= {1, 2}
    expected = outcomes(tmp_path / "undisturbed.db")
    for number in range(20):
        found = outcomes(tmp_path / f"{number}.db")
        assert {run: end[:2] for run, end in found.items()} == {run: end[:2] for run, end in expected.items()}
    with Store.open_existing(tmp_path / "undisturbed.db") as store:
        scores = {record.spec.id: record.scores for record in store.records()}
    for record in _records(tmp_path / "0.db"):  # of stacks of another size sums differ in their last digits
        for score, other in zip(record.scores, scores[record.spec.id], strict=True):
            assert score.value == pytest.approx(other.value, rel=1e-3, nan_ok=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("left", [0, 60])  # kilobytes: where it fills differs
def test_a_full_disk(undisturbed: dict[str, tuple], small_disk: Path, left: int) -> None:
    """Through the door: one line, and the same command finishes the work."""
    with Store(small_disk / "s.db"):
        pass
    _fill(small_disk, left * 1024)
    ended = subprocess.run([*COMMAND, "--store", small_disk / "s.db"], capture_output=True, text=True, timeout=200)
    assert ended.returncode in (1, 2), ended.stderr
    assert len(ended.stderr.strip().splitlines()) <= 1, ended.stderr
    if ended.returncode == 2:
        assert re.match(r"ganbench: cannot (open|read|write) .*(full|No space|I/O)", ended.stderr)
    _nothing_broken(small_disk)
    subprocess.run([*COMMAND, "--store", small_disk / "s.db"], check=True, timeout=200)
    assert outcomes(small_disk / "s.db") == undisturbed


@pytest.mark.slow
def test_a_disk_that_fills_at_twenty_random_moments(
    undisturbed: dict[str, tuple], small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two steps, to the last byte or nearly so; a sweep that is done begins anew."""
    moments, plain, fills, beats = random.Random(2), Board.set, 0, 0

    def beat(self: Board, task: int, step: int) -> None:
        nonlocal beats
        plain(self, task, step)
        beats -= 1
        if beats == 0:
            _fill(small_disk, moments.choice([0, 0, 4096, 50_000]))

    monkeypatch.setattr(Board, "set", beat)
    where = small_disk / "0.db"
    while fills < 20:
        beats = moments.randrange(1, 400)
        with contextlib.suppress(StoreError):
            sweep(where)
        fills += (small_disk / "ballast").exists()
        _nothing_broken(small_disk)
        if outcomes(where) == undisturbed:
            _empty(small_disk)
            where = small_disk / f"{fills}.db"
    beats = 0
    sweep(where)
    assert outcomes(where) == undisturbed


def _fill(disk: Path, left: int) -> None:
    """Leave so many bytes, and what the file system needs for itself."""
    with (disk / "ballast").open("wb") as file:
        file.write(b"\0" * max(0, shutil.disk_usage(disk).free - left))


def _nothing_broken(disk: Path) -> None:
    """Whatever the full disk met is whole or not there; then there is room again."""
    assert not list(disk.rglob("*.tmp"))
    (disk / "ballast").unlink(missing_ok=True)
    for path in disk.glob("*.db"):
        with contextlib.closing(sqlite3.connect(path)) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        errors = [record.error for record in _records(path) if record.error]
        assert all(re.search(r"No space left|os error 28|full", error) for error in errors), errors


def _empty(disk: Path) -> None:
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _records(where: Path) -> list[RunRecord]:
    with Store.open_existing(where) as store:
        return list(store.records())
