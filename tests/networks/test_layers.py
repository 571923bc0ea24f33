from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from ganbench.networks.layers import BatchNorm, Maxout, SpectralNorm, normalised, standing_statistics


def test_spectral_norm_finds_the_largest_singular_value() -> None:
    """W = [[3, 0], [4, 5]] has σ = 3√5 = 6.708204."""
    weight = torch.tensor([[3.0, 0.0], [4.0, 5.0]])
    norm = SpectralNorm(weight)
    for _ in range(50):
        normed = norm(weight)
    assert (weight / normed)[1, 1].item() == pytest.approx(3 * math.sqrt(5), rel=1e-6)
    assert torch.linalg.matrix_norm(normed, 2).item() == pytest.approx(1, rel=1e-6)


def test_spectral_norm_takes_one_power_iteration_a_pass_and_none_in_eval() -> None:
    torch.manual_seed(0)
    weight = torch.randn(5, 7)
    norm = SpectralNorm(weight)
    u = norm.u.clone()
    v = nn.functional.normalize(weight.T @ u, dim=0)
    expected = nn.functional.normalize(weight @ v, dim=0)
    norm(weight)
    assert torch.allclose(norm.u, expected)
    norm.eval()
    norm(weight)
    assert torch.allclose(norm.u, expected)


def test_spectral_norm_equals_pytorchs_with_its_gradient() -> None:
    torch.manual_seed(0)
    theirs = parametrizations.spectral_norm(nn.Linear(6, 4).double())
    ours = nn.Linear(6, 4).double()
    parametrize.register_parametrization(ours, "weight", SpectralNorm(ours.weight).double())
    ours.load_state_dict(
        {"bias": theirs.bias, "parametrizations.weight.original": theirs.parametrizations.weight.original,
         "parametrizations.weight.0.u": theirs.parametrizations.weight[0]._u}
    )  # fmt: skip
    x = torch.randn(3, 6, dtype=torch.float64)
    for _ in range(500):  # PyTorch iterates u after v, we v after u: both settle on the same pair
        one, other = theirs(x), ours(x)
    assert torch.allclose(one, other, rtol=1e-9)
    gradients = [
        torch.autograd.grad(out.square().sum(), layer.parametrizations.weight.original)[0]
        for out, layer in ((one, theirs), (other, ours))
    ]
    assert torch.allclose(*gradients, rtol=1e-8)


@pytest.mark.parametrize("shape", [(16, 3), (16, 3, 5, 5)])
def test_batch_norm_equals_pytorchs_in_training(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape)
    theirs = nn.BatchNorm1d(3) if len(shape) == 2 else nn.BatchNorm2d(3)
    assert torch.allclose(BatchNorm(3)(x), theirs(x), atol=1e-6)
    assert not list(BatchNorm(3).buffers())


def test_standing_statistics_are_those_of_all_batches() -> None:
    """First layer: the statistics of the pooled batches exactly (variance with ddof 0), whatever their offsets."""
    torch.manual_seed(0)
    batches = [torch.randn(8, 3) * (index + 1) + 10 * index for index in range(5)]
    network = nn.Sequential(BatchNorm(3), nn.ReLU())
    settled = standing_statistics(network, [(batch,) for batch in batches])
    pooled = torch.cat(batches).double()
    mean, variance = settled[0].standing
    assert torch.allclose(mean.double(), pooled.mean(0), rtol=1e-5)
    assert torch.allclose(variance.double(), pooled.var(0, correction=0), rtol=1e-4)
    one = torch.randn(1, 3)
    assert torch.allclose(settled(one), settled(torch.cat([one, batches[4]]))[:1], atol=1e-6)  # neighbours don't count
    assert network[0].standing is None
    assert network.training


def test_maxout_is_the_largest_piece() -> None:
    torch.manual_seed(0)
    layer = Maxout(4, 3, pieces=5)
    x = torch.randn(2, 4)
    pieces = layer.linear(x).view(2, 3, 5)
    assert torch.equal(layer(x), pieces.max(2).values)


@pytest.mark.parametrize(("norm", "kinds"), [("none", [nn.Linear]), ("batch", [nn.Linear, BatchNorm]),
                                             ("layer", [nn.Linear, nn.GroupNorm])])  # fmt: skip
def test_norms_follow_inner_layers_only(norm: str, kinds: list[type]) -> None:
    assert [type(module) for module in normalised(nn.Linear(2, 4), norm)] == kinds
    assert len(normalised(nn.Linear(2, 4), norm, inner=False)) == 1


def test_spectral_norm_goes_on_every_layer() -> None:
    for inner in (True, False):
        (layer,) = normalised(nn.Conv2d(1, 2, 3), "spectral", inner=inner)
        assert parametrize.is_parametrized(layer, "weight")
