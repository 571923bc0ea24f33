"""Optimisers as pairs of pure functions, init and update, over one flat vector of parameters.

A rule gives the step to be added to the weights, and its next state; nothing is changed in place, so that a player
can look through the steps of another (unrolled GANs). `step` counts from 1.
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
TINY = 1e-30
"""Under a root, so that its derivative at 0 is finite; no float32 gradient worth a step is that small."""


@dataclass(frozen=True)
class Optimizer:
    """init(weights) → state; update(gradient, state, step, lr, settings) → (what to add to the weights, state)."""

    init: Callable[[Tensor], State]
    update: Callable[[Tensor, State, int, float, Settings], tuple[Tensor, State]]


def _moments(*names: str) -> Callable[[Tensor], State]:
    return lambda weights: {name: torch.zeros_like(weights) for name in names}


def _adam(gradient: Tensor, state: State, step: int, lr: float, h: Settings) -> tuple[Tensor, State]:
    """Kingma and Ba 2015, algorithm 1."""
    beta1, beta2 = float(h["beta1"]), float(h["beta2"])
    mean = state["mean"].lerp(gradient, 1 - beta1)
    square = (state["square"] * beta2).addcmul_(gradient, gradient, value=1 - beta2)
    root = (square + TINY).sqrt_().mul((1 - beta2**step) ** -0.5).add_(ADAM_EPS)
    return mean * (-lr / (1 - beta1**step)) / root, {"mean": mean, "square": square}


def _rmsprop(gradient: Tensor, state: State, step: int, lr: float, h: Settings) -> tuple[Tensor, State]:
    """Tieleman and Hinton 2012; ε outside the root, as in torch.optim.RMSprop."""
    square = (state["square"] * float(h["beta2"])).addcmul(gradient, gradient, value=1 - float(h["beta2"]))
    return gradient * -lr / ((square + TINY).sqrt() + RMSPROP_EPS), {"square": square}


def _sgd(gradient: Tensor, state: State, step: int, lr: float, h: Settings) -> tuple[Tensor, State]:
    """Velocity v ← μv - lr g, weights ← weights + v (Sutskever et al. 2013), μ going to its final value linearly."""
    velocity = (state["velocity"] * momentum(step, h)).add(gradient, alpha=-lr)
    return velocity, {"velocity": velocity}


OPTIMIZERS = {
    "adam": Optimizer(_moments("mean", "square"), _adam),
    "rmsprop": Optimizer(_moments("square"), _rmsprop),
    "sgd": Optimizer(_moments("velocity"), _sgd),
}


def optimistic(rule: Optimizer) -> Optimizer:
    """Twice the rule's step less its last one. Daskalakis et al. 2018, algorithm 1 (optimistic Adam)."""

    def init(weights: Tensor) -> State:
        return {**rule.init(weights), "last": torch.zeros_like(weights)}

    def update(gradient: Tensor, state: State, step: int, lr: float, h: Settings) -> tuple[Tensor, State]:
        found, new = rule.update(gradient, state, step, lr, h)
        return 2 * found - state["last"], {**new, "last": found}

    return Optimizer(init, update)


def chosen(h: Settings) -> Optimizer:
    """The optimiser that settings name."""
    rule = OPTIMIZERS[str(h["optimizer"])]
    return optimistic(rule) if h["optimistic"] else rule


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
