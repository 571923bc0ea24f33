"""Penalties on a discriminator's gradient with respect to its input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ganbench.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.variants.base import Batch

Critic = Callable[["Tensor"], "Tensor"]


def mix(real: Tensor, fake: Tensor, eps: Tensor) -> Tensor:
    """x̂ = x + ε (G(z) - x), one ε a sample: a point on the line between a real and a generated one."""
    eps = eps.view(-1, *(1,) * (real.dim() - 1))
    return real + eps * (fake - real)


def input_gradient(critic: Critic, x: Tensor) -> Tensor:
    """∇D at each sample of x, flattened to (n, d), differentiable in D's parameters.

    D must treat samples one by one (no batch norm), or a sample's gradient is not its own.
    """
    gradient: Tensor = torch.func.grad(lambda points: critic(points).sum())(x)
    return gradient.flatten(1)


def gradient_penalty(critic: Critic, batch: Batch, fake: Tensor, h: Mapping[str, Any]) -> Tensor:
    """λ E(‖∇D(x̂)‖ - 1)², two-sided, λ the setting `gp`. Gulrajani et al. 2017, equation 3."""
    slopes: Tensor = input_gradient(critic, mix(batch.real, fake, batch.eps)).norm(dim=1)
    penalty: Tensor = h["gp"] * (slopes - 1).square().mean()
    return penalty
