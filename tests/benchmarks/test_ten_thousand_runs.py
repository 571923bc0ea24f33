"""What 10,000 runs cost beside their training: planned, stored, found done again and reported."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ganbench.reports.selection import RUNG
from ganbench.spec import RunRecord, Score, Status, SweepSpec
from ganbench.store import Store
from ganbench.sweeps.halving import Leg
from ganbench.sweeps.rounds import Rounds

SECONDS, MEGABYTES = 10, 500
LINEAR = 15
"""Times that ten times as many runs may take: ten, and half as much again for what the machine does beside."""


def measured(runs: int, folder: Path) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).with_name("many_runs.py")), str(runs), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.speed
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads its memory in /proc")
def test_ten_thousand_runs_are_planned_stored_and_reported_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "many").mkdir()
    few, many = measured(1000, tmp_path / "few"), measured(10_000, tmp_path / "many")
    megabytes, _ = many.pop("megabytes"), few.pop("megabytes")
    seconds, of_few = sum(many.values()), sum(few.values())
    parts = ", ".join(f"{part} {value:.2f} s" for part, value in many.items())
    print(f"\n10,000 runs: {parts}; {seconds:.2f} s ({of_few:.2f} s for 1,000), {megabytes:.0f} MB")  # noqa: T201
    assert seconds < SECONDS
    assert seconds < LINEAR * of_few
    assert megabytes < MEGABYTES


@pytest.mark.slow
@pytest.mark.speed
def test_a_thousand_configurations_are_halved_in_a_second(tmp_path: Path) -> None:
    """1,000 random configurations, of which a third goes on from each of two rungs: what comes next, each time."""
    spec = SweepSpec.parse(
        {"variants": ["ns"], "datasets": ["ring"], "seeds": 1, "steps": 90, "space": "own"}
        | {"sampler": "random", "trials": 1000, "halving": 3}
    )
    values, sizes, seconds = random.Random(0), [], []
    with Store(tmp_path / "s.db") as store:
        rounds = Rounds(spec, store)
        while True:
            started = time.perf_counter()
            legs = rounds.next()
            seconds.append(time.perf_counter() - started)
            sizes.append(len(legs))
            if not legs:
                break
            store.finish_all([(_end(leg, rounds, values.random()), rounds.keys[leg.run.id]) for leg in legs])
    print(f"\n1,000 configurations, rounds of {sizes}: {', '.join(f'{each:.2f}' for each in seconds)} s")  # noqa: T201
    assert sizes == [1001, 333, 111, 0]
    assert max(seconds) < 1


def _end(leg: Leg, rounds: Rounds, value: float) -> RunRecord:
    """What came of a leg, as far as it goes."""
    chosen_by = rounds.selection(leg.run)
    status = Status.COMPLETED if leg.whole else Status.PRUNED
    if chosen_by is None:
        return RunRecord(spec=leg.run, status=status)
    protocol = chosen_by.protocol | ({} if leg.whole else {RUNG: leg.until})
    score = Score(metric=chosen_by.objective, version=1, value=value, protocol=protocol)
    return RunRecord(spec=leg.run, status=status, step=leg.until, scores=(score,))
