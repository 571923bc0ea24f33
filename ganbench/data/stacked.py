"""Stacked MNIST: three digits as red, green and blue, images with 1000 known modes.

Metz et al. 2017, Unrolled generative adversarial networks; sizes as in Srivastava et al. 2017, VEEGAN.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ganbench import rng
from ganbench.data import images

NAME = "stacked_mnist"
DIGITS = "mnist"
"""The data set that is stacked."""

SIZES = {"train": 118_000, "valid": 10_000, "test": 26_000}
"""Triples of a split, each of digits of MNIST's split of that name: held-out triples are of held-out digits."""

SEED = 0


def load(split: str, root: Path | None) -> tuple[Tensor, Tensor]:
    """uint8 (n, 3, 28, 28) and labels int64 (n,) of a split: 100 times the red digit, 10 times the green, and the blue.

    `train+valid` are 128,000, of which `valid` are the last 10,000. DataError where MNIST cannot be had.
    """
    return _triples(split, root, images.folder_of(root)[0])


@lru_cache(maxsize=1)  # a split has up to 301 MB
def _triples(split: str, root: Path | None, folder: Path) -> tuple[Tensor, Tensor]:
    """See `load`; the folder is what MNIST depends on beside its root."""
    parts = ("train", "valid") if split == "train+valid" else (split,)
    found = torch.empty(sum(SIZES[part] for part in parts), 3, 28, 28, dtype=torch.uint8)
    labels = torch.empty(len(found), dtype=torch.int64)
    start = 0
    for part in parts:
        rows = slice(start, start := start + SIZES[part])
        digits, classes = images.load(DIGITS, part, root)
        chosen = torch.randint(len(digits), (SIZES[part], 3), generator=rng.stream(SEED, f"{NAME} {part}"))
        torch.index_select(digits[:, 0], 0, chosen.flatten(), out=found[rows].view(-1, 28, 28))
        labels[rows] = classes[chosen] @ torch.tensor([100, 10, 1])
    return found, labels
