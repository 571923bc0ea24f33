"""Imports every metric, so that it is registered: one line a file."""

from ganbench.metrics import frechet, isc, modes, parzen

__all__ = ["frechet", "isc", "modes", "parzen"]
