"""Metrics: numbers from samples or features, each pinned to its reference. Importing this room does not load torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ganbench.metrics.base import METRICS
from ganbench.metrics.features.base import EXTRACTORS

if TYPE_CHECKING:
    from ganbench.metrics.evaluate import evaluate
    from ganbench.metrics.frechet import fid
    from ganbench.metrics.inception_score import inception_score
    from ganbench.metrics.mode_coverage import mode_coverage
    from ganbench.metrics.parzen import parzen_log_likelihood

__all__ = [
    "EXTRACTORS",
    "METRICS",
    "evaluate",
    "fid",
    "inception_score",
    "mode_coverage",
    "parzen_log_likelihood",
]

_HOMES = {
    "evaluate": "evaluate",
    "fid": "frechet",
    "inception_score": "inception_score",
    "mode_coverage": "mode_coverage",
    "parzen_log_likelihood": "parzen",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"ganbench.metrics.{_HOMES[name]}"), name)
        globals()[name] = value  # over the sub-module of the same name, which importing it has bound
        return value
    raise AttributeError(f"module 'ganbench.metrics' has no attribute {name!r}")
