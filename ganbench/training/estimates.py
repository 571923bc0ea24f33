"""What a discriminator's scores on held-out samples say: how well it tells, and how far apart the sides are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ganbench.lazy import F, torch

if TYPE_CHECKING:
    from torch import Tensor

NAMES = ("held out accuracy", "held out |D-½|", "Jensen-Shannon estimate", "Wasserstein estimate")
"""In the order of `estimates`."""


def estimates(real: Tensor, fake: Tensor) -> list[Tensor]:
    """Of logits D(x), D(G(z)) (n,) on samples that did not train D, 0-d each: see the functions below."""
    return [accuracy(real, fake), distance_to_half(real, fake), jensen_shannon(real, fake), wasserstein(real, fake)]


def accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """The share that is told rightly by the sign of the logit, both sides counting alike; ½ is chance."""
    return ((real > 0).float().mean() + (fake < 0).float().mean()) / 2


def distance_to_half(real: Tensor, fake: Tensor) -> Tensor:
    """E |σ(D) - ½| over both sides, 0 to ½: where G has won, D is ½ everywhere (Goodfellow et al. 2014, section 4)."""
    return torch.cat([real, fake]).sigmoid().sub(0.5).abs().mean()


def jensen_shannon(real: Tensor, fake: Tensor) -> Tensor:
    """ln 2 less half the cross-entropy, in nats: a lower bound on the Jensen-Shannon divergence, ln 2 at most.

    Goodfellow et al. 2014, theorem 1; for a D that is no classifier (a critic) it says nothing, and may be below 0.
    """
    return math.log(2) - (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2


def wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """E D(x) - E D(G(z)): the Wasserstein distance times the slope of a critic D. Arjovsky et al. 2017, equation 3."""
    return real.mean() - fake.mean()
