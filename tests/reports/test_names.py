from __future__ import annotations

import math

import pytest

from ganbench.metrics import METRICS
from ganbench.reports.names import better, direction, loss, primary, told


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("fid", "lower"), ("fd-dinov2", "lower"), ("kl", "lower"), ("kid", "lower"), ("parzen", "higher"),
     ("is", "higher"), ("modes", "higher"), ("high_quality", "higher"), ("coverage", "higher"), ("new", "lower")],
)  # fmt: skip
def test_direction(metric: str, expected: str) -> None:
    assert direction(metric) == expected


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (["modes", "jsd", "kl", "high_quality"], "kl"),
        (["is", "parzen", "fd-efficientnet-lite0"], "fd-efficientnet-lite0"),
        (["fd-x", "fid"], "fid"),
        (["zeta", "alpha"], "alpha"),
        (["zeta", "modes"], "modes"),
        (["fidelity", "is"], "is"),  # only `fd-` is a beginning
        ([], None),
    ],
)
def test_primary(metrics: list[str], expected: str | None) -> None:
    assert primary(metrics) == expected


def test_better() -> None:
    assert better("kl", 0.1, 0.2)
    assert not better("kl", 0.2, 0.1)
    assert better("parzen", 225.0, 138.0)
    assert not better("parzen", 138.0, 225.0)
    assert not better("kl", 0.1, 0.1)


def test_closest_to_a_target_is_best() -> None:
    assert better("one_nn", 0.55, 0.6)
    assert better("one_nn", 0.48, 0.55)
    assert not better("ct", -3.0, 2.0)
    assert loss(0.4, 0.5) == pytest.approx(loss(0.6, 0.5))
    assert told(direction("ct")) == "closest to 0 is best"


def test_reports_and_metrics_agree_on_every_direction() -> None:
    """Reports know directions by name, so that a leaderboard is made without loading metrics."""
    for card in METRICS:
        for score, expected in card.directions.items():
            name = f"{score}-features" if card.per_extractor else score
            assert direction(name) == expected, name


def test_nan_beats_nothing_and_loses_to_all() -> None:
    assert not better("kl", math.nan, 5.0)
    assert better("kl", 5.0, math.nan)
    assert better("parzen", -5.0, math.nan)
    assert not better("kl", math.nan, math.nan)
