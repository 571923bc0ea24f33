"""Kernel Inception distance against a double loop, a hand case, its exact expectation, and its standard error in a
simulation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganbench.data import Dataset
from ganbench.errors import SampleError
from ganbench.metrics import METRICS
from ganbench.metrics import kernel_distance as module
from ganbench.metrics.engine import score
from ganbench.metrics.kernel_distance import block_stderr, kid
from ganbench.spec import Scoring

SEEDS = st.integers(0, 2**16)


def _by_loops(x: np.ndarray, y: np.ndarray) -> float:
    """Equation 4, term by term."""
    m, d = x.shape

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / d + 1) ** 3)

    pairs = [(i, j) for i, j in product(range(m), range(m)) if i != j]
    within = sum(k(x[i], x[j]) + k(y[i], y[j]) for i, j in pairs) / (m * (m - 1))
    return within - 2 * sum(k(a, b) for a, b in product(x, y)) / m**2


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, m=st.integers(2, 9), d=st.integers(1, 6))
def test_equals_the_double_loop(seed: int, m: int, d: int) -> None:
    """One subset of all samples is the estimate itself, in whatever order they are drawn."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(m, d)), rng.normal(0.5, 1.5, size=(m, d))
    mean, spread = kid(x, y, subsets=1, subset_size=m, seed=seed)
    assert mean == pytest.approx(_by_loops(x, y), rel=1e-10, abs=1e-10)
    assert spread == 0


def test_hand_case() -> None:
    """k(0, 1) = 1, k(2, 3) = 343, and across 1, 1, 27, 64: 1 + 343 - 2 · 93 / 4. Biased it would be 542."""
    assert kid([[0.0], [1.0]], [[2.0], [3.0]], subsets=1, subset_size=2)[0] == pytest.approx(297.5, rel=1e-12)


def test_unbiased() -> None:
    """For d 1 the squared discrepancy is Σ C(3, j) (E x^j - E y^j)²: 3 (1/2)² + 3 (1/4)² + (13/8)² for N(0, 1) and
    N(1/2, 1). 1,000 estimates from 8 samples each: the mean is within 4.5 of its standard errors, one false alarm in
    150,000; the bias of keeping the diagonals would be 10 of them and more."""
    rng = np.random.default_rng(0)
    draws = [rng.normal([[0.0], [0.5]], 1, size=(2, 8))[..., None] for _ in range(1000)]
    values = np.array([kid(x, y, 1, 8)[0] for x, y in draws])
    assert abs(values.mean() - 3.578125) < 4.5 * values.std() / math.sqrt(len(values))
    kept = np.mean([(((x**2 + 1) ** 3).mean() + ((y**2 + 1) ** 3).mean()) / 8 for x, y in draws])
    assert kept > 4.5 * values.std() / math.sqrt(len(values))


def test_equal_distributions_fall_to_both_sides_of_zero() -> None:
    rng = np.random.default_rng(0)
    values = np.array([kid(*rng.normal(size=(2, 10, 4)), 1, 10)[0] for _ in range(400)])
    assert 0.3 < (values < 0).mean() < 0.8
    assert abs(values.mean()) < 4.5 * values.std() / math.sqrt(len(values))


