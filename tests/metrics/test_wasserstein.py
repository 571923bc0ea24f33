"""Wasserstein distances against POT, SciPy, closed forms and hand cases, and their errors against repeated draws."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.special import ndtri
from torch import Tensor

from ganbench.data import Dataset, find
from ganbench.errors import SampleError, SpecError
from ganbench.metrics.engine import score
from ganbench.metrics.wasserstein import sliced_wasserstein, wasserstein2
from ganbench.spec import Score, Scoring

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", ".*invalid escape sequence")  # in POT's docstrings, where it is first compiled
    import ot

SEEDS = st.integers(0, 2**16)


def _directions(d: int, n: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(d, n))
    return drawn / np.linalg.norm(drawn, axis=0)


@pytest.mark.parametrize(("m", "n"), [(50, 50), (40, 60), (97, 31), (1, 13), (7, 1)])
@pytest.mark.parametrize(("d", "p"), [(1, 1), (2, 2), (5, 1), (5, 3), (30, 2)])
def test_equals_pot_on_the_same_projections(m: int, n: int, d: int, p: int) -> None:
    """To 1e-10, at equal and unequal sizes; 70 directions are more than are taken at once."""
    rng = np.random.default_rng(0)
    real, fake, directions = rng.normal(size=(m, d)), rng.normal(0.3, 1.2, size=(n, d)), _directions(d, 70)
    expected = ot.sliced_wasserstein_distance(real, fake, projections=directions, p=p)
    assert sliced_wasserstein(real, fake, directions, p)[0] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("p", "expected"), [(1, 1.0), (2, math.sqrt(2)), (3, (1 / 6 + 27 / 6 + 1 / 3) ** (1 / 3))])
def test_unequal_sizes_by_hand(p: float, expected: float) -> None:
    """Quantiles of {0, 4} and {0, 1, 3} differ by 0, 1, 3, 1 on intervals of length 1/3, 1/6, 1/6, 1/3."""
    assert sliced_wasserstein([[0.0], [4.0]], [[3.0], [0.0], [1.0]], 3, p)[0] == pytest.approx(expected, abs=1e-14)


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, d=st.integers(1, 6), p=st.sampled_from([1, 2, 2.5]))
def test_a_translation_costs_its_length_along_each_direction(seed: int, d: int, p: float) -> None:
    rng = np.random.default_rng(seed)
    x, shift, directions = rng.normal(size=(20, d)), rng.normal(size=d), _directions(d, 9, seed)
    expected = (np.abs(shift @ directions) ** p).mean() ** (1 / p)
    assert sliced_wasserstein(x, rng.permutation(x) + shift, directions, p)[0] == pytest.approx(expected, abs=1e-12)
    assert wasserstein2(x, rng.permutation(x) + shift)[0] == pytest.approx(np.linalg.norm(shift), abs=1e-12)


@pytest.mark.parametrize("d", [2, 7, 50])
def test_drawn_directions_are_uniform_on_the_sphere(d: int) -> None:
    """A shift of length 1 has E|cos| = Γ(d/2) / (√π Γ((d+1)/2)) and E cos² = 1/d: within 4.5 standard errors."""
    shift, n = np.eye(d)[:1], 4000
    mean = math.exp(math.lgamma(d / 2) - math.lgamma((d + 1) / 2)) / math.sqrt(math.pi)
    one, two = (sliced_wasserstein(np.zeros((1, d)), shift, n, p)[0] for p in (1, 2))
    assert one == pytest.approx(mean, abs=4.5 * math.sqrt((1 / d - mean**2) / n))
    assert two**2 == pytest.approx(1 / d, abs=4.5 * math.sqrt((3 / (d * (d + 2)) - 1 / d**2) / n))


def test_the_seed_draws_the_directions() -> None:
    real, fake = np.random.default_rng(0).normal(size=(2, 30, 4))
    first = sliced_wasserstein(real, fake, 5)
    assert sliced_wasserstein(real, fake, 5, seed=0) == first
    assert sliced_wasserstein(real, fake, 5, seed=1) != first


@pytest.mark.parametrize(("mean", "std"), [(0.5, 1.0), (0.0, 2.0), (-1.0, 0.3)])
def test_gaussians_on_a_line(mean: float, std: float) -> None:
    """W₂² = (μ₁ - μ₂)² + (σ₁ - σ₂)², to the 1 % of σ that 300 quantiles lack of the tails."""
    z = ndtri((np.arange(300) + 0.5) / 300)[:, None]
    closed = math.hypot(mean, 1 - std)
    for found in (wasserstein2(z, mean + std * z)[0], sliced_wasserstein(z, mean + std * z, 2)[0]):
        assert found == pytest.approx(math.hypot(mean, (1 - std) * z.std()), abs=1e-12)
        assert found == pytest.approx(closed, rel=0.01)


@pytest.mark.parametrize("d", [1, 2, 20])
def test_the_exact_distance_is_the_best_assignment(d: int) -> None:
    rng = np.random.default_rng(d)
    x, y = rng.normal(size=(60, d)), 50 + rng.normal(size=(60, d))
    squares = ((x[:, None] - y[None]) ** 2).sum(2)
    assert wasserstein2(x, y)[0] == pytest.approx(math.sqrt(squares[linear_sum_assignment(squares)].mean()), abs=1e-10)


def test_the_exact_distance_on_a_line_is_the_sliced_one() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 1)), rng.normal(size=(70, 1))
    assert wasserstein2(x, y)[0] == pytest.approx(sliced_wasserstein(x, y, 1)[0], abs=1e-12)


def test_one_point_is_carried_to_all() -> None:
    assert wasserstein2([[0.0, 0.0]], [[3.0, 4.0], [0.0, 0.0]])[0] == pytest.approx(math.sqrt(12.5), abs=1e-14)


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS, scale=st.floats(0.01, 100))
def test_invariances(seed: int, scale: float) -> None:
    """Order, a rotation, the roles of the two change nothing; a scale is a scale."""
    rng = np.random.default_rng(seed)
    x, y, directions = rng.normal(size=(12, 3)), rng.normal(1, 2, size=(9, 3)), _directions(3, 6)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    exact, sliced = wasserstein2(x, y), sliced_wasserstein(x, y, directions)
    assert wasserstein2(rng.permutation(x) @ turn, rng.permutation(y) @ turn)[0] == pytest.approx(exact[0], rel=1e-10)
    assert sliced_wasserstein(x @ turn, rng.permutation(y) @ turn, turn.T @ directions) == pytest.approx(sliced)
    assert wasserstein2(y, x)[0] == pytest.approx(exact[0], rel=1e-10)
    assert sliced_wasserstein(y, x, directions)[0] == pytest.approx(sliced[0], rel=1e-10)
    assert wasserstein2(scale * x, scale * y)[0] == pytest.approx(scale * exact[0], rel=1e-9)
    assert sliced_wasserstein(scale * x, scale * y, directions) == pytest.approx([scale * each for each in sliced])


def test_the_error_of_a_translation_is_that_of_the_mean() -> None:
    """The potential of a shift v is 2 v x, so that of W is ± x: s / √n, on a line, for both."""
    x = np.random.default_rng(0).normal(size=(80, 1))
    expected = x.std(ddof=1) / math.sqrt(80)
    assert sliced_wasserstein(x, x + 30, 2)[1] == pytest.approx(expected, rel=1e-9)
    assert wasserstein2(x, x + 30)[1] == pytest.approx(expected, rel=0.02)  # a dual of the discrete problem: not unique


@pytest.mark.parametrize(
    ("shift", "scale", "low", "high"), [(0.7, 1.0, 0.8, 1.25), (0.0, 1.5, 0.8, 1.3), (0.0, 1.0, 0.85, 1.6)]
)
@pytest.mark.parametrize("exact", [True, False])
def test_the_error_is_the_deviation_over_draws(
    shift: float, scale: float, low: float, high: float, exact: bool
) -> None:
    """200 draws know it to 5 %: within 4 of these, after a bias of up to 30 % where the two are one (1 in 10,000)."""
    rng, directions = np.random.default_rng(0), _directions(2, 16)
    n, found = (60, []) if exact else (200, [])
    for _ in range(4):
        real, draws = rng.normal(size=(n, 2)), [shift + scale * rng.normal(size=(n, 2)) for _ in range(50)]
        values = [wasserstein2(real, y) if exact else sliced_wasserstein(real, y, directions) for y in draws]
        value, error = np.array(values).T
        found.append((value.var(ddof=1), (error**2).mean()))
    variance, claimed = np.mean(found, 0)
    assert low < math.sqrt(claimed / variance) < high


@pytest.mark.parametrize("n", [1, 5])
def test_no_error_without_a_distance_or_a_second_sample(n: int) -> None:
    x = np.random.default_rng(0).normal(size=(n, 2))
    y = x if n > 1 else x + 1
    assert sliced_wasserstein(x, y, 4)[1] is None
    assert wasserstein2(x, y)[1] is None
    if n > 1:
        assert (sliced_wasserstein(x, y, 4)[0], wasserstein2(x, y)[0]) == (0, 0)


X = np.zeros((4, 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, X[:, :2]), "differ in width"),
        ((X, X * math.nan), "not finite"),
        ((X, X[:0]), "n >= 1"),
        ((X, X, 0), "at least 1 projection, got 0"),
        ((X, X, 5, 0.5), "from 1, got 0.5"),
        ((X, X, 5, math.inf), "from 1, got inf"),
        ((X, X, _directions(5, 3)), r"\(d, L\) with d = 3, got shape \(5, 3\)"),
        ((X, X, 2 * _directions(3, 5)), "columns of length 1"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        sliced_wasserstein(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.zeros((2501, 2)), X[:, :2], "at most 2,500 points, got 2,501 real ones"),
        (X[:, :2], np.zeros((2501, 2)), "at most 2,500 points, got 2,501 generated ones"),
        (X, X[:, :2], "differ in width"),
    ],
)
def test_too_many_points_for_the_exact_distance(real: np.ndarray, fake: np.ndarray, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        wasserstein2(real, fake)


def _scored(samples: Tensor, dataset: Dataset, metric: str) -> Score:
    def sampler(n: int) -> Iterator[Tensor]:
        yield from samples[:n].split(37)

    scoring = Scoring.parse({"metrics": [metric], "samples": len(samples)} | _features(dataset))
    (found,) = score(sampler, dataset, scoring)
    return found


def _features(dataset: Dataset) -> dict[str, str]:
    return {"features": "pixels"} if dataset.kind == "images" else {}


def test_the_sliced_card_gives_what_the_function_gives(grey: Dataset) -> None:
    images = grey.images("train")[:150]
    found = _scored(images, grey, "sliced_w2")
    pixels = [part.flatten(1).double() / 255 for part in (grey.images("test"), images)]
    assert (found.value, found.stderr) == pytest.approx(sliced_wasserstein(*pixels), rel=1e-5)
    protocol = {"n_generated": 150, "n_real": 200, "split": "test", "projections": 1000, "p": 2, "projection_seed": 0}
    assert found.protocol.items() >= protocol.items()


def test_the_exact_card_is_for_points() -> None:
    """On the ring, 150 samples of the truth are nearer to it than 150 that lack a mode."""
    ring = find("ring")
    true = ring.mixture().sample(1500, seed=5)
    found = _scored(true[:150], ring, "w2")
    assert found.protocol.items() >= {"n_generated": 150, "n_real": 2500, "split": "test", "p": 2}.items()
    assert found.stderr is not None
    lacking = true[(true - true.new_tensor([1.0, 0.0])).norm(dim=1) > 0.5][:150]
    assert _scored(lacking, ring, "w2").value > found.value > 0


def test_the_exact_card_is_not_for_images(grey: Dataset) -> None:
    with pytest.raises(SpecError, match="is for points"):
        _scored(grey.images("test"), grey, "w2")
