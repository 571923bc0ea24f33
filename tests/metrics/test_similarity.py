"""MS-SSIM against closed forms and the definition written out place by place; pairs and errors of the card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganbench.data import Dataset
from ganbench.errors import SampleError, SpecError
from ganbench.metrics import similarity as module
from ganbench.metrics.engine import resolve, score
from ganbench.metrics.similarity import ms_ssim, scales
from ganbench.spec import Score, Scoring

WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


def _pair(seed: int, shape: tuple[int, ...], similar: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, other = rng.uniform(size=shape), rng.uniform(size=shape)
    return x, similar * x + (1 - similar) * other


def _by_definition(x: np.ndarray, y: np.ndarray, levels: int) -> float:
    """One pair (c, h, w): at each place E (x - μ)² and E (x - μ)(y - μ) under the window, as they are defined."""
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    total = 1.0
    for level in range(levels):
        structures, products = [], []
        for c, i, j in np.ndindex(x.shape[0], x.shape[1] - 10, x.shape[2] - 10):
            a, b = x[c, i : i + 11, j : j + 11], y[c, i : i + 11, j : j + 11]
            p, q = (window * a).sum(), (window * b).sum()
            spread = (window * ((a - p) ** 2 + (b - q) ** 2)).sum()
            structures.append((2 * (window * (a - p) * (b - q)).sum() + 0.03**2) / (spread + 0.03**2))
            products.append(structures[-1] * (2 * p * q + 0.01**2) / (p**2 + q**2 + 0.01**2))
        term = np.mean(products if level == levels - 1 else structures)
        total *= max(term, 0) ** (WEIGHTS[level] / sum(WEIGHTS[:levels]))
        h, w = (side // 2 for side in x.shape[1:])
        x, y = (z[:, : 2 * h, : 2 * w].reshape(len(z), h, 2, w, 2).mean((2, 4)) for z in (x, y))
    return total


@pytest.mark.parametrize(("shape", "levels"), [((1, 11, 14), 1), ((1, 28, 28), 2), ((3, 23, 22), 2), ((1, 45, 44), 3)])
def test_equals_the_definition(shape: tuple[int, ...], levels: int) -> None:
    """To 1e-12 in float64, sides odd and even, one channel and three."""
    x, y = _pair(0, shape)
    found = ms_ssim(x[None], y[None])
    assert found.shape == (1,)
    assert float(found) == pytest.approx(_by_definition(x, y, levels), abs=1e-12)


def test_float32_keeps_five_digits() -> None:
    x, y = _pair(1, (8, 3, 32, 32))
    exact, single = ms_ssim(x, y), ms_ssim(x.astype(np.float32), y.astype(np.float32))
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, exact, rtol=1e-5)


@pytest.mark.parametrize(("one", "other"), [(0.2, 0.6), (0.0, 1.0), (0.5, 0.5)])
def test_constant_images(one: float, other: float) -> None:
    """No contrast, so structure is 1 everywhere: luminance alone, at the second scale."""
    luminance = (2 * one * other + 1e-4) / (one**2 + other**2 + 1e-4)
    x, y = (torch.full((1, 3, 32, 32), value, dtype=torch.float64) for value in (one, other))
    assert float(ms_ssim(x, y)) == pytest.approx(luminance ** (0.2856 / 0.3304), abs=1e-9)


def test_a_mean_below_zero_counts_as_zero() -> None:
    x = torch.from_numpy(_pair(2, (1, 1, 28, 28))[0])
    assert float(ms_ssim(x, 1 - x)) == 0


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**16), similar=st.floats(0, 1), side=st.integers(11, 50))
def test_symmetric_and_at_most_one(seed: int, similar: float, side: int) -> None:
    x, y = _pair(seed, (2, 1, side, 30), similar)
    found = ms_ssim(x, y)
    np.testing.assert_allclose(found, ms_ssim(y, x), rtol=1e-9, atol=1e-12)
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()
    np.testing.assert_allclose(ms_ssim(x, x), 1, rtol=1e-9)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [((10, 99), 0), ((11, 11), 1), ((21, 64), 1), ((22, 22), 2), ((28, 28), 2), ((32, 32), 2), ((64, 48), 3),
     ((64, 64), 3), ((87, 99), 3), ((88, 88), 4), ((128, 128), 4), ((175, 176), 4), ((176, 176), 5), ((999, 999), 5)],
)  # fmt: skip
def test_as_many_scales_as_the_window_fits_into(sides: tuple[int, int], expected: int) -> None:
    assert scales(*sides) == expected


GREY = np.zeros((2, 1, 16, 16))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (GREY, GREY[:1], r"pairs of one shape, got \(2, 1, 16, 16\) and \(1, 1, 16, 16\)"),
        (GREY[:, :, :10], GREY[:, :, :10], r"h and w >= 11, got shape \(2, 1, 10, 16\)"),
        (GREY[0], GREY[0], r"got shape \(1, 16, 16\)"),
        (GREY[:0], GREY[:0], r"got shape \(0, 1, 16, 16\)"),
        (GREY, GREY + 255, r"in \[0, 1\], got 255 to 255"),
        (GREY - 1, GREY, r"in \[0, 1\], got -1 to -1"),
        (GREY * np.nan, GREY, "not finite"),
    ],
)
def test_bad_images_are_one_line(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        ms_ssim(x, y)
    assert "\n" not in str(caught.value)


SMALL = Dataset("small", "images", (3, 24, 23), "Small", "nowhere")


def _images(n: int) -> Tensor:
    """uint8 images, smooth so that they have something in common."""
    source = torch.Generator().manual_seed(0)
    noise = torch.rand(n, 3, 5, 5, generator=source)
    return (torch.nn.functional.interpolate(noise, (24, 23), mode="bilinear") * 255).to(torch.uint8)


def _scored(images: Tensor, chunk: int) -> Score:
    def sampler(n: int) -> Iterator[Tensor]:
        yield from images[:n].split(chunk)

    (found,) = score(sampler, SMALL, Scoring.parse({"metrics": ["ms_ssim"], "samples": len(images)}))
    return found


@pytest.mark.parametrize(("chunk", "at_once"), [(1, 2**20), (7, 2**20), (51, 2**20), (51, 1), (51, 24 * 23 * 3 * 5)])
def test_the_card_pairs_each_sample_once(chunk: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the stream is cut, 0 with 1, 2 with 3, ...; the last of an odd number has no pair."""
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    images = _images(51)
    x, y = images[:50:2].float() / 255, images[1:50:2].float() / 255
    found, pairs = _scored(images, chunk), ms_ssim(x, y).numpy()
    assert pairs.std() > 0.01
    assert found.value == pytest.approx(pairs.mean(), rel=1e-6)
    assert found.stderr == pytest.approx(pairs.std(ddof=1) / 5, rel=1e-6)
    assert found.details == {"pairs": 25}
    assert found.protocol == {"n_generated": 51, "scales": 2, "window": 11, "sigma": 1.5}


def test_one_pair_has_no_error() -> None:
    assert _scored(_images(2), 2).stderr is None


def test_equal_images_have_a_similarity_of_one() -> None:
    found = _scored(_images(1).expand(8, -1, -1, -1), 3)
    assert (found.value, found.stderr) == pytest.approx((1.0, 0.0), abs=1e-6)


def test_images_smaller_than_the_window_are_refused(grey: Any) -> None:
    with pytest.raises(SpecError, match="ms_ssim"):
        resolve(grey, Scoring.parse({"metrics": ["ms_ssim"]}))
