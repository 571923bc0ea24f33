"""The table across data sets."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from ganbench.reports.across import TYPES, across
from ganbench.reports.board import leaderboard
from ganbench.store import Store

GOOD, FAIR, BAD = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], [2.0, 2.1, 2.2, 2.3, 2.4, 2.5], [9.0, 9.1, 9.2, 9.3, 9.4, 9.5]


def table(store: Store) -> pd.DataFrame:
    return across(leaderboard(store)).set_index("variant")


def test_ranks_by_hand(store: Store, add) -> None:
    """On other scales: who is first on the ring is second on the grid."""
    for dataset, scale, order in (("ring", 1, (GOOD, FAIR, BAD)), ("grid", 100, (FAIR, GOOD, BAD))):
        for variant, values in zip(("ns", "wgan", "lsgan"), order, strict=True):
            add(variant, [scale * value for value in values], dataset=dataset)
    add("real", [0.1], dataset="ring")
    add("real", [0.1], dataset="grid")
    add("hinge", [0.5, 0.5], dataset="ring")
    found = table(store)
    assert list(found.index) == ["ns", "wgan", "lsgan", "hinge"]
    assert list(found["mean_rank"][:3]) == [1.5, 1.5, 3.0]
    assert list(found["rank"][:3]) == [1, 1, 3]
    assert pd.isna(found["rank"]["hinge"])
    assert found["datasets"]["hinge"] == 1
    assert found["seeds"]["ns"] == 12
    assert (found["over"] == "grid ring").all() or (found["over"] == "ring grid").all()
    assert list(found["group"]) == ["a", "a", "b", ""]
    assert found["improvement"]["wgan"] == 0.5
    assert found["improvement"]["lsgan"] == found["improvement_low"]["lsgan"] == 1
    assert math.isnan(found["improvement"]["ns"])
    assert (found["ci_low"][:2] <= 1.5).all()
    assert found["ci_low"]["lsgan"] == found["ci_high"]["lsgan"] == 3


def test_more_is_better_where_it_is(store: Store, add) -> None:
    for dataset in ("ring", "grid"):
        add("ns", [8.0, 7.0], "modes", dataset=dataset)
        add("wgan", [2.0, 3.0], "modes", dataset=dataset)
    assert list(table(store)["mean_rank"]) == [1, 2]


def test_one_seed_has_no_interval_and_spoils_nobody_elses(store: Store, add) -> None:
    for dataset in ("ring", "grid"):
        add("ns", [1.0, 4.0, 2.0], dataset=dataset)
        add("wgan", [3.0], dataset=dataset)
    found = table(store)
    assert math.isnan(found["ci_low"]["wgan"])
    assert found["ci_low"]["ns"] == 1
    assert found["ci_high"]["ns"] == 2
    assert math.isnan(found["improvement_low"]["wgan"])
    assert found["improvement"]["wgan"] == pytest.approx(2 / 3)


def test_what_was_measured_otherwise_is_apart(store: Store, add) -> None:
    for dataset, protocol in (("ring", "train"), ("grid", "test")):
        add("ns", GOOD, dataset=dataset, protocol=protocol)
    empty = across(leaderboard(store))
    assert empty.empty
    assert list(empty.columns) == list(TYPES)
    add("ns", GOOD, dataset="grid", protocol="train", version=2)
    assert across(leaderboard(store)).empty


def test_equal_means_share_their_rank(store: Store, add) -> None:
    for dataset in ("ring", "grid"):
        for variant in ("ns", "wgan", "lsgan"):
            add(variant, [2.0, 2.0] if variant != "lsgan" else [1.0, 1.0], dataset=dataset)
    assert list(table(store)["mean_rank"]) == [1, 2.5, 2.5]
    assert np.array_equal(table(store)["rank"], [1, 2, 2])
