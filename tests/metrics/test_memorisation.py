"""AuthPct and C_T: hand cases, their definitions, SciPy's Mann–Whitney test, and what copies and true data score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu, norm
from torch import Tensor

from ganbench.data import Dataset
from ganbench.errors import SampleError
from ganbench.metrics import memorisation as module
from ganbench.metrics.base import Context
from ganbench.metrics.cells import kmeans
from ganbench.metrics.engine import score
from ganbench.metrics.memorisation import authpct, data_copying
from ganbench.spec import Score, Scoring

SEEDS = st.integers(0, 2**16)
LINE = [[0.0], [1.0], [3.0], [7.0]]  # whose nearest neighbours are at 1, 1, 2, 4


def _copied(train: np.ndarray, test: np.ndarray, fake: np.ndarray, cells: int) -> module._Copying:
    """C_T with all that is known of it."""
    features = [torch.from_numpy(part) for part in (train, test, fake)]
    return module._copying(*features, kmeans(features[0], cells, 0))


@pytest.mark.parametrize(
    ("fake", "expected"),
    [
        ([[0.0], [3.0], [7.0]], 0),  # copies
        ([[2.2]], 0),  # at 0.8 of 3, which has 1 at 2
        ([[-1.0]], 0),  # at 1 of 0, which has 1 at 1: not further
        ([[-1.001]], 100),
        ([[12.0], [-9.0]], 100),
        ([[5.1], [-1.5], [0.4], [12.0]], 50),
    ],
)
def test_authpct_by_hand(fake: list[list[float]], expected: float) -> None:
    assert authpct(LINE, fake) == expected


def test_beside_a_training_sample_that_occurs_twice_all_but_a_copy_is_authentic() -> None:
    assert authpct([[0.0], [0.0], [5.0]], [[0.0], [1e-9], [5.0], [4.0]]) == 25


def _authpct(train: np.ndarray, fake: np.ndarray) -> float:
    """From all pairs of the training set."""
    across, within = cdist(fake, train), cdist(train, train) + np.diag(np.full(len(train), math.inf))
    return 100 * float((across.min(1) > within.min(1)[across.argmin(1)]).mean())


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, m=st.integers(2, 40), n=st.integers(1, 40), d=st.integers(1, 6))
def test_authpct_is_its_definition_and_invariant(seed: int, m: int, n: int, d: int) -> None:
    """Order, a rotation, a shift and a scale change nothing."""
    rng = np.random.default_rng(seed)
    train, fake = rng.normal(size=(m, d)), 0.7 * rng.normal(size=(n, d))
    expected = _authpct(train, fake)
    assert authpct(train, fake) == pytest.approx(expected)
    turn = 3 * np.linalg.qr(rng.normal(size=(d, d)))[0]
    assert authpct(rng.permutation(train) @ turn + 1, rng.permutation(fake) @ turn + 1) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("d", "mutual"), [(1, 2 / 3), (2, 6 * math.pi / (8 * math.pi + 3 * math.sqrt(3))), (3, 16 / 27)]
)
def test_true_data_are_authentic_where_they_are_not_mutual_neighbours(d: int, mutual: float) -> None:
    """Clark and Evans 1955: the share of mutual nearest neighbours among Poisson points on a line, plane, in space.

    Over draws of both sets of 3,000 it varies by 1.3: within 4.5 of them, and 1 of edges (false alarms: 1 in 100,000).
    """
    train, fake = np.random.default_rng(d).uniform(size=(2, 3000, d))
    assert authpct(train, fake) == pytest.approx(100 * (1 - mutual), abs=4.5 * 1.3 + 1)


def _distances(train: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    return [cdist(each, train).min(1) for each in others]


def _z(test: np.ndarray, fake: np.ndarray) -> float:
    """SciPy's: without ties its p-value is that of z."""
    found = mannwhitneyu(fake, test, alternative="greater", use_continuity=False, method="asymptotic")
    return float(norm.isf(found.pvalue))


@settings(deadline=None, max_examples=15)
@given(seed=SEEDS, m=st.integers(20, 60), n=st.integers(20, 60), scale=st.floats(0.6, 1.6))
def test_one_cell_is_scipys_mann_whitney_z(seed: int, m: int, n: int, scale: float) -> None:
    """And its order changes nothing, and test and generated samples in each other's place only the sign."""
    rng = np.random.default_rng(seed)
    train, test, fake = rng.normal(size=(50, 3)), rng.normal(size=(m, 3)), scale * rng.normal(size=(n, 3))
    found = data_copying(train, test, fake, cells=1)
    assert found == pytest.approx(_z(*_distances(train, test, fake)), abs=1e-8)
    assert data_copying(train, rng.permutation(test), rng.permutation(fake), cells=1) == pytest.approx(found, abs=1e-9)
    assert data_copying(train, fake, test, cells=1) == pytest.approx(-found, abs=1e-9)


