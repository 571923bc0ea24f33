"""Optimisers as pairs of pure functions, init and update, over one flat vector of parameters.

A rule gives the step to be added to the weights, and its next state; nothing is changed in place, so that a player
can look through the steps of another (unrolled GANs). `step` counts from 1. The weights of several runs are the rows
of a matrix, and a setting in which those runs differ is a float64 column, so that rates are exact until they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]
Settings = Mapping[str, Any]
Number = Any
"""A float, or a float64 column (runs, 1); 0-d float64 where a step is compiled."""
Numbers = tuple[Number, ...]
ADAM_EPS = 1e-8
RMSPROP_EPS = 1e-8
TINY = 1e-30
"""Under a root, so that its derivative at 0 is finite; no float32 gradient worth a step is that small."""


@dataclass(frozen=True)
class Optimizer:
    """init(weights) → state; numbers(step, lr, settings) → all that a step depends on but tensors and settings;
    rule(gradient, state, numbers, settings) → (what to add to the weights, state).
    """

    init: Callable[[Tensor], State]
    numbers: Callable[[int, Number, Settings], Numbers]
    rule: Callable[[Tensor, State, Numbers, Settings], tuple[Tensor, State]]

    def update(self, gradient: Tensor, state: State, step: int, lr: Number, h: Settings) -> tuple[Tensor, State]:
        """(What to add to the weights, state) at `step`."""
        return self.rule(gradient, state, self.numbers(step, lr, h), h)


def _moments(*names: str) -> Callable[[Tensor], State]:
    return lambda weights: {name: torch.zeros_like(weights) for name in names}


def like(value: Number, tensor: Tensor) -> Number:
    """A number as it enters into operations with a float tensor: a column gets the tensor's dtype."""
    return value.to(tensor.dtype) if isinstance(value, Tensor) else float(value)


def _squares(square: Tensor, gradient: Tensor, beta2: Number) -> Tensor:
    """β₂ square + (1 - β₂) gradient²."""
    kept = square * like(beta2, square)
    if isinstance(beta2, Tensor):
        return torch.addcmul(kept, gradient * like(1 - beta2, gradient), gradient)
    return torch.addcmul(kept, gradient, gradient, value=1 - float(beta2))


def _debiased(step: int, lr: Number, h: Settings) -> Numbers:
    """Adam's step size and the scale of its root, free of the moments' bias towards 0."""
    return lr / (1 - h["beta1"] ** step), (1 - h["beta2"] ** step) ** -0.5


def _adam(gradient: Tensor, state: State, numbers: Numbers, h: Settings) -> tuple[Tensor, State]:
    """Kingma and Ba 2015, algorithm 1."""
    (lr, scale), beta1, beta2 = numbers, h["beta1"], h["beta2"]
    mean = state["mean"].lerp(gradient, like(1 - beta1, gradient))
    square = _squares(state["square"], gradient, beta2)
    root = (square + TINY).sqrt_().mul(like(scale, square)).add_(ADAM_EPS)
    return mean * like(-lr, mean) / root, {"mean": mean, "square": square}


def _rate(step: int, lr: Number, h: Settings) -> Numbers:
    return (lr,)


def _rmsprop(gradient: Tensor, state: State, numbers: Numbers, h: Settings) -> tuple[Tensor, State]:
    """Tieleman and Hinton 2012; ε outside the root, as in torch.optim.RMSprop."""
    square = _squares(state["square"], gradient, h["beta2"])
    return gradient * like(-numbers[0], gradient) / ((square + TINY).sqrt() + RMSPROP_EPS), {"square": square}


def _rate_and_momentum(step: int, lr: Number, h: Settings) -> Numbers:
    return lr, momentum(step, h)


def _sgd(gradient: Tensor, state: State, numbers: Numbers, h: Settings) -> tuple[Tensor, State]:
    """Velocity v ← μv - lr g, weights ← weights + v (Sutskever et al. 2013), μ going to its final value linearly."""
    lr, kept = numbers[0], state["velocity"] * like(numbers[1], gradient)
    # a tensor cannot be an alpha
    velocity = kept - gradient * like(lr, gradient) if isinstance(lr, Tensor) else kept.add(gradient, alpha=-lr)
    return velocity, {"velocity": velocity}


OPTIMIZERS = {
    "adam": Optimizer(_moments("mean", "square"), _debiased, _adam),
    "rmsprop": Optimizer(_moments("square"), _rate, _rmsprop),
    "sgd": Optimizer(_moments("velocity"), _rate_and_momentum, _sgd),
}


def optimistic(rule: Optimizer) -> Optimizer:
    """Twice the rule's step less its last one. Daskalakis et al. 2018, algorithm 1 (optimistic Adam)."""

    def init(weights: Tensor) -> State:
        return {**rule.init(weights), "last": torch.zeros_like(weights)}

    def twice(gradient: Tensor, state: State, numbers: Numbers, h: Settings) -> tuple[Tensor, State]:
        found, new = rule.rule(gradient, state, numbers, h)
        return 2 * found - state["last"], {**new, "last": found}

    return Optimizer(init, rule.numbers, twice)


def chosen(h: Settings) -> Optimizer:
    """The optimiser that settings name."""
    rule = OPTIMIZERS[str(h["optimizer"])]
    return optimistic(rule) if h["optimistic"] else rule


def momentum(step: int, h: Settings) -> Number:
    """SGD's momentum at `step`: linear from momentum to momentum_final over momentum_steps, then constant."""
    first, last, over = h["momentum"], h["momentum_final"], int(h["momentum_steps"])
    return first if over == 0 else first + (last - first) * min(step - 1, over) / over


def learning_rate(step: int, steps: int, h: Settings) -> Number:
    """The generator's learning rate at generator step `step` of `steps`, counted from 0."""
    lr = h["lr"]
    if h["lr_decay"] == "linear":
        lr = lr * (1 - step / steps)
    elif h["lr_decay"] == "exponential":
        lr = lr * h["lr_decay_rate"] ** -float(step)
    return _at_least(lr, h["lr_min"])


def _at_least(value: Number, low: Number) -> Number:
    if isinstance(value, Tensor) or isinstance(low, Tensor):
        return torch.maximum(torch.as_tensor(value).to(torch.float64), torch.as_tensor(low).to(torch.float64))
    return max(float(value), float(low))
