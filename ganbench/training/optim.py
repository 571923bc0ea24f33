"""Optimisers as pairs of pure rules, init and update, over one flat vector of parameters.

A rule writes the new parameters and its state in place and reads the gradient; nothing is hidden in it. `step`
counts from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench.spec import Scalar

State = dict[str, Tensor]
Settings = Mapping[str, Scalar]
ADAM_EPS = 1e-8
RMSPROP_EPS = 1e-8


@dataclass(frozen=True)
class Optimizer:
    """init(weights) → state; update(weights, gradient, state, step, lr, settings) in place."""

    init: Callable[[Tensor], State]
    update: Callable[[Tensor, Tensor, State, int, float, Settings], None]


def _moments(*names: str) -> Callable[[Tensor], State]:
    return lambda weights: {name: torch.zeros_like(weights) for name in names}


def _adam(weights: Tensor, gradient: Tensor, state: State, step: int, lr: float, h: Settings) -> None:
    """Kingma and Ba 2015, algorithm 1."""
    beta1, beta2 = float(h["beta1"]), float(h["beta2"])
    mean, square = state["mean"], state["square"]
    mean.lerp_(gradient, 1 - beta1)
    square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    root = square.sqrt().mul_((1 - beta2**step) ** -0.5).add_(ADAM_EPS)
    weights.addcdiv_(mean, root, value=-lr / (1 - beta1**step))


def _rmsprop(weights: Tensor, gradient: Tensor, state: State, step: int, lr: float, h: Settings) -> None:
    """Tieleman and Hinton 2012; ε outside the root, as in torch.optim.RMSprop."""
    square = state["square"]
    square.mul_(float(h["beta2"])).addcmul_(gradient, gradient, value=1 - float(h["beta2"]))
    weights.addcdiv_(gradient, square.sqrt().add_(RMSPROP_EPS), value=-lr)


def _sgd(weights: Tensor, gradient: Tensor, state: State, step: int, lr: float, h: Settings) -> None:
    """Velocity v ← μv - lr g, weights ← weights + v (Sutskever et al. 2013), μ going to its final value linearly."""
    velocity = state["velocity"]
    velocity.mul_(momentum(step, h)).add_(gradient, alpha=-lr)
    weights.add_(velocity)


OPTIMIZERS = {
    "adam": Optimizer(_moments("mean", "square"), _adam),
    "rmsprop": Optimizer(_moments("square"), _rmsprop),
    "sgd": Optimizer(_moments("velocity"), _sgd),
}


def momentum(step: int, h: Settings) -> float:
    """SGD's momentum at `step`: linear from momentum to momentum_final over momentum_steps, then constant."""
    first, last, over = float(h["momentum"]), float(h["momentum_final"]), int(h["momentum_steps"])
    return first if over == 0 else first + (last - first) * min(step - 1, over) / over


def learning_rate(step: int, steps: int, h: Settings) -> float:
    """The generator's learning rate at generator step `step` of `steps`, counted from 0."""
    lr = float(h["lr"])
    if h["lr_decay"] == "linear":
        lr *= 1 - step / steps
    elif h["lr_decay"] == "exponential":
        lr *= float(h["lr_decay_rate"]) ** -step
    return max(lr, float(h["lr_min"]))
