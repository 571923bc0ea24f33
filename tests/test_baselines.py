"""The specs in baselines/ can be run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganbench.spec import Status, SweepSpec
from ganbench.store import Store
from ganbench.sweeps.sweep import Surroundings, run_sweep

FILES = sorted((Path(__file__).parents[1] / "baselines").glob("*.toml"))


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_baseline_runs_to_its_end(path: Path, tmp_path: Path) -> None:
    spec = SweepSpec.from_toml(path, {"seeds": 1})
    with Store(tmp_path / "store.db") as store:
        outcome = run_sweep(spec, store, Surroundings("cpu", "inline"))
    assert outcome.count(Status.COMPLETED) == len(outcome.run_ids) == len(spec.variants) + len(spec.datasets)


def test_there_are_baselines() -> None:
    assert FILES
