"""Reference statistics: computed once, under a key of all that they depend on, and again where the file is broken."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganbench.metrics.features.base import Card, Extractor
from ganbench.metrics.reference import real_moments


@pytest.fixture
def looks(extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each call of any extractor saw."""
    seen: list[int] = []
    original: Callable[..., object] = Extractor.__call__
    monkeypatch.setattr(Extractor, "__call__", lambda self, x: (seen.append(len(x)), original(self, x))[1])
    return seen


def _files() -> list[Path]:
    return sorted(Path(os.environ["GANBENCH_CACHE"]).rglob("*.safetensors"))


def test_equals_numpy_and_is_computed_once(grey, extractor: Extractor, looks: list[int]) -> None:
    first = real_moments(grey, "test", 150, extractor)
    again = real_moments(grey, "test", 150, extractor)
    features = extractor(grey.images("test")[:150])[0].double()
    torch.testing.assert_close(first.covariance, torch.cov(features.T), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(again.covariance, first.covariance, rtol=0, atol=0)
    assert (first.n, again.n) == (150, 150)
    assert sum(looks) == 150 + 150  # once for the moments, once for this test


def test_other_weights_at_the_same_path_are_other_statistics(grey, card: Card, weights: Path) -> None:
    """The mutation of torch-fidelity's cache: a second weights file returns the first one's numbers."""
    first = real_moments(grey, "test", 0, Extractor(card, None, "cpu"))
    weights.write_text("4.00")
    second = real_moments(grey, "test", 0, Extractor(card, None, "cpu"))
    torch.testing.assert_close(second.mean, 2 * first.mean)


def test_every_part_of_the_key_counts(grey, card: Card, extractor: Extractor) -> None:
    real_moments(grey, "test", 100, extractor)
    for dataset, split, n, other in (
        (grey, "valid", 100, extractor),
        (grey, "test", 50, extractor),
        (replace(grey, version=2), "test", 100, extractor),
        (replace(grey, name="other"), "test", 100, extractor),
        (grey, "test", 100, Extractor(replace(card, resize="twice"), None, "cpu")),
    ):
        before = len(_files())
        real_moments(dataset, split, n, other)
        assert len(_files()) == before + 1


@pytest.mark.parametrize("content", [b"", b"not a safetensors file"])
def test_a_broken_file_is_computed_again(grey, extractor: Extractor, content: bytes) -> None:
    first = real_moments(grey, "test", 0, extractor)
    (path,) = _files()
    path.write_bytes(content)
    torch.testing.assert_close(real_moments(grey, "test", 0, extractor).mean, first.mean)
    assert path.stat().st_size > len(content)


def test_no_temporary_file_is_left(grey, extractor: Extractor) -> None:
    real_moments(grey, "test", 0, extractor)
    left = {path.suffix for path in _files()[0].parent.iterdir()}
    assert left <= {".safetensors", ".lock"}
