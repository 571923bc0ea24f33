"""Samples as their own features: pixels of images, coordinates of points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganbench.metrics.features.base import EXTRACTORS, Card, Network, Recipe

if TYPE_CHECKING:
    from torch import Tensor


def _pixels(recipe: Recipe) -> Network:
    return lambda images: (images.flatten(1).float() / 255, None)


def _coordinates(recipe: Recipe) -> Network:
    def features(points: Tensor) -> tuple[Tensor, None]:
        return points, None

    return features


EXTRACTORS.add(
    Card(
        name="pixels",
        title="The pixels themselves, in [0, 1]",
        load=_pixels,
        dtypes=("float32",),
        batch=(500, 500),
        repeats_grey=False,
    )
)
EXTRACTORS.add(
    Card(
        name="identity",
        title="Points as they are",
        load=_coordinates,
        dtypes=("float32",),
        kind="points",
        batch=(500, 500),
    )
)
