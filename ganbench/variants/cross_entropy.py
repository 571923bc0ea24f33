"""The original GAN and its closest kin: the discriminator is a classifier trained by cross-entropy."""

from __future__ import annotations

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, Settings, Variant
from ganbench.variants.phases import discriminator, generator

_MAXOUT_2014: Settings = {
    "optimizer": "sgd",
    "lr": 0.1,
    "lr_decay": "exponential",
    "lr_decay_rate": 1.000004,
    "lr_min": 1e-6,
    "momentum": 0.5,
    "momentum_final": 0.7,
    "momentum_steps": 125_000,  # 250 epochs of 500 batches
    "batch_size": 100,
}
_POINTS: Settings = {"lr": 2e-3, "beta1": 0.5, "beta2": 0.999}

MINIMAX = VARIANTS.add(
    Variant(
        name="minimax",
        title="GAN, minimax loss",
        family="cross-entropy",
        paper="Goodfellow et al. 2014, Generative adversarial nets",
        year=2014,
        phases=(discriminator(losses.cross_entropy_d), generator(losses.minimax_g)),
        presets={"points": _POINTS, "maxout": _MAXOUT_2014},
        doc="The generator minimises log(1 - D(G(z))), which saturates where the discriminator is sure.",
    )
)

NON_SATURATING = VARIANTS.add(
    Variant(
        name="ns",
        title="GAN, non-saturating loss",
        family="cross-entropy",
        paper="Goodfellow et al. 2014, Generative adversarial nets, section 3",
        year=2014,
        phases=(discriminator(losses.cross_entropy_d), generator(losses.non_saturating_g)),
        presets={"points": _POINTS, "maxout": _MAXOUT_2014},
        doc="The generator minimises -log D(G(z)): the same fixed point, stronger gradients early.",
    )
)

DCGAN = VARIANTS.add(
    Variant(
        name="dcgan",
        title="DCGAN",
        family="cross-entropy",
        paper="Radford et al. 2016, Unsupervised representation learning with deep convolutional GANs",
        year=2016,
        phases=NON_SATURATING.phases,
        presets={
            "": {"lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "batch_size": 128},
            "dcgan": {"norm": "batch", "prior": "uniform"},
        },
        networks={"images": "dcgan"},
        doc="The non-saturating loss on strided convolutions with batch norm in both players, N(0, .02) weights.",
    )
)

SNGAN = VARIANTS.add(
    Variant(
        name="sngan",
        title="SN-GAN",
        family="cross-entropy",
        paper="Miyato et al. 2018, Spectral normalization for generative adversarial networks",
        year=2018,
        phases=NON_SATURATING.phases,
        presets={"": {"lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "norm": "spectral"}, "points": {"lr": 1e-3}},
        doc="The non-saturating loss with W/σ(W) in every layer of the discriminator.",
    )
)
