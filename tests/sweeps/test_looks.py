"""Runs scored over training: where, by what, and that neither a look nor a kill changes a number."""

from __future__ import annotations

import json
import math
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from safetensors.torch import load_file
from small_sweeps import SMALL, outcomes, small_sweep

from ganbench import api, leaderboard
from ganbench.cli import ganbench
from ganbench.data import find
from ganbench.errors import SpecError
from ganbench.metrics import engine
from ganbench.reports.glance import standings
from ganbench.spec import RunRecord, Scoring, Status
from ganbench.store import Store
from ganbench.store.artifacts import CHECKPOINT
from ganbench.sweeps import looks, pictures
from ganbench.sweeps.board import Board
from ganbench.sweeps.looks import look_steps
from ganbench.sweeps.sweep import Outcome, Surroundings, run_sweep
from ganbench.sweeps.watch import Watches
from ganbench.training.step import Turns

BROAD = "ring:std=0.5"
"""So broad that an untrained generator scores."""
SCORING = {"metrics": ["modes", "kl"], "samples": 200}


class Notes(Watches):
    """Keeps what the person is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


def sweep(
    path: Path, count: int = 3, cohort: int = 1, watch: Watches | None = None, drawn: bool = False, **fields: Any
) -> Outcome:
    """Twenty steps on a broad ring, a checkpoint every seven."""
    given = {"datasets": [BROAD], "set": {**SMALL, "ema": 0.9}, "scoring": SCORING} | fields
    given["scoring"] = {**given["scoring"], "looks": count}
    where = Surroundings("cpu", "inline", cohort=cohort, checkpoint_every=7, pictures=drawn)
    with Store(path) as store:
        return run_sweep(small_sweep(**given), store, where, watch)


def records(path: Path) -> list[RunRecord]:
    """Of runs that train."""
    with Store.open_existing(path) as store:
        return [record for record in store.records() if record.spec.steps]


def seen(record: RunRecord) -> dict[tuple[str, int], float]:
    return {(score.metric, int(score.protocol["step"])): score.value for score in record.looks}


def test_where_runs_are_looked_at() -> None:
    assert look_steps(100, 0) == ()
    assert look_steps(100, 1) == (50,)
    assert look_steps(100, 3) == (25, 50, 75)
    assert look_steps(100, 2) == (33, 67)
    assert look_steps(4, 9) == (1, 2, 3)  # no more than there are, and neither the beginning nor the end
    assert look_steps(1, 3) == ()
    assert look_steps(0, 3) == ()


@pytest.mark.parametrize("cohort", [1, 3])
def test_the_end_is_bit_for_bit_what_it_is_without(tmp_path: Path, cohort: int) -> None:
    sweep(tmp_path / "plain.db", 0, cohort, seeds=3)
    sweep(tmp_path / "looked.db", 3, cohort, seeds=3)
    plain, looked = records(tmp_path / "plain.db"), records(tmp_path / "looked.db")
    assert [record.provenance["cohort"] for record in looked] == [cohort] * 3
    for one, other in zip(plain, looked, strict=True):
        assert one.looks == ()
        assert one.scores == other.reported
        assert (one.spec, one.status, one.step) == (other.spec, other.status, other.step)
        ours, theirs = (
            load_file(tmp_path / f"{name}.artifacts" / one.spec.id / CHECKPOINT) for name in ("plain", "looked")
        )
        assert ours.keys() == theirs.keys()
        assert all(ours[name].equal(theirs[name]) for name in ours if name != "curves")  # with NaN
        assert ours["curves"].nan_to_num().equal(theirs["curves"].nan_to_num())


@pytest.mark.parametrize("cohort", [1, 2])
def test_a_look_is_scored_as_the_end_is(tmp_path: Path, cohort: int) -> None:
    """By the same metrics under the same protocol but for the step, on what a run that is pruned there would give."""
    sweep(tmp_path / "s.db", 3, cohort)
    for record in records(tmp_path / "s.db"):
        assert set(seen(record)) == {(metric, step) for metric in ("modes", "kl") for step in (5, 10, 15)}
        ends = {score.metric: score for score in record.reported}
        assert len(set(seen(record).values())) > 3
        for score in record.looks:
            end = ends[score.metric]
            assert (score.version, {**end.protocol, "step": score.protocol["step"]}) == (end.version, score.protocol)
        at_ten = {score.metric: score.value for score in record.looks if score.protocol["step"] == 10}
        assert at_ten == stopped(record, 10, tmp_path / "stopped") or cohort > 1
        assert at_ten["modes"] == stopped(record, 10, tmp_path / "stopped")["modes"]


def stopped(record: RunRecord, step: int, folder: Path) -> dict[str, float]:
    """What the run scores that is trained to the step and no further, alone."""
    from ganbench.training.loop import train_together
    from ganbench.training.sampling import GeneratorSampler

    card = find(BROAD)
    ((status, state),) = train_together([record.spec], card, until=step)
    assert (status, state.step) == (Status.PRUNED, step)
    return {each.metric: each.value for each in engine.score(GeneratorSampler(state), card, Scoring(**SCORING))}


class Killed(BaseException):
    """What nothing catches."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, tuple]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    for cohort in (1, 3):
        sweep(folder / f"{cohort}.db", 4, cohort, seeds=3)
    return {cohort: outcomes(folder / f"{cohort}.db") for cohort in (1, 3)}


