"""Losses on scores: `real` = D(x) and `fake` = D(G(z)), the discriminator's logits of shape (n,), to be minimised.

Every loss of a discriminator is f(real, fake, h), every loss of a generator f(fake, h), or f(real, fake, h) where it
is marked `sees_real`; h the run's settings. sp(t) = softplus(t) = log(1 + e^t), so that -log σ(t) = sp(-t) and
-log(1 - σ(t)) = sp(t).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ganbench.lazy import F, torch
from ganbench.variants.base import H, Hyper, Span, on

if TYPE_CHECKING:
    from torch import Tensor

L = TypeVar("L", bound=Callable[..., Any])


def reads(*settings: Hyper) -> Callable[[L], L]:
    """Mark a loss with the settings that it reads beside those that every variant has."""

    def mark(loss: L) -> L:
        loss.hypers = settings  # type: ignore[attr-defined]
        return loss

    return mark


def hypers(loss: Callable[..., Any]) -> tuple[Hyper, ...]:
    """The settings that a loss was marked with."""
    return getattr(loss, "hypers", ())


def sees_real(loss: L) -> L:
    """Mark a generator's loss that compares D(G(z)) with D(x): it is called with (real, fake, h)."""
    loss.sees_real = True  # type: ignore[attr-defined]
    return loss


LABEL_SMOOTHING = Hyper(
    "label_smoothing", 1.0, "label of real samples, .9 in the paper", 0.0, 1.0, switch=True, space=Span(0.7, 0.99)
)


@reads(LABEL_SMOOTHING)
def cross_entropy_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """-E log D(x) - E log(1 - D(G(z))). Goodfellow et al. 2014, equation 1.

    With one-sided label smoothing α: -E [α log D(x) + (1 - α) log(1 - D(x))]. Salimans et al. 2016, section 3.4.
    """
    alpha = h["label_smoothing"]
    of_real = F.softplus(-real) if not on(1 - alpha) else alpha * F.softplus(-real) + (1 - alpha) * F.softplus(real)
    return of_real.mean() + F.softplus(fake).mean()


def minimax_g(fake: Tensor, h: H) -> Tensor:
    """E log(1 - D(G(z))). Goodfellow et al. 2014, equation 1."""
    return -F.softplus(fake).mean()


def non_saturating_g(fake: Tensor, h: H) -> Tensor:
    """-E log D(G(z)). Goodfellow et al. 2014, section 3."""
    return F.softplus(-fake).mean()


LABELS = (
    Hyper("label_fake", 0.0, "a: what D regresses G(z) on"),
    Hyper("label_real", 1.0, "b: what D regresses x on"),
    Hyper("label_generator", 1.0, "c: what G wants D(G(z)) to be; (a, b, c) = (-1, 1, 0) is Pearson χ²"),
)


@reads(*LABELS)
def least_squares_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """½ E(D(x) - b)² + ½ E(D(G(z)) - a)². Mao et al. 2017, equation 2; a, b are label_fake, label_real."""
    loss: Tensor = ((real - h["label_real"]).square().mean() + (fake - h["label_fake"]).square().mean()) / 2
    return loss


@reads(*LABELS)
def least_squares_g(fake: Tensor, h: H) -> Tensor:
    """½ E(D(G(z)) - c)². Mao et al. 2017, equation 2; c is label_generator."""
    loss: Tensor = (fake - h["label_generator"]).square().mean() / 2
    return loss


def wasserstein_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """E D(G(z)) - E D(x): minus the dual estimate of the distance. Arjovsky et al. 2017, algorithm 1."""
    return fake.mean() - real.mean()


def wasserstein_g(fake: Tensor, h: H) -> Tensor:
    """-E D(G(z)). Arjovsky et al. 2017, algorithm 1."""
    return -fake.mean()


def hinge_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))). Miyato et al. 2018, equation 16."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def relativistic_pairing_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """E sp(-(D(x) - D(G(z)))), each real sample with one generated. Jolicoeur-Martineau 2019, section 4.1."""
    return F.softplus(fake - real).mean()


@sees_real
def relativistic_pairing_g(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """E sp(D(x) - D(G(z))). Jolicoeur-Martineau 2019, section 4.1; Huang et al. 2024 (R3GAN), equation 2."""
    return F.softplus(real - fake).mean()


def relativistic_average_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """Hinge on scores relative to the others' mean. Jolicoeur-Martineau 2019, section 4.2 (RaHingeGAN).

    ½ E max(0, 1 - (D(x) - E D(G(z)))) + ½ E max(0, 1 + D(G(z)) - E D(x)); the half is from the authors' code.
    """
    relative = F.relu(1 - (real - fake.mean())).mean() + F.relu(1 + (fake - real.mean())).mean()
    return relative / 2


@sees_real
def relativistic_average_g(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """The discriminator's loss with the sides exchanged. Jolicoeur-Martineau 2019, section 4.2 (RaHingeGAN)."""
    return relativistic_average_d(fake, real, h)


