"""Small stand-ins: an image set of noise, and a feature extractor whose weights are a number in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganbench.data import Dataset
from ganbench.metrics.features.base import EXTRACTORS, Card, Extractor, Recipe, Source, _loaded

SIZES = {"train": 300, "valid": 60, "test": 200, "train+valid": 360}


@dataclass(frozen=True)
class Noise(Dataset):
    """Images of noise, skewed to the dark so that they have a density worth fitting."""

    def images(self, split: str, root: Path | None = None) -> Tensor:
        """uint8 images that depend on the split alone."""
        source = torch.Generator().manual_seed(sorted(SIZES).index(split))
        return (torch.rand(SIZES[split], *self.shape, generator=source).pow(3) * 255).to(torch.uint8)


@pytest.fixture
def grey() -> Noise:
    """8 x 8 grey images."""
    return Noise("noise", "images", (1, 8, 8), "Noise", "nowhere")


@pytest.fixture
def colour() -> Noise:
    """8 x 8 colour images."""
    return Noise("noise3", "images", (3, 8, 8), "Noise", "nowhere")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The stand-in's weights file."""
    path = tmp_path / "weights.txt"
    path.write_text("2.0")
    return path


def _network(recipe: Recipe) -> Callable[[Tensor], tuple[Tensor, None]]:
    assert recipe.weights is not None
    scale = float(recipe.weights.read_text())
    return lambda images: (
        torch.nn.functional.avg_pool2d(images.float() * scale, 4).flatten(1)[:, :4].contiguous(),
        None,
    )


@pytest.fixture
def card(weights: Path) -> Card:
    """Quarter means of the first channel, times the number in the weights file."""
    return Card("efficientnet-lite0", "stand-in", _network, lambda source: source.given or weights)


def load(card: Card, weights: Path | None = None, device: str = "cpu") -> Extractor:
    """The extractor of a card, loaded as it is by default."""
    return Extractor(card, Recipe(card.weights(Source(weights)), card.resizes[0], "float32", device))


@pytest.fixture
def extractor(card: Card) -> Extractor:
    """The stand-in, loaded."""
    return load(card)


@pytest.fixture
def stand_in(card: Card, monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    """The stand-in under the name of efficientnet-lite0."""
    _loaded.cache_clear()
    EXTRACTORS.get(card.name)
    monkeypatch.setitem(EXTRACTORS._cards, card.name, card)
    yield card
    _loaded.cache_clear()
