"""Imports every family, so that its variants are registered: one line a family."""

from ganbench.variants import (
    autoencoders,
    cross_entropy,
    dbn,
    divergences,
    dynamics,
    hinge,
    infogan,
    least_squares,
    relativistic,
    srgan,
    stepwise,
    wasserstein,
)

__all__ = [
    "autoencoders",
    "cross_entropy",
    "dbn",
    "divergences",
    "dynamics",
    "hinge",
    "infogan",
    "least_squares",
    "relativistic",
    "srgan",
    "stepwise",
    "wasserstein",
]
