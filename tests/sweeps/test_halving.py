"""Successive halving: who goes on from a rung, what is paid for, and that a stop on the way changes no number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from small_sweeps import SMALL, outcomes, small_sweep

from ganbench import leaderboard
from ganbench.errors import SpecError
from ganbench.spec import RunRecord, RunSpec, Score, Status, SweepSpec
from ganbench.store import Store
from ganbench.sweeps.expand import Expansion
from ganbench.sweeps.families import families
from ganbench.sweeps.halving import Ladder, Leg, Place, rung_steps
from ganbench.sweeps.search import Study, Told
from ganbench.sweeps.sweep import Outcome, Surroundings, run_sweep
from ganbench.sweeps.watch import Watches

HERE = Surroundings("cpu", "inline", cohort=1)


def test_rungs_are_parts_of_the_length() -> None:
    assert rung_steps(900, 3, 2) == (100, 300, 900)
    assert rung_steps(1000, 2, 3) == (125, 250, 500, 1000)
    assert rung_steps(5, 3, 2) == (1, 2, 5)
    assert rung_steps(7, 3, 0) == (7,)


def climbed(ladder: Ladder, batch: str, losses: Mapping[str, float]) -> bool:
    """Bring a batch to its end, where the loss of a configuration is the same at all rungs."""
    return ladder.climb(batch, lambda key, rung: losses[key])


def test_the_best_one_in_eta_goes_on() -> None:
    ladder = Ladder(3, 2)
    losses = dict(zip("abcdefghi", [5, 1, 7, 3, 2, 9, 8, 4, 6], strict=True))
    assert climbed(ladder, "abcdefghi", losses)
    assert {key: place.rung for key, place in ladder.places.items()} == {
        **dict.fromkeys("acfghi", 0),
        **dict.fromkeys("de", 1),
        "b": 2,
    }
    assert ladder.ended("b") == 1
    assert ladder.ended("e") == math.inf


def test_nothing_goes_on_before_all_of_its_batch_are_known() -> None:
    ladder, known = Ladder(2, 1), {("a", 0): 1.0, ("b", 0): 2.0, ("c", 0): 0.5}
    assert not ladder.climb("abcd", lambda key, rung: known.get((key, rung)))
    assert ladder.places["c"] == Place(0, 0.5)
    known["d", 0] = 3.0
    assert not ladder.climb("abcd", lambda key, rung: known.get((key, rung)))
    assert {key: place.rung for key, place in ladder.places.items()} == {"a": 1, "b": 0, "c": 1, "d": 0}
    known |= {("a", 1): 1.0, ("c", 1): 4.0}
    assert ladder.climb("abcd", lambda key, rung: known.get((key, rung)))
    assert ladder.ended("c") == 4.0


def test_a_later_batch_is_held_against_all_before_it() -> None:
    ladder = Ladder(3, 1)
    assert climbed(ladder, "abc", {"a": 1.0, "b": 2.0, "c": 3.0})
    assert climbed(ladder, "def", {"d": 4.0, "e": 5.0, "f": 6.0})
    assert {key for key, place in ladder.places.items() if place.rung == 1} == {"a"}  # of six two, none of them new
    assert climbed(ladder, "ghi", {"g": 0.5, "h": 0.7, "i": 0.9})
    assert {key for key, place in ladder.places.items() if place.rung == 1} == {"a", "g", "h", "i"}
    assert climbed(ladder, "abc", {"a": 9.0, "b": 9.0, "c": 9.0})  # it has ended, and stays as it was
    assert ladder.ended("a") == 1.0


def test_equal_ones_go_on_in_their_order_and_failed_ones_never() -> None:
    ladder = Ladder(2, 1)
    assert climbed(ladder, "abcd", dict.fromkeys("abcd", 1.0))
    assert {key for key, place in ladder.places.items() if place.rung == 1} == {"a", "b"}
    ladder = Ladder(2, 1)
    assert climbed(ladder, "abcd", {**dict.fromkeys("abc", math.inf), "d": 2.0})
    assert {key for key, place in ladder.places.items() if place.rung == 1} == {"d"}
    ladder = Ladder(2, 1)
    assert climbed(ladder, "ab", dict.fromkeys("ab", math.inf))
    assert all(place.rung == 0 for place in ladder.places.values())


def test_what_is_undefined_goes_on_where_nothing_better_is_there() -> None:
    ladder, losses = Ladder(2, 1), dict(zip("abcdef", [math.nan, math.inf, 3.0, math.nan, 2.0, math.inf], strict=True))
    assert climbed(ladder, "abcdef", losses)
    assert {key for key, place in ladder.places.items() if place.rung == 1} == {"a", "c", "e"}


def ascent(spec: SweepSpec) -> tuple[dict[str, Leg], int]:
    """The farthest leg of every run of a search, and the steps paid for; a run's loss is its β1."""
    expansion, known, legs, paid = Expansion(spec, {"ring": "kl"}), {}, {}, 0
    while fresh := [leg for leg in expansion.legs(known) if legs.get(leg.run.id, (None, -1))[1] < leg.until]:
        for leg in fresh:
            paid += leg.until - (legs[leg.run.id].until if leg.run.id in legs else 0)
            legs[leg.run.id] = leg
            known[leg.run.id, leg.until] = leg.run.settings.get("beta1")
    return {run_id: leg for run_id, leg in legs.items() if leg.run.variant != "real"}, paid


