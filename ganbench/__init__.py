"""ganbench: train, score and rank generative adversarial networks.

Everything here is loaded at its first use, so that `import ganbench` is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganbench import data, metrics, testing
    from ganbench.api import leaderboard, sweep
    from ganbench.metrics.evaluate import evaluate
    from ganbench.variants import VARIANTS, Batch, Hyper, Phase, Variant, discriminator, generator, variant

__version__ = "0.1.0"

_HOMES = {
    "sweep": "ganbench.api",
    "leaderboard": "ganbench.api",
    "evaluate": "ganbench.metrics",
    "variant": "ganbench.variants",
    "VARIANTS": "ganbench.variants",
    "Variant": "ganbench.variants",
    "Phase": "ganbench.variants",
    "Batch": "ganbench.variants",
    "Hyper": "ganbench.variants",
    "discriminator": "ganbench.variants",
    "generator": "ganbench.variants",
}
_ROOMS = ("data", "metrics", "testing")

__all__ = [
    "VARIANTS",
    "Batch",
    "Hyper",
    "Phase",
    "Variant",
    "data",
    "discriminator",
    "evaluate",
    "generator",
    "leaderboard",
    "metrics",
    "sweep",
    "testing",
    "variant",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"ganbench.{name}")
    raise AttributeError(f"module 'ganbench' has no attribute {name!r}")
