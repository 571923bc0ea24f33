"""The two phases most of the field is made of: a loss on scores, and for the discriminator a penalty or a clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ganbench.variants.base import Batch, Nets, Phase

if TYPE_CHECKING:
    from torch import Tensor

H = Mapping[str, Any]
Penalty = Callable[[Callable[["Tensor"], "Tensor"], Batch, "Tensor", H], "Tensor"]


def discriminator(
    loss: Callable[[Tensor, Tensor, H], Tensor],
    *,
    penalty: Penalty | None = None,
    clip: str | None = None,
    repeat: str | int = "n_dis",
) -> Phase:
    """D's phase: loss(D(x), D(G(z)), h), plus penalty(D, batch, G(z), h); its weights clamped by the setting `clip`."""

    def d_loss(nets: Nets, batch: Batch, h: H) -> Tensor:
        fake = nets.G(batch.z)
        value = loss(nets.D(batch.real), nets.D(fake), h)
        return value if penalty is None else value + penalty(nets.D, batch, fake, h)

    reads = ("real", "z") if penalty is None else ("real", "z", "eps")
    return Phase("D", d_loss, repeat=repeat, clip=clip, reads=reads)


def generator(loss: Callable[[Tensor, H], Tensor], *, repeat: str | int = 1) -> Phase:
    """G's phase: loss(D(G(z)), h)."""

    def g_loss(nets: Nets, batch: Batch, h: H) -> Tensor:
        return loss(nets.D(nets.G(batch.z)), h)

    return Phase("G", g_loss, repeat=repeat, reads=("z",))
