"""The Vendi score against its definition on the full kernel, hand cases, and its error against repeated draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganbench.data import Dataset, find
from ganbench.errors import SampleError
from ganbench.metrics import diversity as module
from ganbench.metrics.diversity import vendi
from ganbench.metrics.engine import score
from ganbench.spec import Score, Scoring

SEEDS = st.integers(0, 2**16)


def _by_definition(x: np.ndarray) -> float:
    """exp(-Σ λ log λ) over the eigenvalues of the n x n matrix of cosines, over n."""
    cosines = np.array([[a @ b / math.sqrt(a @ a) / math.sqrt(b @ b) for b in x] for a in x])
    values = np.linalg.eigvalsh(cosines / len(x))
    values = values[values > 1e-14]
    return math.exp(-(values * np.log(values)).sum())


@pytest.mark.parametrize(("n", "d"), [(40, 5), (5, 40), (12, 12), (1, 3), (30, 1)])
def test_equals_the_definition(n: int, d: int) -> None:
    """To a relative 1e-10, with more rows than columns and with fewer."""
    x = np.random.default_rng(0).normal(0.5, 1, size=(n, d))
    assert vendi(x) == pytest.approx(_by_definition(x), rel=1e-10)


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ([[1, 2, 2]] * 5, 1.0),
        ([[3, 0, 0], [0, 1, 0], [0, 0, 9]], 3.0),
        ([[1, 0], [1, 0], [1, 0], [0, 1]], math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))),
        ([[1, 1], [-1, -1]], 1.0),  # a cosine of -1: one direction
        ([[1, 0], [1, 1]], None),  # eigenvalues (1 ± cos 45°) / 2
        ([[0, 0], [0, 0], [1, 0], [2, 0]], 2.0),
        ([[0, 0], [0, 1], [1, 0]], 3.0),  # d + 1
        ([[0, 0], [0, 0]], 1.0),
        ([[1e-200, 0], [0, 1e200]], 2.0),
    ],
)
def test_hand_cases(features: list[list[float]], expected: float | None) -> None:
    if expected is None:
        values = [(1 + sign * math.sqrt(0.5)) / 2 for sign in (1, -1)]
        expected = math.exp(-sum(value * math.log(value) for value in values))
    assert vendi(np.array(features, dtype=float)) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, n=st.integers(1, 20), d=st.integers(1, 12))
def test_neither_lengths_nor_order_nor_a_rotation_count(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    found = vendi(x)
    assert 1 - 1e-9 <= found <= min(n, d) + 1e-9
    assert vendi(rng.uniform(0.1, 9, size=(n, 1)) * x) == pytest.approx(found, rel=1e-9)
    assert vendi(rng.permutation(x)) == pytest.approx(found, rel=1e-9)
    assert vendi(x @ np.linalg.qr(rng.normal(size=(d, d)))[0]) == pytest.approx(found, rel=1e-9)


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS, times=st.integers(2, 4))
def test_copies_add_nothing(seed: int, times: int) -> None:
    x = np.random.default_rng(seed).normal(size=(9, 6))
    assert vendi(np.tile(x, (times, 1))) == pytest.approx(vendi(x), rel=1e-9)


@pytest.mark.parametrize(("given", "message"), [([[1.0, math.inf]], "not finite"), ([1.0], r"\(1,\)"), ([[]], r"n, d")])
def test_bad_features_are_one_line(given: Any, message: str) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        vendi(np.array(given))
    assert "\n" not in str(caught.value)


def _scored(samples: Tensor, dataset: Dataset, features: str) -> Score:
    def sampler(n: int) -> Iterator[Tensor]:
        yield from samples[:n].split(37)

    scoring = Scoring.parse({"metrics": ["vendi"], "samples": len(samples), "features": features})
    (found,) = score(sampler, dataset, scoring)
    return found


def test_the_card_gives_what_the_function_gives(colour: Dataset) -> None:
    """Streamed in chunks; there is no real side to it."""
    images = colour.images("test")
    found = _scored(images, colour, "pixels")
    assert (found.metric, found.flags) == ("vendi", ())
    assert found.value == pytest.approx(vendi(images.flatten(1).double() / 255), rel=1e-6)
    assert found.protocol.items() >= {"n_generated": 200, "features": "pixels", "kernel": "cosine"}.items()
    assert not found.protocol.keys() & {"split", "n_real"}


def test_all_zero_features_are_flagged(grey: Dataset) -> None:
    images = torch.zeros(6, 1, 8, 8, dtype=torch.uint8)
    images[:4] = 200
    found = _scored(images, grey, "pixels")
    assert found.value == pytest.approx(math.exp(-2 / 3 * math.log(2 / 3) - 1 / 3 * math.log(1 / 3)))
    assert found.flags == ("2 samples have all-zero features, which count as one direction of their own",)


@pytest.mark.parametrize("kept", [4096, 60])
def test_the_error_is_the_deviation_over_draws(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over 150 draws of 300 rows it is known to 6 %: the mean error is within 20 % of it (false alarms: 0.1 %).

    Of the draws' own mean, not of the score at endless samples: the bias is no part of it.
    """
    monkeypatch.setattr(module, "KEPT", kept)
    ring = find("ring")
    rng, found = np.random.default_rng(0), []
    for _ in range(150):
        points = torch.from_numpy(rng.normal([1.0, 0.5], [1.0, 0.4], size=(300, 2))).float()
        each = _scored(points, ring, "identity")
        found.append((each.value, each.stderr))
    values, stderrs = np.array(found).T
    assert stderrs.mean() == pytest.approx(values.std(ddof=1), rel=0.2)


def test_one_direction_has_no_error() -> None:
    found = _scored(torch.ones(10, 2), find("ring"), "identity")
    assert (found.value, found.stderr) == pytest.approx((1.0, 0.0), abs=1e-9)
