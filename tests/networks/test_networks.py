"""The conformance suite over every registered network, and what their papers pin down."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganbench import rng
from ganbench.errors import DataError
from ganbench.networks import NETWORKS, Network, default_for
from ganbench.networks.layers import BatchNorm
from ganbench.networks.parts import Order

SMALL = {"width": 8, "latent_dim": 6}
CONVOLUTIONAL = [(c, s, s) for c in (1, 3) for s in (28, 32, 64)]
SHAPES = {
    "mlp": [(2,), (5,)],
    "maxout-toy": [(2,)],
    "maxout": [(1, 28, 28), (3, 10, 10)],
    "maxout-cgan": [(1, 28, 28)],
    "dense": [(1, 28, 28), (3, 10, 10)],
    "dcgan": CONVOLUTIONAL,
    "dcgan-mini": [(1, 28, 28)],
    "unpool": CONVOLUTIONAL,
    "resnet": CONVOLUTIONAL,
    "pyramid": CONVOLUTIONAL,
    "boltzmann": [(1, 28, 28)],
    "srresnet": CONVOLUTIONAL,
}
ADVERSARIAL = [card for card in NETWORKS if card.parts]
CASES = [(card, shape) for card in ADVERSARIAL for shape in SHAPES[card.name]]
IDS = [f"{card.name}-{shape}" for card, shape in CASES]


def build(card: Network, shape: tuple[int, ...], seed: int = 0, **settings) -> dict[str, nn.Module]:
    with rng.global_stream(seed, "weights"):
        return card.build(Order(shape, {**card.defaults, **SMALL, **settings}))


def norms(card: Network) -> list[str]:
    return ["none", "batch", "layer", "spectral"] if "norm" in card.defaults else ["none"]


@pytest.mark.parametrize(("card", "shape"), CASES, ids=IDS)
def test_shapes_range_and_gradients(card: Network, shape: tuple[int, ...]) -> None:
    for norm in norms(card):
        nets = build(card, shape, norm=norm)
        z = torch.randn(5, 6)
        fake = nets["G"](z)
        scores = nets["D"](fake)
        assert fake.shape == (5, *shape)
        assert scores.shape == (5,)
        if card.kind == "images":
            assert card.pixels[0] <= fake.min()
            assert fake.max() <= card.pixels[1]
        scores.square().sum().backward()
        for net in nets.values():
            for name, parameter in net.named_parameters():
                assert parameter.grad is not None, name
                assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(("card", "shape"), CASES, ids=IDS)
def test_weights_are_a_function_of_the_seed(card: Network, shape: tuple[int, ...]) -> None:
    one, again, other = (build(card, shape, seed=seed)["D"].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(tensor, again[name]) for name, tensor in one.items())
    assert any(not torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("norm", ["none", "layer", "spectral"])
@pytest.mark.parametrize("card", [NETWORKS.get("mlp"), NETWORKS.get("dcgan")], ids=lambda card: card.name)
def test_samples_are_scored_one_by_one(card: Network, norm: str) -> None:
    """Without batch norm a sample's score does not depend on its batch, as gradient penalties need."""
    shape = SHAPES[card.name][0]
    critic = build(card, shape, norm=norm)["D"].eval()
    x = torch.randn(4, *shape)
    assert torch.allclose(critic(x)[:1], critic(x[:1]), atol=1e-5)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("card", [NETWORKS.get("mlp"), NETWORKS.get("dcgan")], ids=lambda card: card.name)
def test_networks_can_be_stacked(card: Network, norm: str) -> None:
    """vmap over stacked parameters gives what each network gives alone."""
    shape = SHAPES[card.name][0]
    nets = [build(card, shape, seed=seed, norm=norm)["D"] for seed in range(3)]
    parameters, buffers = torch.func.stack_module_state(nets)
    x = torch.randn(4, *shape)
    stacked = torch.vmap(lambda p, b: torch.func.functional_call(nets[0], (p, b), (x,)))(parameters, buffers)
    alone = torch.stack([net(x) for net in nets])
    assert torch.allclose(stacked, alone, atol=1e-5)


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def test_the_2014_pair_is_that_of_the_paper() -> None:
    card = NETWORKS.get("maxout")
    with rng.global_stream(0, "weights"):
        nets = card.build(Order((1, 28, 28), card.defaults))
    assert count(nets["G"]) == 100 * 1200 + 1200 + 1200 * 1200 + 1200 + 1200 * 784 + 784
    assert count(nets["D"]) == 784 * 1200 + 1200 + 240 * 1200 + 1200 + 240 + 1
    assert [layer.p for layer in nets["D"].modules() if isinstance(layer, nn.Dropout)] == [pytest.approx(0.2), 0.5, 0.5]
    for net, bound in ((nets["G"], 0.05), (nets["D"], 0.005)):
        widest = max(parameter.abs().max().item() for parameter in net.parameters())
        assert 0.99 * bound < widest <= bound


def test_dcgan_is_initialised_as_its_paper_says() -> None:
    card = NETWORKS.get("dcgan")
    with rng.global_stream(0, "weights"):
        nets = card.build(Order((3, 64, 64), card.defaults))
    weights = torch.cat([p.flatten() for net in nets.values() for p in net.parameters() if p.dim() > 1])
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)
    layers = list(nets["D"].trunk.layers)
    assert [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)] == [64, 128, 256, 512]
    kinds = [type(layer) for layer in layers]
    assert kinds.count(BatchNorm) == 3  # not on the input layer
    assert kinds[1] is not BatchNorm
    assert [type(nets["G"].body[-1]), type(nets["G"].activation)] == [nn.ConvTranspose2d, nn.Tanh]


def test_sizes_that_no_stack_makes() -> None:
    with pytest.raises(DataError, match="network 'dcgan' makes images of 28x28, 32x32, 64x64, the data are 30x30"):
        NETWORKS.get("dcgan").build(Order((1, 30, 30), {}))
    assert default_for("images", (1, 30, 30)).name == "maxout"
    assert default_for("images", (3, 32, 32)).name == "dcgan-mini"
    assert default_for("points", (2,)).name == "mlp"
