"""The hinge loss."""

from __future__ import annotations

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, Variant
from ganbench.variants.phases import discriminator, generator

HINGE = VARIANTS.add(
    Variant(
        name="hinge",
        title="Hinge loss",
        family="hinge",
        paper="Miyato et al. 2018, Spectral normalization for generative adversarial networks, equation 16",
        year=2018,
        phases=(discriminator(losses.hinge_d), generator(losses.wasserstein_g)),
        presets={
            "": {"norm": "spectral"},
            "images": {"beta1": 0.0, "beta2": 0.9, "n_dis": 5, "lr_decay": "linear"},
            "points": {"lr": 1e-3, "beta1": 0.0, "beta2": 0.9, "norm": "none"},
            "resnet": {"lr": 2e-4, "width": 256, "d_width": 0.5},
        },
        doc="E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))) against -E D(G(z)).",
        equation="D: E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))); G: -E D(G(z))",
        remarks="The paper's residual network is `--network resnet`, whose G batch of 128 is here "
        "D's 64. On points there is one D step and no spectral norm: this project's choice.",
        oracle="case R: 0 and 1.386294; scores (.3, -.4): 1.3",
    )
)
