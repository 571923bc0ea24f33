"""Data: mixtures with known modes and density, image sets, folders and files. Importing it does not load torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganbench.data.base import DATASETS, Dataset, find
from ganbench.lazy import attach

if TYPE_CHECKING:
    from ganbench.data.batches import Minibatches, minibatches, minibatches_of_each
    from ganbench.data.mixtures import Mixture, grid, ring
    from ganbench.data.real import real_samples

__all__ = [
    "DATASETS",
    "Dataset",
    "Minibatches",
    "Mixture",
    "find",
    "grid",
    "minibatches",
    "minibatches_of_each",
    "real_samples",
    "ring",
]

__getattr__ = attach(
    __name__,
    {
        "Minibatches": "ganbench.data.batches",
        "Mixture": "ganbench.data.mixtures",
        "grid": "ganbench.data.mixtures",
        "minibatches": "ganbench.data.batches",
        "minibatches_of_each": "ganbench.data.batches",
        "real_samples": "ganbench.data.real",
        "ring": "ganbench.data.mixtures",
    },
)
