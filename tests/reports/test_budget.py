"""Best-of-k curves: against every draw there is, by hand, and from stores."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganbench.errors import UnknownNameError
from ganbench.reports.budget import COLUMNS, POINTS, RESAMPLES, best_of_k
from ganbench.reports.formats import curves_to_markdown
from ganbench.reports.statistics import expected_best
from ganbench.spec import SELECTION, RunRecord, RunSpec, Score, Status
from ganbench.store import Store


@given(st.lists(st.floats(-100, 100) | st.just(math.nan), min_size=1, max_size=7))
def test_the_expectation_is_over_every_draw(values: list[float]) -> None:
    """The order of the list is that of preference; the value of the first of a draw that is not lost counts."""
    ordered = [value for value in values if not math.isnan(value)]
    ordered += [math.nan] * (len(values) - len(ordered))
    found = expected_best(np.array(ordered), np.arange(1, len(ordered) + 1))
    for k in range(1, len(ordered) + 1):
        draws = itertools.combinations(ordered, k)  # each in the order of preference
        best = [draw[0] for draw in draws if not math.isnan(draw[0])]
        expected = math.fsum(best) / len(best) if best else math.nan
        assert found[k - 1] == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


def test_one_is_the_mean_and_all_are_the_best() -> None:
    values = np.array([0.5, 3.0, 1.0, 2.0])
    found = expected_best(values, np.array([1, 4]))
    assert found[0] == pytest.approx(values.mean(), rel=1e-12)
    assert found[1] == pytest.approx(0.5, rel=1e-12)


def test_ten_thousand_do_not_overflow() -> None:
    values = np.arange(10_000, dtype=np.float64)
    found = expected_best(values, np.array([1, 100, 10_000]))
    # the least of k of 0..n-1 is expected at (n - k) / (k + 1)
    assert found == pytest.approx([9_999 / 2, 9_900 / 101, 0.0], rel=1e-8, abs=1e-8)


def add(store: Store, rate: float, shown: list[float], held: float | None = None, status: Status = Status.COMPLETED):
    for seed, value in enumerate(shown):
        versions = {"dataset": 1}
        spec = RunSpec(
            variant="ns", dataset="ring", network="mlp", seed=seed, steps=9, settings={"lr": rate}, versions=versions
        )
        scores = [Score(metric="kl", version=1, value=value, protocol={"sampling_seed": 0})]
        if held is not None:
            scores.append(Score(metric="kl", version=1, value=held, protocol={"selection": "a", **SELECTION}))
        done = tuple(scores) if status is Status.COMPLETED else ()
        store.finish(RunRecord(spec=spec, status=status, scores=done))


def test_the_curve_of_a_store(store: Store) -> None:
    """Three configurations of two seeds; the held-out scores prefer the second best of what is shown."""
    add(store, 0.1, [1.0, 3.0], held=0.5)
    add(store, 0.2, [0.5, 1.5], held=0.7)
    add(store, 0.3, [5.0, 7.0], held=0.9)
    frame = best_of_k(store)
    assert list(frame.columns) == list(COLUMNS)
    assert list(frame["k"]) == [1, 2, 3]
    assert list(frame["mean"]) == pytest.approx([3.0, (2 + 2 + 1) / 3, 2.0], rel=1e-12)
    assert set(frame["selected_by"]) == {"kl on selection"}
    assert set(frame["lost"]) == {0}
    assert (frame["ci_low"] <= frame["mean"]).all()
    assert (frame["mean"] <= frame["ci_high"]).all()


def test_lost_ones_are_never_the_best(store: Store) -> None:
    add(store, 0.1, [2.0])
    add(store, 0.2, [4.0])
    for rate, status in ((0.3, Status.DIVERGED), (0.4, Status.FAILED), (0.5, Status.PRUNED)):
        add(store, rate, [0.0], status=status)
    frame = best_of_k(store)
    assert set(frame["lost"]) == {3}
    assert set(frame["selected_by"]) == {"shown scores"}
    assert frame["mean"].iloc[0] == pytest.approx(3.0)
    assert frame["mean"].iloc[-1] == pytest.approx(2.0)
    # of the ten pairs seven have one that is not lost: the first in four, the second alone in three
    assert frame["mean"].iloc[1] == pytest.approx((4 * 2.0 + 3 * 4.0) / 7)


def test_the_interval_covers_what_other_configurations_would_have_shown() -> None:
    """The best of 5 of 40 uniform values is expected at 1/6: of 100 such sets the interval holds it in at least 85
    (nominal 95; the bootstrap over 40 is somewhat narrow)."""
    from ganbench.reports.budget import _interval

    generator = np.random.default_rng(0)
    ks = np.array([1, 5])
    held = np.zeros(2)
    for _ in range(100):
        low, high = _interval(np.sort(generator.random(40)), ks)
        held += (low <= np.array([1 / 2, 1 / 6])) & (np.array([1 / 2, 1 / 6]) <= high)
    assert (held >= 85).all()
    assert RESAMPLES == 1000


def test_a_long_curve_has_a_hundred_points(store: Store) -> None:
    for index in range(130):
        add(store, 0.001 * (index + 1), [float(index)])
    frame = best_of_k(store)
    assert len(frame) <= POINTS
    assert (frame["k"].iloc[0], frame["k"].iloc[-1]) == (1, 130)
    assert frame["mean"].is_monotonic_decreasing


def test_one_configuration_has_no_curve_and_a_wrong_name_is_told(store: Store) -> None:
    add(store, 0.1, [2.0])
    frame = best_of_k(store)
    assert frame.empty
    assert curves_to_markdown(frame) == "No variant has several configurations.\n"
    with pytest.raises(UnknownNameError, match="kl"):
        best_of_k(store, metric="ki")


def test_markdown_has_a_line_a_variant(store: Store) -> None:
    for index in range(6):
        add(store, 0.1 * (index + 1), [float(index)])
    text = curves_to_markdown(best_of_k(store))
    assert "## ring: kl (lower is better)" in text
    assert "best of 1" in text
    assert "best of 6" in text
    assert isinstance(best_of_k(store), pd.DataFrame)
    assert "| ns " in text
