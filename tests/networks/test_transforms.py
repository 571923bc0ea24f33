"""Discriminators under torch.func, as penalties and stacked runs use them; statistics that are exact."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state
from torch.nn.utils import parametrize

from ganbench import rng
from ganbench.errors import DataError, UnknownNameError
from ganbench.networks import NETWORKS
from ganbench.networks.layers import NORMS, BatchNorm, SpectralNorm, normalised, standing_statistics
from ganbench.networks.parts import Order
from ganbench.variants.base import Batch
from ganbench.variants.penalties import gradient_penalty

CASES = [("mlp", (2,)), ("dcgan", (1, 28, 28))]


def critic(name: str, shape: tuple[int, ...], norm: str, seed: int = 0) -> nn.Module:
    card = NETWORKS.get(name)
    with rng.global_stream(seed, "weights"):
        settings = {**card.defaults, "width": 8, "latent_dim": 6, "norm": norm}
        return card.build(Order(shape, settings))["D"].double()


def points(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(4, *shape, dtype=torch.float64, generator=rng.stream(0, "points"))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_the_input_gradient_is_autograds(name: str, shape: tuple[int, ...], norm: str) -> None:
    net, x = critic(name, shape, norm).eval(), points(shape)
    tracked = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(net(tracked).sum(), tracked)
    assert torch.allclose(grad(lambda given: net(given).sum())(x), expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("norm", ["none", "layer", "spectral"])
@pytest.mark.parametrize(("name", "shape"), CASES)
def test_a_gradient_penalty_trains_every_weight(name: str, shape: tuple[int, ...], norm: str) -> None:
    """In training mode, where spectral norm moves its u within torch.func.grad."""
    net, x = critic(name, shape, norm), points(shape)
    batch = Batch(real=x, eps=torch.full((4,), 0.3, dtype=torch.float64))
    penalty = gradient_penalty(net, batch, x + 1, {"gp": 10.0})
    weights = [parameter for parameter in net.parameters() if parameter.dim() > 1]
    gradients = torch.autograd.grad(penalty, weights)
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.parametrize("norm", NORMS)
def test_gradients_of_stacked_networks_are_those_of_each(norm: str) -> None:
    x = points((2,))
    nets = [critic("mlp", (2,), norm, seed) for seed in range(3)]

    def loss(parameters, buffers, net=nets[0]):
        return functional_call(net, (parameters, buffers), (x,)).square().sum()

    state = [(dict(net.named_parameters()), {k: b.clone() for k, b in net.named_buffers()}) for net in nets]
    alone = [grad(loss)(*each) for each in state]
    parameters, buffers = stack_module_state(nets)
    stacked = torch.vmap(grad(loss))(parameters, buffers)
    for name, gradient in stacked.items():
        assert torch.allclose(gradient, torch.stack([each[name] for each in alone]), rtol=1e-9, atol=1e-12), name


@pytest.mark.parametrize("through", ["call", "grad"])
def test_spectral_norm_moves_u_once_a_pass(through: str) -> None:
    layer = nn.Linear(5, 4)
    parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    norm, x = layer.parametrizations.weight[0], torch.ones(2, 5)
    weight = layer.parametrizations.weight.original.detach()
    v = nn.functional.normalize(weight.T @ norm.u, dim=0)
    expected = nn.functional.normalize(weight @ v, dim=0)
    if through == "call":
        layer(x)
    else:
        grad(lambda given: layer(given).sum())(x)
    assert torch.allclose(norm.u, expected)
    assert not norm.u.requires_grad


def test_spectral_gradient_treats_u_and_v_as_constants() -> None:
    """d(W/σ)/dW contracted with C is C/σ - <C, W> u vᵀ / σ², Miyato et al. 2018, equations 10 to 12."""
    torch.manual_seed(0)
    weight, cotangent = torch.randn(3, 4, dtype=torch.float64, requires_grad=True), torch.randn(3, 4).double()
    norm = SpectralNorm(weight).double()
    start = norm.u.clone()
    (gradient,) = torch.autograd.grad((norm(weight) * cotangent).sum(), weight)
    matrix = weight.detach()
    v = nn.functional.normalize(matrix.T @ start, dim=0)
    u = nn.functional.normalize(matrix @ v, dim=0)
    sigma = u @ matrix @ v
    expected = cotangent / sigma - (cotangent * matrix).sum() * torch.outer(u, v) / sigma**2
    assert torch.allclose(gradient, expected, rtol=1e-10)


def test_standing_statistics_do_not_cancel_and_count_by_size() -> None:
    """Means 10,000 standard deviations from 0, and batches of two sizes: the exact pooled statistics, 1e-3."""
    batches = [torch.randn(n, 3, generator=rng.stream(0, "z", n)) + 1e4 + offset for n, offset in ((64, 5), (8, -5))]
    mean, variance = standing_statistics(nn.Sequential(BatchNorm(3)), [(batch,) for batch in batches])[0].standing
    pooled = torch.cat(batches).double()
    assert torch.allclose(mean.double(), pooled.mean(0), rtol=1e-7)
    assert torch.allclose(variance.double(), pooled.var(0, correction=0), rtol=1e-3)


def test_standing_statistics_need_a_batch() -> None:
    with pytest.raises(DataError, match="at least one batch"):
        standing_statistics(nn.Sequential(BatchNorm(3)), [])


def test_unknown_norm_is_not_none() -> None:
    with pytest.raises(UnknownNameError, match="unknown norm 'bacth': did you mean 'batch'"):
        normalised(nn.Linear(2, 4), "bacth")


@pytest.mark.parametrize(("name", "shape"), [("mlp", (1, 28, 28)), ("dcgan", (2,)), ("maxout", (2,))])
def test_a_network_refuses_the_other_kind_of_data(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=f"network '{name}' is for"):
        NETWORKS.get(name).build(Order(shape, NETWORKS.get(name).defaults))
