"""Every loss at case R of the protocol sheet: D(x) = .9, D(G(z)) = .2, that is logits 2.197225 and -1.386294."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from ganbench import testing
from ganbench.variants import VARIANTS, Batch, losses

REAL, FAKE = math.log(9), math.log(0.25)
LABELS = {"label_fake": 0.0, "label_real": 1.0, "label_generator": 1.0}
SMOOTH = {"label_smoothing": 0.9}
PLAIN = {"label_smoothing": 1.0}
CHI2 = {"label_fake": -1.0, "label_real": 1.0, "label_generator": 0.0}


def t(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("loss", "real", "fake", "h", "expected"),
    [
        (losses.cross_entropy_d, REAL, FAKE, PLAIN, 0.328504),
        (losses.cross_entropy_d, REAL, FAKE, SMOOTH, 0.548227),
        (losses.relativistic_pairing_d, REAL, FAKE, {}, 0.027399),
        (losses.relativistic_pairing_g, REAL, FAKE, {}, 3.610918),
        (losses.relativistic_average_d, REAL, FAKE, {}, 0.0),
        (losses.relativistic_average_g, REAL, FAKE, {}, 4.583519),
        (losses.f_divergence_d, REAL, FAKE, {"divergence": "kl"}, -2.105255),
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
        (losses.f_divergence_g, FAKE, {"divergence": "kl"}, -0.091970),
    ],
)
def test_generator_losses_at_case_r(loss, fake, h, expected) -> None:
    assert loss(t(fake), h).item() == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("loss", [losses.cross_entropy_d, losses.hinge_d, losses.wasserstein_d])
def test_losses_are_means_over_the_batch(loss) -> None:
    doubled = loss(t(REAL, REAL), t(FAKE, FAKE), PLAIN)
    assert doubled.item() == pytest.approx(loss(t(REAL), t(FAKE), PLAIN).item(), abs=1e-12)


OF_BOTH = [
    losses.cross_entropy_d,
    losses.least_squares_d,
    losses.wasserstein_d,
    losses.hinge_d,
    losses.relativistic_pairing_d,
    losses.relativistic_pairing_g,
    losses.relativistic_average_d,
    losses.relativistic_average_g,
    losses.f_divergence_d,
]


@pytest.mark.parametrize("divergence", losses.DIVERGENCES)
@pytest.mark.parametrize("loss", OF_BOTH)
def test_gradients_in_float64(loss, divergence: str) -> None:
    if divergence != "kl" and loss is not losses.f_divergence_d:
        return
    real = t(0.3, -1.2, 2.0).requires_grad_()
    fake = t(1.1, 0.4, -0.7).requires_grad_()
    h = LABELS | SMOOTH | {"divergence": divergence}
    assert torch.autograd.gradcheck(lambda a, b: loss(a, b, h), (real, fake))


@pytest.mark.parametrize("loss", [losses.mmd_d, losses.mmd_g])
def test_gradients_of_mmd_in_float64(loss) -> None:
    x = t(0.3, -1.2, 2.0, 0.1).view(2, 2).requires_grad_()
    y = t(1.1, 0.4, -0.7, 0.9).view(2, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: loss(a, b, {}), (x, y))


EXPECTED = {  # what each variant's own phases give on nets that output case R, with its presets
    "minimax": (0.328504, -0.223144),
    "ns": (0.328504, 1.609438),
    "dcgan": (0.328504, 1.609438),
    "sngan": (0.328504, 1.609438),
    "cgan": (0.328504, 1.609438),
    "pacgan": (0.328504, 1.609438),
    "minibatch-disc": (0.328504, 1.609438),
    "historical-avg": (0.328504, 1.609438),
    "virtual-bn": (0.328504, 1.609438),
    "unrolled": (0.328504, 1.609438),
    "conopt": (0.328504, 1.609438),
    "gran": (0.328504, 1.609438),
    "label-smoothing": (0.548227, 1.609438),
    "feature-matching": (0.328504, (REAL - FAKE) ** 2),  # D's features are here its one score
    "adaptive-l2": (0.328504 + 1e-4 * 25, 1.609438),
    "lsgan": (0.5 * (REAL - 1) ** 2 + 0.5 * FAKE**2, 0.5 * (FAKE - 1) ** 2),
    "wgan": (-3.583519, 1.386294),
    "wgan-gp": (156.416481, 1.386294),  # a linear critic with w = (3, 4) and λ = 10: penalty 160
    "hinge": (0.0, 1.386294),
    "dragan": (160.328504, 1.609438),
    "r1": (125.328504, 1.609438),
    "rpgan": (0.027399, 3.610918),
    "r3gan": (0.027399 + 25, 3.610918),  # γ = 1: both penalties 12.5
    "ragan": (0.0, 4.583519),
    "fgan": (-2.105255, -0.091970),
}

ELSEWHERE = {"mmdgan", "began", "bigan", "veegan", "vae", "cvae", "aae", "infogan", "lapgan", "dbn", "srgan"}
"""Variants of other roles: tests/variants/test_likelihoods.py and below."""


def test_every_variant_has_its_case() -> None:
    assert {card.name for card in VARIANTS if card.family != "own"} == EXPECTED.keys() | ELSEWHERE


class Linear:
    """A critic w = (3, 4) that scores the real point REAL and the generated one FAKE."""

    weight = t(3.0, 4.0)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return self(x)[:, None]

    def parameters(self) -> list[torch.Tensor]:
        return [self.weight]


@pytest.mark.parametrize("name", EXPECTED)
def test_variants_at_case_r(name: str) -> None:
    """The phases that train, on a linear critic w = (3, 4) that scores the real point REAL and the fake one FAKE."""
    weight = Linear.weight
    nets = SimpleNamespace(D=Linear(), G=lambda z: z * (FAKE / 25) * weight)
    real, noise = (weight * REAL / 25).view(1, 2), torch.zeros(2, 1, 2, dtype=torch.float64)
    batch = Batch(real=real, z=t(1.0).view(1, 1), eps=t(0.25), noise=noise)
    card = VARIANTS.get(name)
    assert testing.losses_at(card, nets, batch) == pytest.approx(list(EXPECTED[name]), abs=1e-6)


def test_r3gan_with_gamma_10() -> None:
    """Both penalties of the linear critic (3, 4): 250 together."""
    nets = SimpleNamespace(D=Linear(), G=lambda z: z)
    batch = Batch(real=t(1.0, 2.0).view(1, 2), z=t(1.0, 2.0).view(1, 2))
    d, _ = testing.losses_at(VARIANTS.get("r3gan"), nets, batch, r1=10.0, r2=10.0)
    assert d == pytest.approx(250 + math.log(2))


@pytest.mark.parametrize("divergence", losses.DIVERGENCES)
def test_f_gan_conjugates_are_fenchels(divergence: str) -> None:
    """f*(t) = sup_u (u t - f(u)) on a fine grid, at t = g_f(v)."""
    generators = {
        "kl": lambda u: u * u.log(),
        "reverse_kl": lambda u: -u.log(),
        "pearson": lambda u: (u - 1) ** 2,
        "hellinger": lambda u: (u.sqrt() - 1) ** 2,
        "jensen_shannon": lambda u: -(u + 1) * ((1 + u) / 2).log() + u * u.log(),
        "gan": lambda u: u * u.log() - (u + 1) * (u + 1).log(),
    }
    u = torch.logspace(-8, 4, 400_001, dtype=torch.float64)
    for v in (-1.2, -0.3, 0.4, 1.1):
        at = losses.activation(t(v), divergence)
        supremum = (u * at - generators[divergence](u)).max()
        assert losses.conjugate_of_activation(t(v), divergence).item() == pytest.approx(supremum.item(), abs=1e-6)


def test_f_gan_of_the_gan_divergence_is_the_gan() -> None:
    h = {"divergence": "gan"}
    assert losses.f_divergence_d(t(REAL), t(FAKE), h).item() == pytest.approx(0.328504, abs=5e-7)
    assert losses.f_divergence_g(t(FAKE), h).item() == pytest.approx(-0.223144, abs=5e-7)


def test_mmd_by_hand() -> None:
    x, y = t(0.0, 1.0)[:, None], t(0.0, 2.0)[:, None]
    assert losses.mmd2(x, y, (1.0,)).item() == pytest.approx(0.196735, abs=5e-7)
    root = losses.mmd_g(x, y, {}).item()
    assert root == pytest.approx(losses.mmd2(x, y).item() ** 0.5, abs=1e-9)
    assert losses.mmd_d(x, y, {}).item() == -root
    same = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(losses.mmd_g(x, same, {}), same)
    assert gradient.isfinite().all()  # at MMD 0 the root's derivative must not be infinite


def test_feature_matching_by_hand() -> None:
    real, fake = t(1.0, 2.0).view(1, 2), t(3.0, 2.0).view(1, 2)
    assert losses.feature_matching(real, fake, "sum").item() == 4
    assert losses.feature_matching(real, fake, "mean").item() == 2


def test_historical_averaging_by_hand() -> None:
    """θ 3 with history {1, 2}: (3 - 1.5)²."""
    assert losses.historical_average(t(3.0), t(1.5)).item() == 2.25


def test_adaptive_l2_grows_where_d_is_too_good_and_shrinks_where_it_is_not() -> None:
    card = VARIANTS.get("adaptive-l2")
    nets = SimpleNamespace(D=Linear(), G=lambda z: -z)
    for sign, factor in ((1, 1.01), (-1, 1 / 1.01)):  # D right about both, or wrong about both
        batch = Batch(real=t(1.0, 1.0).view(1, 2) * sign, z=t(1.0, 1.0).view(1, 2) * sign)
        _, memory = card.phases[0].loss(nets, batch, testing.settings_at(card, l2_now=torch.tensor(0.5)))
        assert memory["l2_now"].item() == pytest.approx(0.5 * factor)


def test_phases_read_what_their_switches_need() -> None:
    card = VARIANTS.get("ns")
    d, g = card.phases
    plain = testing.settings_at(card)
    assert (d.fields(plain), g.fields(plain)) == (("real", "z"), ("z",))
    assert d.fields(plain | {"gp": 1.0}) == ("real", "z", "eps")
    assert d.fields(plain | {"dragan": 1.0}) == ("real", "z", "noise")
    assert g.fields(plain | {"feature_matching": "sum"}) == ("real", "z")
    assert g.fields(plain | {"instance_noise": 0.1}) == ("z", "noise")


def test_mmd_of_near_samples_is_no_rounding_error() -> None:
    """Sums of a few units cancel to what may be 1e-6 of them: half of float32's digits."""
    generator = torch.Generator().manual_seed(0)
    real, fake = (0.01 * torch.randn(64, 16, generator=generator) for _ in range(2))
    exact = losses.mmd2(real.double(), fake.double())
    assert 0 < exact < 1e-3
    torch.testing.assert_close(losses.mmd2(real, fake), exact, rtol=1e-9, atol=0, check_dtype=False)
