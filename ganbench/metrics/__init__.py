"""Metrics: numbers from samples or features, each pinned to its reference. Importing this room does not load torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganbench.lazy import attach
from ganbench.metrics.base import METRICS
from ganbench.metrics.features.base import EXTRACTORS

if TYPE_CHECKING:
    from ganbench.metrics.battles import battle
    from ganbench.metrics.bins import ndb
    from ganbench.metrics.diversity import vendi
    from ganbench.metrics.extrapolation import fid_infinity
    from ganbench.metrics.frechet import fid
    from ganbench.metrics.isc import inception_score
    from ganbench.metrics.kernel_distance import kid
    from ganbench.metrics.manifolds import improved_precision_recall, prdc
    from ganbench.metrics.memorisation import authpct, data_copying
    from ganbench.metrics.modes import mode_coverage
    from ganbench.metrics.nearest_neighbour import one_nearest_neighbour
    from ganbench.metrics.parzen import parzen_log_likelihood
    from ganbench.metrics.samples import evaluate
    from ganbench.metrics.similarity import ms_ssim
    from ganbench.metrics.stacked_modes import stacked_coverage
    from ganbench.metrics.wasserstein import sliced_wasserstein, wasserstein2

__all__ = [
    "EXTRACTORS",
    "METRICS",
    "authpct",
    "battle",
    "data_copying",
    "evaluate",
    "fid",
    "fid_infinity",
    "improved_precision_recall",
    "inception_score",
    "kid",
    "mode_coverage",
    "ms_ssim",
    "ndb",
    "one_nearest_neighbour",
    "parzen_log_likelihood",
    "prdc",
    "sliced_wasserstein",
    "stacked_coverage",
    "vendi",
    "wasserstein2",
]

__getattr__ = attach(
    __name__,
    {
        "authpct": "ganbench.metrics.memorisation",
        "battle": "ganbench.metrics.battles",
        "data_copying": "ganbench.metrics.memorisation",
        "evaluate": "ganbench.metrics.samples",
        "fid": "ganbench.metrics.frechet",
        "fid_infinity": "ganbench.metrics.extrapolation",
        "improved_precision_recall": "ganbench.metrics.manifolds",
        "inception_score": "ganbench.metrics.isc",
        "kid": "ganbench.metrics.kernel_distance",
        "mode_coverage": "ganbench.metrics.modes",
        "ms_ssim": "ganbench.metrics.similarity",
        "ndb": "ganbench.metrics.bins",
        "one_nearest_neighbour": "ganbench.metrics.nearest_neighbour",
        "parzen_log_likelihood": "ganbench.metrics.parzen",
        "prdc": "ganbench.metrics.manifolds",
        "sliced_wasserstein": "ganbench.metrics.wasserstein",
        "stacked_coverage": "ganbench.metrics.stacked_modes",
        "vendi": "ganbench.metrics.diversity",
        "wasserstein2": "ganbench.metrics.wasserstein",
    },
)
