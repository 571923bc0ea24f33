from __future__ import annotations

import io
import math
import timeit
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Connection, insert

from ganbench.errors import StoreError, UnknownNameError
from ganbench.reports.board import TYPES, leaderboard
from ganbench.reports.formats import from_csv, to_csv
from ganbench.reports.ranking import letters
from ganbench.reports.statistics import bootstrap_interval
from ganbench.spec import RunRecord, RunSpec, Score, Status
from ganbench.store import Store, tables

DIVERGED, FAILED, INTERRUPTED = Status.DIVERGED, Status.FAILED, Status.INTERRUPTED


def ranks(frame: pd.DataFrame) -> list[tuple]:
    return [(row.variant, None if row.rank is pd.NA else row.rank) for row in frame.itertuples()]


def row(frame: pd.DataFrame, variant: str) -> pd.Series:
    found = frame[frame["variant"] == variant]
    assert len(found) == 1
    return found.iloc[0]


def test_one_row_by_hand(store: Store, add) -> None:
    ids = add("ns", [0.4, 0.1, DIVERGED, 0.2, 0.3, FAILED, INTERRUPTED], lr=0.1)
    found = row(leaderboard(store), "ns")
    assert list(found.index) == list(TYPES)
    assert found[["rank", "dataset", "metric", "protocol", "network", "seeds"]].tolist() == [
        1, "ring", "kl", "split=train", "mlp", 4
    ]  # fmt: skip
    assert found["mean"] == pytest.approx(0.25, rel=1e-15)
    assert found["std"] == pytest.approx(math.sqrt(0.05 / 3), rel=1e-12)
    assert (found["ci_low"], found["ci_high"]) == bootstrap_interval([0.4, 0.1, 0.2, 0.3])
    assert found["iqm"] == pytest.approx(0.25, rel=1e-15)
    assert found["best"] == 0.1
    assert found[["diverged", "failed", "steps"]].tolist() == [1, 1, 100]
    assert found["seconds"] == (1 + 2 + 4 + 5) / 4  # of completed runs: seed + 1 each
    assert found["run_ids"] == " ".join(ids[:6])
    assert found[["configurations", "settings", "flags"]].tolist() == [1, "", ""]
    assert found["versions"] == "dataset=1 metric=1"
    assert found["values"] == "0.4 0.1 0.2 0.3"


def test_ranks_where_lower_is_better(store: Store, add) -> None:
    for variant, value in {"b": 0.2, "a": 0.3, "c": 0.1}.items():
        add(variant, [value, value])
    assert ranks(leaderboard(store)) == [("c", 1), ("b", 2), ("a", 3)]


def test_ranks_where_higher_is_better(store: Store, add) -> None:
    for variant, value in {"b": 200.0, "a": -300.0, "c": 100.0}.items():
        add(variant, [value, value + 8], "parzen")
    frame = leaderboard(store)
    assert ranks(frame) == [("b", 1), ("c", 2), ("a", 3)]
    assert row(frame, "b")["best"] == 208


def test_another_direction_may_be_given(store: Store, add) -> None:
    add("a", [1.0], "mine")
    add("b", [2.0], "mine")
    assert ranks(leaderboard(store)) == [("a", 1), ("b", 2)]
    assert ranks(leaderboard(store, direction=lambda metric: "higher")) == [("b", 1), ("a", 2)]


def test_ties_share_the_smaller_rank(store: Store, add) -> None:
    for variant, value in {"d": 7.0, "b": 8.0, "a": 8.0, "c": 7.5}.items():
        add(variant, [value], "modes")
    assert ranks(leaderboard(store)) == [("a", 1), ("b", 1), ("c", 3), ("d", 4)]


@pytest.mark.parametrize("apart", [{"protocol": "test"}, {"version": 2}, {"dataset_version": "ab12"}, {"dataset": "x"}])
def test_what_was_measured_otherwise_is_ranked_apart(store: Store, add, apart: dict) -> None:
    add("a", [0.3])
    add("b", [0.2])
    add("c", [0.1], **apart)
    frame = leaderboard(store)
    assert dict(ranks(frame)) == {"a": 2, "b": 1, "c": 1}


