"""Least-squares GANs: scores are regressed on labels."""

from __future__ import annotations

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, Hyper, Variant
from ganbench.variants.phases import discriminator, generator

LSGAN = VARIANTS.add(
    Variant(
        name="lsgan",
        title="LSGAN",
        family="least squares",
        paper="Mao et al. 2017, Least squares generative adversarial networks",
        year=2017,
        phases=(discriminator(losses.least_squares_d), generator(losses.least_squares_g)),
        presets={"": {"lr": 2e-4, "beta1": 0.5}, "points": {"lr": 2e-3}},
        hypers=(
            Hyper("label_fake", 0.0, "a: what D regresses G(z) on"),
            Hyper("label_real", 1.0, "b: what D regresses x on"),
            Hyper("label_generator", 1.0, "c: what G wants D(G(z)) to be; (a, b, c) = (-1, 1, 0) is Pearson χ²"),
        ),
        doc="½(D(x) - b)² + ½(D(G(z)) - a)² against ½(D(G(z)) - c)², on linear scores.",
    )
)
