"""Imports every family, so that its variants are registered: one line a family."""

from ganbench.variants import cross_entropy, hinge, least_squares, wasserstein

__all__ = ["cross_entropy", "hinge", "least_squares", "wasserstein"]