def test_rows_of_networks_are_apart_and_ranked_together(store: Store, add) -> None:
    add("a", [0.3], network="mlp")
    add("a", [0.2], network="deep")
    assert [(each.network, each.rank) for each in leaderboard(store).itertuples()] == [("deep", 1), ("mlp", 2)]


def test_real_data_stands_first_and_unranked(store: Store, add) -> None:
    add("ns", [0.001])
    add("real", [0.002], network="none", steps=0)
    assert ranks(leaderboard(store)) == [("real", None), ("ns", 1)]


def test_one_seed_has_no_deviation_and_no_interval(store: Store, add) -> None:
    add("ns", [0.5])
    found = row(leaderboard(store), "ns")
    assert found[["seeds", "mean", "iqm", "best", "rank"]].tolist() == [1, 0.5, 0.5, 0.5, 1]
    assert found[["std", "ci_low", "ci_high"]].isna().all()


def test_a_variant_that_only_diverged_has_a_row_everywhere(store: Store, add) -> None:
    add("ns", [0.5])
    add("ns", [8.0], "modes")
    add("ns", [0.5], dataset="grid")
    ids = add("minimax", [DIVERGED, DIVERGED, FAILED])
    frame = leaderboard(store)
    found = frame[frame["variant"] == "minimax"]
    assert [(each.dataset, each.metric) for each in found.itertuples()] == [("ring", "kl"), ("ring", "modes")]
    assert found["rank"].isna().all()
    assert found[["mean", "std", "iqm", "best", "seconds"]].isna().all(axis=None)
    assert found[["seeds", "diverged", "failed"]].to_numpy().tolist() == [[0, 2, 1]] * 2
    assert set(found["run_ids"]) == {" ".join(ids)}
    assert list(frame[frame["metric"] == "modes"]["variant"]) == ["ns", "minimax"]


def test_a_variant_that_was_measured_otherwise_has_no_empty_row(store: Store, add) -> None:
    add("a", [0.3])
    add("b", [0.2, DIVERGED], protocol="test")
    assert [(each.variant, each.protocol) for each in leaderboard(store).itertuples()] == [
        ("b", "split=test"), ("a", "split=train")
    ]  # fmt: skip


def test_runs_that_have_not_ended_make_no_row(store: Store, add) -> None:
    add("a", [0.3])
    add("b", [INTERRUPTED])
    assert ranks(leaderboard(store)) == [("a", 1)]


def test_undefined_scores_are_left_out_and_said(store: Store, add) -> None:
    add("a", [0.3, math.nan, 0.1, math.inf], flags=["no high-quality samples"])
    add("b", [math.nan])
    add("c", [DIVERGED])
    frame = leaderboard(store)
    assert ranks(frame) == [("a", 1), ("b", None), ("c", None)]
    assert row(frame, "a")[["seeds", "mean"]].tolist() == [2, 0.2]
    assert row(frame, "a")["flags"] == "no high-quality samples; undefined in 2 of 4 seeds"
    assert row(frame, "b")["flags"] == "undefined in 1 of 1 seeds"
    assert row(frame, "b")["seeds"] == 0


def test_the_best_configuration_is_shown_and_said_to_be(store: Store, add) -> None:
    add("ns", [0.3, 0.3], lr=0.1, gp=1, norm="none")
    chosen = add("ns", [0.2, 0.1, DIVERGED], lr=0.01, gp=1, norm="none")
    add("ns", [0.2, 0.2, FAILED, FAILED], lr=0.01, gp=10, norm="none", steps=200)
    add("ns", [DIVERGED], lr=1.0, gp=1, norm="none")
    found = row(leaderboard(store), "ns")
    assert found[["configurations", "diverged", "failed", "seeds"]].tolist() == [4, 1, 0, 2]
    assert found["settings"] == "gp=1 lr=0.01 steps=100"
    assert found["run_ids"] == " ".join(chosen)


