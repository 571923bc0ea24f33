"""Variants that change how players move, or what D's gradient may be, and leave the losses as they are."""

from __future__ import annotations

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, Variant
from ganbench.variants.phases import discriminator, generator

_PHASES = (discriminator(losses.cross_entropy_d), generator(losses.non_saturating_g))

CONOPT = VARIANTS.add(
    Variant(
        name="conopt",
        title="Consensus optimisation",
        family="dynamics",
        paper="Mescheder et al. 2017, The numerics of GANs",
        year=2017,
        phases=_PHASES,
        presets={
            "": {"update": "simultaneous", "optimizer": "rmsprop", "lr": 1e-4, "beta2": 0.9, "consensus": 0.1},
            "points": {"consensus": 10.0, "lr": 1e-3},
            "images": {"norm": "none", "prior": "normal", "latent_dim": 256},
        },
        doc="Both players also descend the squared length of the game's vector field.",
        equation="v + γ ∇ ½‖v‖², v the gradients of all players' losses",
        remarks="γ is 10 for mixtures and .1 for convolutional networks. The paper's rate on mixtures is 1e-4, for "
        "20,000 steps and more, on 4 x 16 units with 16 latents and batches of 512 (docs/reproduction.md); 1e-3 is "
        "this project's for its shorter runs. The radii of the Dirac-GAN are of γ = 1.",
        oracle="bilinear game at (1, 1), γ .1: (-1.1, .9); Dirac-GAN: eigenvalues and radii",
    )
)

UNROLLED = VARIANTS.add(
    Variant(
        name="unrolled",
        title="Unrolled GAN",
        family="dynamics",
        paper="Metz et al. 2017, Unrolled generative adversarial networks",
        year=2017,
        phases=_PHASES,
        presets={"": {"unrolled": 5}, "points": {"lr": 1e-3, "beta1": 0.5}},
        doc="G's gradient goes through the next five steps that D's optimiser would make.",
        equation="G: f(θ_G, θ_D^k), θ_D^{i+1} = θ_D^i - η ∇ L_D(θ_G, θ_D^i)",
        remarks="D's steps are those of its own optimiser, moments included, as in the authors' code; all k of them "
        "see the same batch.",
        oracle="bilinear game, η .1, k 1: 1.2 (a stopped gradient: 1.1; none: 1.0); Dirac-GAN",
    )
)

DRAGAN = VARIANTS.add(
    Variant(
        name="dragan",
        title="DRAGAN",
        family="penalties",
        paper="Kodali et al. 2017, On convergence and stability of GANs",
        year=2017,
        phases=_PHASES,
        presets={"": {"dragan": 10.0, "lr": 1e-4, "norm": "none"}, "points": {"lr": 2e-3, "dragan": 1.0}},
        doc="The non-saturating loss with a gradient penalty around the data.",
        equation="+ λ E(‖∇D(x + δ)‖ - 1)²",
        remarks="δ is normal, as in the paper, with half the data's deviation, as in the authors' code. λ = 1 on "
        "points is this project's choice.",
        oracle="linear critic (3, 4): 160",
    )
)

R1 = VARIANTS.add(
    Variant(
        name="r1",
        title="R1 regularisation",
        family="penalties",
        paper="Mescheder et al. 2018, Which training methods for GANs do actually converge?",
        year=2018,
        phases=_PHASES,
        presets={"": {"r1": 10.0, "lr": 1e-4, "norm": "none"}, "points": {"lr": 1e-3, "r1": 0.1}},
        doc="The non-saturating loss with a penalty on D's gradient at real samples.",
        equation="+ γ/2 E‖∇D(x)‖²",
        remarks="γ = .1 on points is this project's choice: the slopes between modes of deviation .01 are steep.",
        oracle="linear critic (3, 4), γ 10: 125; Dirac-GAN",
    )
)