@pytest.mark.parametrize(
    ("test", "fake", "u"),
    [
        (np.arange(1, 21), np.arange(1, 21) + 0.5, 210),  # each i + ½ is above i of them
        (np.arange(1, 21), np.arange(1, 21), 200),  # 190 above, 20 ties
        (np.arange(1, 31), np.zeros(25), 0),
        (np.arange(1, 31), np.full(25, 99), 750),
        (np.repeat([1, 2], 10), np.repeat([2, 2], 10), 300),  # 200 above, 200 ties
    ],
)
def test_ranks_and_ties_by_hand(test: np.ndarray, fake: np.ndarray, u: float) -> None:
    m, n = len(test), len(fake)
    expected = (u - m * n / 2) / math.sqrt(m * n * (m + n + 1) / 12)
    train = [[0.0, 0.0], [-1e6, 0.0]]  # the second is nobody's nearest
    points = [np.stack([each, 0 * each], 1).astype(float) for each in (test, fake)]
    assert data_copying(train, *points, cells=1) == pytest.approx(expected, abs=1e-12)


def _by_definition(train: np.ndarray, test: np.ndarray, fake: np.ndarray, cells: int) -> float:
    """Distances to the training samples of the own cell; a mean weighted by test samples, of cells with 20 of both."""
    centres = kmeans(torch.from_numpy(train), cells, 0).numpy()
    labels = [cdist(each, centres).argmin(1) for each in (train, test, fake)]
    total = mass = 0.0
    for cell in range(cells):
        base, x, y = (part[label == cell] for part, label in zip((train, test, fake), labels, strict=True))
        if min(len(x), len(y)) >= 20:
            total, mass = total + len(x) * _z(*_distances(base, x, y)), mass + len(x)
    return total / mass


@pytest.mark.parametrize("cells", [2, 5, 12])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.8, 0.5)])
def test_cells_are_weighed_by_their_test_samples(cells: int, scale: float, shift: float) -> None:
    """At 12 cells some have fewer than 20 of a kind, and are left out."""
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(200, 2)), rng.normal(size=(300, 2))
    fake = scale * rng.normal(size=(250, 2)) + shift
    assert data_copying(train, test, fake, cells) == pytest.approx(_by_definition(train, test, fake, cells), abs=1e-8)


def _clusters(sizes: list[int], rng: np.random.Generator, std: float = 1.0) -> np.ndarray:
    return np.concatenate([std * rng.normal(size=(size, 2)) + 100 * index for index, size in enumerate(sizes)])


def test_cells_of_fewer_than_twenty_are_left_out() -> None:
    rng = np.random.default_rng(0)
    train, few, enough = _clusters([50] * 3, rng), _clusters([40, 19, 60], rng, 2), _clusters([40, 20, 60], rng, 2)
    found = [_copied(train, *pair, 3) for pair in ((enough, enough), (few, enough), (enough, few))]
    assert [each.cells for each in found] == [3, 2, 2]
    assert [each.share for each in found] == pytest.approx([1, 100 / 119, 100 / 120])


def test_no_cell_is_no_number() -> None:
    rng = np.random.default_rng(0)
    train = _clusters([50, 50], rng)
    assert math.isnan(data_copying(train, train[:50], train[50:], cells=2))


def test_copies_are_as_negative_as_can_be() -> None:
    """U = 0 in one cell: z = -√(3mn / (m + n + 1)). AuthPct finds none authentic."""
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(2, 400, 5))
    assert data_copying(train, test, train, cells=1) == pytest.approx(-math.sqrt(3 * 400**2 / 801))
    assert data_copying(train, test, train) < -5
    assert authpct(train, train) == 0
    assert data_copying(train, test, 3 * test) > 5


def test_true_data_score_near_zero() -> None:
    """In one cell z is a standard normal: 60 have a mean within 4.5/√60, a deviation of .6 to 1.4 (1 in 100,000)."""
    rng = np.random.default_rng(0)
    draws = [rng.normal(size=(3, 100, 3)) for _ in range(60)]
    found = np.array([data_copying(*draw, cells=1) for draw in draws])
    assert abs(found.mean()) < 4.5 / math.sqrt(60)
    assert 0.6 < found.std() < 1.4