def test_the_best_configuration_where_higher_is_better(store: Store, add) -> None:
    add("ns", [7.0], "modes", lr=0.1)
    add("ns", [8.0], "modes", lr=0.2)
    assert row(leaderboard(store), "ns")["settings"] == "lr=0.2"


@pytest.mark.parametrize("most", [0.1, 0.2, 0.3])
def test_of_equal_configurations_the_one_with_more_seeds(store: Store, add, most: float) -> None:
    for lr in (0.1, 0.2, 0.3):
        add("ns", [8.0, 8.0] if lr == most else [8.0], "modes", lr=lr)
    assert row(leaderboard(store), "ns")["settings"] == f"lr={most}"


def test_filters(store: Store, add) -> None:
    for dataset in ("ring", "grid"):
        for variant, value in {"a": 0.1, "b": 0.2}.items():
            add(variant, [value], dataset=dataset)
            add(variant, [value], "modes", dataset=dataset)
    assert len(leaderboard(store)) == 8
    frame = leaderboard(store, ["ring"], "kl", ["b"])
    assert [(each.dataset, each.metric, each.variant) for each in frame.itertuples()] == [("ring", "kl", "b")]
    assert ranks(frame) == [("b", 2)]  # among all variants, not among those shown
    with pytest.raises(UnknownNameError, match="unknown dataset of this store 'rign': did you mean 'ring'"):
        leaderboard(store, "rign")
    with pytest.raises(UnknownNameError, match="unknown metric of this store"):
        leaderboard(store, metric=["kl", "fid"])
    with pytest.raises(UnknownNameError, match="unknown variant of this store"):
        leaderboard(store, variant="zz")


def test_the_primary_metric_comes_first(store: Store, add) -> None:
    for metric in ("high_quality", "modes", "kl", "jsd"):
        add("a", [1.0], metric)
    assert list(leaderboard(store)["metric"]) == ["kl", "jsd", "modes", "high_quality"]


def test_an_empty_store_is_an_empty_board(store: Store) -> None:
    frame = leaderboard(store, metric="kl")
    assert list(frame.columns) == list(TYPES)
    assert frame.empty
    assert frame.dtypes.astype(str).to_dict() == TYPES


def test_a_store_by_path(store: Store, add, tmp_path: Path) -> None:
    add("ns", [0.5])
    assert ranks(leaderboard(tmp_path / "s.db")) == ranks(leaderboard(str(tmp_path / "s.db"))) == [("ns", 1)]
    with pytest.raises(StoreError, match="no store at"):
        leaderboard(tmp_path / "none.db")


def test_csv_comes_back_through_pandas(store: Store, add) -> None:
    add("ns", [0.1, 1 / 3, DIVERGED], flags=["a|b"], lr=0.1)
    add("ns", [0.5, 0.6], lr=0.2)
    add("real", [0.01], network="none", steps=0)
    add("wgan", [DIVERGED], note='quoted "text", with commas\nand lines')
    frame = leaderboard(store)
    back = pd.read_csv(io.StringIO(to_csv(frame)), dtype={"run_ids": str})
    for name, kind in TYPES.items():
        back[name] = back[name].astype("object").fillna("") if kind == "object" else back[name].astype(kind)
    pd.testing.assert_frame_equal(back, frame)
    pd.testing.assert_frame_equal(from_csv(to_csv(frame)), frame)


def test_where_the_spread_comes_from(store: Store, add) -> None:
    """Scores of 1 and 3 whose standard errors are .5 and .7, and another configuration with a mean of 6."""
    for seed, (value, stderr) in enumerate([(1.0, 0.5), (3.0, 0.7)]):
        spec = RunSpec(variant="ns", dataset="ring", network="mlp", seed=seed, steps=1, versions={"dataset": 1})
        score = Score(metric="kl", version=1, value=value, stderr=stderr, protocol={"split": "train"})
        store.finish(RunRecord(spec=spec, status=Status.COMPLETED, scores=(score,)))
    add("ns", [6.0], steps=2)
    add("exact", [6.0, 6.0])
    rows = leaderboard(store).set_index("variant")
    assert rows["std"]["ns"] == pytest.approx(math.sqrt(2))
    assert rows["sampling_std"]["ns"] == pytest.approx(math.sqrt((0.25 + 0.49) / 2))
    assert rows["training_std"]["ns"] == pytest.approx(math.sqrt(2 - 0.37))
    assert rows["search_std"]["ns"] == pytest.approx(4 / math.sqrt(2))
    assert math.isnan(rows["sampling_std"]["exact"])
    assert math.isnan(rows["training_std"]["exact"])
    assert math.isnan(rows["search_std"]["exact"])