RANDOM = {"sampler": "random", "steps": 900, "set": {"beta1": {"low": 0.0, "high": 1.0}}}


def test_a_search_pays_for_a_quarter() -> None:
    """81 configurations of 900 steps, η 3, rungs at 100 and 300: 81·100 + 27·200 + 9·600 steps."""
    legs, paid = ascent(small_sweep(**RANDOM, trials=81, seeds=1, halving=3))
    ends = [leg.until for leg in legs.values()]
    assert [ends.count(steps) for steps in (100, 300, 900)] == [54, 18, 9]
    assert paid == 81 * 100 + 27 * 200 + 9 * 600 < 81 * 900 / 3
    best = sorted(leg.run.settings["beta1"] for leg in legs.values())[:9]
    assert sorted(leg.run.settings["beta1"] for leg in legs.values() if leg.whole) == best


def test_seeds_of_a_configuration_go_on_together_and_the_best_get_all_seeds() -> None:
    fields = {**RANDOM, "trials": 9, "seeds": 5, "search_seeds": 2, "top": 1, "halving": 3, "rungs": 1}
    legs, _ = ascent(small_sweep(**fields))
    by_configuration: dict[float, list[int]] = {}
    for leg in legs.values():
        by_configuration.setdefault(leg.run.settings["beta1"], []).append(leg.until)
    assert sorted(by_configuration.values()) == [[300] * 2] * 6 + [[900] * 2] * 2 + [[900] * 5]
    assert by_configuration[min(by_configuration)] == [900] * 5


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_samplers_are_told_what_was_pruned(sampler: str) -> None:
    """They find the end of the range where the objective is least, though most never run to their end."""
    space = {"beta1": {"low": 0.0, "high": 1.0}, "lr": {"low": 1e-5, "high": 1e-2, "log": True}}
    legs, _ = ascent(small_sweep(sampler=sampler, trials=24, batch=8, steps=90, seeds=1, set=space, halving=2))
    late = [leg.run.settings["beta1"] for leg in list(legs.values())[16:]]
    early = [leg.run.settings["beta1"] for leg in list(legs.values())[:8]]
    assert sum(late) / 8 < sum(early) / 8
    assert sum(leg.whole for leg in legs.values()) < 12


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "gp"])
def test_a_study_knows_what_was_pruned_from_what_was_not(sampler: str) -> None:
    """A loss at a rung is not that of a whole run."""
    space = {"beta1": {"low": 0.0, "high": 1.0}, "lr": {"low": 1e-5, "high": 1e-2, "log": True}}
    spec = small_sweep(sampler=sampler, trials=6, batch=3, seeds=1, set=space, halving=3)
    (family,) = families(spec)
    study, ends = Study(spec, family), [Told(3.0, pruned=0), Told(1.0), Told(math.inf)]
    told = [ends, None]
    assert len(study.proposed(lambda batch: told.pop(0))) == 6
    first = study._study.trials[:3]
    assert [trial.state.name for trial in first] == ["PRUNED", "COMPLETE", "FAIL"]
    assert [trial.value for trial in first] == [3.0, 1.0, None]
    assert first[0].intermediate_values == {0: 3.0}


