"""Models with an encoder: VAE, adversarial autoencoder, BEGAN, BiGAN, VEEGAN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganbench.lazy import F
from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, H, Hyper, Phase, Settings, Span, Variant
from ganbench.variants.likelihoods import SIGMA, gaussian_kl, reconstruction

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.variants.base import Batch, Nets


def vae_loss(nets: Nets, batch: Batch, h: H) -> Tensor:
    """-E log p(x | z) + KL(q(z | x) ‖ p(z)). Kingma and Welling 2014, equation 10; batch.z is the N(0, 1) of q."""
    mean, log_variance = nets.E(batch.real).chunk(2, 1)
    codes = mean + (log_variance / 2).exp() * batch.z
    return reconstruction(batch.real, nets.G(codes), h) + gaussian_kl(mean, log_variance)


_VAE_PHASES = (Phase("E G", vae_loss, reads=("real", "z"), hypers=(SIGMA,)),)
_VAE_PRESETS: dict[str, Settings] = {
    "": {"lr": 1e-3, "beta1": 0.9, "prior": "normal"},
    "dense": {"latent_dim": 20},
}

VAE = VARIANTS.add(
    Variant(
        name="vae",
        title="Variational autoencoder",
        family="likelihood",
        paper="Kingma and Welling 2014, Auto-encoding variational Bayes",
        year=2014,
        phases=_VAE_PHASES,
        roles={"E": "gaussian", "G": "generator"},
        presets=_VAE_PRESETS,
        networks={"images": "dense"},
        doc="Not adversarial: for comparison. What is scored are means of p(x | z).",
        equation="-E log p(x | z) + KL(q(z | x) ‖ N(0, 1))",
        remarks="Adam 1e-3 for the paper's Adagrad. Points have a Gaussian likelihood of deviation `sigma`.",
        oracle="μ 1, σ 1: KL .5; x 1, p .5: .693147",
    )
)

CVAE = VARIANTS.add(
    Variant(
        name="cvae",
        title="Conditional variational autoencoder",
        family="likelihood",
        paper="Sohn et al. 2015, Learning structured output representation using deep conditional generative models",
        year=2015,
        phases=_VAE_PHASES,
        roles=VAE.roles,
        presets={**_VAE_PRESETS, "": {**_VAE_PRESETS[""], "conditioning": "concat"}},
        networks=VAE.networks,
        doc="A VAE whose encoder and decoder are told the class.",
        equation="-E log p(x | z, y) + KL(q(z | x, y) ‖ N(0, 1))",
        remarks="The prior does not depend on the class; the paper's is learned.",
        oracle="as vae",
    )
)


def aae_reconstruction(nets: Nets, batch: Batch, h: H) -> Tensor:
    """-E log p(x | E(x)). Makhzani et al. 2016, section 2: the reconstruction phase."""
    return reconstruction(batch.real, nets.G(nets.E(batch.real)), h)


def aae_d(nets: Nets, batch: Batch, h: H) -> Tensor:
    """Cross-entropy on codes, those of the prior being the real ones. Makhzani et al. 2016, section 2."""
    return losses.cross_entropy_d(nets.D(batch.z), nets.D(nets.E(batch.real)), h)


def aae_g(nets: Nets, batch: Batch, h: H) -> Tensor:
    """-E log D(E(x)): the encoder makes codes that pass for the prior's. Makhzani et al. 2016, section 2."""
    return losses.non_saturating_g(nets.D(nets.E(batch.real)), h)


