"""ganbench: train, score and rank generative adversarial networks.

Everything here is loaded at its first use, so that `import ganbench` is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ganbench.lazy import attach

if TYPE_CHECKING:
    from ganbench import data, metrics, testing
    from ganbench.api import leaderboard, sweep
    from ganbench.data.base import register_mixture
    from ganbench.metrics.samples import evaluate
    from ganbench.networks import NETWORKS, Network
    from ganbench.networks.parts import Order, Parts
    from ganbench.variants import VARIANTS, Batch, Hyper, Phase, Span, Variant, discriminator, generator, variant

__version__ = "0.1.0"

__all__ = [
    "NETWORKS",
    "VARIANTS",
    "Batch",
    "Hyper",
    "Network",
    "Order",
    "Parts",
    "Phase",
    "Span",
    "Variant",
    "data",
    "discriminator",
    "evaluate",
    "generator",
    "leaderboard",
    "metrics",
    "register_mixture",
    "sweep",
    "testing",
    "variant",
]


_api = attach(
    __name__,
    {
        "sweep": "ganbench.api",
        "leaderboard": "ganbench.api",
        "evaluate": "ganbench.metrics.samples",
        "variant": "ganbench.variants",
        "VARIANTS": "ganbench.variants",
        "Variant": "ganbench.variants",
        "Phase": "ganbench.variants",
        "Batch": "ganbench.variants",
        "Hyper": "ganbench.variants",
        "Span": "ganbench.variants",
        "discriminator": "ganbench.variants",
        "generator": "ganbench.variants",
        "NETWORKS": "ganbench.networks",
        "Network": "ganbench.networks",
        "Order": "ganbench.networks.parts",
        "Parts": "ganbench.networks.parts",
        "register_mixture": "ganbench.data.base",
    },
)


def __getattr__(name: str) -> Any:
    return importlib.import_module(f"ganbench.{name}") if name in ("data", "metrics", "testing") else _api(name)