def test_samples_that_explain_all_of_the_spread_leave_none(store: Store) -> None:
    for seed in (0, 1):
        spec = RunSpec(variant="ns", dataset="ring", network="mlp", seed=seed, steps=1, versions={"dataset": 1})
        score = Score(metric="kl", version=1, value=1.0 + seed / 10, stderr=5.0, protocol={})
        store.finish(RunRecord(spec=spec, status=Status.COMPLETED, scores=(score,)))
    assert leaderboard(store)["training_std"][0] == 0


def test_groups_and_improvement(store: Store, add) -> None:
    add("real", [0.0])
    add("good", [1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    add("like", [1.05, 1.15, 1.25, 1.35, 1.45, 1.55])
    add("bad", [9.0, 9.1, 9.2, 9.3, 9.4, 9.5])
    add("lost", [DIVERGED, DIVERGED, DIVERGED, 2.0])
    rows = leaderboard(store).set_index("variant")
    assert dict(rows["group"]) == {"real": "", "good": "a", "like": "a", "lost": "a", "bad": "b"}
    assert rows["improvement"]["bad"] == 1
    assert rows["improvement"]["like"] == pytest.approx(21 / 36)  # of good i and like j, i <= j
    assert math.isnan(rows["improvement"]["good"])
    assert rows["diverged_share"]["lost"] == 0.75
    shown = leaderboard(store, variant="bad")
    assert list(shown["group"]) == ["b"]


def test_letters() -> None:
    assert [letters(number) for number in (0, 25, 26, 27, 701, 702)] == ["a", "z", "aa", "ab", "zz", "aaa"]


@pytest.mark.slow
def test_ten_thousand_runs_in_three_seconds(tmp_path: Path) -> None:
    """20 variants on 4 data sets, 25 configurations of 5 seeds, 6 metrics."""
    with Store(tmp_path / "s.db") as store:
        fill(store)
        frame = leaderboard(store)
        seconds = min(timeit.repeat(lambda: leaderboard(store), number=1, repeat=2))
    assert len(frame) == 20 * 4 * 6
    assert (frame["configurations"] == 25).all()
    assert frame.groupby(["dataset", "metric"])["rank"].max().eq(20).all()
    assert seconds < 3


def fill(store: Store) -> None:
    """In one transaction, where a sweep would make 10,000."""
    records = [_record(index) for index in range(10_000)]
    run_values = [{**tables.spec_values(each.spec), **tables.result_values(each)} for each in records]
    score_values = [tables.score_values(each.spec.id, score) for each in records for score in each.scores]

    def put(connection: Connection) -> None:
        connection.execute(insert(tables.runs), run_values)
        connection.execute(insert(tables.scores), score_values)

    store.transact(put)


def _record(index: int) -> RunRecord:
    variant, dataset, configuration, seed = index % 20, index // 20 % 4, index // 80 % 25, index // 2000
    spec = RunSpec(
        variant=f"v{variant}", dataset=f"d{dataset}", network="mlp", seed=seed, steps=100,
        settings={"lr": configuration, "n_dis": 1, "norm": "none"}, versions={"dataset": 1},
    )  # fmt: skip
    metrics = ("kl", "jsd", "modes", "high_quality", "density", "coverage")
    value, protocol = variant + (index * 7919 % 1000) / 1e4, {"n_generated": 2500}
    scores = tuple(Score(metric=metric, version=1, value=value, protocol=protocol) for metric in metrics)
    return RunRecord(spec=spec, status=Status.COMPLETED, scores=scores)
