"""Imports every metric, so that it is registered: one line a file."""

from ganbench.metrics import frechet, isc, kid, modes, parzen

__all__ = ["frechet", "isc", "kid", "modes", "parzen"]