def test_mean_and_spread_are_over_the_subsets() -> None:
    """NumPy's generator draws the generated subset first, then the real one."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), rng.normal(0.5, 1, size=(30, 3))
    draws = np.random.RandomState(7)
    values = []
    for _ in range(5):
        fake = y[draws.choice(30, 10, replace=False)]
        values.append(_by_loops(x[draws.choice(40, 10, replace=False)], fake))
    found = kid(x, y, 5, 10, seed=np.random.RandomState(7))
    assert found == pytest.approx((np.mean(values), np.std(values)), rel=1e-10)


def test_a_seed_is_a_score() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 50, 3))
    assert kid(x, y, 4, 20, seed=1) == kid(x, y, 4, 20, seed=1) != kid(x, y, 4, 20, seed=2)
    assert kid(x, y, 4, 20) == kid(x, y, 4, 20, seed=0)


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS)
def test_an_orthogonal_map_and_an_exchange_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(12, 5)), rng.normal(0.5, 1, size=(12, 5))
    q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    whole = kid(x, y, 1, 12)[0]
    assert kid(x @ q, y @ q, 1, 12)[0] == pytest.approx(whole, rel=1e-9, abs=1e-9)
    assert kid(y, x, 1, 12)[0] == pytest.approx(whole, rel=1e-9, abs=1e-9)


def test_float32_is_close_to_float64() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 400, 256))
    exact = kid(x, y, 3, 200)[0]
    assert kid(x.astype(np.float32), y.astype(np.float32), 3, 200)[0] == pytest.approx(exact, abs=2e-7)


def test_block_stderr_is_the_deviation_in_a_simulation() -> None:
    """250 draws of 200 and 200 samples of different distributions, in 10 blocks, with as many subsets for each block
    as the protocol has: the mean squared error is the variance of the score within 40 %, and so is that of the blocks'
    mean. A variance of 250 draws has a standard error of 9 %: one false alarm in 100,000."""
    rng = np.random.default_rng(0)
    errors, means, scores = [], [], []
    for _ in range(250):
        x, y = torch.from_numpy(rng.normal(size=(200, 4))), torch.from_numpy(rng.normal(0.7, 1, size=(200, 4)))
        errors.append(block_stderr(x, y, 20))
        means.append(np.mean([kid(a, b, 1, 20)[0] for a, b in zip(x.split(20), y.split(20), strict=True)]))
        scores.append(kid(x, y, 100, 20)[0])
    squared = np.mean(np.square(errors))
    assert squared == pytest.approx(np.var(means), rel=0.4)
    assert squared == pytest.approx(np.var(scores), rel=0.4)


def test_block_stderr_is_an_upper_one_for_equal_distributions() -> None:
    rng = np.random.default_rng(0)
    errors, scores = [], []
    for _ in range(200):
        x, y = torch.from_numpy(rng.normal(size=(2, 200, 4)))
        errors.append(block_stderr(x, y, 20))
        scores.append(kid(x, y, 20, 20)[0])
    assert np.std(scores) < np.sqrt(np.mean(np.square(errors))) < math.sqrt(10) * np.std(scores)


def test_block_stderr_takes_whole_blocks_of_both_sets() -> None:
    x, y = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 50, 3)))
    assert block_stderr(x, y, 20) == block_stderr(x[:40], y[:45], 20)
    assert block_stderr(x, y[:39], 20) is None


@pytest.mark.parametrize(
    ("n", "m", "subsets", "size", "message"),
    [
        (9, 20, 1, 10, "subsets of 10 needs as many real features, got 9"),
        (20, 9, 1, 10, "subsets of 10 needs as many generated features, got 9"),
        (20, 20, 1, 1, "at least 2 samples, got 1 of 1"),
        (20, 20, 0, 10, "at least 1 subset of at least 2 samples, got 0 of 10"),
    ],
)
def test_too_few_samples_are_one_line(n: int, m: int, subsets: int, size: int, message: str) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        kid(np.zeros((n, 2)), np.zeros((m, 2)), subsets, size)
    assert "\n" not in str(caught.value)


def test_the_card(grey: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its subsets are of 1,000, of which 200 images have none: that is one line; with smaller ones it is `kid`."""
    images = grey.images("train")[:180]

    def sampler(n: int) -> Iterator[Tensor]:
        yield from images[:n].split(40)

    card = METRICS.get("kid")
    assert card.minimum == 1000
    with pytest.raises(SampleError, match="at least 1000 samples, got 180"):
        score(sampler, grey, Scoring.parse({"metrics": ["kid"], "samples": 180, "features": "pixels"}))
    monkeypatch.setattr(module.kid, "__defaults__", (10, 50, 0))
    monkeypatch.setattr(module.block_stderr, "__defaults__", (50,))
    monkeypatch.setattr(METRICS, "_cards", METRICS._cards | {"kid": replace(card, minimum=2)})
    (found,) = score(sampler, grey, Scoring.parse({"metrics": ["kid"], "samples": 180, "features": "pixels"}))
    real, fake = grey.images("test").flatten(1) / 255, images.flatten(1) / 255
    assert (found.value, found.details["std_over_subsets"]) == kid(real, fake, 10, 50)
    assert found.stderr == block_stderr(real, fake, 50)
    assert found.protocol.items() >= {"subsets": 100, "subset_size": 1000, "features": "pixels"}.items()
