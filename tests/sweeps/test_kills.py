"""Killed at any moment, the same command finishes the sweep: nothing is lost, nothing trained twice, no bit differs."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_sweeps import outcome, wait_until

from ganbench.spec import RunRecord, Status
from ganbench.store import Store

KILLS = 20
SWEEP = [
    sys.executable, "-m", "ganbench", "sweep", "--quiet", "--variant", "ns,sngan", "--dataset", "ring", "--seeds", "3",
    "--steps", "600", "--checkpoint-every", "20", "--set", "width=16", "--set", "ema=0.9", "--samples", "500",
    "--device", "cpu", "--workers", "2",
]  # fmt: skip


def start(folder: Path) -> subprocess.Popen:
    """As the first of a group of processes, as a shell starts a command."""
    return subprocess.Popen(SWEEP, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def records(folder: Path) -> dict[str, RunRecord]:
    if not (folder / "ganbench.db").exists():
        return {}
    with Store.open_existing(folder / "ganbench.db") as store:
        return {record.spec.id: record for record in store.records()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, RunRecord], float]:
    folder = tmp_path_factory.mktemp("undisturbed")
    began = time.perf_counter()
    process = start(folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    return records(folder), time.perf_counter() - began


@pytest.mark.slow
def test_killed_at_twenty_random_moments(undisturbed: tuple[dict[str, RunRecord], float], tmp_path: Path) -> None:
    expected, seconds = undisturbed
    moments = random.Random(0)
    finished: dict[str, RunRecord] = {}
    killed = 0
    while killed < KILLS:
        process = start(tmp_path)
        try:
            process.wait(timeout=moments.uniform(0.2, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.communicate()
        now = {run_id: record for run_id, record in records(tmp_path).items() if record.status.final}
        for run_id, record in finished.items():
            assert now[run_id] == record, "a finished run was lost, or done again"
        finished = now
        if len(finished) == len(expected):
            for path in tmp_path.iterdir():  # all is done before the last kill: begin anew, killing on
                _remove(path)
            finished = {}
    process = start(tmp_path)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    final = records(tmp_path)
    assert all(final[run_id] == record for run_id, record in finished.items())
    assert {run_id: outcome(record) for run_id, record in final.items()} == {
        run_id: outcome(record) for run_id, record in expected.items()
    }


def _remove(path: Path) -> None:
    import shutil

    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def workers_of(pid: int) -> list[int]:
    """Child processes that train: those spawned by multiprocessing, without its resource tracker."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"\nPPid:\t{pid}\n" in (entry / "status").read_text():
                command = (entry / "cmdline").read_text()
                found += [int(entry.name)] if "spawn_main" in command else []
        except OSError:
            continue
    return found


def checkpoints(folder: Path) -> list[Path]:
    return list((folder / "ganbench.artifacts").glob("*/checkpoint.safetensors"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_workers_do_not_outlive_a_killed_driver(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_until(lambda: checkpoints(tmp_path))
    workers = workers_of(process.pid)
    assert len(workers) == 2
    process.kill()
    process.communicate()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 30)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_a_killed_worker_does_not_stop_the_sweep(
    undisturbed: tuple[dict[str, RunRecord], float], tmp_path: Path
) -> None:
    process = start(tmp_path)
    wait_until(lambda: checkpoints(tmp_path))
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    expected = {run_id: outcome(record) for run_id, record in undisturbed[0].items()}
    assert {run_id: outcome(record) for run_id, record in records(tmp_path).items()} == expected


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_workers_killed_at_twenty_random_moments(
    undisturbed: tuple[dict[str, RunRecord], float], tmp_path: Path
) -> None:
    """A run whose worker dies twice is failed, and the same command takes it up again."""
    expected = {run_id: outcome(record) for run_id, record in undisturbed[0].items()}
    moments, killed, folder = random.Random(0), 0, tmp_path
    while killed < KILLS:
        process = start(folder)
        while killed < KILLS and not _ends_within(process, moments.uniform(0.1, 0.6) * undisturbed[1]):
            workers = workers_of(process.pid)
            if workers:
                os.kill(moments.choice(workers), signal.SIGKILL)
                killed += 1
        process.communicate(timeout=300)
        assert process.returncode in (0, 1)
        ended = {run_id: record for run_id, record in records(folder).items() if record.status is not Status.FAILED}
        assert all(outcome(record) == expected[run_id] for run_id, record in ended.items())
        if len(ended) == len(expected):  # all is done before the last kill: begin anew, killing on
            folder = tmp_path / str(killed)
            folder.mkdir(exist_ok=True)
    process = start(folder)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    assert {run_id: outcome(record) for run_id, record in records(folder).items()} == expected


def _ends_within(process: subprocess.Popen, seconds: float) -> bool:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("whole_group", [False, True])
def test_asked_to_stop_it_saves_and_goes_on(
    number: signal.Signals, whole_group: bool, undisturbed: tuple[dict[str, RunRecord], float], tmp_path: Path
) -> None:
    """A terminal and a scheduler send it to all processes, and `timeout` to the first one and then to all."""
    process = start(tmp_path)
    wait_until(lambda: checkpoints(tmp_path))
    if whole_group:
        os.killpg(process.pid, number)
    if not whole_group or number == signal.SIGTERM:
        process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors.decode()
    assert Status.INTERRUPTED in {record.status for record in records(tmp_path).values()}
    process = start(tmp_path)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    expected = {run_id: outcome(record) for run_id, record in undisturbed[0].items()}
    assert {run_id: outcome(record) for run_id, record in records(tmp_path).items()} == expected