AAE = VARIANTS.add(
    Variant(
        name="aae",
        title="Adversarial autoencoder",
        family="autoencoders",
        paper="Makhzani et al. 2016, Adversarial autoencoders",
        year=2016,
        phases=(
            Phase("E G", aae_reconstruction, reads=("real",), hypers=(SIGMA,)),
            Phase("D", aae_d, repeat="n_dis", reads=("real", "z"), hypers=(losses.LABEL_SMOOTHING,)),
            Phase("E", aae_g, reads=("real",)),
        ),
        roles={"E": "encoder", "G": "generator", "D": "codes"},
        presets={
            "": {"lr": 1e-3, "beta1": 0.5, "prior": "normal"},
            "dense": {"latent_dim": 8, "width": 1000, "batch_size": 100},
        },
        networks={"images": "dense"},
        doc="An autoencoder whose codes are made to follow the prior by a discriminator of codes.",
        equation="E, G: -E log p(x | E(x)); D: -E log D(z) - E log(1 - D(E(x))); E: -E log D(E(x))",
        remarks="From memory of the paper, with Adam for its SGD, LeakyReLU for its ReLU in E and D, and "
        "the VAE's likelihood.",
        oracle="case R: .328504 and 1.609438",
    )
)


def autoencoding_error(nets: Nets, x: Tensor) -> Tensor:
    """L(x) = E |x - D(x)|, the mean over dimensions. Berthelot et al. 2017, equation 1, η = 1."""
    error: Tensor = (x - nets.D(x)).abs().mean()
    return error


def next_balance(k: Any, of_real: Tensor, of_fake: Tensor, h: H) -> Tensor:
    """k + λ_k (γ L(x) - L(G(z))), held in 0..1. Berthelot et al. 2017, equation 8."""
    moved: Tensor = k + h["began_lambda"] * (h["began_gamma"] * of_real - of_fake)
    return moved.clamp(0, 1)


def convergence(of_real: Tensor, of_fake: Tensor, h: H) -> Tensor:
    """M = L(x) + |γ L(x) - L(G(z))|, what the authors watch. Berthelot et al. 2017, equation 9."""
    measure: Tensor = of_real + (h["began_gamma"] * of_real - of_fake).abs()
    return measure


def began_d(nets: Nets, batch: Batch, h: H) -> tuple[Tensor, dict[str, Tensor]]:
    """L(x) - k L(G(z)), and k's next value. Berthelot et al. 2017, equation 8."""
    of_real, of_fake = autoencoding_error(nets, batch.real), autoencoding_error(nets, nets.G(batch.z))
    k = h["balance"]
    return of_real - k * of_fake, {"balance": next_balance(k, of_real.detach(), of_fake.detach(), h)}


def began_g(nets: Nets, batch: Batch, h: H) -> Tensor:
    """L(G(z)). Berthelot et al. 2017, equation 8."""
    return autoencoding_error(nets, nets.G(batch.z))


BEGAN = VARIANTS.add(
    Variant(
        name="began",
        title="BEGAN",
        family="autoencoders",
        paper="Berthelot et al. 2017, BEGAN: Boundary equilibrium generative adversarial networks",
        year=2017,
        phases=(
            Phase("D", began_d, repeat="n_dis", reads=("real", "z"), memory={"balance": 0.0}),
            Phase("G", began_g, repeat="n_gen", reads=("z",)),
        ),
        roles={"G": "generator", "D": "autoencoder"},
        presets={
            "": {"lr": 1e-4, "beta1": 0.5, "norm": "none", "prior": "uniform"},
            "points": {"lr": 1e-3, "latent_dim": 2},
        },
        hypers=(
            Hyper("began_gamma", 0.5, "γ, E L(G(z)) over E L(x) that is aimed at", 0.0, 1.0, space=Span(0.0, 1.0)),
            Hyper("began_lambda", 0.001, "λ_k, the rate of k", low=0.0, space=Span(1e-4, 1e-2, log=True)),
        ),
        doc="D is an autoencoder; a controller k holds the errors of real and generated samples in balance.",
        equation="D: L(x) - k L(G(z)); G: L(G(z)); k ← k + λ_k (γ L(x) - L(G(z)))",
        remarks="On the network in use, not the paper's; two latents and the rate on points are this project's.",
        oracle="L .5 and .2, k .1: D .48, G .2, k .10005, M .55",
    )
)


def bigan_d(nets: Nets, batch: Batch, h: H) -> Tensor:
    """½ (-E log D(x, E(x)) - E log(1 - D(G(z), z))). Donahue et al. 2017, equation 3, halved as in the code."""
    real, fake = nets.D(batch.real, nets.E(batch.real)), nets.D(nets.G(batch.z), batch.z)
    loss: Tensor = losses.cross_entropy_d(real, fake, h) / 2 + h["weight_decay"] * losses.squares(nets.D)
    return loss


