"""TensorBoard's own reader finds what was written."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from small_sweeps import small_sweep
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ganbench.errors import SpecError
from ganbench.reports import events
from ganbench.store import Store
from ganbench.sweeps.sweep import Surroundings, run_sweep


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found = EventAccumulator(str(folder))
    found.Reload()
    return {tag: [(each.step, each.value) for each in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_curves_and_scores_come_back_without_what_is_nan(tmp_path: Path) -> None:
    table = np.array([[1, 0.5, math.nan], [11, 0.25, 2.0], [math.nan] * 3])
    for _ in range(2):  # written anew, not beside
        events.write(table, ("step", "loss D", "gradient norm G"), {"fid": 3.0, "kl": math.nan}, tmp_path / "events")
    assert scalars(tmp_path / "events") == {
        "loss/D": [(1, 0.5), (11, 0.25)], "gradient norm/G": [(11, 2.0)], "scores/fid": [(11, 3.0)]
    }  # fmt: skip
    assert len(list((tmp_path / "events").iterdir())) == 1


def test_scores_of_looks_are_points_at_their_steps(tmp_path: Path) -> None:
    spec = small_sweep(seeds=1, scoring={"metrics": ["modes"], "samples": 200, "looks": 3})
    with Store(tmp_path / "s.db") as store:
        outcome = run_sweep(spec, store, Surroundings("cpu", "inline", events=True))
        found = scalars(store.folder(outcome.run_ids[1]) / "events")
        record = store.get(outcome.run_ids[1])
    values = {score.protocol["step"]: score.value for score in record.looks} | {20: record.reported[0].value}
    assert found["scores/modes"] == [(step, pytest.approx(values[step])) for step in (5, 10, 15, 20)]


def test_a_sweep_leaves_them_where_it_is_asked_to(tmp_path: Path) -> None:
    spec = small_sweep(seeds=1, scoring={"metrics": ["modes"], "samples": 200})
    with Store(tmp_path / "s.db") as store:
        outcome = run_sweep(spec, store, Surroundings("cpu", "inline", events=True))
        found = scalars(store.folder(outcome.run_ids[1]) / "events")
        (score,) = store.get(outcome.run_ids[1]).scores
    assert found["scores/modes"] == [(20, score.value)]
    assert [step for step, _ in found["loss/G"]] == list(range(1, 21))


def test_without_tensorboard_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match="pip install 'ganbench\\[tensorboard\\]'"):
        events.check()
