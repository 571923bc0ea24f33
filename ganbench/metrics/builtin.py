"""Imports every metric, so that it is registered: one line a file."""

from ganbench.metrics import (
    fid_infinity,
    frechet,
    isc,
    kid,
    memorisation,
    modes,
    ms_ssim,
    ndb,
    nearest_neighbour,
    parzen,
    prdc,
    stacked_modes,
    vendi,
    wasserstein,
)

__all__ = [
    "fid_infinity",
    "frechet",
    "isc",
    "kid",
    "memorisation",
    "modes",
    "ms_ssim",
    "ndb",
    "nearest_neighbour",
    "parzen",
    "prdc",
    "stacked_modes",
    "vendi",
    "wasserstein",
]
