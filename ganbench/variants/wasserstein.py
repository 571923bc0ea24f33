"""Wasserstein GANs: the discriminator is a critic, kept Lipschitz by clipping or by a gradient penalty."""

from __future__ import annotations

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, Variant
from ganbench.variants.phases import CLIP, discriminator, generator

WGAN = VARIANTS.add(
    Variant(
        name="wgan",
        title="WGAN, weight clipping",
        family="wasserstein",
        paper="Arjovsky et al. 2017, Wasserstein GAN",
        year=2017,
        phases=(discriminator(losses.wasserstein_d, clip=CLIP), generator(losses.wasserstein_g)),
        presets={
            "": {"optimizer": "rmsprop", "lr": 5e-5, "beta2": 0.99, "n_dis": 5, "prior": "normal"},
            # at .01 the three small layers of a toy critic pass no gradient; these two are this project's choice
            "points": {"lr": 5e-4, "clip": 0.1},
        },
        doc="The critic's weights are clipped after each of its steps, as in the paper (the authors' code: before).",
        equation="D: E D(G(z)) - E D(x), |w| ≤ c; G: -E D(G(z))",
        remarks="The authors' code makes 100 critic steps for each of the first 25 of G and every 500th; here 5.",
        oracle="case R: -3.583519 and 1.386294; the clip; Dirac-GAN",
    )
)

WGAN_GP = VARIANTS.add(
    Variant(
        name="wgan-gp",
        title="WGAN-GP",
        family="wasserstein",
        paper="Gulrajani et al. 2017, Improved training of Wasserstein GANs",
        year=2017,
        phases=(discriminator(losses.wasserstein_d), generator(losses.wasserstein_g)),
        presets={
            "": {"gp": 10.0, "lr": 1e-4, "beta1": 0.5, "beta2": 0.9, "n_dis": 5, "norm": "none", "prior": "normal"},
            "points": {"gp": 0.1, "lr": 2e-3},
            "dcgan": {"latent_dim": 128},
            "resnet": {"lr": 2e-4, "beta1": 0.0},
        },
        doc="λ E(‖∇D(x̂)‖ - 1)² on lines between real and generated samples; no batch norm in the critic.",
        equation="D: E D(G(z)) - E D(x) + λ E(‖∇D(x̂)‖ - 1)²; G: -E D(G(z))",
        remarks="λ = .1 on points, as in the authors' toy code, whose networks (3 x 512), batch (256) and length "
        "(100,000) are larger than this project's. Their MNIST recipe is width 64, batch 50, 200,000 steps.",
        oracle="linear critic (3, 4): penalty 160, D 156.416481; Dirac-GAN",
    )
)
