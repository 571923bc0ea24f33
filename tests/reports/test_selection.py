"""Which configuration a leaderboard shows, where a search left scores to choose by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import pytest

from ganbench.canonical import Scalar
from ganbench.reports.board import leaderboard
from ganbench.reports.formats import to_markdown
from ganbench.reports.selection import fitting, merit, selects
from ganbench.spec import SELECTION, RunRecord, RunSpec, Score, Status
from ganbench.store import Store

POINTS = {"sampling_seed": 1, "selection": "abc", **SELECTION}
IMAGES = {"split": "valid", **POINTS}

Ends = Sequence[tuple[float, float] | Status]


def add(
    store: Store,
    ends: Ends,
    metric: str = "kl",
    by: str | None = None,
    held: dict[str, Scalar] = POINTS,
    **settings: Scalar,
) -> str:
    """A configuration: for each seed (the score shown, the score to choose by, of `by`). Gives its settings' text."""
    for seed, end in enumerate(ends):
        spec = RunSpec(
            variant="ns", dataset="ring", network="mlp", seed=seed, steps=9, settings=settings, versions={"dataset": 1}
        )
        if isinstance(end, Status):
            store.finish(RunRecord(spec=spec, status=end))
            continue
        shown, chosen_by = end
        scores = [Score(metric=metric, version=1, value=shown, protocol={"sampling_seed": 0})]
        if not math.isnan(chosen_by):
            scores.append(Score(metric=by or metric, version=1, value=chosen_by, protocol=held))
        store.finish(RunRecord(spec=spec, status=Status.COMPLETED, scores=tuple(scores)))
    return " ".join(f"{key}={value}" for key, value in settings.items())


def shown(frame: pd.DataFrame) -> tuple:
    assert len(frame) == 1
    return tuple(frame.iloc[0][["settings", "selected_by", "mean"]])


def test_the_held_out_score_chooses_and_the_other_is_shown(store: Store) -> None:
    add(store, [(0.1, 0.9)], lr=1)  # the best of what is shown, by luck
    chosen = add(store, [(0.3, 0.2)], lr=2)
    add(store, [(0.2, 0.5)], lr=3)
    assert shown(leaderboard(store)) == (chosen, "kl on selection", 0.3)


def test_images_say_which_split(store: Store) -> None:
    add(store, [(9.0, 7.0)], "fid", held=IMAGES, lr=1)
    chosen = add(store, [(9.5, 6.0)], "fid", held=IMAGES, lr=2)
    assert shown(leaderboard(store)) == (chosen, "fid on valid", 9.5)
    assert "lr=2 (best of 2 by fid on valid)" in to_markdown(leaderboard(store))


def test_higher_may_be_better(store: Store) -> None:
    add(store, [(8.0, 3.0)], "modes", lr=1)
    chosen = add(store, [(7.0, 8.0)], "modes", lr=2)
    assert shown(leaderboard(store)) == (chosen, "modes on selection", 7.0)


def test_without_held_out_scores_it_is_said(store: Store) -> None:
    chosen = add(store, [(0.1, math.nan)], lr=1)
    add(store, [(0.3, math.nan)], lr=2)
    assert shown(leaderboard(store)) == (chosen, "shown scores", 0.1)


def test_one_configuration_is_not_chosen(store: Store) -> None:
    add(store, [(0.1, 0.2)], lr=1)
    assert shown(leaderboard(store)) == ("", "", 0.1)


def test_all_metrics_show_what_the_objective_chose(store: Store) -> None:
    """Also where that metric alone is asked for."""
    add(store, [(8.0, 0.5)], "modes", by="kl", lr=1)
    chosen = add(store, [(7.0, 0.1)], "modes", by="kl", lr=2)
    assert shown(leaderboard(store)) == (chosen, "kl on selection", 7.0)
    assert shown(leaderboard(store, metric="modes")) == (chosen, "kl on selection", 7.0)
    assert leaderboard(store, metric="kl").empty


def test_what_was_confirmed_by_many_seeds_goes_before_a_lucky_one(store: Store) -> None:
    add(store, [(0.1, 0.11)], lr=1)
    chosen = add(store, [(0.3, 0.1), (0.3, 0.3), (0.3, 0.3)], lr=2)
    assert shown(leaderboard(store))[:2] == (chosen, "kl on selection")


@pytest.mark.parametrize("lost", [Status.DIVERGED, Status.FAILED, (0.1, math.inf)])
def test_what_lost_a_run_comes_last(store: Store, lost: Status | tuple[float, float]) -> None:
    add(store, [(0.1, 0.1), lost], lr=1)
    chosen = add(store, [(0.3, 0.3), (0.3, 0.3)], lr=2)
    assert shown(leaderboard(store))[:2] == (chosen, "kl on selection")


def test_merit() -> None:
    given = [(0.2, 5, 0), (0.3, 5, 0), (0.1, 5, 1), (0.0, 1, 0)]
    best_first = [merit(*each, "lower") for each in given]
    assert sorted([*best_first[2:], *best_first[:2]]) == best_first
    assert merit(math.nan, 5, 0, "lower") > merit(9.0, 5, 0, "lower")
    assert merit(2.0, 1, 0, "higher") < merit(1.0, 1, 0, "higher")


def test_names() -> None:
    assert selects("a=1 use=selection") is True
    assert selects("a=1 reuse=selection") is False
    assert fitting({"modes": 1, "kl": 2}, "modes") == 1
    assert fitting({"modes": 1, "kl": 2}, "jsd") == 2
    assert fitting({}, "jsd") is None
