"""Precision, recall, density, coverage and KID beside the field's own implementations, on the same features."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from ganbench.metrics.kernel_distance import kid
from ganbench.metrics.manifolds import improved_precision_recall, prdc

pytest.importorskip("prdc")


def _features(seed: int, n: int, d: int, scale: float, shift: float) -> np.ndarray:
    """Non-negative and skewed, as those behind a ReLU; correlated."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(d, d)) / d**0.5
    return np.maximum(scale * rng.normal(size=(n, d)) @ mixing + shift, 0)


def _by_prdc(real: np.ndarray, fake: np.ndarray, k: int) -> dict[str, float]:
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):
        found = compute_prdc(real, fake, k)
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize(("n", "m", "d"), [(900, 700, 64), (500, 800, 512), (300, 300, 2)])
@pytest.mark.parametrize("scale", [0.8, 1.0, 1.1])
def test_prdc_equals_the_prdc_package(n: int, m: int, d: int, k: int, scale: float) -> None:
    """Equal counts, so equal numbers to the last digit."""
    real, fake = _features(1, n, d, 1.0, 0.5), _features(2, m, d, scale, 0.48)
    found = prdc(real, fake, k)
    assert found == _by_prdc(real, fake, k)
    assert found["precision"] != found["recall"]


def test_prdc_equals_the_prdc_package_on_float32() -> None:
    """Its distances are rounded to float32, ours are not: no pair of these is so near a sphere that it matters."""
    real, fake = (_features(seed, 600, 256, 1.0, 0.5).astype(np.float32) for seed in (1, 2))
    assert prdc(real, fake) == _by_prdc(real, fake, 5)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(("n", "m", "d"), [(900, 700, 64), (500, 800, 512), (300, 300, 2)])
def test_improved_precision_and_recall_equal_torch_fidelity(n: int, m: int, d: int, k: int) -> None:
    """Its first features are the generated ones."""
    real, fake = _features(1, n, d, 1.0, 0.5), _features(2, m, d, 0.95, 0.48)
    expected = prc_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=k, prc_batch_size=400, verbose=False
    )
    found = improved_precision_recall(real, fake, k)
    assert found["precision"] == pytest.approx(expected["precision"], abs=1e-6)  # it takes means in float32
    assert found["recall"] == pytest.approx(expected["recall"], abs=1e-6)
    assert abs(found["precision"] - found["recall"]) > 1e-3


def test_copies_on_spheres_count_up_to_torch_fidelitys_rounding() -> None:
    """Where generated points are copies of real ones, distances equal radii, and its float32 products tell them apart
    or not as they round: it misses some points that closed balls hold, and adds none."""
    real = _features(1, 300, 64, 1.0, 0.5).astype(np.float32)
    fake = np.concatenate([real[:100], real[:100]])
    expected = prc_features_to_metric(
        torch.from_numpy(fake), torch.from_numpy(real), prc_neighborhood=3, prc_batch_size=400, verbose=False
    )
    found = improved_precision_recall(real, fake, 3)
    assert found["precision"] == 1.0
    assert expected["precision"] <= found["precision"]
    assert expected["recall"] <= found["recall"] + 1e-6


@pytest.mark.parametrize(("n", "m", "d"), [(1500, 1200, 64), (700, 900, 512)])
@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_kid_equals_torch_fidelity(n: int, m: int, d: int, scale: float) -> None:
    """abs 5e-7 with the subsets that it draws; the subsets of another seed are further away."""
    real = _features(1, n, d, 1.0, 0.5).astype(np.float32)
    fake = _features(2, m, d, scale, 0.48).astype(np.float32)
    expected = kid_features_to_metric(
        torch.from_numpy(fake),
        torch.from_numpy(real),
        kid_subsets=10,
        kid_subset_size=400,
        rng_seed=2020,
        verbose=False,
    )
    names = ("kernel_inception_distance_mean", "kernel_inception_distance_std")
    found = kid(real, fake, 10, 400, seed=np.random.RandomState(2020))
    assert found == pytest.approx(tuple(expected[name] for name in names), abs=5e-7)
    assert abs(kid(real, fake, 10, 400, seed=np.random.RandomState(2021))[0] - found[0]) > 1e-6