def test_spec_says_what_is_missing() -> None:
    with pytest.raises(SpecError, match="rungs are those of halving"):
        small_sweep(rungs=2, set={"lr": [1e-3, 1e-4]})
    with pytest.raises(SpecError, match="halving compares configurations, and there is one"):
        small_sweep(halving=3)
    with pytest.raises(SpecError, match="greater than or equal to 2"):
        small_sweep(halving=1, set={"lr": [1e-3, 1e-4]})


RATES = [1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5]
SEARCH = {"set": {**SMALL, "lr": RATES}, "halving": 2, "rungs": 2, "steps": 40, "seeds": 2, "objective": "high_quality"}


def performed(path: Path, where: Surroundings = HERE, watch: Watches | None = None, **fields) -> Outcome:
    with Store(path) as store:
        return run_sweep(small_sweep(**{**SEARCH, **fields}), store, where, watch)


@pytest.mark.parametrize("cohort", [1, 3])
def test_who_goes_on_is_what_he_would_have_been_without_a_stop(tmp_path: Path, cohort: int) -> None:
    """Alone bit for bit. In other company to rounding: the mode coverage is the same."""
    where = Surroundings("cpu", "inline", cohort=cohort)
    halved = performed(tmp_path / "halved.db", where)
    performed(tmp_path / "whole.db", where, halving=None, rungs=None)
    assert halved.count(Status.PRUNED) == 10
    assert halved.count(Status.COMPLETED) == 3  # of six configurations three, and of three one, with two seeds
    ours, theirs = outcomes(tmp_path / "halved.db"), outcomes(tmp_path / "whole.db")
    assert ours.keys() == theirs.keys()
    for run_id, (status, step, scores) in ours.items():
        if status is Status.COMPLETED:
            final = {(metric, text): value for metric, value, text in scores if "step=" not in text}
            expected = {(metric, text): value for metric, value, text in theirs[run_id][2]}
            assert final.keys() == expected.keys()
            if cohort == 1:
                assert final == expected
        else:
            assert step in (10, 20)
            assert [text for _, _, text in scores if "use=selection" not in text] == []


