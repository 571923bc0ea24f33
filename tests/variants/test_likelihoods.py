"""Losses of models with encoders, codes or levels, at cases by hand: the very functions that train."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from ganbench.testing import losses_at, settings_at
from ganbench.variants import VARIANTS, Batch, autoencoders, likelihoods, losses

REAL, FAKE = math.log(9), math.log(0.25)


def t(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_gaussian_kl_by_hand() -> None:
    """μ 1, log σ² 0: ½; two dimensions add, samples are averaged."""
    assert likelihoods.gaussian_kl(t(1.0)[:, None], t(0.0)[:, None]).item() == 0.5
    mean, log_variance = t(1.0, 1.0, 0.0, 0.0).view(2, 2), torch.zeros(2, 2, dtype=torch.float64)
    assert likelihoods.gaussian_kl(mean, log_variance).item() == 0.5
    exact = torch.distributions.kl_divergence(torch.distributions.Normal(0.3, 2.0), torch.distributions.Normal(0, 1))
    ours = likelihoods.gaussian_kl(torch.tensor([[0.3]]), torch.tensor([[2 * math.log(2.0)]]))
    assert ours.item() == pytest.approx(exact.item(), rel=1e-6)


def test_reconstruction_by_hand() -> None:
    """Images: x 1, p .5 gives ln 2, whatever the pixel range; points: half the square in units of σ."""
    for pixels in ((0.0, 1.0), (-1.0, 1.0)):
        white, grey = torch.full((3, 1, 1, 1), pixels[1]), torch.full((3, 1, 1, 1), sum(pixels) / 2)
        found = likelihoods.reconstruction(white, grey, {"pixels": pixels})
        assert found.item() == pytest.approx(0.693147, abs=5e-7)
        two = likelihoods.reconstruction(white.expand(3, 1, 2, 1), grey.expand(3, 1, 2, 1), {"pixels": pixels})
        assert two.item() == pytest.approx(2 * 0.693147, abs=1e-6)  # summed over pixels
    h = {"pixels": None, "sigma": 0.5}
    assert likelihoods.reconstruction(t(1.0)[:, None], t(0.0)[:, None], h).item() == pytest.approx(2.0)


def test_the_vae_loss_is_their_sum() -> None:
    """E gives μ 1 and log σ² 0, z is .5: the code is 1.5, which G returns; σ 1: ½ (2 - 1.5)² + ½."""
    nets = SimpleNamespace(E=lambda x: torch.cat([torch.ones_like(x), torch.zeros_like(x)], 1), G=lambda z: z)
    batch = Batch(real=t(2.0)[:, None], z=t(0.5)[:, None])
    for name in ("vae", "cvae"):
        card = VARIANTS.get(name)
        assert losses_at(card, nets, batch, sigma=1.0) == pytest.approx([0.125 + 0.5])


def scores(x: torch.Tensor, *_) -> torch.Tensor:
    return x.flatten()


def test_the_adversarial_autoencoder_at_case_r() -> None:
    """The prior's code is real, the encoder's is not."""
    card = VARIANTS.get("aae")
    nets = SimpleNamespace(D=scores, E=lambda x: torch.full_like(x, FAKE), G=lambda z: z)
    batch = Batch(real=t(1.0)[:, None], z=t(REAL)[:, None])
    expected = [(1 - FAKE) ** 2 / 2, 0.328504, 1.609438]  # reconstruction, the judge of codes, the encoder
    assert losses_at(card, nets, batch, sigma=1.0) == pytest.approx(expected, abs=1e-6)


def test_bigan_at_case_r() -> None:
    card = VARIANTS.get("bigan")
    nets = SimpleNamespace(D=scores, E=lambda x: x, G=lambda z: z)
    for each in ("D", "E", "G"):
        getattr(nets, each).parameters = list
    batch = Batch(real=t(REAL)[:, None], z=t(FAKE)[:, None])
    assert losses_at(card, nets, batch, weight_decay=0.0) == pytest.approx([0.164252, 1.956012], abs=5e-7)


def test_weight_decay_sums_squares() -> None:
    layer = torch.nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 4.0]]))
        layer.bias.fill_(2.0)
    assert losses.squares(layer, layer).item() == 58


def test_veegan_by_hand() -> None:
    """G: logit -1.386 and an error of (.5, 0) in z: -1.136294. D: generated pairs are its 1."""
    card = VARIANTS.get("veegan")
    batch = Batch(real=t(1.0, 2.0).view(1, 2), z=t(1.0, 2.0).view(1, 2))
    nets = SimpleNamespace(D=lambda x, z: t(FAKE), G=lambda z: z, F=lambda x: x + t(0.5, 0.0))
    assert losses_at(card, nets, batch)[1] == pytest.approx(-1.136294, abs=5e-7)
    nets = SimpleNamespace(D=lambda x, z: x[:, 0], G=lambda z: t(REAL, 0.0).view(1, 2), F=lambda x: x)
    batch = Batch(real=t(FAKE, 0.0).view(1, 2), z=t(1.0, 2.0).view(1, 2))
    assert losses_at(card, nets, batch)[0] == pytest.approx(0.328504, abs=5e-7)


def test_began_by_hand() -> None:
    """L(x) .5, L(G) .2, k .1, γ .5, λ_k .001: D .48, G .2, k' .10005, M .55."""
    card = VARIANTS.get("began")
    nets = SimpleNamespace(D=lambda x: x - x, G=lambda z: z)
    batch = Batch(real=t(0.5, -0.5)[:, None], z=t(0.2, -0.2)[:, None])
    h = settings_at(card, balance=t(0.1))
    assert losses_at(card, nets, batch, balance=t(0.1)) == pytest.approx([0.48, 0.2])
    assert card.phases[0].loss(nets, batch, h)[1]["balance"].item() == pytest.approx(0.10005)
    assert autoencoders.convergence(t(0.5), t(0.2), h).item() == pytest.approx(0.55)
    high = autoencoders.next_balance(t(0.9999), t(10.0), t(0.0), h)
    assert high.item() == 1  # held in 0..1


