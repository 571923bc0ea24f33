"""Precision, recall, density and coverage against their definitions, hand cases and exact expectations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganbench.data import Dataset
from ganbench.errors import SampleError
from ganbench.metrics import METRICS
from ganbench.metrics.engine import score
from ganbench.metrics.manifolds import improved_precision_recall, prdc
from ganbench.spec import Scoring

SEEDS = st.integers(0, 2**16)


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(((x[:, None] - y[None]) ** 2).sum(2))


def _radii(x: np.ndarray, k: int) -> np.ndarray:
    """To the k-th other point: place 0 is the point itself."""
    return np.sort(_distances(x, x), 1)[:, k]


def _balls_about(points: np.ndarray, centres: np.ndarray, k: int, compare: np.ufunc) -> np.ndarray:
    """How many of the centres' balls each point lies in."""
    return compare(_distances(points, centres), _radii(centres, k)[None]).sum(1)


def _by_definition(real: np.ndarray, fake: np.ndarray, k: int, compare: np.ufunc) -> dict[str, float]:
    about_fake = _balls_about(fake, real, k, compare)
    return {
        "precision": (about_fake > 0).mean(),
        "recall": (_balls_about(real, fake, k, compare) > 0).mean(),
        "density": about_fake.mean() / k,
        "coverage": compare(_distances(real, fake).min(1), _radii(real, k)).mean(),
    }


@settings(deadline=None, max_examples=50)
@given(seed=SEEDS, n=st.integers(8, 60), m=st.integers(8, 60), k=st.integers(1, 7), scale=st.floats(0.1, 1.5))
def test_equals_the_definition(seed: int, n: int, m: int, k: int, scale: float) -> None:
    """Sets of different size and spread, so that no two of the scores can be taken for one another."""
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(n, 4)), rng.normal(0.3, scale, size=(m, 4))
    assert prdc(real, fake, k) == pytest.approx(_by_definition(real, fake, k, np.less), rel=1e-12)
    expected = _by_definition(real, fake, k, np.less_equal)
    found = improved_precision_recall(real, fake, k)
    assert found == pytest.approx({name: expected[name] for name in ("precision", "recall")}, rel=1e-12)


def test_hand_case_on_a_line() -> None:
    """k 1: real points 0, 1, 3, 10 reach 1, 1, 2, 7; generated ones 1, 2, 2.5 reach 1, .5, .5. Open balls hold
    (-1, 1), (0, 2), (1, 5), (3, 17): the generated points lie in 1, 1, 1 of them, so density is 1; the first holds
    none, the last none. Of the real points only 1 lies in (0, 2), (1.5, 2.5), (2, 3). Closed balls add to that 0 in
    [0, 2] and 3 in [2, 3]."""
    real, fake = np.array([[0.0], [1], [3], [10]]), np.array([[1.0], [2], [2.5]])
    assert prdc(real, fake, 1) == {"precision": 1.0, "recall": 0.25, "density": 1.0, "coverage": 0.5}
    assert improved_precision_recall(real, fake, 1) == {"precision": 1.0, "recall": 0.75}


def test_precision_and_recall_are_not_swapped() -> None:
    """Samples of one of two modes are all good and miss half; the other way round half are good and miss nothing."""
    rng = np.random.default_rng(0)
    near, far = rng.normal(size=(200, 3)), rng.normal(50, 1, size=(200, 3))
    both, one = np.concatenate([near, far]), rng.normal(size=(200, 3))
    dropped, invented = prdc(both, one), prdc(one, both)
    assert dropped["precision"] > 0.9
    assert dropped["recall"] == pytest.approx(invented["precision"], abs=0)
    assert 0.4 < dropped["recall"] <= 0.5
    assert 0.4 < dropped["coverage"] <= 0.5
    assert invented["recall"] > 0.9
    assert invented["coverage"] > 0.9


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS, n=st.integers(8, 60), k=st.integers(1, 7))
def test_copies_of_the_real_data(seed: int, n: int, k: int) -> None:
    """Each copy lies in its own real point's ball and in those of which it is one of the k - 1 nearest: the open balls
    hold n k copies, so all four are exactly 1."""
    real = np.random.default_rng(seed).normal(size=(n, 5))
    assert prdc(real, real.copy(), k) == {"precision": 1.0, "recall": 1.0, "density": 1.0, "coverage": 1.0}
    assert improved_precision_recall(real, real.copy(), k) == {"precision": 1.0, "recall": 1.0}


def test_sets_apart() -> None:
    real, fake = np.random.default_rng(0).normal(size=(2, 30, 5)) + np.array([0, 100])[:, None, None]
    assert prdc(real, fake) == {"precision": 0.0, "recall": 0.0, "density": 0.0, "coverage": 0.0}


