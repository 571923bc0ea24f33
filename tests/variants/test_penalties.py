from __future__ import annotations

import pytest
import torch

from ganbench.variants import Batch, penalties


def test_mix_is_a_point_on_each_samples_own_line() -> None:
    real, fake = torch.zeros(3, 2, 2), torch.ones(3, 2, 2)
    mixed = penalties.mix(real, fake, torch.tensor([0.0, 0.25, 1.0]))
    assert mixed[:, 0, 0].tolist() == [0.0, 0.25, 1.0]
    assert (mixed == mixed[:, :1, :1]).all()


def test_gradient_penalty_of_a_linear_critic() -> None:
    """‖w‖ = 5, so λ (5 - 1)² = 160 at λ = 10, wherever the points are."""
    weight = torch.tensor([3.0, 4.0])
    batch = Batch(real=torch.randn(7, 2), eps=torch.rand(7))
    value = penalties.gradient_penalty(lambda x: x @ weight, batch, torch.randn(7, 2), {"gp": 10.0})
    assert value.item() == pytest.approx(160, rel=1e-6)


def test_gradient_penalty_is_two_sided() -> None:
    batch = Batch(real=torch.randn(2, 2), eps=torch.rand(2))
    value = penalties.gradient_penalty(lambda x: x @ torch.tensor([0.3, 0.4]), batch, torch.randn(2, 2), {"gp": 1.0})
    assert value.item() == pytest.approx(0.25, rel=1e-6)


def test_input_gradient_equals_autograd_and_can_be_differentiated() -> None:
    torch.manual_seed(0)
    critic = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    ours = penalties.input_gradient(critic, x)
    assert torch.allclose(ours, expected, rtol=0, atol=1e-14)
    parameters = list(critic.parameters())
    theirs = torch.autograd.grad(expected.square().sum(), parameters, allow_unused=True, materialize_grads=True)
    mine = torch.autograd.grad(ours.square().sum(), parameters, allow_unused=True, materialize_grads=True)
    assert all(torch.allclose(a, b, rtol=0, atol=1e-12) for a, b in zip(mine, theirs, strict=True))


def test_input_gradient_of_images_is_flat() -> None:
    gradient = penalties.input_gradient(lambda x: x.flatten(1).sum(1), torch.randn(3, 1, 4, 4))
    assert gradient.shape == (3, 16)
