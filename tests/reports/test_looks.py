"""The best over training stands beside what runs scored at their ends, and never in its place."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import pytest

from ganbench.canonical import Scalar
from ganbench.reports.board import TYPES, leaderboard
from ganbench.reports.budget import best_of_k
from ganbench.reports.formats import to_csv, to_markdown, wide
from ganbench.reports.glance import standings
from ganbench.reports.looks import COLUMNS
from ganbench.reports.selection import looked
from ganbench.spec import SELECTION, RunRecord, RunSpec, Score, Status
from ganbench.store import Store

PROTOCOL: dict[str, Scalar] = {"generator": "last", "sampling_seed": 0, "sigmas": 3}  # "step" lies between the last two
END = 90


def add(
    store: Store,
    variant: str,
    places: Mapping[int, float],
    metric: str = "kl",
    seed: int = 0,
    *,
    protocol: Mapping[str, Scalar] = PROTOCOL,
    version: int = 1,
    **settings: Scalar,
) -> RunSpec:
    """A run by what it scored at which steps; one without a score at END diverged."""
    spec = RunSpec(
        variant=variant, dataset="ring", network="mlp", seed=seed, steps=END, settings=settings, versions={"dataset": 1}
    )
    scores = [
        Score(metric=metric, version=version, value=value, protocol={**protocol, **({} if at == END else {"step": at})})
        for at, value in places.items()
    ]
    status = Status.COMPLETED if END in places else Status.DIVERGED
    step = END if END in places else 70
    store.finish(RunRecord(spec=spec, status=status, step=step, scores=tuple(scores)))
    return spec


def best(frame: pd.DataFrame, variant: str = "ns") -> tuple[float, float, float]:
    (row,) = (row for row in frame.to_dict("records") if row["variant"] == variant)
    return tuple(row[name] for name in COLUMNS)


def test_by_hand_where_lower_is_better(store: Store) -> None:
    add(store, "ns", {30: 0.5, 60: 0.2, END: 0.4}, seed=0)
    add(store, "ns", {30: math.nan, 60: 0.8, END: 0.6}, seed=1)
    add(store, "ns", {30: 0.1, 60: math.nan, END: 0.3}, seed=2)
    (row,) = leaderboard(store).to_dict("records")
    assert row["mean"] == pytest.approx(1.3 / 3)
    assert (row["seeds"], row["best"], row["values"], row["protocol"]) == (
        3, 0.3, "0.4 0.6 0.3", "generator=last sampling_seed=0 sigmas=3"
    )  # fmt: skip
    assert row["best_over_training"] == pytest.approx(0.3)  # of .2, .6 and .1
    assert row["best_over_training_std"] == pytest.approx(math.sqrt((0.01 + 0.09 + 0.04) / 2))
    assert row["best_step"] == 60  # of 60, 90 and 30


def test_by_hand_where_higher_is_better(store: Store) -> None:
    add(store, "ns", {30: 7, 60: 8, END: 6}, "modes", seed=0)
    add(store, "ns", {30: 4, 60: 3, END: 2}, "modes", seed=1)
    assert best(leaderboard(store)) == (6, pytest.approx(math.sqrt(8)), 45)


def test_by_hand_where_a_number_is_best(store: Store) -> None:
    """.5 is: of .2, .45 and .9 the second, of .9, .7 and .3 the earliest of two as close."""
    add(store, "ns", {30: 0.2, 60: 0.45, END: 0.9}, "one_nn", seed=0)
    add(store, "ns", {30: 0.9, 60: 0.75, END: 0.25}, "one_nn", seed=1)
    assert best(leaderboard(store)) == (pytest.approx(0.6), pytest.approx(0.15 * math.sqrt(2)), 60)


def test_of_equal_ones_the_earliest_is_told(store: Store) -> None:
    add(store, "ns", {60: 8, 30: 8, END: 8}, "modes")
    found = best(leaderboard(store))
    assert (found[0], found[2]) == (8, 30)
    assert math.isnan(found[1])  # of one seed


def test_another_protocol_or_version_is_another_row(store: Store) -> None:
    add(store, "ns", {30: 0.1, END: 0.4}, seed=0)
    add(store, "ns", {30: 0.2, END: 0.5}, seed=0, protocol=PROTOCOL | {"sigmas": 4})
    add(store, "ns", {30: 0.3, END: 0.6}, seed=0, version=2)
    found = {(row["mean"], row["best_over_training"]) for row in leaderboard(store).to_dict("records")}
    assert found == {(0.4, 0.1), (0.5, 0.2), (0.6, 0.3)}


def test_a_run_that_diverged_counts_where_it_was_good(store: Store) -> None:
    add(store, "ns", {30: 0.5, END: 0.4}, seed=0)
    add(store, "ns", {30: 0.2}, seed=1)
    (row,) = leaderboard(store).to_dict("records")
    assert (row["seeds"], row["mean"], row["diverged"]) == (1, 0.4, 1)
    assert best(leaderboard(store)) == (pytest.approx(0.3), pytest.approx(0.1 * math.sqrt(2)), 60)


def test_runs_that_were_not_looked_at_do_not_count(store: Store) -> None:
    add(store, "ns", {30: 0.2, END: 0.4}, seed=0)
    add(store, "ns", {END: 0.1}, seed=1)
    add(store, "lsgan", {END: 0.1}, seed=0)
    frame = leaderboard(store)
    assert best(frame)[::2] == (0.2, 30)
    assert all(math.isnan(value) for value in best(frame, "lsgan"))


def test_nothing_is_ranked_by_it(store: Store) -> None:
    """Each way of taking a look for an end shows: as the mean, the best, a value, a rank, or a row."""
    add(store, "ns", {30: 0.01, 60: 0.01, END: 0.5})
    add(store, "lsgan", {30: 0.9, 60: 0.8, END: 0.4})
    add(store, "wgan", {30: 0.02})
    rows = {row["variant"]: row for row in leaderboard(store).to_dict("records")}
    assert [rows[name]["rank"] for name in ("lsgan", "ns")] == [1, 2]
    assert pd.isna(rows["wgan"]["rank"])
    assert math.isnan(rows["wgan"]["mean"])
    assert rows["wgan"]["best_over_training"] == 0.02
    assert [rows["ns"][name] for name in ("mean", "best", "iqm", "values")] == [0.5, 0.5, 0.5, "0.5"]
    assert len(rows) == len(leaderboard(store)) == 3
    assert list(wide(leaderboard(store), "ring").columns) == ["variant", "network", "seeds", "kl"]
    standing, primary = standings(store)
    assert {each.variant: each.best and each.best.value for each in standing} == {"lsgan": 0.4, "ns": 0.5, "wgan": None}
    assert primary["ring"].protocol == "generator=last sampling_seed=0 sigmas=3"


def test_no_configuration_is_chosen_by_it(store: Store) -> None:
    add(store, "ns", {30: 0.01, END: 0.5}, lr=1)
    add(store, "ns", {30: 0.9, END: 0.4}, lr=2)
    (row,) = leaderboard(store).to_dict("records")
    assert (row["settings"], row["mean"]) == ("lr=2", 0.4)
    assert row["best_over_training"] == 0.4  # of the configuration that is shown
    curve = best_of_k(store)
    assert curve["mean"].tolist() == [pytest.approx(0.45), 0.4]


def test_a_look_is_no_rung() -> None:
    assert looked("a=1 step=30 x=2") == (30, "a=1 x=2")
    assert looked("step=30") == (30, "")
    assert looked("a=1 footstep=30 x=2") is None
    assert looked("a=1 step=large") is None
    assert looked(Score(metric="kl", version=1, value=0, protocol={"step": 3, **SELECTION}).protocol_text) is None


def test_the_columns_are_blank_and_the_last_but_the_values(store: Store) -> None:
    add(store, "ns", {END: 0.5})
    assert tuple(TYPES)[-4:] == (*COLUMNS, "values")
    head, line = to_csv(leaderboard(store)).splitlines()
    assert head.endswith("source,best_over_training,best_over_training_std,best_step,values")
    assert line.endswith(",0.0,,,,,0.5")  # no diverged ones, no source, no looks


def test_markdown_has_it_where_there_is_any(store: Store) -> None:
    add(store, "ns", {END: 0.5})
    assert "over training" not in to_markdown(leaderboard(store))
    for seed, value in enumerate((0.2, 0.3)):
        add(store, "lsgan", {30: value, END: 0.6}, seed=seed)
    head, _, *lines = (line for line in to_markdown(leaderboard(store)).splitlines() if line.startswith("|"))
    assert head.rstrip(" |").endswith("| best over training")
    cells = {line.split("|")[2].strip(" *"): line.split("|")[-2].strip() for line in lines}
    assert cells == {"ns": "", "lsgan": "0.250 ± 0.071 at step 30"}