def test_the_conventions_differ_where_a_point_lies_on_a_sphere() -> None:
    """Generated points are copies of one real point: their open balls are empty, the closed ones hold that point."""
    real = np.arange(6.0)[:, None]
    fake = np.full((6, 1), 2.0)
    assert prdc(real, fake, 3)["recall"] == 0
    assert improved_precision_recall(real, fake, 3)["recall"] == pytest.approx(1 / 6)


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS, offset=st.sampled_from([0.0, 1e4]), scale=st.sampled_from([1.0, 1e-3, 1e3]))
def test_moves_and_scales_change_nothing(seed: int, offset: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(50, 80)), rng.normal(0.1, 0.9, size=(40, 80))
    turn = np.linalg.qr(rng.normal(size=(80, 80)))[0]
    assert prdc(real @ turn * scale + offset, fake @ turn * scale + offset) == prdc(real, fake)


def test_expectations_for_equal_distributions() -> None:
    """300 draws of 40 and 30 points, k 3, each mean within 4.5 of its standard errors of the exact expectation: density
    1, coverage 1 - Π (40 - i) / (70 - i). One false alarm in 70,000 for each."""
    n, m, k = 40, 30, 3
    rng = np.random.default_rng(0)
    draws = [prdc(rng.normal(size=(n, 2)), rng.normal(size=(m, 2)), k) for _ in range(300)]
    coverage = 1 - math.prod((n - i) / (m + n - i) for i in range(1, k + 1))
    for name, expected in (("density", 1.0), ("coverage", coverage)):
        values = np.array([each[name] for each in draws])
        assert abs(values.mean() - expected) < 4.5 * values.std() / math.sqrt(len(values)), name


@pytest.mark.parametrize("function", [prdc, improved_precision_recall])
@pytest.mark.parametrize(
    ("n", "m", "k", "message"),
    [
        (5, 9, 5, "1 to 4 with 5 real features, got 5"),
        (9, 5, 5, "1 to 4 with 5 generated features, got 5"),
        (9, 9, 0, "1 to 8 with 9 real features, got 0"),
    ],
)
def test_k_out_of_range_is_one_line(
    function: Callable[..., dict[str, float]], n: int, m: int, k: int, message: str
) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        function(np.zeros((n, 2)), np.zeros((m, 2)), k)
    assert "\n" not in str(caught.value)


def test_cards_give_the_functions_numbers_with_errors_and_protocols(grey: Dataset) -> None:
    """Standard errors are over the points that are counted: 150 generated ones, and the 200 real ones of the split.

    Copies of one image have balls of radius 0, which only closed ones count.
    """
    images = grey.images("train")[:150]
    images[::2] += 60  # wraps around: they are further from the data
    images[1:21:2] = grey.images("test")[7]

    def sampler(n: int) -> Iterator[Tensor]:
        yield from images[:n].split(40)

    names = ("precision", "recall", "density", "coverage", "improved_precision", "improved_recall")
    scoring = Scoring.parse({"metrics": names, "samples": 150, "features": "pixels"})
    found = {each.metric: each for each in score(sampler, grey, scoring)}
    real, fake = grey.images("test").flatten(1) / 255, images.flatten(1) / 255
    improved = improved_precision_recall(real, fake)
    assert improved["recall"] != prdc(real, fake, 3)["recall"]
    expected = prdc(real, fake) | {f"improved_{name}": value for name, value in improved.items()}
    assert {name: each.value for name, each in found.items()} == expected
    for name in set(names) - {"density"}:
        value, n = found[name].value, 150 if "precision" in name else 200
        assert found[name].stderr == pytest.approx(math.sqrt(value * (1 - value) / n), rel=1e-12), name
    assert all(0 < value < 1 for name, value in expected.items() if "precision" in name or name == "coverage")
    inside = _balls_about(fake.double().numpy(), real.double().numpy(), 5, np.less) / 5
    assert found["density"].stderr == pytest.approx(inside.std(ddof=1) / math.sqrt(150), rel=1e-9)
    assert found["recall"].protocol.items() >= {"k": 5, "comparison": "<", "n_real": 200, "split": "test"}.items()
    assert found["improved_recall"].protocol.items() >= {"k": 3, "comparison": "<=", "features": "pixels"}.items()


def test_more_is_better() -> None:
    for card in ("prdc", "improved-pr"):
        assert set(METRICS.get(card).directions.values()) == {"higher"}


def test_torch_and_numpy_are_one() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 50, 100)).astype(np.float32)
    assert prdc(torch.from_numpy(x), torch.from_numpy(y)) == prdc(x, y)
