"""Ray gives the numbers that one process gives, whatever is lost on the way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import SMALL, outcomes, small_sweep

from ganbench.errors import SpecError
from ganbench.spec import Scoring, Status
from ganbench.store import Store
from ganbench.sweeps import ray_cluster, ray_executor
from ganbench.sweeps.board import Board
from ganbench.sweeps.executors import executor
from ganbench.sweeps.expand import expand
from ganbench.sweeps.queue import TaskQueue
from ganbench.sweeps.ray_executor import Ray
from ganbench.sweeps.sweep import Surroundings, run_sweep
from ganbench.sweeps.task import Task

SWEEP = small_sweep(variants=["ns", "sngan"], steps=600, set={**SMALL, "ema": 0.9})


def perform(folder: Path, name: str, address: str | None = None, workers: int | None = None) -> dict[str, tuple]:
    with Store(folder / "s.db") as store:
        where = Surroundings("cpu", name, workers, checkpoint_every=100, address=address)
        done = run_sweep(SWEEP, store, where)
        assert len(done.records) == len({record.spec.id for record in done.records}), "a run was done twice"
    return outcomes(folder / "s.db")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple]:
    made = perform(tmp_path_factory.mktemp("inline"), "inline")
    assert len(made) == 5
    return made


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without room for runs and one machine that takes two, all on this one."""
    utilities = pytest.importorskip("ray.cluster_utils")
    made = utilities.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.add_node(num_cpus=2)
    yield made
    made.shutdown()


def on_steps(monkeypatch: pytest.MonkeyPatch, act: Callable[[dict[int, int]], None]) -> None:
    """Have `act` see the steps of all tasks whenever the driver learns of one."""
    plain = Board.set

    def watched(self: Board, task: int, step: int) -> None:
        plain(self, task, step)
        act(dict(enumerate(self)))

    monkeypatch.setattr(Board, "set", watched)


