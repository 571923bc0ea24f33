"""Penalties on a discriminator's gradient with respect to its input, each a switch of every variant with scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganbench.lazy import torch
from ganbench.variants.base import Batch, H, Hyper, Settings, Span, on

if TYPE_CHECKING:
    from torch import Tensor

Critic = Callable[["Tensor"], "Tensor"]
DRAGAN_SCALE = 0.5
"""Deviation of DRAGAN's perturbation over that of the data, as in the authors' code."""


def mix(real: Tensor, fake: Tensor, eps: Tensor) -> Tensor:
    """x̂ = x + ε (G(z) - x), one ε a sample: a point on the line between a real and a generated one."""
    eps = eps.view(-1, *(1,) * (real.dim() - 1))
    return real + eps * (fake - real)


def input_gradient(critic: Critic, x: Tensor) -> Tensor:
    """∇D at each sample of x, flattened to (n, d), differentiable in D's parameters.

    D must treat samples one by one (no batch norm), or a sample's gradient is not its own. Where it judges m samples
    as one (PacGAN) the gradient is over all m: (n / m, m d).
    """
    judged: list[int] = []

    def total(points: Tensor) -> Tensor:
        scores = critic(points)
        judged.append(scores.shape[0])
        return scores.sum()

    gradient: Tensor = torch.func.grad(total)(x)
    return gradient.reshape(judged[-1], -1)


def gradient_penalty(critic: Critic, batch: Batch, fake: Tensor, h: H) -> Tensor:
    """λ E(‖∇D(x̂)‖ - 1)², two-sided, λ the setting `gp`. Gulrajani et al. 2017, equation 3."""
    slopes: Tensor = input_gradient(critic, mix(batch.real, fake, batch.eps)).norm(dim=1)
    penalty: Tensor = h["gp"] * (slopes - 1).square().mean()
    return penalty


def dragan_penalty(critic: Critic, batch: Batch, fake: Tensor, h: H) -> Tensor:
    """λ E(‖∇D(x + δ)‖ - 1)², λ the setting `dragan`. Kodali et al. 2017, equation 1; δ is normal, as in the paper.

    δ has half the data's deviation, as in the authors' code (which draws it uniform).
    """
    moved = batch.real + DRAGAN_SCALE * batch.real.std(correction=0) * batch.noise[0]
    slopes: Tensor = input_gradient(critic, moved).norm(dim=1)
    penalty: Tensor = h["dragan"] * (slopes - 1).square().mean()
    return penalty


def r1_penalty(critic: Critic, batch: Batch, fake: Tensor, h: H) -> Tensor:
    """γ/2 E‖∇D(x)‖² on real samples, γ the setting `r1`. Mescheder et al. 2018, equation 9."""
    penalty: Tensor = h["r1"] / 2 * input_gradient(critic, batch.real).square().sum(1).mean()
    return penalty


def r2_penalty(critic: Critic, batch: Batch, fake: Tensor, h: H) -> Tensor:
    """γ/2 E‖∇D(G(z))‖² on generated samples, γ the setting `r2`. Mescheder et al. 2018, equation 10."""
    penalty: Tensor = h["r2"] / 2 * input_gradient(critic, fake).square().sum(1).mean()
    return penalty


@dataclass(frozen=True)
class Penalty:
    """(critic, batch, G(z), h) → penalty; the switch that holds its weight, and what it reads of the batch."""

    weigh: Callable[[Critic, Batch, Any, H], Any]
    hyper: Hyper
    reads: tuple[str, ...] = ()


def _weight(name: str, doc: str) -> Hyper:
    """A penalty's switch; its space is that of λ in Lucic et al. 2018 (wide)."""
    return Hyper(name, 0.0, doc, low=0.0, switch=True, space=Span(0.1, 100.0, log=True))


PENALTIES = (
    Penalty(gradient_penalty, _weight("gp", "λ of the gradient penalty on lines"), ("eps",)),
    Penalty(dragan_penalty, _weight("dragan", "λ of DRAGAN's penalty"), ("noise",)),
    Penalty(r1_penalty, _weight("r1", "γ of R1, the penalty on real samples")),
    Penalty(r2_penalty, _weight("r2", "γ of R2, the penalty on generated samples")),
)


def active(h: Settings) -> list[Penalty]:
    """The penalties whose weight is not 0."""
    return [penalty for penalty in PENALTIES if on(h[penalty.hyper.name])]
