from __future__ import annotations

import json
import math
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ganbench.errors import StoreError, UnknownNameError
from ganbench.spec import RunRecord, RunSpec, Score, Status
from ganbench.store import Store


def spec(seed: int = 0, **fields) -> RunSpec:
    values = {"variant": "ns", "dataset": "ring", "network": "mlp", "seed": seed, "steps": 10, "settings": {"lr": 0.5}}
    return RunSpec.parse(values | fields)


def score(metric: str = "kl", value: float = 0.25, **fields) -> Score:
    return Score(metric=metric, version=1, value=value, protocol={"n_generated": 100}, **fields)


def record(run: RunSpec, status: Status = Status.COMPLETED, *scores: Score, **fields) -> RunRecord:
    return RunRecord(spec=run, status=status, scores=scores, **fields)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path):
    where = tmp_path / "s.db" if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    with Store(where) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path):
    with Store(tmp_path / "s.db") as opened:
        yield opened


def same(left: RunRecord, right: RunRecord) -> bool:
    """Equality with NaN equal to itself."""
    return repr(left) == repr(right)


def test_a_record_comes_back_as_it_went(store: Store) -> None:
    undefined = score("jsd", math.nan, flags=("no high-quality samples",), details={"on_edge": True, "sigma": math.nan})
    given = record(
        spec(settings={"ema": False, "gp": 10, "lr": 1e-4, "norm": "none"}, versions={"dataset": "3fa9c1d2e0b7"}),
        Status.COMPLETED,
        undefined,
        score(stderr=0.125),
        step=10,
        seconds=1.5,
        score_seconds=0.25,
        provenance={"device": "cpu", "host": "näme", "threads": 2},
    )
    store.finish(given)
    assert same(store.get(given.spec.id), given)
    assert store.get(given.spec.id).spec.id == given.spec.id


def test_infinite_values_are_not_undefined_ones(store: Store) -> None:
    store.finish(record(spec(), Status.COMPLETED, score(value=math.inf)))
    assert store.get(spec().id).scores[0].value == math.inf


def test_an_error_with_broken_characters_is_kept(store: Store) -> None:
    store.finish(record(spec(), Status.FAILED, error="cannot read caf\udce9"))
    assert store.get(spec().id).error == "cannot read caf\\udce9"


def test_finishing_twice_changes_nothing(store: Store) -> None:
    given = record(spec(), Status.COMPLETED, score("jsd", 0.5), score())
    for _ in range(2):
        store.finish(given, "k1")
    assert same(store.get(given.spec.id), given)
    assert len(store.rows()[1]) == 2
    assert store.done({given.spec.id: "k1"}) == {given.spec.id}


def test_another_protocol_or_version_is_another_score(store: Store) -> None:
    first = score()
    others = [first.model_copy(update={"protocol": {"n_generated": 200}}), first.model_copy(update={"version": 2})]
    for each in [first, *others]:
        store.finish(record(spec(), Status.COMPLETED, each))
    assert len(store.get(spec().id).scores) == 3


def test_scoring_again_replaces_the_value(store: Store) -> None:
    store.finish(record(spec(), Status.COMPLETED, score(value=1.0)))
    store.finish(record(spec(), Status.COMPLETED, score(value=2.0)))
    assert [each.value for each in store.get(spec().id).scores] == [2.0]


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        (Status.COMPLETED, Status.FAILED, True),
        (Status.COMPLETED, Status.DIVERGED, True),
        (Status.COMPLETED, Status.INTERRUPTED, True),
        (Status.DIVERGED, Status.INTERRUPTED, True),
        (Status.DIVERGED, Status.COMPLETED, False),
        (Status.FAILED, Status.COMPLETED, False),
        (Status.FAILED, Status.INTERRUPTED, False),
        (Status.INTERRUPTED, Status.DIVERGED, False),
        (Status.INTERRUPTED, Status.FAILED, False),
    ],
)
def test_what_ended_better_is_kept(store: Store, old: Status, new: Status, kept: bool) -> None:
    store.finish(record(spec(), old, step=7))
    store.finish(record(spec(), new, step=3))
    assert store.statuses() == {spec().id: old if kept else new}
    assert store.get(spec().id).step == (7 if kept else 3)


ENDS = [
    (0, Status.COMPLETED, 1.0, "a"),
    (1, Status.PRUNED, 2.0, "a"),
    (2, Status.INTERRUPTED, None, "a"),
    (0, Status.FAILED, None, "b"),  # of these the first is kept
    (1, Status.COMPLETED, 3.0, "b"),
    (2, Status.DIVERGED, None, "b"),
    (0, Status.COMPLETED, 4.0, "a"),
    (3, Status.COMPLETED, 5.0, None),
]