def workers() -> list[int]:
    """Processes of Ray that train now, those of this test's cluster."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(b"ray::_work"):
                found += [int(entry.name)] if str(Path.cwd()) == os.readlink(entry / "cwd") else []  # noqa: PTH115
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_a_cluster_of_its_own_gives_the_same_numbers_and_ends(undisturbed: dict[str, tuple], tmp_path: Path) -> None:
    """Through the door, in a process of its own: relative paths, and nothing left running."""
    spec = [
        "--variant", "ns,sngan", "--dataset", "ring", "--seeds", "2", "--steps", "600", "--metrics", "modes,kl",
        "--samples", "200", "--set", "width=8", "--set", "depth=1", "--set", "batch_size=16", "--set", "ema=0.9",
    ]  # fmt: skip
    command = [sys.executable, "-m", "ganbench", "sweep", "-q", *spec, "--device", "cpu", "--executor", "ray"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    assert outcomes(tmp_path / "ganbench.db") == undisturbed
    assert len(list((tmp_path / "ganbench.artifacts").glob("*/curves.png"))) == 4


@pytest.mark.slow
def test_machines_lost_at_twenty_random_moments_lose_no_run(
    undisturbed: dict[str, tuple], cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine that joined last goes while it trains, and another joins; a run may be on all that go."""
    moments, machines, lost = random.Random(4), [cluster.add_node(num_cpus=1)], []
    monkeypatch.setattr(ray_executor, "TRIES", 21)

    def lose(steps: dict[int, int]) -> None:
        if len(lost) < 20 and moments.random() < 0.2:
            lost.append(machines.pop())
            cluster.remove_node(lost[-1], allow_graceful=False)
            machines.append(cluster.add_node(num_cpus=1))

    on_steps(monkeypatch, lose)
    sweeps = 0
    while len(lost) < 20:
        (tmp_path / str(sweeps)).mkdir()
        assert perform(tmp_path / str(sweeps), "ray", cluster.address) == undisturbed
        sweeps += 1
    cluster.remove_node(machines.pop(), allow_graceful=False)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_killed_workers_lose_no_run(
    undisturbed: dict[str, tuple], cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty kills at random steps; a run may take them all, so it may be begun as often."""
    moments, kills = random.Random(0), []
    monkeypatch.setattr(ray_executor, "TRIES", 21)
    monkeypatch.chdir(tmp_path)

    def kill(steps: dict[int, int]) -> None:
        found = workers()
        if len(kills) < 20 and found and moments.random() < 0.3:
            victim = moments.choice(sorted(found))
            os.kill(victim, signal.SIGKILL)
            kills.append(victim)

    on_steps(monkeypatch, kill)
    assert perform(tmp_path, "ray", cluster.address) == undisturbed
    assert len(kills) == 20


@pytest.mark.slow
def test_a_run_that_is_always_lost_is_failed_and_the_others_finish(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "bad_for_ray.py"
    bad.write_text(
        "import os, ganbench\n"
        "def die(nets, batch, h):\n    os._exit(1)\n"
        "ganbench.VARIANTS.add(ganbench.Variant('dies-there', 'dies', 'own', '', 2026, (ganbench.Phase('D', die),)))\n"
    )
    spec = SWEEP.model_copy(update={"variants": ("dies-there", "ns"), "seeds": (0,), "steps": 20})
    with Store(tmp_path / "s.db") as store:
        where = Surroundings("cpu", "ray", load=(bad,), address=cluster.address)
        made = {record.spec.variant: record for record in run_sweep(spec, store, where).records}
    assert made["dies-there"].error == "its worker or machine was lost 3 times (killed, or out of memory?)"
    assert made["ns"].status is made["real"].status is Status.COMPLETED


@pytest.mark.slow
def test_asked_to_stop_it_saves_and_goes_on(
    undisturbed: dict[str, tuple], cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Ctrl-C, then by SIGTERM, which Ray takes for itself when it starts."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asked: list[int] = []

        def stop(steps: dict[int, int], asked: list[int] = asked, number: signal.Signals = number) -> None:
            if not asked and any(0 < step < 600 for step in steps.values()):
                asked.append(number)
                os.kill(os.getpid(), number)

        before = signal.getsignal(number)
        with monkeypatch.context() as patch:
            on_steps(patch, stop)
            stopped = perform(tmp_path, "ray", cluster.address)
        assert Status.INTERRUPTED in {status for status, *_ in stopped.values()}
        assert signal.getsignal(number) is before
    assert perform(tmp_path, "ray", cluster.address) == undisturbed


@pytest.mark.slow
def test_of_a_limited_number_no_more_is_claimed(cluster: Any, tmp_path: Path) -> None:
    scoring = Scoring(metrics=("modes",), samples=50)
    given = [Task((run,), scoring, tmp_path, threads=1) for run in expand(SWEEP.model_copy(update={"steps": 20}))]
    queue, done = TaskQueue(given), 0
    with Ray(1, cluster.address) as executor:
        for (record,) in executor.map(queue, Board(len(given))):
            assert record.status is Status.COMPLETED
            assert len(queue.taken) - done <= 1
            done += 1
    assert done == len(given) > 2


@pytest.mark.slow
def test_a_run_whose_machine_is_gone_does_not_keep_a_sweep_from_stopping(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for a machine that does not come, when all is asked to stop."""
    machine, plain = cluster.add_node(num_cpus=1, resources={"mine": 1}), ray_executor._Flight._lost
    monkeypatch.setattr(ray_executor, "_resources", lambda task: {"num_cpus": 1.0, "resources": {"mine": 1}})
    monkeypatch.setattr(ray_executor, "check", lambda nodes, wanted: None)
    gone: list[Any] = []

    def lose(steps: dict[int, int]) -> None:
        if not gone and any(step > 0 for step in steps.values()):
            gone.append(machine)
            cluster.remove_node(machine, allow_graceful=False)

    def lost(self: Any, index: int, task: Task) -> list[Any]:
        threading.Timer(2, self._board.ask_to_stop).start()  # when it has been begun anew
        return plain(self, index, task)

    on_steps(monkeypatch, lose)
    monkeypatch.setattr(ray_executor._Flight, "_lost", lost)
    with Store(tmp_path / "s.db") as store:
        done = run_sweep(SWEEP, store, Surroundings("cpu", "ray", workers=1, address=cluster.address))
    assert gone
    assert done.interrupted


@pytest.mark.slow
def test_a_run_that_fits_no_machine_is_refused(cluster: Any, tmp_path: Path) -> None:
    where = Surroundings("cuda", "ray", address=cluster.address)
    message = "no machine of the Ray cluster has 1 CPU and 0.25 GPU for a run: use --workers or --device"
    with Store(tmp_path / "s.db") as store, pytest.raises(SpecError, match=message):
        run_sweep(SWEEP, store, where)


def test_what_ray_is_not_asked() -> None:
    with pytest.raises(SpecError, match="executor 'process' has none: use --executor ray"):
        executor("process", 1, "head:6379")
    with pytest.raises(SpecError, match="use --device cuda"):
        ray_executor.ray_device("cuda:1", None)
    assert ray_executor.ray_device("cuda", "head:6379") == "cuda"
    assert ray_executor.ray_device("cpu", None) == "cpu"


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SpecError, match=r"the executor 'ray' needs Ray: pip install 'ganbench\[ray\]'"):
        list(Ray(1).map(TaskQueue([]), Board(1)))


def test_a_cluster_that_wants_a_token_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        @staticmethod
        def init(address: str, **_) -> None:
            raise ConnectionError(f"Failed to connect to Ray cluster at {address}")

    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(SpecError, match=r"cluster at head:6379 \(where it wants a token.*set RAY_AUTH_MODE=token"):
        ray_cluster._join(Silent, "head:6379")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(SpecError, match=r"cluster at head:6379$"):
        ray_cluster._join(Silent, "head:6379")