@pytest.mark.slow
@pytest.mark.parametrize("cohort", [1, 3])
@pytest.mark.parametrize("way", ["killed", "asked"])
def test_stopped_at_random_moments_it_ends_with_the_same_scores(
    way: str, cohort: int, undisturbed: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, or asked to stop, between any two steps, and before or after a look is on the disk."""
    moments, plain, write, boards = random.Random(f"{way} {cohort}"), Board.set, looks.atomic_write, []
    left, stops, kinds = moments.randrange(1, 12), 0, set()

    def moment(kind: str) -> None:
        nonlocal left, stops
        left -= 1
        if left == 0:
            stops += 1
            kinds.add(kind)
            if way == "killed":
                raise Killed
            boards[-1].ask_to_stop()

    def beat(self: Board, task: int, step: int) -> None:
        plain(self, task, step)
        moment("step")

    def written(path: Path, content: bytes) -> None:
        moment("before")
        write(path, content)
        moment("after")

    class Last(Watches):
        def begin(self, tasks: Any, board: Board, skipped: int) -> None:
            boards.append(board)

    monkeypatch.setattr(Board, "set", beat)
    monkeypatch.setattr(looks, "atomic_write", written)
    where = tmp_path / "0.db"
    while stops < 24:
        left = moments.randrange(1, 40) if left <= 0 else left
        before = stops
        try:
            sweep(where, 4, cohort, Last(), seeds=3)
        except Killed:
            continue
        found = outcomes(where)
        if len(found) == 4 and all(status.final for status, _, _ in found.values()):
            assert found == undisturbed[cohort]
            where = tmp_path / f"{stops}.db"
        else:
            assert stops > before
    left = -1
    sweep(where, 4, cohort, seeds=3)
    assert outcomes(where) == undisturbed[cohort]
    assert kinds == {"step", "before", "after"}


def look_files(path: Path) -> list[Path]:
    return sorted(path.with_suffix(".artifacts").glob("*/looks/*.json"))


def interrupted(path: Path, monkeypatch: pytest.MonkeyPatch, at: int = 13, **fields: Any) -> None:
    """A run stopped at a step, its checkpoint there."""
    plain = Board.set
    with monkeypatch.context() as patch:
        patch.setattr(
            Board, "set", lambda self, task, step: (plain(self, task, step), step == at and self.ask_to_stop())
        )
        assert sweep(path, seeds=1, **fields).interrupted


@pytest.mark.parametrize("harm", ["gone", "half", "foreign", "other scoring", "no json", "not a look"])
def test_a_look_whose_file_is_not_what_was_left_is_missed_and_told(
    harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, notes = tmp_path / "s.db", Notes()
    interrupted(path, monkeypatch)
    first, second = sorted(look_files(path), key=lambda file: int(file.name.partition("-")[0]))
    kept = json.loads(first.read_text())
    left = {
        "gone": None,
        "half": first.read_text()[:100],
        "foreign": json.dumps(kept | {"run": "0" * 12}),
        "other scoring": json.dumps(kept | {"key": "0" * 12}),
        "no json": "\x00\xff",
        "not a look": json.dumps([kept]),
    }[harm]
    first.unlink()
    if left is not None:
        first.write_text(left)
    sweep(path, seeds=1, watch=notes)
    (record,) = records(path)
    assert {step for _, step in seen(record)} == {10, 15}
    assert record.status is Status.COMPLETED
    assert record.provenance["looks_missing"] == "5"
    assert len(notes.told) == 1
    assert f"run {record.spec.id} has no scores at steps 5: " in notes.told[0]
    assert second.exists()


def test_what_was_scored_before_a_kill_is_not_scored_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, scored = tmp_path / "s.db", []
    interrupted(path, monkeypatch)
    shutil.rmtree(path.with_suffix(".artifacts") / "cohorts", ignore_errors=True)
    (record,) = records(path)
    assert (record.status, record.scores) == (Status.INTERRUPTED, ())
    (checkpoint,) = path.with_suffix(".artifacts").glob(f"*/{CHECKPOINT}")
    checkpoint.unlink()  # so that it starts over
    score = looks.Looks._score
    monkeypatch.setattr(looks.Looks, "_score", lambda self, state: scored.append(state.step) or score(self, state))
    sweep(path, seeds=1)
    assert scored == [15]
    assert {step for _, step in seen(records(path)[0])} == {5, 10, 15}


def test_a_run_that_is_done_is_not_trained_for_its_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, notes = tmp_path / "s.db", Notes()
    sweep(path, 0)
    before = outcomes(path)
    monkeypatch.setattr(Turns, "turn", lambda *_: pytest.fail("it is trained"))
    again = sweep(path, 3, watch=notes)
    assert (len(again.records), again.skipped) == (3, 0)
    assert outcomes(path) == before
    assert len(notes.told) == 1  # though two runs lack them
    assert "has no scores at steps 5, 10, 15: it was trained past them without; " in notes.told[0]
    assert "need a new store" in notes.told[0]
    assert sweep(path, 3).records == ()
    assert sweep(path, 0).records == ()


def test_more_looks_of_a_done_run_keep_those_that_it_has(tmp_path: Path) -> None:
    path, notes = tmp_path / "s.db", Notes()
    sweep(path, 1, seeds=1)
    sweep(path, 3, seeds=1, watch=notes)
    (record,) = records(path)
    assert {step for _, step in seen(record)} == {10}
    assert "has no scores at steps 5, 15: " in notes.told[0]


def poisoned(monkeypatch: pytest.MonkeyPatch, run: int, bad: int) -> None:
    """In a cohort the loss of D of one run is not finite at a step."""
    turn = Turns.turn

    def turned(self: Turns, step: int) -> list:
        losses = turn(self, step)
        if step == bad - 1:
            losses[0] = losses[0].clone()
            losses[0].view(-1)[run] = math.nan
        return losses

    monkeypatch.setattr(Turns, "turn", turned)


@pytest.mark.parametrize(("bad", "left"), [(3, set()), (5, set()), (6, {5}), (12, {5, 10}), (20, {5, 10, 15})])
def test_a_run_that_diverges_keeps_its_looks_and_has_no_end(
    bad: int, left: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(tmp_path / "whole.db", 3, 3, seeds=3)
    poisoned(monkeypatch, 1, bad)
    sweep(tmp_path / "s.db", 3, 3, seeds=3)
    whole = {record.spec.seed: record for record in records(tmp_path / "whole.db")}
    found = {record.spec.seed: record for record in records(tmp_path / "s.db")}
    assert [found[seed].status for seed in range(3)] == [Status.COMPLETED, Status.DIVERGED, Status.COMPLETED]
    assert (found[1].step, found[1].reported) == (bad, ())
    assert "looks_missing" not in found[1].provenance
    expected = {place: value for place, value in seen(whole[1]).items() if place[1] in left}
    assert seen(found[1]) == expected
    assert {step for _, step in seen(found[0])} == {5, 10, 15}


def test_what_a_metric_raises_at_a_look_is_told_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = engine.score

    def broken(*args: Any, **fields: Any) -> Any:
        if fields["protocol"].get("step") == 10:
            raise ValueError("no score today\nor tomorrow")
        return score(*args, **fields)

    monkeypatch.setattr(engine, "score", broken)
    notes = Notes()
    sweep(tmp_path / "s.db", seeds=1, watch=notes)
    (record,) = records(tmp_path / "s.db")
    assert record.status is Status.COMPLETED
    assert {step for _, step in seen(record)} == {5, 15}
    assert record.provenance["looks_missing"] == "10 (no score today)"
    assert "has no scores at steps 10 (no score today): " in notes.told[0]


@pytest.mark.parametrize("cohort", [1, 3])
def test_halving_looks_as_far_as_runs_come(tmp_path: Path, cohort: int) -> None:
    search = {"set": {**SMALL, "lr": [1e-2, 3e-3, 1e-3, 3e-4]}, "halving": 2, "rungs": 2, "seeds": 2, "steps": 40}
    sweep(tmp_path / "s.db", 4, cohort, **search)
    sweep(tmp_path / "plain.db", 0, cohort, **search)
    steps = look_steps(40, 4)
    assert steps == (8, 16, 24, 32)
    ends = set()
    for record in records(tmp_path / "s.db"):
        ends.add((record.status, record.step))
        assert {step for _, step in seen(record)} == {step for step in steps if step <= record.step}
        assert {score.metric for score in record.scores if score.selects} == {"kl"}
    assert ends == {(Status.PRUNED, 10), (Status.PRUNED, 20), (Status.COMPLETED, 40)}
    for one, other in zip(records(tmp_path / "plain.db"), records(tmp_path / "s.db"), strict=True):
        assert one.scores == tuple(score for score in other.scores if not score.at_look)  # what chooses is the same


def test_nobody_takes_a_look_for_an_end(tmp_path: Path) -> None:
    sweep(tmp_path / "plain.db", 0)
    sweep(tmp_path / "s.db", 3)
    plain, looked = leaderboard(tmp_path / "plain.db"), leaderboard(tmp_path / "s.db")
    secondary = ["best_over_training", "best_over_training_std", "best_step", "seconds"]
    assert looked.drop(columns=secondary).equals(plain.drop(columns=secondary))
    assert looked["best_over_training"].notna().any()
    assert plain["best_over_training"].isna().all()
    with Store.open_existing(tmp_path / "plain.db") as one, Store.open_existing(tmp_path / "s.db") as other:
        assert standings(one) == standings(other)


def test_the_command_line_and_python_ask_alike(tmp_path: Path) -> None:
    arguments = "--variant ns --dataset ring --seeds 1 --steps 20 --metrics modes -n 200 --set width=8 --device cpu"
    command = ["sweep", *arguments.split(), "--executor", "inline", "--looks", "1", "--store"]
    done = CliRunner().invoke(ganbench, [*command, str(tmp_path / "a.db")])
    assert done.exit_code == 0, done.output
    api.sweep(
        variant="ns", dataset="ring", seeds=1, steps=20, metrics="modes", samples=200, set={"width": 8}, looks=1,
        device="cpu", executor="inline", store=tmp_path / "b.db",
    )  # fmt: skip
    assert outcomes(tmp_path / "a.db") == outcomes(tmp_path / "b.db")
    (record,) = records(tmp_path / "b.db")
    assert [step for _, step in seen(record)] == [10]
    shown = CliRunner().invoke(ganbench, ["show", record.spec.id, "--store", str(tmp_path / "b.db")]).output
    (line,) = (line for line in shown.splitlines() if line.startswith("over training"))
    assert line.startswith(f"over training modes {record.looks[0].value:.4g} at 10  (generator=last n_generated=200 ")
    assert "step=" not in shown


def test_looks_are_a_number_of_times() -> None:
    with pytest.raises(SpecError, match=r"scoring\.looks: input should be greater than or equal to 0"):
        small_sweep(scoring={"looks": -1})


def test_a_scoring_without_looks_has_the_key_that_it_had() -> None:
    """Stores made before there were looks are done."""
    card = find("ring")
    scoring = engine.resolve(card, Scoring(**SCORING))
    assert engine.scoring_key(card, scoring) == KEY
    assert engine.scoring_key(card, scoring.model_copy(update={"looks": 1})) != KEY


KEY = "51e006b55945"


def test_a_look_leaves_a_picture_of_the_same_latents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, dict]] = []
    monkeypatch.setattr(pictures, "samples", lambda dataset, sampler, path: drawn.append((path.name, sampler.protocol)))
    sweep(tmp_path / "s.db", variants=["ns"], seeds=1, drawn=True)
    assert [name for name, _ in drawn] == ["samples-5.png", "samples-10.png", "samples-15.png", "samples.png"]
    assert {protocol["sampling_seed"] for _, protocol in drawn} == {0}
