"""Generators that paint an image in steps: LAPGAN and GRAN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, H, Hyper, Phase, Variant
from ganbench.variants.phases import discriminator, generator

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.variants.base import Batch, Nets


def lapgan_d(nets: Nets, batch: Batch, h: H) -> Tensor:
    """Σ over levels of -E log D(h, l) - E log(1 - D(G(z, l), l)). Denton et al. 2015, section 2.2.

    h is the residual of a real image, l its coarse image. Levels share no weight: their sum trains each alone.
    """
    total: Tensor = batch.z.new_zeros(())
    for index, (coarse, real) in enumerate(nets.G.decompose(batch.real)):
        fake = nets.G.level(index, batch.z, coarse)
        total = total + losses.cross_entropy_d(nets.D(index, coarse, real), nets.D(index, coarse, fake), h)
    return total


def lapgan_g(nets: Nets, batch: Batch, h: H) -> Tensor:
    """Σ over levels of -E log D(G(z, l), l), l a real image's. Denton et al. 2015, section 2.2."""
    total: Tensor = batch.z.new_zeros(())
    for index, (coarse, _) in enumerate(nets.G.decompose(batch.real)):
        fake = nets.G.level(index, batch.z, coarse)
        total = total + losses.non_saturating_g(nets.D(index, coarse, fake), h)
    return total


LAPGAN = VARIANTS.add(
    Variant(
        name="lapgan",
        title="LAPGAN",
        family="stepwise",
        paper="Denton et al. 2015, Deep generative image models using a Laplacian pyramid of adversarial networks",
        year=2015,
        phases=(
            Phase("D", lapgan_d, "n_dis", reads=("real", "z"), hypers=(losses.LABEL_SMOOTHING,)),
            Phase("G", lapgan_g, "n_gen", reads=("real", "z")),
        ),
        roles={"G": "pyramid", "D": "pyramid"},
        presets={"": {"optimizer": "sgd", "lr": 0.02, "momentum": 0.5, "momentum_final": 0.8, "momentum_steps": 5_000}},
        networks={"images": "pyramid"},
        kinds=("images",),
        doc="A Laplacian pyramid: a GAN for the coarsest image, and for each finer level one of the residual.",
        equation="each level k: as ns, with D(h_k, l_k) and G(z_k, l_k)",
        remarks="Momentum goes from .5 to .8; the paper's decay of the rate is left out. One batch serves both halves.",
        oracle="up(down(I)) + h = I; the sum of levels trains each level alone",
    )
)

GRAN = VARIANTS.add(
    Variant(
        name="gran",
        title="Generative recurrent adversarial network",
        family="stepwise",
        paper="Im et al. 2016, Generating images with recurrent adversarial networks",
        year=2016,
        phases=(discriminator(losses.cross_entropy_d), generator(losses.non_saturating_g)),
        roles={"G": "recurrent", "D": "scores"},
        presets={
            "": {"lr": 1e-4, "lr_ratio": 0.4, "beta1": 0.5, "prior": "normal", "batch_size": 100},
            "points": {"lr": 1e-3, "lr_ratio": 1.0},
        },
        hypers=(Hyper("paint_steps", 5, "T, the times that G adds to its canvas", low=1),),
        doc="G adds to a canvas T times, each time seeing an encoding of what it added last.",
        equation="G(z) = σ(Σ_t ΔC_t), ΔC_t = dec(z, enc(ΔC_{t-1})); losses as ns",
        remarks="On this project's networks, with a tanh on the encoding; images of -1 to 1 are tanh(Σ / 2), which is "
        "the same, and points are the sum itself.",
        oracle="increments 1 and -1 give .5",
    )
)
