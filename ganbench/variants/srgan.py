"""SRGAN: the latent is a low-resolution image, and what is made is also compared with the image it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganbench.variants import losses
from ganbench.variants.base import VARIANTS, H, Hyper, Phase, Variant
from ganbench.variants.phases import discriminator

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.variants.base import Batch, Nets


def content(nets: Nets, real: Tensor, fake: Tensor, h: H) -> Tensor:
    """The mean square between VGG features, or between pixels without VGG. Ledig et al. 2017, equations 4 and 5."""
    if h["vgg_weights"]:
        real, fake = nets.V(real), nets.V(fake)
    return (real - fake).square().mean()


def srgan_g(nets: Nets, batch: Batch, h: H) -> Tensor:
    """Content + 1e-3 (-E log D(G(z))), z the low-resolution image of `real`. Ledig et al. 2017, equations 3 and 6."""
    fake = nets.G(batch.z)
    adversarial = losses.non_saturating_g(nets.D(fake), h)
    loss: Tensor = content(nets, batch.real, fake, h) + h["adversarial"] * adversarial
    return loss


SRGAN = VARIANTS.add(
    Variant(
        name="srgan",
        title="SRGAN",
        family="super-resolution",
        paper="Ledig et al. 2017, Photo-realistic single image super-resolution using a generative adversarial network",
        year=2017,
        phases=(discriminator(losses.cross_entropy_d), Phase("G", srgan_g, "n_gen", reads=("real", "z"))),
        roles={"G": "upscaler", "D": "scores"},
        presets={"": {"lr": 1e-4, "beta1": 0.9, "batch_size": 16}},
        hypers=(
            Hyper("adversarial", 1e-3, "weight of the adversarial loss beside the content's", low=0.0),
            Hyper(
                "vgg_weights",
                "",
                "file of torchvision's VGG19 weights to compare by; none: pixels",
                switch=True,
                file=True,
            ),
        ),
        networks={"images": "srresnet"},
        kinds=("images",),
        doc="G makes an image from one of a quarter of its size. Samples are of held-out images.",
        equation="D: as ns; G: E ‖φ(x) - φ(G(z))‖² + 1e-3 (-E log D(G(z))), z the small image of x",
        remarks="From memory of the paper. Small images are means over 4 x 4 pixels; the paper shrinks by bicubic "
        "weights.",
        oracle="content and adversarial by hand; means of 4 x 4 pixels; a file of VGG19 weights",
    )
)
