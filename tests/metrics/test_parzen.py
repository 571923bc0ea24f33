"""Parzen windows against the formula written out, scikit-learn, hand-checked cases and real digits."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.special
from sklearn.neighbors import KernelDensity

from ganbench.data import find
from ganbench.errors import SampleError
from ganbench.metrics import parzen_log_likelihood


def _direct(x: np.ndarray, centres: np.ndarray, sigma: float) -> np.ndarray:
    squares = ((x[:, None] - centres[None]) ** 2).sum(2)
    constant = x.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))
    return scipy.special.logsumexp(-squares / (2 * sigma**2), axis=1) - math.log(len(centres)) - constant


def _pixels(seed: int, n: int, d: int = 784) -> np.ndarray:
    return np.random.default_rng(seed).random((n, d)) ** 4


def test_cases_by_hand() -> None:
    one = parzen_log_likelihood(np.array([[0.0], [1.0]]), np.zeros((1, 1)), np.zeros((1, 1)), [0.5])
    assert one.mean == pytest.approx(-0.792011, abs=5e-7)
    x = np.full((1, 784), 0.3)
    assert parzen_log_likelihood(x, x, x, [0.2]).mean == pytest.approx(541.3515, abs=5e-5)


@pytest.mark.parametrize("sigma", [0.1, 0.2, 1.0])
def test_equals_the_direct_formula_and_scikit_learn(sigma: float) -> None:
    """1e-9 nats at d = 784: float32 products would be off by 1e-3."""
    centres, test = _pixels(0, 60), _pixels(1, 40)
    found = parzen_log_likelihood(centres, test, test, [sigma])
    direct = _direct(test, centres, sigma)
    tree = KernelDensity(bandwidth=sigma, leaf_size=60).fit(centres).score_samples(test)
    assert found.mean == pytest.approx(direct.mean(), abs=1e-9)
    assert found.mean == pytest.approx(tree.mean(), abs=1e-8)
    assert found.stderr == pytest.approx(direct.std() / math.sqrt(40), abs=1e-9)


def test_sigma_is_chosen_on_the_validation_points_from_the_published_grid() -> None:
    centres, valid, test = _pixels(0, 80), _pixels(1, 30), _pixels(2, 30)
    grid = np.logspace(-1, 0, 10)
    best = grid[int(np.argmax([_direct(valid, centres, sigma).mean() for sigma in grid]))]
    found = parzen_log_likelihood(centres, valid, test)
    assert found.sigma == pytest.approx(best, rel=1e-12)
    assert found.mean == pytest.approx(_direct(test, centres, best).mean(), abs=1e-9)
    assert not found.on_edge


def test_chunks_do_not_show() -> None:
    centres, test = _pixels(0, 20, 5), _pixels(1, 1203, 5)
    assert parzen_log_likelihood(centres, test, test, [0.3]).mean == pytest.approx(
        _direct(test, centres, 0.3).mean(), abs=1e-9
    )


@pytest.mark.parametrize(("sigmas", "on_edge"), [([0.1, 0.2], True), ([5.0, 6.0], True), ([0.01, 0.3, 9.0], False)])
def test_an_edge_of_the_grid_is_told(sigmas: list[float], on_edge: bool) -> None:
    points = _pixels(0, 30, 20)
    assert parzen_log_likelihood(points, _pixels(1, 30, 20), points, sigmas).on_edge is on_edge


@pytest.mark.parametrize(
    ("samples", "message"),
    [(np.zeros((0, 4)), r"\(0, 4\)"), (np.zeros((3, 5)), "samples 5"), (np.full((3, 4), np.inf), "not finite")],
)
def test_bad_samples_are_errors(samples: np.ndarray, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        parzen_log_likelihood(samples, np.zeros((2, 4)), np.zeros((2, 4)))


@pytest.mark.slow
def test_real_digits_reach_what_theis_et_al_found(data_root: Path) -> None:
    """10,000 true training images as samples: 243 in Theis et al. 2016, which training images they took unknown."""
    mnist = find("mnist")
    train, valid, test = (mnist.images(split, data_root).double() / 255 for split in ("train", "valid", "test"))
    found = parzen_log_likelihood(train[:10_000], valid[:1000], test)
    print(f"MNIST training images: {found.mean:.2f} ± {found.stderr:.2f} nats at sigma {found.sigma:.4f}")  # noqa: T201
    assert 238 <= found.mean <= 245
    assert not found.on_edge