class Stop(Watches):
    """Ctrl-C after so many runs have ended."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def begin(self, tasks, board, skipped) -> None:
        self.board = board

    def finished(self, record: RunRecord) -> None:
        self.left -= 1
        if not self.left:
            self.board.ask_to_stop()


@pytest.mark.parametrize("cohort", [1, 3])
def test_a_search_stopped_anywhere_ends_as_if_it_had_not_been(tmp_path: Path, cohort: int) -> None:
    where = Surroundings("cpu", "inline", cohort=cohort)
    performed(tmp_path / "whole.db", where)
    expected = outcomes(tmp_path / "whole.db")
    for after in (5, 15):
        path = tmp_path / f"{after}.db"
        assert performed(path, where, Stop(after)).interrupted
        again = performed(path, where)
        assert not again.interrupted
        assert again.skipped + len(again.records) == 13
        assert outcomes(path) == expected
        assert performed(path, where).records == ()
        assert not list((tmp_path / f"{after}.artifacts" / "cohorts").glob("*"))


def test_a_plain_sweep_takes_up_what_was_pruned(tmp_path: Path) -> None:
    performed(tmp_path / "s.db")
    whole = performed(tmp_path / "s.db", halving=None, rungs=None)
    assert (whole.count(Status.COMPLETED), whole.skipped) == (10, 3)
    performed(tmp_path / "w.db", halving=None, rungs=None)
    ours, theirs = outcomes(tmp_path / "s.db"), outcomes(tmp_path / "w.db")
    for run_id, (status, step, scores) in theirs.items():
        assert ours[run_id][:2] == (status, step)
        assert set(scores) <= set(ours[run_id][2])


def test_what_was_complete_before_pays_for_nothing_and_is_chosen_all_the_same(tmp_path: Path) -> None:
    performed(tmp_path / "s.db", halving=None, rungs=None)
    halved = performed(tmp_path / "s.db")
    assert halved.count(Status.COMPLETED) == len(halved.records)
    assert all(record.step == record.spec.steps for record in halved.records)


def test_the_leaderboard_counts_what_was_pruned_and_shows_what_ended(tmp_path: Path) -> None:
    performed(tmp_path / "s.db")
    frame = leaderboard(tmp_path / "s.db", metric="modes", variant="ns")
    assert len(frame) == 1
    row = frame.iloc[0]
    assert (row["configurations"], row["seeds"], row["diverged"], row["failed"]) == (6, 2, 0, 0)
    assert "step=" not in row["protocol"]
    with Store(tmp_path / "s.db") as store:
        (lr,) = {r.spec.settings["lr"] for r in store.records() if r.spec.steps and r.status is Status.COMPLETED}
    assert row["settings"] == f"lr={lr}"


@pytest.mark.parametrize(("objective", "best"), [("high_quality", max), ("kl", min)])
def test_the_best_by_the_objectives_direction_gets_all_seeds(tmp_path: Path, objective: str, best) -> None:
    """Known after the sweep was planned for the first time, for it needs the data set's metrics."""
    fields = {"datasets": ["ring:std=0.3"], "halving": None, "rungs": None, "seeds": 2, "search_seeds": 1, "top": 1}
    outcome = performed(tmp_path / "s.db", **fields, objective=objective)
    trained = [record for record in outcome.records if record.spec.steps]
    found = {
        record.spec.settings["lr"]: next(score.value for score in record.scores if score.selects)
        for record in trained
        if record.spec.seed == 0
    }
    assert len(set(found.values())) > 1
    finalists = {record.spec.settings["lr"] for record in trained if record.spec.seed == 1}
    assert finalists == {best(found, key=lambda lr: found[lr])}


def record(spec: RunSpec, status: Status, **fields) -> RunRecord:
    return RunRecord(spec=spec, status=status, **fields)


def test_a_rung_gives_way_to_all_but_an_interruption(tmp_path: Path) -> None:
    spec = RunSpec(variant="ns", dataset="ring", network="mlp", seed=0, steps=40)
    rung = Score(metric="kl", version=1, value=0.5, protocol={"use": "selection", "step": 10})
    with Store(tmp_path / "s.db") as store:

        def after(status: Status) -> Status:
            store.finish(record(spec, status, scores=(rung,) if status is Status.PRUNED else ()), str(status))
            return store.get(spec.id).status

        assert after(Status.INTERRUPTED) is Status.INTERRUPTED
        assert after(Status.PRUNED) is Status.PRUNED
        assert after(Status.INTERRUPTED) is Status.PRUNED
        assert store.done({spec.id: "pruned"}) == {spec.id}
        assert store.done({spec.id: "completed"}) == set()
        assert after(Status.FAILED) is Status.FAILED
        assert after(Status.PRUNED) is Status.PRUNED
        assert after(Status.COMPLETED) is Status.COMPLETED
        assert after(Status.PRUNED) is Status.COMPLETED
        assert store.done({spec.id: "pruned"}) == {spec.id}
        assert [score.value for score in store.get(spec.id).scores] == [0.5]
