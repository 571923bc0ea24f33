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
    """Of logits D(x), D(G(z)), (..., n) each, on samples that did not train D, (...) each: see the functions below.

    All of them see a generated sample by minus its logit, which is positive where D tells it rightly.
    """
    right = torch.cat([real, -fake], -1)
    return [accuracy(right), distance_to_half(right), jensen_shannon(right), real.mean(-1) - fake.mean(-1)]


def accuracy(right: Tensor) -> Tensor:
    """The share that is told rightly by the sign of the logit; ½ is chance."""
    return (right > 0).float().mean(-1)


def distance_to_half(right: Tensor) -> Tensor:
    """E |σ(D) - ½| over both sides, 0 to ½: where G has won, D is ½ everywhere (Goodfellow et al. 2014, section 4)."""
    return right.sigmoid().sub(0.5).abs().mean(-1)


def jensen_shannon(right: Tensor) -> Tensor:
    """ln 2 less half the cross-entropy, in nats: a lower bound on the Jensen-Shannon divergence, ln 2 at most.

    Goodfellow et al. 2014, theorem 1; for a D that is no classifier (a critic) it says nothing, and may be below 0.
    The last estimate, E D(x) - E D(G(z)), is for critics: the Wasserstein distance times the slope of D (Arjovsky et
    al. 2017, equation 3).
    """
    return math.log(2) + F.logsigmoid(right).mean(-1)
