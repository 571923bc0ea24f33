"""Who is told how a sweep gets on."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from small_sweeps import small_sweep

from ganbench.errors import SpecError
from ganbench.store import Store
from ganbench.sweeps.sweep import Surroundings, run_sweep
from ganbench.sweeps.watch import JsonLines, Watches

SPEC = small_sweep()


def test_a_log_says_what_the_store_holds(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "sweep.jsonl"
    with Store(tmp_path / "s.db") as store:
        for _ in range(2):  # the second time there is nothing to do, and nothing to tell
            outcome = run_sweep(SPEC, store, Surroundings("cpu", "inline"), Watches(JsonLines(log)))
        begin, *runs, end = [json.loads(line) for line in log.read_text().splitlines()]
        assert begin["event"] == "begin"
        assert (begin["runs"], begin["steps"], begin["done_before"]) == (3, 40, 0)
        assert {run["run"] for run in runs} == set(outcome.run_ids)
        for run in runs:
            record = store.get(run["run"])
            assert run["event"] == "run"
            assert (run["status"], run["settings"]) == ("completed", record.spec.settings)
            stored = {(score.metric, score.protocol_text): score.finite for score in record.scores}
            assert {(metric, protocol): value for metric, value, protocol in run["scores"]} == stored
        assert (end["event"], end["completed"]) == ("end", 3)
        assert datetime.fromisoformat(begin["time"]) <= datetime.fromisoformat(end["time"])


def test_undefined_scores_are_null_and_lines_are_json(tmp_path: Path) -> None:
    """kl of a generator without high-quality samples is NaN, which JSON has not."""
    log = tmp_path / "sweep.jsonl"
    far = SPEC.model_copy(update={"steps": 1, "seeds": (0,), "datasets": ("ring:radius=100",)})
    with Store(tmp_path / "s.db") as store:
        run_sweep(far, store, Surroundings("cpu", "inline"), JsonLines(log))
    runs = [json.loads(line, parse_constant=pytest.fail) for line in log.read_text().splitlines()]
    scores = [dict(score[:2] for score in run["scores"]) for run in runs if run.get("variant") == "ns"]
    assert scores == [{"modes": 0, "kl": None}]


def test_a_log_that_cannot_be_written_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot write the log .*: Is a directory"):
        JsonLines(tmp_path)