def test_storing_many_at_once_is_storing_one_after_the_other(store: Store, tmp_path: Path) -> None:
    ends = [
        (record(spec(seed), status, *([] if value is None else [score(value=value)]), step=place), key)
        for place, (seed, status, value, key) in enumerate(ENDS)
    ]
    ends += [(record(spec(seed), Status.COMPLETED, score(value=float(seed))), "a") for seed in range(10, 2000)]
    store.finish_all(ends)
    with Store(tmp_path / "other.db") as other:
        for end in ends[: len(ENDS)]:
            other.finish(*end)
        mixed = [spec(seed).id for seed in range(4)]
        assert list(store.records(mixed)) == list(other.records(mixed))
        for key in ("a", "b"):
            assert store.done(dict.fromkeys(mixed, key)) == other.done(dict.fromkeys(mixed, key))
    assert store.get(spec(0).id).scores[0].value == 4
    assert len(store.statuses()) == 4 + 1990
    assert len(store.done({spec(seed).id: "a" for seed in range(10, 2000)})) == 1990
    store.finish_all([])


def test_of_many_at_once_all_are_stored_or_none(store: Store) -> None:
    with pytest.raises(StoreError):  # a score twice
        store.finish_all([(record(spec(0)), "key"), (record(spec(1), Status.COMPLETED, score(), score()), "key")])
    assert store.statuses() == {}


def test_a_failed_rescoring_leaves_the_scores(store: Store) -> None:
    store.finish(record(spec(), Status.COMPLETED, score()), "k1")
    store.finish(record(spec(), Status.FAILED, error="no weights"), "k2")
    assert store.get(spec().id).scores == (score(),)
    assert store.done({spec().id: "k1"}) == {spec().id}
    assert store.done({spec().id: "k2"}) == set()


def test_done_is_final_and_scored_under_the_key(store: Store) -> None:
    ends = [Status.COMPLETED, Status.COMPLETED, Status.DIVERGED, Status.FAILED, Status.INTERRUPTED]
    runs = [spec(seed) for seed in range(len(ends) + 1)]
    for run, end in zip(runs, ends, strict=False):
        store.finish(record(run, end), "other" if run.seed == 1 else "key")
    assert store.done({run.id: "key" for run in runs}) == {runs[0].id, runs[2].id}
    assert store.done({run.id: "new" for run in runs}) == {runs[2].id}
    assert store.done({}) == set()


def test_a_run_may_be_done_under_several_keys(store: Store) -> None:
    for key in ("a", "b"):
        store.finish(record(spec()), key)
    assert store.done({spec().id: "a"}) == store.done({spec().id: "b"}) == {spec().id}


def test_done_over_more_runs_than_a_query_takes(store: Store) -> None:
    for seed in (0, 1999):
        store.finish(record(spec(seed)), "key")
    assert store.done({spec(seed).id: "key" for seed in range(2000)}) == {spec(0).id, spec(1999).id}


def columns(store: Store, *names: str) -> tuple:
    with sqlite3.connect(store.name) as connection:
        return connection.execute(f"SELECT {', '.join(names)} FROM runs").fetchone()


def test_columns_name_the_run(file: Store) -> None:
    file.finish(record(spec(3)))
    found = columns(file, "variant", "dataset", "network", "seed", "steps", "group_id")
    assert found == ("ns", "ring", "mlp", 3, 10, spec(3).group)


def test_get_takes_the_beginning_of_an_id(store: Store) -> None:
    for seed in range(40):
        store.finish(record(spec(seed)))
    wanted = spec(7)
    assert store.get(wanted.id[:8].upper()).spec == wanted
    with pytest.raises(StoreError, match="ambiguous: give more of it") as caught:
        store.get("")
    assert "\n" not in str(caught.value)
    with pytest.raises(UnknownNameError, match="unknown run 'zzz'") as unknown:
        store.get("zzz")
    assert len(str(unknown.value)) < 200  # not all ids
    with pytest.raises(UnknownNameError):
        store.get("%")


