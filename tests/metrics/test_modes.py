"""Mode coverage: cases by hand, invariances, and what the true distribution scores."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganbench.data import find, grid, ring
from ganbench.errors import SampleError
from ganbench.metrics import mode_coverage

N = 2500
MIXTURES = {"ring": (ring(), 8), "grid": (grid(), 25)}


def test_one_mode_of_eight() -> None:
    found = mode_coverage(ring().means[:1].repeat(10, 1), ring())
    assert (found.modes, found.high_quality) == (1, 100)
    assert found.kl == pytest.approx(2.079442, abs=5e-7)
    assert found.jsd == pytest.approx(0.496929, abs=5e-7)


def test_all_modes_evenly_are_perfect() -> None:
    found = mode_coverage(grid().means, grid())
    assert (found.modes, found.high_quality) == (25, 100)
    assert (found.kl, found.jsd) == pytest.approx((0, 0), abs=1e-12)


def test_high_quality_is_strictly_within_three_sigma() -> None:
    """A point just outside counts against the quality, and captures no mode."""
    mixture = ring()
    step = torch.tensor([1.0, 0.0], dtype=torch.float64) * mixture.std
    points = torch.stack([mixture.means[0] + 2.999 * step, mixture.means[2] + 3.001 * step])
    found = mode_coverage(points, mixture)
    assert (found.modes, found.high_quality) == (1, 50)


def test_no_high_quality_sample_leaves_the_divergences_undefined() -> None:
    found = mode_coverage(np.full((5, 2), 50.0), ring())
    assert (found.modes, found.high_quality) == (0, 0)
    assert math.isnan(found.kl)
    assert math.isnan(found.jsd)


@pytest.mark.parametrize("name", MIXTURES)
def test_the_true_distribution_meets_its_ceilings(name: str) -> None:
    """98.889 % within 4.5 binomial standard errors, and KL within its chi-square law: 1 false alarm in 100,000.

    2N·KL is close to chi-square with k - 1 degrees of freedom, whose mean makes the floors .0014 and .0048.
    """
    mixture, k = MIXTURES[name]
    found = [mode_coverage(mixture.sample(N, seed), mixture) for seed in range(20)]
    share = -math.expm1(-4.5)
    quality = np.mean([each.high_quality for each in found])
    assert quality == pytest.approx(100 * share, abs=4.5 * 100 * math.sqrt(share * (1 - share) / (20 * N)))
    floor, spread = (k - 1) / (2 * N), math.sqrt(2 * (k - 1) / 20) / (2 * N)
    assert np.mean([each.kl for each in found]) == pytest.approx(floor, abs=4.5 * spread + 0.02 * floor)
    assert all(each.modes == k for each in found)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**16), turns=st.floats(0, 1), spread=st.floats(0.005, 0.05))
def test_a_shared_rotation_changes_nothing(seed: int, turns: float, spread: float) -> None:
    mixture = ring()
    rng = np.random.default_rng(seed)
    points = torch.from_numpy(mixture.means.numpy()[rng.integers(0, 8, 200)] + rng.normal(0, spread, (200, 2)))
    angle = 2 * math.pi * turns
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64)
    turned = replace(mixture, means=mixture.means @ turn)
    one, other = mode_coverage(points, mixture), mode_coverage(points @ turn, turned)
    assert (one.modes, one.high_quality) == (other.modes, other.high_quality)
    assert (one.kl, one.jsd) == pytest.approx((other.kl, other.jsd), abs=1e-12, nan_ok=True)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**16))
def test_the_order_of_samples_and_modes_changes_nothing(seed: int) -> None:
    mixture = find("grid").mixture()
    points = mixture.sample(500, seed)
    order, shuffle = torch.from_numpy(np.random.default_rng(seed).permutation(500)), torch.randperm(25)
    one = mode_coverage(points, mixture)
    other = mode_coverage(points[order], replace(mixture, means=mixture.means[shuffle]))
    assert (one.modes, one.high_quality) == (other.modes, other.high_quality)
    assert (one.kl, one.jsd) == pytest.approx((other.kl, other.jsd), abs=1e-12)


@pytest.mark.parametrize(
    ("points", "message"),
    [(np.zeros((4, 3)), r"\(n, 2\)"), (np.full((4, 2), np.nan), "not finite"), (np.zeros((0, 2)), "n >= 1")],
)
def test_bad_points_are_errors(points: np.ndarray, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        mode_coverage(points, ring())
