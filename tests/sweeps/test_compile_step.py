"""Compiling is asked of a sweep, not of its runs: their ids stay, and records say what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch._inductor
from click.testing import CliRunner
from small_sweeps import SMALL, small_sweep

from ganbench import api
from ganbench.cli import ganbench
from ganbench.spec import Status
from ganbench.store import Store
from ganbench.sweeps.sweep import Outcome, Surroundings, run_sweep
from ganbench.sweeps.watch import Watches


class Notes(Watches):
    """Keeps what the person is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs are run as they were traced: all but the compiler, which takes seconds a graph."""
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, leaves, options: graph)


def done(path: Path, **where: Any) -> tuple[Outcome, list[str]]:
    notes = Notes()
    with Store(path) as store:
        return run_sweep(small_sweep(), store, Surroundings("cpu", "inline", cohort=1, **where), notes), notes.told


@pytest.mark.usefixtures("traced")
def test_a_compiled_sweep_has_the_same_runs_and_says_that_it_is(tmp_path: Path) -> None:
    (plain, _), (compiled, told) = done(tmp_path / "a.db"), done(tmp_path / "b.db", compile_step=True)
    assert compiled.run_ids == plain.run_ids
    assert [record.provenance.get("compiled") for record in plain.records] == [None, False, False]  # of real data: none
    assert [record.provenance.get("compiled") for record in compiled.records] == [None, True, True]
    assert told == []


def test_what_is_not_compiled_is_noted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise NotImplementedError("no compiler here")

    monkeypatch.setattr(torch._inductor, "compile", refuse)
    outcome, told = done(tmp_path / "a.db", compile_step=True)
    assert outcome.count(Status.COMPLETED) == 3
    runs = [record for record in outcome.records if "compiled" in record.provenance]
    assert {record.provenance["compiled"] for record in runs} == {False}
    assert len(told) == 1
    assert "ns is not compiled throughout: gradient of D: NotImplementedError: no compiler here" in told[0]
    assert told[0].endswith(str(runs[1].provenance["eager"]))


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("command", ["sweep", "run", "api"])
def test_it_can_be_asked_everywhere(command: str, tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    if command == "api":
        api.sweep(variant="ns", dataset="ring", seeds=1, steps=3, set=dict(SMALL), metrics="modes", samples=50,
                  device="cpu", executor="inline", store=store, compile_step=True)  # fmt: skip
    else:
        asked = {"sweep": ["--variant", "ns", "--dataset", "ring", "--seeds", "1", "--executor", "inline"]}
        settings = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]
        rest = ["--steps", "3", "--metrics", "modes", "--samples", "50", "--device", "cpu", "--store", str(store), "-q"]
        line = [command, *asked.get(command, ["ns", "ring"]), *settings, *rest, "--compile-step"]
        result = CliRunner().invoke(ganbench, line)
        assert result.exit_code == 0, result.output
    with Store.open_existing(store) as opened:
        assert [record.provenance.get("compiled") for record in opened.records() if record.spec.variant == "ns"] == [
            True
        ]
