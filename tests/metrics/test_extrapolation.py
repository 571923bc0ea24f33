"""FID∞ against its definition, the true distance of known Gaussians, and its error against repeated draws."""

from __future__ import annotations

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
from ganbench.metrics import extrapolation as module
from ganbench.metrics import fid
from ganbench.metrics.base import METRICS, pinned
from ganbench.metrics.engine import score
from ganbench.metrics.extrapolation import fid_infinity, smallest_subset
from ganbench.metrics.frechet import distance_and_stderr
from ganbench.metrics.moments import moments_of
from ganbench.metrics.reference import real_split
from ganbench.spec import Scoring


def _sampler(samples: Tensor) -> Any:
    def chunks(n: int) -> Iterator[Tensor]:
        yield from samples[:n].split([5, 31, n - 36])

    return chunks


def _exactly_standard(n: int, d: int) -> np.ndarray:
    """Features whose mean is 0 and whose covariance (ddof 1) is 1, to rounding."""
    x = np.random.default_rng(99).normal(size=(n, d))
    x -= x.mean(0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T


def test_is_the_intercept_of_a_line_through_distances_of_subsets() -> None:
    """Each subset's distance by `fid` on its own, the line by polyfit; what a row counts in it, from the weights."""
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(300, 4)), rng.normal(0.2, 1.3, size=(400, 4))
    order = np.random.default_rng(7).permutation(400)
    sizes = np.linspace(50, 400, 6).round().astype(int)
    subsets = [(order if place % 2 else order[::-1])[:size] for place, size in enumerate(sizes)]
    distances = [fid(real, fake[rows]) for rows in subsets]
    slope, intercept = np.polyfit(1 / sizes, distances, 1)
    assert slope > 0
    value, stderr = fid_infinity(real, fake, points=6, smallest=50, seed=7)
    assert value == pytest.approx(intercept, abs=1e-9)
    weights = [np.polyfit(1 / sizes, unit, 1)[1] for unit in np.eye(6)]
    counts = sum(weight / len(rows) * np.isin(range(400), rows) for weight, rows in zip(weights, subsets, strict=True))
    _, plain = distance_and_stderr(*(moments_of(torch.from_numpy(x)) for x in (real, fake)), torch.from_numpy(fake))
    assert stderr == pytest.approx(plain * 20 * np.sqrt((counts**2).sum()), rel=1e-9)
    assert 1.1 < stderr / plain < 1.3


@pytest.mark.parametrize(("shift", "scale"), [(0.3, 1.2), (0.0, 1.0)])
def test_recovers_the_true_distance(shift: float, scale: float) -> None:
    """d (shift² + (scale - 1)²) for isotropic Gaussians: the mean of 100 draws is off by less than 3 of its standard
    errors (false alarms: 0.3 %) and by a third of what the plain distance is off by.

    The error that is reported is the deviation of the draws, to 25 % (false alarms: under 1 %, the deviation of 100
    being known to 7 %); at a true distance of 0, where what it leaves out counts, to 40 %.
    """
    d, n, repeats = 8, 600, 100
    real, truth = _exactly_standard(100, d), d * (shift**2 + (scale - 1) ** 2)
    found = []
    for seed in range(repeats):
        fake = np.random.default_rng(seed).normal(shift, scale, size=(n, d))
        found.append((*fid_infinity(real, fake, points=8, smallest=60, seed=seed), fid(real, fake)))
    values, stderrs, plain = np.array(found).T
    assert abs(values.mean() - truth) < 3 * values.std(ddof=1) / repeats**0.5
    assert abs(values.mean() - truth) < (plain.mean() - truth) / 3
    assert stderrs.mean() == pytest.approx(values.std(ddof=1), rel=0.25 if truth else 0.4)


def test_negative_values_are_kept() -> None:
    """An unbiased estimate of 0 falls to both sides."""
    real = _exactly_standard(100, 4)
    values = [fid_infinity(real, np.random.default_rng(s).normal(size=(200, 4)), 5, 40)[0] for s in range(20)]
    assert min(values) < 0 < max(values)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**16), shift=st.floats(-5, 5))
