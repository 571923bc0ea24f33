"""Least-squares GANs: scores are regressed on labels."""

from __future__ import annotations

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, Variant
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
        doc="½(D(x) - b)² + ½(D(G(z)) - a)² against ½(D(G(z)) - c)², on linear scores.",
        equation="D: ½ E(D(x) - b)² + ½ E(D(G(z)) - a)²; G: ½ E(D(G(z)) - c)²",
        remarks="(a, b, c) = (0, 1, 1) by default; (-1, 1, 0) by label_fake, label_real and label_generator.",
        oracle="scores .9 and .2: .025 and .32, or .725 and .02",
    )
)
