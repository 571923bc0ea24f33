"""Our optimisers against PyTorch's own, on a quadratic, for many steps in float64."""

from __future__ import annotations

import pytest
import torch

from ganbench.training.optim import OPTIMIZERS, learning_rate, momentum

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
        rule.update(ours, scale * ours, state, step, 0.01, H)
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
