"""Real data in the form in which metrics take generated samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ganbench import rng
from ganbench.data.base import Dataset
from ganbench.errors import DataError


def real_samples(
    dataset: Dataset, n: int, seed: int = 0, root: Path | None = None, chunk: int = 500, split: str = "train"
) -> Iterator[Tensor]:
    """n real samples in chunks: float32 points, or uint8 images of a split, shuffled by the seed.

    DataError where the split has fewer than n.
    """
    if dataset.kind == "points":
        yield from dataset.mixture().sample(n, seed).split(chunk)
        return
    images = dataset.images(split, root)
    if n > len(images):
        name = "training" if split == "train" else split
        raise DataError(f"{dataset.name} has {len(images)} {name} images, {n} were asked for: use --samples")
    order = torch.randperm(len(images), generator=rng.stream(seed, "real"))[:n]
    for index in order.split(chunk):
        yield images[index]
