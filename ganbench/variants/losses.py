"""Losses on scores: `real` = D(x) and `fake` = D(G(z)), the discriminator's logits of shape (n,), to be minimised.

Every loss of a discriminator is f(real, fake, h), every loss of a generator f(fake, h), h the run's settings.
sp(t) = softplus(t) = log(1 + e^t), so that -log σ(t) = sp(-t) and -log(1 - σ(t)) = sp(t).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganbench.lazy import F

if TYPE_CHECKING:
    from torch import Tensor

H = Mapping[str, Any]


def cross_entropy_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """-E log D(x) - E log(1 - D(G(z))). Goodfellow et al. 2014, equation 1."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def minimax_g(fake: Tensor, h: H) -> Tensor:
    """E log(1 - D(G(z))). Goodfellow et al. 2014, equation 1."""
    return -F.softplus(fake).mean()


def non_saturating_g(fake: Tensor, h: H) -> Tensor:
    """-E log D(G(z)). Goodfellow et al. 2014, section 3."""
    return F.softplus(-fake).mean()


def least_squares_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """½ E(D(x) - b)² + ½ E(D(G(z)) - a)². Mao et al. 2017, equation 2; a, b are label_fake, label_real."""
    a, b = float(h["label_fake"]), float(h["label_real"])
    return ((real - b).square().mean() + (fake - a).square().mean()) / 2


def least_squares_g(fake: Tensor, h: H) -> Tensor:
    """½ E(D(G(z)) - c)². Mao et al. 2017, equation 2; c is label_generator."""
    return (fake - float(h["label_generator"])).square().mean() / 2


def wasserstein_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """E D(G(z)) - E D(x): minus the dual estimate of the distance. Arjovsky et al. 2017, algorithm 1."""
    return fake.mean() - real.mean()


def wasserstein_g(fake: Tensor, h: H) -> Tensor:
    """-E D(G(z)). Arjovsky et al. 2017, algorithm 1."""
    return -fake.mean()


def hinge_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))). Miyato et al. 2018, equation 16."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
