"""Imports every metric, so that it is registered: one line a file."""

from ganbench.metrics import (
    bins,
    diversity,
    extrapolation,
    frechet,
    isc,
    kernel_distance,
    manifolds,
    memorisation,
    modes,
    nearest_neighbour,
    parzen,
    similarity,
    stacked_modes,
    wasserstein,
)

__all__ = [
    "bins",
    "diversity",
    "extrapolation",
    "frechet",
    "isc",
    "kernel_distance",
    "manifolds",
    "memorisation",
    "modes",
    "nearest_neighbour",
    "parzen",
    "similarity",
    "stacked_modes",
    "wasserstein",
]
