"""Every loss at case R of the protocol sheet: D(x) = .9, D(G(z)) = .2, that is logits 2.197225 and -1.386294."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from ganbench.variants import VARIANTS, Batch, losses

REAL, FAKE = math.log(9), math.log(0.25)
LABELS = {"label_fake": 0.0, "label_real": 1.0, "label_generator": 1.0}
CHI2 = {"label_fake": -1.0, "label_real": 1.0, "label_generator": 0.0}


def t(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("loss", "real", "fake", "h", "expected"),
    [
        (losses.cross_entropy_d, REAL, FAKE, {}, 0.328504),
        (losses.least_squares_d, 0.9, 0.2, LABELS, 0.025),
        (losses.least_squares_d, 0.9, 0.2, CHI2, 0.725),
        (losses.wasserstein_d, REAL, FAKE, {}, -3.583519),
        (losses.hinge_d, REAL, FAKE, {}, 0.0),
        (losses.hinge_d, 0.3, -0.4, {}, 1.3),
    ],
)
def test_discriminator_losses_at_case_r(loss, real, fake, h, expected) -> None:
    assert loss(t(real), t(fake), h).item() == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(
    ("loss", "fake", "h", "expected"),
    [
        (losses.minimax_g, FAKE, {}, -0.223144),
        (losses.non_saturating_g, FAKE, {}, 1.609438),
        (losses.least_squares_g, 0.2, LABELS, 0.32),
        (losses.least_squares_g, 0.2, CHI2, 0.02),
        (losses.wasserstein_g, FAKE, {}, 1.386294),
    ],
)
def test_generator_losses_at_case_r(loss, fake, h, expected) -> None:
    assert loss(t(fake), h).item() == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("loss", [losses.cross_entropy_d, losses.hinge_d, losses.wasserstein_d])
def test_losses_are_means_over_the_batch(loss) -> None:
    doubled = loss(t(REAL, REAL), t(FAKE, FAKE), {})
    assert doubled.item() == pytest.approx(loss(t(REAL), t(FAKE), {}).item(), abs=1e-12)


@pytest.mark.parametrize("loss", [losses.cross_entropy_d, losses.least_squares_d, losses.wasserstein_d])
def test_gradients_in_float64(loss) -> None:
    real = t(0.3, -1.2, 2.0).requires_grad_()
    fake = t(1.1, 0.4, -0.7).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: loss(a, b, LABELS), (real, fake))


EXPECTED = {  # what each variant's own phases give on nets that output case R, with the defaults of its hypers
    "minimax": (0.328504, -0.223144),
    "ns": (0.328504, 1.609438),
    "dcgan": (0.328504, 1.609438),
    "sngan": (0.328504, 1.609438),
    "lsgan": (0.5 * (REAL - 1) ** 2 + 0.5 * FAKE**2, 0.5 * (FAKE - 1) ** 2),
    "wgan": (-3.583519, 1.386294),
    "wgan-gp": (156.416481, 1.386294),  # a linear critic with w = (3, 4) and λ = 10: penalty 160
    "hinge": (0.0, 1.386294),
}


def test_every_variant_has_its_case() -> None:
    assert {card.name for card in VARIANTS if card.family != "own"} == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_variants_at_case_r(name: str) -> None:
    """The phases that train, on a linear critic w = (3, 4) that scores the real point REAL and the fake one FAKE."""
    weight = t(3.0, 4.0)
    nets = SimpleNamespace(D=lambda x: x @ weight, G=lambda z: z * (FAKE / 25) * weight)
    batch = Batch(real=(weight * REAL / 25).view(1, 2), z=t(1.0).view(1, 1), eps=t(0.25))
    card = VARIANTS.get(name)
    h = {hyper.name: hyper.default for hyper in card.hypers}
    values = tuple(phase.loss(nets, batch, h).item() for phase in card.phases)
    assert values == pytest.approx(EXPECTED[name], abs=1e-6)
