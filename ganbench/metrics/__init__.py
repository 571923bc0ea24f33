"""Metrics: numbers from samples or features, each pinned to its reference. Importing this room does not load torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganbench.lazy import attach
from ganbench.metrics.base import METRICS
from ganbench.metrics.features.base import EXTRACTORS

if TYPE_CHECKING:
    from ganbench.metrics.frechet import fid
    from ganbench.metrics.isc import inception_score
    from ganbench.metrics.modes import mode_coverage
    from ganbench.metrics.parzen import parzen_log_likelihood
    from ganbench.metrics.samples import evaluate

__all__ = [
    "EXTRACTORS",
    "METRICS",
    "evaluate",
    "fid",
    "inception_score",
    "mode_coverage",
    "parzen_log_likelihood",
]

__getattr__ = attach(
    __name__,
    {
        "evaluate": "ganbench.metrics.samples",
        "fid": "ganbench.metrics.frechet",
        "inception_score": "ganbench.metrics.isc",
        "mode_coverage": "ganbench.metrics.modes",
        "parzen_log_likelihood": "ganbench.metrics.parzen",
    },
)