Generator = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def _half_copies(rng: np.random.Generator, train: np.ndarray) -> np.ndarray:
    copied = rng.choice(train, 200) + 0.05 * rng.normal(size=(200, 2))
    return np.where(rng.random((200, 1)) < 0.5, copied, rng.normal(size=(200, 2)))


@pytest.mark.parametrize(
    "generate", [lambda rng, train: rng.normal(size=(200, 2)), _half_copies, lambda rng, train: rng.choice(train, 200)]
)
def test_the_error_is_the_deviation_over_draws(generate: Generator) -> None:
    """100 draws of test and generated samples know it to 7 %: within 4 of these and a bias of 10 % (1 in 10,000)."""
    rng = np.random.default_rng(0)
    train = rng.normal(size=(300, 2))
    found = [_copied(train, rng.normal(size=(200, 2)), generate(rng, train), 3) for _ in range(100)]
    errors = np.array([each.stderr for each in found])
    assert math.sqrt((errors**2).mean()) == pytest.approx(np.std([each.value for each in found]), rel=0.38)


def test_the_error_on_true_data_is_that_of_a_mean_over_cells() -> None:
    rng = np.random.default_rng(0)
    train, test, fake = (_clusters([400] * 4, rng) for _ in range(3))
    assert _copied(train, test, fake, 4).stderr == pytest.approx(1 / math.sqrt(4), rel=0.1)


X = np.zeros((30, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: authpct(X[:1], X), "at least 2 training samples, got 1"),
        (lambda: authpct(X, X[:, :1]), "differ in width"),
        (lambda: authpct(X, X * math.nan), "not finite"),
        (lambda: data_copying(X, X[:, :1], X), "differ in width"),
        (lambda: data_copying(X, X * math.nan, X), "not finite"),
        (lambda: data_copying(X, X, X[0]), r"shape \(2,\)"),
        (lambda: data_copying(X[:9], X, X), "1 to 9 cells on as many samples, got 10"),
        (lambda: data_copying(X, X, X, cells=0), "got 0"),
    ],
)
def test_bad_input_is_one_line(call: Callable[[], float], message: str) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def _scored(samples: Tensor, dataset: Dataset, metric: str, **values: Any) -> Score:
    def sampler(n: int) -> Iterator[Tensor]:
        yield from samples[:n].split(37)

    scoring = Scoring.parse({"metrics": [metric], "samples": len(samples), "features": "pixels", **values})
    (found,) = score(sampler, dataset, scoring)
    return found


def _pixels(images: Tensor) -> Tensor:
    return images.flatten(1).float() / 255


def test_the_authpct_card_is_held_against_all_training_data(grey: Dataset) -> None:
    images = torch.cat([grey.images("train")[:30], grey.images("test")[:70]])
    found = _scored(images, grey, "authpct")
    share = authpct(_pixels(grey.images("train")), _pixels(images)) / 100
    assert 0 < share < 0.7
    assert found.value == 100 * share
    assert found.stderr == pytest.approx(100 * math.sqrt(share * (1 - share) / 100))
    assert found.protocol.items() >= {"n_generated": 100, "n_real": 300, "split": "train"}.items()


@pytest.mark.parametrize(
    ("split", "sides", "n"),
    [(None, ("train", "test"), 200), ("valid", ("train", "valid"), 60), ("train+valid", ("train+valid", "test"), 200)],
)
def test_the_ct_card_compares_training_data_with_others(
    grey: Dataset, split: str | None, sides: tuple[str, str], n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CELLS", 2)
    images = grey.images("train")[:120]
    found = _scored(images, grey, "ct", split=split)
    expected = data_copying(*(_pixels(grey.images(side)) for side in sides), _pixels(images), cells=2)
    assert found.value == pytest.approx(expected)
    assert found.protocol.items() >= {"trained": sides[0], "tested": sides[1], "n_tested": n, "cells": 2}.items()
    assert found.details == {"cells": 2, "test_share": 1.0}
    assert found.flags == ()


def test_the_ct_card_says_what_it_leaves_out(grey: Dataset) -> None:
    images = grey.images("valid")[:1].repeat(40, 1, 1, 1)
    found = _scored(images, grey, "ct")
    assert found.details["cells"] <= 1
    assert f"cells left out: {10 - found.details['cells']} of 10, with fewer than 20 samples" in found.flags


def test_all_data_are_nothing_to_test_on(grey: Dataset) -> None:
    held = module.Held(torch.zeros(40, 64), Context(40, replace(grey), "all", 560))
    found = module._compare_ct(held)["ct"]
    assert math.isnan(found.value)
    assert found.flags == ("split 'all' holds training data: C_T needs samples that do not",)
