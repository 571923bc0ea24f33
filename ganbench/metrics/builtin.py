"""Imports every metric, so that it is registered: one line a file."""

from ganbench.metrics import frechet, inception_score, mode_coverage, parzen

__all__ = ["frechet", "inception_score", "mode_coverage", "parzen"]
