"""The two phases that most of the field is made of: losses on scores, with the switches that go with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ganbench.lazy import torch
from ganbench.variants import losses, penalties
from ganbench.variants.base import Batch, H, Hyper, Nets, Phase, Settings, Span, on

if TYPE_CHECKING:
    from torch import Tensor

INSTANCE_NOISE = Hyper(
    "instance_noise", 0.0, "σ of the noise on all that D sees", low=0.0, switch=True, space=Span(0.01, 1.0, log=True)
)
L2 = Hyper("l2", 0.0, "coefficient of the sum of D's squared weights", low=0.0, switch=True)
L2_TARGET = Hyper(
    "l2_target", 0.0, "D's accuracy above which l2 grows, and below which it shrinks; 0: fixed", 0.0, 1.0, switch=True
)
CLIP = Hyper(
    "clip", 0.01, "D's weights are clamped to ± this after each of its steps", low=0.0, space=Span(1e-3, 1.0, log=True)
)
FEATURE_MATCHING = Hyper(
    "feature_matching",
    "none",
    "G matches the means of D's features instead, squares summed (paper) or averaged (code)",
    choices=("none", "sum", "mean"),
    switch=True,
)
OF_DISCRIMINATOR = (*(penalty.hyper for penalty in penalties.PENALTIES), INSTANCE_NOISE, L2, L2_TARGET)
L2_RATE = 1.01
"""What the adaptive coefficient is multiplied or divided by at each step: this project's controller, no paper's."""


def discriminator(
    loss: Callable[[Tensor, Tensor, H], Tensor], *, clip: Hyper | None = None, repeat: str | int = "n_dis"
) -> Phase:
    """D's phase: loss(D(x), D(G(z)), h), plus the penalties that are on; D's weights clamped by the setting `clip`.

    CLIP is that of WGAN.
    """

    def d_loss(nets: Nets, batch: Batch, h: H) -> tuple[Tensor, dict[str, Tensor]]:
        fake = nets.G(batch.z)
        real_scores, fake_scores = nets.D(noisy(batch.real, batch, 0, h)), nets.D(noisy(fake, batch, 1, h))
        value = loss(real_scores, fake_scores, h)
        for penalty in penalties.active(h):
            value = value + penalty.weigh(nets.D, batch, fake, h)
        return weight_decay(value, nets.D, real_scores, fake_scores, h) if on(h["l2"]) else (value, {})

    def reads(h: Settings) -> tuple[str, ...]:
        noise = ("noise",) if on(h["instance_noise"]) else ()
        return ("real", "z", *(field for penalty in penalties.active(h) for field in penalty.reads), *noise)

    memory = {"l2_now": "l2"}
    hypers = (*OF_DISCRIMINATOR, *losses.hypers(loss), *((clip,) if clip else ()))
    return Phase("D", d_loss, repeat, clip.name if clip else None, reads, hypers, memory)


def generator(loss: Callable[..., Tensor], *, repeat: str | int = "n_gen") -> Phase:
    """G's phase: loss(D(G(z)), h), or loss(D(x), D(G(z)), h) where the loss is marked `losses.sees_real`."""
    sees_real = getattr(loss, "sees_real", False)

    def g_loss(nets: Nets, batch: Batch, h: H) -> Tensor:
        fake = noisy(nets.G(batch.z), batch, 1, h)
        if h["feature_matching"] != "none":
            real = nets.D.features(noisy(batch.real, batch, 0, h))
            return losses.feature_matching(real, nets.D.features(fake), str(h["feature_matching"]))
        scores = (nets.D(noisy(batch.real, batch, 0, h)),) if sees_real else ()
        return loss(*scores, nets.D(fake), h)

    def reads(h: Settings) -> tuple[str, ...]:
        real = ("real",) if sees_real or h["feature_matching"] != "none" else ()
        return (*real, "z", *(("noise",) if on(h["instance_noise"]) else ()))

    hypers = (INSTANCE_NOISE, FEATURE_MATCHING, *losses.hypers(loss))
    return Phase("G", g_loss, repeat, reads=reads, hypers=hypers)


def noisy(x: Tensor, batch: Batch, which: int, h: H) -> Tensor:
    """x + σ n where instance noise is on (Sønderby et al. 2017); noise 0 is for real samples, 1 for generated."""
    moved: Tensor = x + h["instance_noise"] * batch.noise[which] if on(h["instance_noise"]) else x
    return moved


def weight_decay(value: Tensor, module: Any, real: Tensor, fake: Tensor, h: H) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss with D's squared weights, and their next coefficient: larger where D is more often right than wanted."""
    squares = losses.squares(module)
    if not on(h["l2_target"]):
        return value + h["l2"] * squares, {}
    accuracy = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
    factor = torch.where(accuracy > h["l2_target"], L2_RATE, 1 / L2_RATE)
    return value + h["l2_now"] * squares, {"l2_now": h["l2_now"] * factor}