DIVERGENCES = ("kl", "reverse_kl", "pearson", "hellinger", "jensen_shannon", "gan")
DIVERGENCE = Hyper("divergence", "kl", "f-divergence that is estimated", choices=DIVERGENCES)


def activation(v: Tensor, divergence: str) -> Tensor:
    """T = g_f(v): the critic's output v brought to the domain of f*. Nowozin et al. 2016, table 6."""
    match divergence:
        case "reverse_kl":
            return -torch.exp(-v)
        case "hellinger":
            return 1 - torch.exp(-v)
        case "jensen_shannon":
            return -F.softplus(-v) + torch.log(torch.tensor(2.0, dtype=v.dtype, device=v.device))
        case "gan":
            return -F.softplus(-v)
    return v  # kl, pearson


def conjugate_of_activation(v: Tensor, divergence: str) -> Tensor:
    """f*(g_f(v)), the conjugate of f at the activated output, in a form that does not cancel. Ibid., table 6."""
    match divergence:
        case "kl":
            return torch.exp(v - 1)  # f*(t) = exp(t - 1)
        case "reverse_kl":
            return v - 1  # -1 - log(-t)
        case "pearson":
            return v.square() / 4 + v  # t²/4 + t
        case "hellinger":
            return torch.exp(v) - 1  # t / (1 - t)
        case "jensen_shannon":
            return F.softplus(v) - torch.log(torch.tensor(2.0, dtype=v.dtype, device=v.device))  # -log(2 - exp t)
    return F.softplus(v)  # gan: -log(1 - exp t)


@reads(DIVERGENCE)
def f_divergence_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """E f*(T(G(z))) - E T(x): minus the variational bound on the divergence. Nowozin et al. 2016, equation 6."""
    divergence = str(h["divergence"])
    return conjugate_of_activation(fake, divergence).mean() - activation(real, divergence).mean()


@reads(DIVERGENCE)
def f_divergence_g(fake: Tensor, h: H) -> Tensor:
    """-E f*(T(G(z))), the bound as G sees it. Nowozin et al. 2016, equation 6.

    The authors train with the non-saturating -E T(G(z)) of section 3.2 instead; this is the saddle point itself.
    """
    return -conjugate_of_activation(fake, str(h["divergence"])).mean()


MMD_SIGMAS = (1.0, 2.0, 4.0, 8.0, 16.0)


def mmd2(x: Tensor, y: Tensor, sigmas: tuple[float, ...] = MMD_SIGMAS) -> Tensor:
    """The biased estimate of MMD² between x (n, d) and y (m, d), kernel Σ_σ exp(-‖x - y‖² / 2σ²).

    Li et al. 2017 (MMD GAN), section 5; the diagonal counts, so it is never below 0 but for rounding. In float64, for
    three sums of a few units cancel to what may be 1e-7.
    """
    x, y = x.double(), y.double()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squares = (a.square().sum(1)[:, None] + b.square().sum(1)[None] - 2 * a @ b.mT).clamp(min=0)
        return torch.stack([torch.exp(squares / (-2 * sigma**2)).mean() for sigma in sigmas]).sum()

    return kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)


SMALLEST = 1e-12
"""Under a root, so that its derivative at 0 is finite."""


def mmd_d(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """-√max(0, MMD²) of D's outputs, which D, here an embedding, maximises. Li et al. 2017, equation 3."""
    return -mmd_g(real, fake, h)


@sees_real
def mmd_g(real: Tensor, fake: Tensor, h: H) -> Tensor:
    """√max(0, MMD²) of D's outputs. Li et al. 2017, equation 3."""
    return F.relu(mmd2(real, fake)).add(SMALLEST).sqrt().to(fake.dtype)


def feature_matching(real: Tensor, fake: Tensor, how: str) -> Tensor:
    """‖E f(x) - E f(G(z))‖², f the discriminator's last hidden layer. Salimans et al. 2016, section 3.1.

    how: "sum" of squares, as in the paper, or their "mean", as in the authors' code.
    """
    squares = (real.mean(0) - fake.mean(0)).square()
    return squares.sum() if how == "sum" else squares.mean()


def squares(*players: Any) -> Tensor:
    """Σ w² over the parameters of players."""
    total: Tensor = sum(weight.square().sum() for player in players for weight in player.parameters())
    return total


def historical_average(weights: Tensor, past: Tensor) -> Tensor:
    """‖θ - 1/t Σ θ_i‖², `past` the mean of a player's past weights. Salimans et al. 2016, section 3.3."""
    return (weights - past).square().sum()