def test_an_id_is_found_among_others_too(store: Store) -> None:
    """Those that are claimed and not stored yet."""
    store.finish(record(spec()))
    mine = spec().id
    other = mine[:5] + "x" * 7
    assert store.find(mine[:5]) == store.find(mine[:5], [mine]) == mine
    assert store.find(other[:6].upper(), [other]) == other
    with pytest.raises(StoreError, match=f"{mine}, {other}"):
        store.find(mine[:5], [other])
    with pytest.raises(UnknownNameError, match=f"{mine}, {other}"):
        store.find("zzz", [other])


def test_the_last_end_is_the_latest_that_is_one(store: Store) -> None:
    assert store.last_finished() is None
    store.finish(record(spec(0), Status.INTERRUPTED))
    assert store.last_finished() is None
    before = datetime.now(UTC)
    store.finish(record(spec(1), Status.FAILED))
    last = store.last_finished()
    assert last is not None
    assert before <= last <= datetime.now(UTC)


def test_get_in_an_empty_store_says_so(store: Store) -> None:
    with pytest.raises(StoreError, match="holds no runs yet"):
        store.get("abc")


def test_records_are_all_or_those_asked_for(store: Store) -> None:
    given = {spec(seed).id: record(spec(seed), Status.COMPLETED, score(value=float(seed))) for seed in range(5)}
    for each in given.values():
        store.finish(each)
    assert list(store.records()) == [given[key] for key in sorted(given)]
    assert list(store.records([spec(3).id])) == [given[spec(3).id]]
    assert list(store.records([])) == []


def test_rows_are_filtered(store: Store) -> None:
    store.finish(record(spec(1, dataset="grid"), Status.COMPLETED, score(), score("jsd", math.nan, flags=("f",))))
    store.finish(record(spec(0), Status.DIVERGED, seconds=2.0))
    store.finish(record(spec(2), Status.COMPLETED, score(value=3.0)))
    assert [row.seed for row in store.rows()[0]] == [0, 1, 2]
    runs, scores = store.rows(["ring"])
    assert [(run.seed, run.group, run.status, run.seconds) for run in runs] == [
        (0, spec(0).group, Status.DIVERGED, 2.0),
        (2, spec(0).group, Status.COMPLETED, 0.0),
    ]
    assert runs[0].spec["settings"] == {"lr": 0.5}
    assert [(each.metric, each.value) for each in scores] == [("kl", 3.0)]
    runs, (undefined,) = store.rows(metrics=["jsd"])
    assert len(runs) == 3
    assert (undefined.protocol, undefined.flags) == ("n_generated=100", ("f",))
    assert math.isnan(undefined.value)
    assert len(store.rows(["grid"], ["kl"])[1]) == 1
    assert store.names() == {"dataset": {"ring", "grid"}, "variant": {"ns"}, "metric": {"kl", "jsd"}}


def test_artifacts_lie_beside_the_store_and_are_not_made_before_written(file: Store, tmp_path: Path) -> None:
    assert file.folder("abc") == tmp_path / "s.artifacts" / "abc"
    assert not file.folder("abc").exists()


def test_details_are_those_of_the_records(store: Store) -> None:
    undefined = score("jsd", math.nan, flags=("one", "two"))
    store.finish(record(spec(1), Status.COMPLETED, undefined, score(stderr=0.5), step=10, provenance={"host": "näme"}))
    store.finish(record(spec(0), Status.FAILED, error="no luck", seconds=1.5))
    store.finish(record(spec(0, dataset="grid"), Status.COMPLETED, score()))
    runs, scores = store.details(["ring"])
    assert [(run.id, run.seed, run.status, run.error) for run in runs] == [
        (spec(0).id, 0, Status.FAILED, "no luck"),
        (spec(1).id, 1, Status.COMPLETED, None),
    ]
    assert (runs[1].group, runs[1].step, json.loads(runs[1].provenance)) == (spec(1).group, 10, {"host": "näme"})
    assert RunSpec.parse(json.loads(runs[0].spec)) == spec(0)
    found = {each.metric: each for each in scores}
    assert set(found) == {"jsd", "kl"}
    assert (found["jsd"].stderr, found["jsd"].flags, math.isnan(found["jsd"].value)) == (None, ("one", "two"), True)
    assert (found["kl"].run_id, found["kl"].value, found["kl"].stderr) == (spec(1).id, 0.25, 0.5)
    rows = {run.id: run for run in store.rows(["ring"])[0]}
    assert {run.id: run.row(json.loads(run.spec)) for run in runs} == rows
    assert {each.row for each in scores if each.metric == "kl"} == {
        each for each in store.rows(["ring"])[1] if each.metric == "kl"
    }
    assert len(store.details()[0]) == 3