def bigan_g(nets: Nets, batch: Batch, h: H) -> Tensor:
    """½ (-E log(1 - D(x, E(x))) - E log D(G(z), z)): labels exchanged. Donahue et al. 2017, section 3."""
    real, fake = nets.D(batch.real, nets.E(batch.real)), nets.D(nets.G(batch.z), batch.z)
    adversarial = (F.softplus(real).mean() + F.softplus(-fake).mean()) / 2
    loss: Tensor = adversarial + h["weight_decay"] * losses.squares(nets.E, nets.G)
    return loss


_DECAY = Hyper("weight_decay", 0.0, "coefficient of the sum of all squared weights", low=0.0)

BIGAN = VARIANTS.add(
    Variant(
        name="bigan",
        title="BiGAN",
        family="autoencoders",
        paper="Donahue et al. 2017, Adversarial feature learning",
        year=2017,
        phases=(
            Phase("D", bigan_d, "n_dis", reads=("real", "z"), hypers=(_DECAY, losses.LABEL_SMOOTHING)),
            Phase("G E", bigan_g, "n_gen", reads=("real", "z"), hypers=(_DECAY,)),
        ),
        roles={"G": "generator", "D": "joint", "E": "encoder"},
        presets={
            "": {"lr": 2e-4, "beta1": 0.5, "prior": "uniform", "weight_decay": 2.5e-5},
            "dense": {"latent_dim": 50, "width": 1024, "batch_size": 128},
            "points": {"lr": 1e-3},
        },
        networks={"images": "dense"},
        doc="D judges pairs: a sample with its code, or a latent with what is made of it.",
        equation="D: ½ (-E log D(x, E(x)) - E log(1 - D(G(z), z))); E, G: labels exchanged",
        remarks="The halves are the code's; the rate on points is this project's.",
        oracle="case R: .164252 and 1.956012",
    )
)


def veegan_d(nets: Nets, batch: Batch, h: H) -> Tensor:
    """-E log D(z, G(z)) - E log(1 - D(F(x), x)). Srivastava et al. 2017, algorithm 1."""
    generated, encoded = nets.D(nets.G(batch.z), batch.z), nets.D(batch.real, nets.F(batch.real))
    return losses.cross_entropy_d(generated, encoded, h)


def veegan_g(nets: Nets, batch: Batch, h: H) -> Tensor:
    """E D(z, G(z)) + E ‖z - F(G(z))‖², D's logit. Srivastava et al. 2017, equation 3 and algorithm 1."""
    fake = nets.G(batch.z)
    loss: Tensor = nets.D(fake, batch.z).mean() + (batch.z - nets.F(fake)).square().sum(1).mean()
    return loss


VEEGAN = VARIANTS.add(
    Variant(
        name="veegan",
        title="VEEGAN",
        family="autoencoders",
        paper="Srivastava et al. 2017, VEEGAN: Reducing mode collapse in GANs using implicit variational learning",
        year=2017,
        phases=(
            Phase("D", veegan_d, "n_dis", reads=("real", "z"), hypers=(losses.LABEL_SMOOTHING,)),
            Phase("G F", veegan_g, "n_gen", reads=("z",)),
        ),
        roles={"G": "generator", "D": "joint", "F": "encoder"},
        presets={
            "": {"lr": 1e-3, "beta1": 0.5, "prior": "normal"},
            "images": {"lr": 2e-4, "prior": "uniform", "latent_dim": 100, "batch_size": 64},
        },
        networks={"images": "dense"},
        doc="An encoder F maps samples back to latents; a latent that is not found again is a mode that was lost.",
        equation="D: -E log D(z, G(z)) - E log(1 - D(F(x), x)); G, F: E D(z, G(z)) + E ‖z - F(G(z))‖²",
        remarks="D is trained to give 1 to generated pairs, as in the paper, and G lowers its logit.",
        oracle="logit -1.386, error (.5, 0): -1.136294",
    )
)
