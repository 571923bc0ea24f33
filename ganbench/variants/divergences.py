"""GANs of a chosen divergence: f-GAN and MMD-GAN."""

from __future__ import annotations

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, Variant
from ganbench.variants.phases import CLIP, discriminator, generator

FGAN = VARIANTS.add(
    Variant(
        name="fgan",
        title="f-GAN",
        family="divergences",
        paper="Nowozin et al. 2016, f-GAN: Training generative neural samplers using variational divergence "
        "minimization",
        year=2016,
        phases=(discriminator(losses.f_divergence_d), generator(losses.f_divergence_g)),
        presets={"": {"lr": 1e-4}, "points": {"lr": 1e-3, "beta1": 0.5}},
        doc="The variational bound on an f-divergence, named by `divergence`.",
        equation="D: E f*(T(G(z))) - E T(x); G: -E f*(T(G(z)))",
        remarks="The saddle point itself; the authors train G by -E T(G(z)) instead, after section 3.2. The rate on "
        "points is this project's.",
        oracle="case R, KL: -2.105255 and -.091970; the GAN divergence: .328504; conjugates by their definition",
    )
)

MMDGAN = VARIANTS.add(
    Variant(
        name="mmdgan",
        title="MMD-GAN",
        family="divergences",
        paper="Li et al. 2017, MMD GAN: Towards deeper understanding of moment matching network",
        year=2017,
        phases=(discriminator(losses.mmd_d, clip=CLIP), generator(losses.mmd_g)),
        roles={"G": "generator", "D": "embedding"},
        presets={
            "": {"optimizer": "rmsprop", "lr": 5e-5, "beta2": 0.99, "n_dis": 5, "d_outputs": 16},
            "points": {"lr": 5e-4, "clip": 0.1},
        },
        doc="Maximum mean discrepancy of samples as D embeds them, by a mixture of Gaussian kernels.",
        equation="G: √max(0, MMD²(D(x), D(G(z)))), σ = 1, 2, 4, 8, 16; D: minus that",
        remarks="Without the paper's autoencoder in D and its one-sided feasible set. Rate and clip on points "
        "are ours.",
        oracle="{0, 1} against {0, 2}, σ 1: .196735",
        version=2,  # MMD² in float64: in float32 its gradients were rounding errors
    )
)