def test_information_by_hand() -> None:
    """Q(true) = .5 of ten classes: ln 10 + ln .5 = ln 5; continuous codes half a square off."""
    rest = math.log(0.5 / 9)
    logits = torch.full((1, 10), rest, dtype=torch.float64)
    logits[0, 3] = math.log(0.5)
    codes = torch.zeros(1, 10, dtype=torch.float64)
    codes[0, 3] = 1
    assert likelihoods.categorical_information(logits, codes).item() == pytest.approx(math.log(5))
    assert likelihoods.continuous_information(t(1.0, 0.0).view(1, 2), t(0.0, 0.5).view(1, 2)).item() == -0.625


def test_infogan_at_case_r_reads_its_codes_off_the_end_of_z() -> None:
    """Both losses are the non-saturating ones less the information, here ln 2 of two classes, surely told."""
    card = VARIANTS.get("infogan")
    z = t(FAKE, 0.0, 1.0).view(1, 3)  # one number of noise, then the class

    class D:
        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, 0]

        def features(self, x: torch.Tensor) -> torch.Tensor:
            return x

    nets = SimpleNamespace(D=D(), G=lambda z: z, Q=lambda features: 100 * features[:, 1:])
    batch = Batch(real=t(REAL, 0.0, 0.0).view(1, 3), z=z)
    values = losses_at(card, nets, batch, codes_categorical=2, codes_continuous=0)
    assert values == pytest.approx([0.328504 - math.log(2), 1.609438 - math.log(2)], abs=1e-6)


def test_mmdgan_trains_by_the_distance_of_embeddings() -> None:
    card = VARIANTS.get("mmdgan")
    nets = SimpleNamespace(D=lambda x: x, G=lambda z: z)
    batch = Batch(real=t(0.0, 1.0)[:, None], z=t(0.0, 2.0)[:, None])
    d, g = losses_at(card, nets, batch)
    assert d == -g < 0


@pytest.mark.parametrize("name", ["vae", "aae", "bigan", "veegan", "began"])
def test_gradients_in_float64(name: str) -> None:
    """Of every phase, in what its networks give: D's scores, E's codes, G's samples."""
    card = VARIANTS.get(name)
    torch.manual_seed(0)
    real, z = torch.randn(3, 2, dtype=torch.float64), torch.randn(3, 2, dtype=torch.float64)

    def loss(phase, w: torch.Tensor) -> torch.Tensor:
        wide = torch.cat([w, w.sin()], 1)
        nets = SimpleNamespace(
            D=(lambda x, z=None: x @ w if card.roles.get("D") == "autoencoder" else (x @ w).sum(1)),
            E=lambda x: x @ (wide if card.roles.get("E") == "gaussian" else w),
            F=lambda x: x @ w,
            G=lambda z: (z @ w).tanh(),
        )
        for each in ("D", "E", "G"):
            getattr(nets, each).parameters = lambda: [w]
        found = phase.loss(nets, Batch(real=real, z=z), settings_at(card))
        return found[0] if isinstance(found, tuple) else found

    for phase in card.phases:
        w = torch.randn(2, 2, dtype=torch.float64).requires_grad_()
        assert torch.autograd.gradcheck(lambda w, phase=phase: loss(phase, w), (w,))