def test_a_shared_rigid_motion_changes_nothing(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(50, 3)), rng.normal(0.5, 2, size=(60, 3))
    q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    before, after = fid_infinity(real, fake, 4, 20), fid_infinity(real @ q + shift, fake @ q + shift, 4, 20)
    assert after == pytest.approx(before, rel=1e-7, abs=1e-9)


def test_rows_are_gathered_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the size of all features is made: a block of 7 rows at a time gives the same."""
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(50, 3)), rng.normal(0.5, 2, size=(60, 3))
    expected = fid_infinity(real, fake, 4, 20)
    taken, take = [], module._Pool.take
    monkeypatch.setattr(module, "BLOCK", 7)
    monkeypatch.setattr(module, "KEPT", 60)
    monkeypatch.setattr(module._Pool, "take", lambda pool, rows: taken.append(len(rows)) or take(pool, rows))
    assert fid_infinity(real, fake, 4, 20) == pytest.approx(expected, rel=1e-10)
    assert max(taken[:-1]) == 7  # the last are those for the error
    assert sum(taken[:-1]) == 60 + 47  # all of them from one end; from the other the third of 20, 33, 47, 60


@pytest.mark.parametrize(
    ("n", "d", "expected"),
    [(50_000, 2048, 5000), (10_000, 2048, 4096), (10_000, 4096, 5000), (10_000, 2, 1000), (100, 2048, 50)],
)
def test_smallest_subset(n: int, d: int, expected: int) -> None:
    assert smallest_subset(n, d) == expected


@pytest.mark.parametrize(
    ("real", "fake", "points", "smallest", "message"),
    [
        (np.ones((9, 2)), np.ones((9, 2)), 15, 5000, "needs 5014 of them, got 9"),
        (np.ones((9, 2)), np.ones((9, 2)), 2, 5, "at least 3 points, of at least 2 samples each, got 2 of 5"),
        (np.ones((9, 2)), np.ones((9, 2)), 3, 1, "got 3 of 1"),
        (np.ones((9, 2)), np.ones((9, 3)), 3, 2, "real 2, generated 3"),
        (np.ones((9, 2)), np.full((9, 2), np.nan), 3, 2, "not finite"),
    ],
)
def test_bad_input_is_one_line(real: np.ndarray, fake: np.ndarray, points: int, smallest: int, message: str) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        fid_infinity(real, fake, points, smallest)
    assert "\n" not in str(caught.value)


def test_the_card_gives_what_the_function_gives() -> None:
    """Chunks of several sizes, the rule's smallest subset, and the whole identity of the score."""
    ring = find("ring")
    samples = ring.mixture().sample(500, seed=3) + 0.1
    (found,) = score(_sampler(samples), ring, Scoring.parse({"metrics": ["fd_infinity-identity"], "samples": 450}))
    value, stderr = fid_infinity(real_split(ring, "test", 10_000, None), samples[:450], 15, 45)
    assert found.metric == "fd_infinity-identity"
    assert (found.value, found.stderr) == pytest.approx((value, stderr), rel=1e-9)
    assert found.details["distance_at_n"] == pytest.approx(fid(real_split(ring, "test", 10_000, None), samples[:450]))
    assert found.details["smallest"] == 45
    assert found.details["slope"] > 0
    expected = {"n_generated": 450, "split": "test", "n_real": 10_000, "features": "identity", "points": 15}
    assert found.protocol.items() >= expected.items()
    assert found.flags == ()


def test_too_few_samples_for_the_width_are_flagged(grey: Dataset) -> None:
    """64 pixels: the distance at 60 samples is rank-deficient, and the line is through 30 to 60."""
    images = grey.images("train")[:60]
    (found,) = score(_sampler(images), grey, Scoring.parse({"metrics": ["fd_infinity-pixels"], "samples": 60}))
    assert [flag.partition(":")[0] for flag in found.flags] == ["rank-deficient", "bent"]


def test_names_and_protocols_of_the_cards(colour: Dataset) -> None:
    card, extractor = pinned("fid_infinity", colour)
    assert (extractor, card.samples, card.split, card.n_real) == ("inception", 50_000, "train+valid", 0)
    card, extractor = pinned("fd_infinity-vgg16", colour)
    assert (extractor, card.samples, card.split, card.n_real) == ("vgg16", 10_000, "test", 10_000)
    assert METRICS.get("fd_infinity").names() == ("fd_infinity-EXTRACTOR",)
