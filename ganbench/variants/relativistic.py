"""Relativistic losses: a real sample is judged against generated ones."""

from __future__ import annotations

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, Variant
from ganbench.variants.phases import discriminator, generator

_PAIRED = (discriminator(losses.relativistic_pairing_d), generator(losses.relativistic_pairing_g))
_POINTS = {"lr": 1e-3, "beta1": 0.5}

RPGAN = VARIANTS.add(
    Variant(
        name="rpgan",
        title="Relativistic pairing GAN",
        family="relativistic",
        paper="Jolicoeur-Martineau 2019, The relativistic discriminator",
        year=2019,
        phases=_PAIRED,
        presets={"points": _POINTS},
        doc="D tells which of a real and a generated sample is real; G makes it tell wrongly.",
        equation="D: E sp(D(G(z)) - D(x)); G: E sp(D(x) - D(G(z)))",
        remarks="The rate on points is this project's.",
        oracle="case R: .027399 and 3.610918; Dirac-GAN: the GAN's eigenvalues",
    )
)

R3GAN = VARIANTS.add(
    Variant(
        name="r3gan",
        title="R3GAN's loss",
        family="relativistic",
        paper="Huang et al. 2024, The GAN is dead; long live the GAN! A modern GAN baseline",
        year=2024,
        phases=_PAIRED,
        presets={
            "": {"r1": 1.0, "r2": 1.0, "beta1": 0.0, "beta2": 0.99, "norm": "none"},
            "points": {"lr": 1e-3, "r1": 0.1, "r2": 0.1},
        },
        doc="Relativistic pairing with R1 and R2; the loss of the paper, on this project's networks.",
        equation="RpGAN + γ/2 (E‖∇D(x)‖² + E‖∇D(G(z))‖²)",
        remarks="The paper's network and schedules are not here; γ depends on the data, 1 (.1 on points) is ours.",
        oracle="linear critic (3, 4), γ 10: 250; Dirac-GAN: -γ ± √(γ² - ¼)",
    )
)

RAGAN = VARIANTS.add(
    Variant(
        name="ragan",
        title="Relativistic average GAN, hinge",
        family="relativistic",
        paper="Jolicoeur-Martineau 2019, The relativistic discriminator",
        year=2019,
        phases=(discriminator(losses.relativistic_average_d), generator(losses.relativistic_average_g)),
        presets={"points": _POINTS},
        doc="Scores relative to the mean score of the other kind, in a hinge loss.",
        equation="½ E max(0, 1 - (D(x) - E D(G(z)))) + ½ E max(0, 1 + D(G(z)) - E D(x)); G: sides exchanged",
        remarks="The halves are the authors' code's; the rate on points is this project's.",
        oracle="case R: 0 and 4.583519",
    )
)
