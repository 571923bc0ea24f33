"""Searches that train: scored twice, chosen by one, reported by the other; taken up after any stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganbench.data import find
from ganbench.errors import SpecError, UnknownNameError
from ganbench.metrics import engine
from ganbench.reports.board import leaderboard
from ganbench.spec import RunRecord, Scoring, Status, SweepSpec
from ganbench.store import Store
from ganbench.sweeps.selection import selection
from ganbench.sweeps.sweep import Outcome, Surroundings, run_sweep

HERE = Surroundings("cpu", "inline")
BROAD = "ring:std=0.5"
"""So broad that an untrained generator scores."""


def sweep(**fields) -> SweepSpec:
    given = {
        "variants": ["ns"], "datasets": [BROAD], "seeds": 1, "steps": 5, "sampler": "tpe", "trials": 5, "batch": 2,
        "set": {"width": 8, "depth": 1, "lr": {"low": 1e-4, "high": 1e-1, "log": True}},
        "scoring": {"metrics": ["fd", "modes"], "samples": 300},
    }  # fmt: skip
    return SweepSpec.parse(given | fields)


def searched(store: Store, **fields) -> tuple[Outcome, list[RunRecord]]:
    outcome = run_sweep(sweep(**fields), store, HERE)
    return outcome, [record for record in store.records(outcome.run_ids) if record.spec.variant != "real"]


class StopAt:
    """Asks the sweep to stop when the n-th record comes."""

    def __init__(self, n: int) -> None:
        self._left = n

    def begin(self, tasks, board, skipped) -> None:
        self._board = board

    def finished(self, record) -> None:
        self._left -= 1
        if not self._left:
            self._board.ask_to_stop()

    def note(self, text) -> None:
        return

    def end(self) -> None:
        return


def test_runs_of_a_search_are_scored_twice(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        outcome, records = searched(store)
        assert outcome.count(Status.COMPLETED) == 6
        for record in records:
            (chosen_by,) = (score for score in record.scores if score.selects)
            reported = {score.metric: score for score in record.reported}
            assert (chosen_by.metric, list(reported)) == ("fd-identity", ["fd-identity", "modes"])
            assert chosen_by.protocol["sampling_seed"] == 1
            assert reported["fd-identity"].protocol["sampling_seed"] == 0
            assert (chosen_by.protocol["split"], reported["fd-identity"].protocol["split"]) == ("valid", "test")
            assert chosen_by.value != reported["fd-identity"].value
        real = store.get(outcome.run_ids[0])
        assert not any(score.selects for score in real.scores)
        frame = leaderboard(store)
        assert not frame["protocol"].str.contains("use=selection").any()
        row = frame[(frame["variant"] == "ns") & (frame["metric"] == "modes")].iloc[0]
        assert (row["configurations"], row["selected_by"]) == (5, "fd-identity on valid")
        best = min(records, key=lambda each: next(score.value for score in each.scores if score.selects))
        assert row["run_ids"] == best.spec.id


def test_a_sweep_of_one_configuration_pays_for_nothing_more(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        _, (record,) = searched(store, sampler="grid", trials=None, set={"width": 8, "depth": 1})
        assert record.scores == record.reported
        _, records = searched(store, sampler="grid", trials=None, set={"width": [8, 16], "depth": 1})
        assert [len(each.scores) for each in records] == [3, 3]


@pytest.mark.parametrize("stop_at", [1, 3, 4])
def test_stopped_anywhere_the_same_command_goes_on(stop_at: int, tmp_path: Path) -> None:
    with Store(tmp_path / "undisturbed.db") as store:
        expected, records = searched(store)
    with Store(tmp_path / "s.db") as store:
        first = run_sweep(sweep(), store, HERE, StopAt(stop_at))
        assert first.interrupted
        outcome, found = searched(store)
        assert not outcome.interrupted
        assert outcome.run_ids == expected.run_ids
        assert outcome.skipped == len(first.records) == stop_at
        assert [each.scores for each in found] == [each.scores for each in records]
        again, _ = searched(store)
        assert (len(again.records), again.skipped) == (0, 6)


def test_what_failed_is_tried_once_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_, **__) -> None:
        raise OSError("no disk")

    monkeypatch.setattr("ganbench.training.loop.train_together", broken)
    with Store(tmp_path / "s.db") as store:
        for _ in range(2):
            outcome, _ = searched(store)
            assert outcome.count(Status.FAILED) == 5
            assert len(outcome.run_ids) == 6


def test_the_best_are_confirmed_by_all_seeds(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        outcome, records = searched(store, seeds=3, search_seeds=[0], top=1)
        assert len(records) == 7
        (confirmed,) = {record.spec.group for record in records if record.spec.seed == 2}
        frame = leaderboard(store, metric="fd-identity", variant="ns")
        assert frame["seeds"].tolist() == [3]
        assert set(frame["run_ids"][0].split()) == {r.spec.id for r in records if r.spec.group == confirmed}
        again = run_sweep(sweep(seeds=3, search_seeds=[0], top=1), store, HERE)
        assert (len(again.records), again.run_ids) == (0, outcome.run_ids)


def resolved(name: str, **fields):
    scoring = Scoring(**fields)
    return find(name), engine.resolve(find(name), scoring)


def test_what_a_search_is_after() -> None:
    card, scoring = resolved("ring")
    assert selection(sweep(), card, scoring).objective == "kl"
    assert selection(sweep(objective="high_quality"), card, scoring).scoring.metrics == ("high_quality",)
    assert selection(sweep(), card, scoring).scoring.split is None
    keys = {selection(sweep(objective=each), card, scoring).key for each in ("kl", "modes", "fd")}
    assert len(keys) == 3
    with pytest.raises(UnknownNameError, match="unknown metric 'kll': did you mean 'kl'"):
        selection(sweep(objective="kll"), card, scoring)
    with pytest.raises(SpecError, match="prdc is several scores: choose an objective from precision, "):
        selection(sweep(objective="prdc"), card, scoring)


def test_images_are_chosen_on_the_valid_split() -> None:
    card, scoring = resolved("mnist", metrics=("fd-pixels", "parzen"))
    found = selection(sweep(), card, scoring)
    assert (found.objective, found.scoring.split, scoring.split) == ("fd-pixels", "valid", None)
    held, elsewhere = (resolved("mnist", metrics=("fd-pixels",), split=split) for split in ("valid", "test"))
    assert selection(sweep(), *elsewhere).scoring.split == "valid"
    with pytest.raises(SpecError, match="a search chooses on the valid split"):
        selection(sweep(), *held)
