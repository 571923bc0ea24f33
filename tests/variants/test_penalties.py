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


@pytest.mark.parametrize(
    ("penalty", "h", "expected"),
    [
        (penalties.dragan_penalty, {"dragan": 10.0}, 160),
        (penalties.r1_penalty, {"r1": 10.0}, 125),
        (penalties.r2_penalty, {"r2": 10.0}, 125),
    ],
)
def test_penalties_of_a_linear_critic(penalty, h, expected) -> None:
    """‖w‖ = 5: λ (5 - 1)² = 160 and γ/2 25 = 125, wherever the points are."""
    weight = torch.tensor([3.0, 4.0])
    batch = Batch(real=torch.randn(7, 2), noise=torch.randn(2, 7, 2))
    assert penalty(lambda x: x @ weight, batch, torch.randn(7, 2), h).item() == pytest.approx(expected, rel=1e-6)


def test_penalties_are_taken_where_their_papers_say() -> None:
    """On D(x) = x²/2, whose slope at x is x."""

    def critic(x: torch.Tensor) -> torch.Tensor:
        return x.square().sum(1) / 2

    real, fake = torch.tensor([[2.0]]), torch.tensor([[5.0]])
    noise = torch.ones(2, 1, 1)
    batch = Batch(real=torch.cat([real, -real]), eps=torch.tensor([0.25, 0.25]), noise=noise.expand(2, 2, 1))
    fakes = torch.cat([fake, -fake])
    assert penalties.gradient_penalty(critic, batch, fakes, {"gp": 1.0}).item() == pytest.approx((2.75 - 1) ** 2)
    assert penalties.r1_penalty(critic, batch, fakes, {"r1": 1.0}).item() == pytest.approx(2.0)
    assert penalties.r2_penalty(critic, batch, fakes, {"r2": 1.0}).item() == pytest.approx(12.5)
    moved = [(2 + 0.5 * 2 - 1) ** 2, (abs(-2 + 0.5 * 2) - 1) ** 2]  # the data's deviation is 2, δ half of it
    assert penalties.dragan_penalty(critic, batch, fakes, {"dragan": 1.0}).item() == pytest.approx(sum(moved) / 2)


def test_the_gradient_of_a_pack_is_over_the_pack() -> None:
    """Two points a pack and D the sum of w·x over both: ‖(w, w)‖ = 5 √2."""
    weight = torch.tensor([3.0, 4.0, 3.0, 4.0])
    gradient = penalties.input_gradient(lambda x: x.reshape(-1, 4) @ weight, torch.randn(6, 2))
    assert gradient.shape == (3, 4)
    assert gradient.norm(dim=1).tolist() == pytest.approx([50**0.5] * 3)


@pytest.mark.parametrize("penalty", [card.hyper.name for card in penalties.PENALTIES])
def test_gradients_of_penalties_in_float64(penalty: str) -> None:
    (card,) = [each for each in penalties.PENALTIES if each.hyper.name == penalty]
    torch.manual_seed(0)
    real, fake, noise = (torch.randn(n, 2, dtype=torch.float64) for n in (3, 3, 6))
    batch = Batch(real=real, eps=torch.rand(3, dtype=torch.float64), noise=noise.view(2, 3, 2))

    def of(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        return card.weigh(lambda x: torch.tanh(x @ one) @ two, batch, fake, {penalty: 0.7})

    weights = [torch.randn(2, 4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)]
    assert torch.autograd.gradcheck(of, [weight.requires_grad_() for weight in weights])
