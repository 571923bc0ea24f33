"""Data: mixtures with known modes and density, image sets, folders and files. Importing it does not load torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ganbench.data.base import DATASETS, Dataset, find

if TYPE_CHECKING:
    from ganbench.data.minibatches import Minibatches, minibatches
    from ganbench.data.mixtures import Mixture, grid, ring
    from ganbench.data.real import real_samples

__all__ = ["DATASETS", "Dataset", "Minibatches", "Mixture", "find", "grid", "minibatches", "real_samples", "ring"]

_HOMES = {
    "Minibatches": "minibatches",
    "Mixture": "mixtures",
    "grid": "mixtures",
    "minibatches": "minibatches",
    "real_samples": "real",
    "ring": "mixtures",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"ganbench.data.{_HOMES[name]}"), name)
        globals()[name] = value  # over the sub-module of the same name, which importing it has bound
        return value
    raise AttributeError(f"module 'ganbench.data' has no attribute {name!r}")
