"""InfoGAN: codes in the latent that can be read off the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, H, Hyper, Phase, Variant
from ganbench.variants.likelihoods import categorical_information, continuous_information

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.variants.base import Batch, Nets


def information(nets: Nets, fake: Tensor, z: Tensor, h: H) -> Tensor:
    """λ (H(c) + E log Q(c | G(z))), the codes c being the last numbers of z. Chen et al. 2016, equation 5."""
    found = nets.Q(nets.D.features(fake))
    k = int(h["codes_categorical"])
    codes = z[:, z.shape[1] - k - int(h["codes_continuous"]) :]
    bound = categorical_information(found[:, :k], codes[:, :k]) if k else 0.0
    told: Tensor = h["info"] * (bound + continuous_information(found[:, k:], codes[:, k:]))
    return told


def infogan_d(nets: Nets, batch: Batch, h: H) -> Tensor:
    """Cross-entropy less the information: D's trunk serves Q too. Chen et al. 2016, equation 6."""
    fake = nets.G(batch.z)
    return losses.cross_entropy_d(nets.D(batch.real), nets.D(fake), h) - information(nets, fake, batch.z, h)


def infogan_g(nets: Nets, batch: Batch, h: H) -> Tensor:
    """-E log D(G(z)) less the information. Chen et al. 2016, equation 6, non-saturating as in the code."""
    fake = nets.G(batch.z)
    return losses.non_saturating_g(nets.D(fake), h) - information(nets, fake, batch.z, h)


_CODES = (
    Hyper("codes_categorical", 10, "classes of the categorical code; 0: none", low=0),
    Hyper("codes_continuous", 2, "continuous codes, U(-1, 1) each", low=0),
    Hyper("info", 1.0, "λ, the weight of the information", low=0.0),
)

INFOGAN = VARIANTS.add(
    Variant(
        name="infogan",
        title="InfoGAN",
        family="cross-entropy",
        paper="Chen et al. 2016, InfoGAN: Interpretable representation learning by information maximizing GANs",
        year=2016,
        phases=(
            Phase("D Q", infogan_d, "n_dis", reads=("real", "z"), hypers=(*_CODES, losses.LABEL_SMOOTHING)),
            Phase("G", infogan_g, "n_gen", reads=("z",)),
        ),
        roles={"G": "generator", "D": "scores", "Q": "code head"},
        presets={
            "": {"lr": 1e-3, "lr_ratio": 0.2, "beta1": 0.5, "prior": "uniform", "batch_size": 128},
            "images": {"latent_dim": 62},
            "points": {"codes_categorical": 8, "codes_continuous": 0, "lr_ratio": 1.0},
        },
        doc="The latent ends in a class and continuous codes, which a head on D's trunk reads back.",
        equation="D, Q and G: as ns, less λ (H(c) + E log Q(c | G(z)))",
        remarks="Q moves with D, as in the authors' code; the Gaussian's variance is 1. On points there "
        "are eight classes and no other code: this project's choice.",
        oracle="Q(true) = .5 of 10 classes: ln 5",
    )
)
