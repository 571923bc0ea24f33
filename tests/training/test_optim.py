"""Our optimisers against PyTorch's own, on a quadratic, for many steps in float64."""

from __future__ import annotations

import pytest
import torch

from ganbench.training.optim import OPTIMIZERS, learning_rate, momentum, optimistic

H = {"beta1": 0.5, "beta2": 0.9, "momentum": 0.7, "momentum_final": 0.0, "momentum_steps": 0}
THEIRS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.5, 0.9)),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.7),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_equals_pytorch(name: str) -> None:
    start = torch.linspace(-2, 3, 11, dtype=torch.float64)
    scale = torch.linspace(0.1, 4, 11, dtype=torch.float64)
    ours, rule = start.clone(), OPTIMIZERS[name]
    state = rule.init(ours)
    theirs = start.clone().requires_grad_()
    optimizer = THEIRS[name]([theirs])
    for step in range(1, 51):
        move, state = rule.update(scale * ours, state, step, 0.01, H)
        ours = ours + move
        optimizer.zero_grad()
        (0.5 * scale * theirs.square()).sum().backward()
        optimizer.step()
    assert torch.allclose(ours, theirs.detach(), rtol=1e-12, atol=1e-14)
    assert not torch.equal(ours, start)


def test_learning_rate_courses() -> None:
    base = {"lr": 0.1, "lr_decay_rate": 2.0, "lr_min": 0.01}
    none, linear, exponential = ({**base, "lr_decay": name} for name in ("none", "linear", "exponential"))
    assert learning_rate(7, 10, none) == 0.1
    assert [learning_rate(step, 10, linear) for step in (0, 5)] == [0.1, 0.05]
    assert [learning_rate(step, 10, exponential) for step in (0, 1, 9)] == [0.1, 0.05, 0.01]


def test_momentum_goes_linearly_to_its_final_value() -> None:
    h = {"momentum": 0.5, "momentum_final": 0.7, "momentum_steps": 10}
    assert [momentum(step, h) for step in (1, 6, 11, 99)] == pytest.approx([0.5, 0.6, 0.7, 0.7])
    assert momentum(99, {**h, "momentum_steps": 0}) == 0.5


def test_optimistic_is_twice_the_step_less_the_last() -> None:
    rule = optimistic(OPTIMIZERS["adam"])
    plain, gradient = OPTIMIZERS["adam"], torch.tensor([0.5, -2.0])
    state, other = rule.init(gradient), plain.init(gradient)
    last = torch.zeros(2)
    for step in range(1, 6):
        found, state = rule.update(gradient * step, state, step, 0.1, H)
        expected, other = plain.update(gradient * step, other, step, 0.1, H)
        torch.testing.assert_close(found, 2 * expected - last)
        last = expected


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_can_be_differentiated_where_gradients_are_0(name: str) -> None:
    """Unrolled GANs look through them: Adam's root has an infinite derivative at 0."""
    gradient = torch.zeros(3, requires_grad=True)
    step, _ = OPTIMIZERS[name].update(gradient, OPTIMIZERS[name].init(gradient.detach()), 1, 0.1, H)
    assert torch.autograd.grad(step.sum(), gradient)[0].isfinite().all()
