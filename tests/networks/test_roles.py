"""Players and layers of the field's techniques, at cases by hand and against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ganbench import rng
from ganbench.errors import SpecError, UnknownNameError
from ganbench.networks import NETWORKS, Network
from ganbench.networks.boltzmann import BeliefNet, Boltzmann
from ganbench.networks.layers import BatchNorm, MinibatchDiscrimination, VirtualBatchNorm, closeness
from ganbench.networks.parts import Order
from ganbench.networks.pyramid import PyramidGenerator, decompose, up
from ganbench.networks.roles import Recurrent, Referenced

MNIST = (1, 28, 28)


def built(name: str, shape: tuple[int, ...], roles: dict[str, str] | None = None, **settings) -> dict[str, nn.Module]:
    card = NETWORKS.get(name)
    h = {**card.defaults, "latent_dim": 6, **settings}
    order = Order(shape, h, roles or {"G": "generator", "D": "scores"}, card.inputs(shape, h), classes=4)
    with rng.global_stream(0, "weights"):
        return card.build(order)


def test_closeness_by_hand() -> None:
    """Two rows ln 2 apart: exp(-ln 2) = ½ each."""
    m = torch.tensor([0.0, math.log(2)], dtype=torch.float64).view(2, 1, 1)
    assert closeness(m).flatten().tolist() == pytest.approx([0.5, 0.5])
    both = torch.cat([m, m], 2)  # the distance is the sum over dimensions
    assert closeness(both).flatten().tolist() == pytest.approx([0.25, 0.25])


def test_minibatch_discrimination_joins_the_features() -> None:
    layer = MinibatchDiscrimination(3, kernels=4, dimensions=5)
    x = torch.randn(6, 3)
    out = layer(x)
    assert out.shape == (6, 7)
    assert torch.equal(out[:, :3], x)
    m = (x @ layer.maps).view(6, 4, 5)
    expected = sum(torch.exp(-(m[0] - m[j]).abs().sum(1)) for j in range(1, 6))
    torch.testing.assert_close(out[0, 3:], expected)


def test_virtual_batch_norm_is_batch_norm_on_its_reference() -> None:
    torch.manual_seed(0)
    for shape in ((8, 3), (8, 3, 5, 5)):
        layer, x = VirtualBatchNorm(3), torch.randn(shape) * 3 + 1
        layer.reference = 8
        torch.testing.assert_close(layer(x), BatchNorm(3)(x), rtol=1e-4, atol=1e-5)


def test_virtual_batch_norm_counts_the_sample_itself() -> None:
    """Reference {0, 2} and a sample 4: mean 2, variance 8/3."""
    layer = VirtualBatchNorm(1, eps=0.0)
    layer.reference = 2
    out = layer(torch.tensor([[0.0], [2.0], [4.0]]))
    assert out[2].item() == pytest.approx(2 / math.sqrt(8 / 3))
    assert out[:2].flatten().tolist() == pytest.approx([-1.0, 1.0])


def test_a_sample_of_a_virtual_batch_norm_generator_does_not_depend_on_its_batch() -> None:
    generator = built("dcgan", MNIST, width=4, g_norm="virtual")["G"]
    assert isinstance(generator.body, Referenced)
    z = torch.randn(5, 6)
    torch.testing.assert_close(generator(z)[:1], generator(z[:1]), rtol=1e-4, atol=1e-5)
    assert generator(z).shape == (5, *MNIST)


@pytest.mark.parametrize(("name", "shape"), [("mlp", (2,)), ("dcgan", (3, 28, 28)), ("maxout", MNIST)])
def test_a_pack_is_judged_as_the_joined_samples(name: str, shape: tuple[int, ...]) -> None:
    judge = built(name, shape, width=8, pack=2)["D"].eval()
    x = torch.randn(6, *shape)
    assert judge(x).shape == (3,)
    joined = torch.cat([x[0::2], x[1::2]], 1)  # on the feature or channel axis
    features = judge.trunk(joined)
    torch.testing.assert_close(judge(x), judge.head(features).flatten())


def test_smaller_discriminators_and_dropout() -> None:
    whole, half = (built("mlp", (2,), width=16, d_width=ratio)["D"] for ratio in (1.0, 0.5))
    assert (whole.trunk.features, half.trunk.features) == (16, 8)
    dropped = built("dcgan", MNIST, width=4, d_dropout=0.3)["D"]
    assert [layer.p for layer in dropped.modules() if isinstance(layer, nn.Dropout)] == [0.3, 0.3]


def test_projection_adds_the_product_of_class_and_features() -> None:
    """Miyato and Koyama 2018, equation 3."""
    judge = built("mlp", (2,), width=8, conditioning="projection")["D"]
    x, y = torch.randn(5, 2), torch.tensor([0, 1, 2, 3, 0])
    features = judge.features(x)
    expected = judge.head(features).flatten() + (judge.projection.weight[y] * features).sum(1)
    torch.testing.assert_close(judge(x, y=y), expected)


def test_increments_of_1_and_minus_1_paint_a_half() -> None:
    painter = Recurrent(nn.Identity(), nn.Identity(), nn.Sigmoid(), hidden=1, steps=2)
    painted = painter.paint([torch.ones(1, 1), -torch.ones(1, 1)])
    assert painted.item() == 0.5
    signed = Recurrent(nn.Identity(), nn.Identity(), nn.Tanh(), hidden=1, steps=2)
    x = torch.tensor([[0.7]])
    torch.testing.assert_close((signed.paint([x]) + 1) / 2, painter.paint([x]))  # the logistic function of -1..1


def test_recurrent_generators_see_what_they_added_last() -> None:
    generator = built("mlp", (2,), {"G": "recurrent", "D": "scores"}, width=8, paint_steps=3)["G"]
    z = torch.randn(4, 6)
    one, two, three = generator.increments(z)
    state = torch.tanh(generator.encoder(two))
    torch.testing.assert_close(three, generator.body(torch.cat([z, state], 1)))
    torch.testing.assert_close(generator(z), one + two + three)


@pytest.mark.parametrize("size", [28, 32, 64])
def test_a_pyramid_gives_the_image_back(size: int) -> None:
    """up(down(I)) + h = I at every level, exactly for pixels that are whole multiples of 2^-8."""
    images = torch.randint(-128, 128, (3, 1, size, size)).float() / 128
    generator = PyramidGenerator((1, size, size), 6, 4)
    levels = generator.decompose(images)
    assert [h.shape[-1] for _, h in levels] == generator.sizes
    current = levels[-1][1]
    for coarse, h in reversed(levels[:-1]):
        assert torch.equal(coarse, up(current))
        current = coarse + h
    assert torch.equal(current, images)
    assert len(decompose(images, 1)) == 1


def test_a_pyramid_draws_its_planes_from_the_latent() -> None:
    card, h = NETWORKS.get("pyramid"), {"latent_dim": 6}
    assert card.inputs(MNIST, h) == 6 + 28 * 28 + 14 * 14
    generator = built("pyramid", MNIST, {"G": "pyramid", "D": "pyramid"}, width=4)["G"]
    z = torch.randn(2, card.inputs(MNIST, h))
    changed = z.clone()
    changed[:, -1] += 1  # the middle level's plane: base and nothing else stays
    assert not torch.equal(generator(z), generator(changed))
    assert torch.equal(generator.level(2, z, None), generator.level(2, changed, None))


def energies(machine: Boltzmann) -> torch.Tensor:
    """-log Σ_h exp(-E(v, h)) for every v of three units, by enumeration."""
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3).double()
    hidden = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 2).double()
    energy = (
        -(hidden @ machine.weight @ states.T)
        - (states @ machine.of_visible)[None]
        - (hidden @ machine.of_hidden)[:, None]
    )
    return -torch.logsumexp(-energy, 0)


def test_free_energy_is_that_of_enumeration() -> None:
    torch.manual_seed(0)
    machine = Boltzmann(3, 2).double()
    for parameter in machine.parameters():
        nn.init.normal_(parameter)
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3).double()
    torch.testing.assert_close(machine.free_energy(states), energies(machine))


def test_gibbs_sweeps_reach_the_machines_distribution() -> None:
    """40,000 chains of 100 sweeps: each of 8 states within 5 standard errors, a false alarm in 200,000 runs."""
    torch.manual_seed(0)
    machine, n = Boltzmann(3, 2).double(), 40_000
    for parameter in machine.parameters():
        nn.init.normal_(parameter)
    with rng.global_stream(0, "chain"):
        v = machine.gibbs(torch.zeros(n, 3, dtype=torch.float64), 100)
    counts = torch.bincount((v @ torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64)).long(), minlength=8) / n
    expected = torch.softmax(-energies(machine), 0)
    assert ((counts - expected).abs() < 5 * (expected * (1 - expected) / n).sqrt()).all()


def test_the_gradient_of_contrastive_divergence_is_its_rule() -> None:
    """E[p(h|v) vᵀ] - E[p(h|v') v'ᵀ], for the weights; Hinton 2002, equation 5."""
    torch.manual_seed(0)
    machine, v = Boltzmann(5, 4), torch.randint(2, (7, 5)).float()
    with rng.global_stream(0, "chain"):
        machine.contrastive_divergence(v, 2).backward()
    with rng.global_stream(0, "chain"):
        after = machine.gibbs(v, 2)
    rule = (machine.upward(after).T @ after - machine.upward(v).T @ v) / len(v)
    torch.testing.assert_close(machine.weight.grad, rule.detach())


def test_a_belief_net_trains_one_machine_at_a_time() -> None:
    net, images = BeliefNet((1, 4, 4), [6, 5]), torch.rand(8, 1, 4, 4)
    for progress, trained in ((0.0, 0), (0.49, 0), (0.5, 1), (0.99, 1)):
        net.zero_grad()
        net.greedy_loss(images, progress, 1).backward()
        moved = [machine.weight.grad is not None and bool(machine.weight.grad.abs().sum()) for machine in net.machines]
        assert moved == [index == trained for index in range(2)]


@pytest.mark.parametrize(
    ("norm", "pooled"), [("spectral", "sum"), ("none", "mean")],
)  # fmt: skip
def test_residual_discriminators_pool_and_end_as_their_papers_say(norm: str, pooled: str) -> None:
    judge = built("resnet", (3, 32, 32), width=8, norm=norm)["D"].eval()
    assert (judge.head.bias is None) == (norm == "spectral")
    maps = torch.relu(nn.Sequential(*list(judge.trunk.layers)[:-1])(torch.randn(2, 3, 32, 32)))
    assert maps.shape == (2, 8, 8, 8)
    expected = maps.sum((2, 3)) if pooled == "sum" else maps.mean((2, 3))
    torch.testing.assert_close(judge.trunk.layers[-1](maps), expected)


def test_the_consensus_toy_has_the_papers_2003_parameters() -> None:
    nets = built("mlp", (2,), width=16, depth=4, latent_dim=16)
    assert sum(parameter.numel() for net in nets.values() for parameter in net.parameters()) == 2003


def test_networks_that_cannot_play_a_role_say_which_can() -> None:
    with pytest.raises(SpecError, match="network 'maxout-cgan' has no 'encoder' player: use mlp"):
        built("maxout-cgan", MNIST, {"E": "encoder"})
    with pytest.raises(SpecError, match="network 'dcgan' has no 'pyramid' player: use pyramid"):
        built("dcgan", MNIST, {"G": "pyramid"})
    with pytest.raises(UnknownNameError, match="unknown role 'encodr': did you mean 'encoder'"):
        built("mlp", (2,), {"E": "encodr"})
    with pytest.raises(SpecError, match="network 'maxout-cgan' is told classes as one-hot"):
        built("maxout-cgan", MNIST)
    with pytest.raises(SpecError, match="needs either parts or a builder"):
        Network(name="none", kind="points", title="")
    with pytest.raises(SpecError, match="network 'bare' needs a default for steps, prior, latent_dim"):
        Network(name="bare", kind="points", title="", builder="nowhere:build", defaults={"batch_size": 8})
