"""The Dirac-GAN and the bilinear game, played by the update rules that train: exact laws and known radii."""

from __future__ import annotations

import cmath
import math

import pytest
import torch

from ganbench.diagnostics.field import Field, eigenvalues
from ganbench.diagnostics.toys import DIRAC, bilinear, dirac
from ganbench.variants import losses

H, STEPS = 0.2, 500


def radius(update: str, name: str, **settings) -> float:
    toy = dirac(**{**DIRAC[name], **settings}, update=update)
    return float(toy.play(STEPS)[-1].norm())


RADII = {  # after 500 steps of .2 from (1, 1): simultaneous, alternating
    "GAN": ("3.10", "1.42"),
    "NSGAN": ("0.640", "0.284"),
    "WGAN": ("1.00", "1.02"),
    "WGAN-GP": ("1.80", "1.22"),
    "R1": ("2.6e-06", "2.3e-07"),
    "NSGAN + R1": ("2.2e-06", "1.5e-07"),
    "ConOpt": ("2.6e-10", "1.7e-11"),
}


@pytest.mark.parametrize("name", RADII)
def test_final_radii(name: str) -> None:
    """To the digits that the protocol sheet gives; ConOpt's are of γ = 1, and this project's own."""
    for update, known in zip(("simultaneous", "alternating"), RADII[name], strict=True):
        found = radius(update, name)
        ours = f"{found:.1e}" if "e" in known else f"{found:.{len(known) - 2}f}"
        assert ours == known


def test_instance_noise_converges_to_its_noise() -> None:
    """Radii of .02 are noise of the minibatch: 512 samples a step."""
    for update in ("simultaneous", "alternating"):
        assert radius(update, "instance noise", batch_size=512) < 0.05


def eigenvalues_at_0(name: str, psi: float = 0.0, batch_size: int = 1, **settings) -> list[complex]:
    toy = dirac(**{**DIRAC[name], **settings}, theta=0.0, psi=psi, batch_size=batch_size)
    field = Field(toy.game, toy.shares, toy.h)
    batches = [toy.turns.batch(index, 0) for index in range(2)]
    return eigenvalues(field.jacobian([batches], float(toy.h["consensus"]))).tolist()


def pair(real: float, under_root: float) -> list[complex]:
    root = cmath.sqrt(under_root)
    return sorted([real + root, real - root], key=lambda value: (value.real, value.imag))


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("GAN", {}, pair(0, -0.25)),
        ("NSGAN", {}, pair(0, -0.25)),
        ("WGAN", {}, pair(0, -1)),
        ("R1", {"r1": 0.3}, pair(-0.15, 0.3**2 / 4 - 0.25)),
        ("R1", {"r1": 1.0}, pair(-0.5, 0)),
        ("NSGAN + R1", {"r1": 0.3}, pair(-0.15, 0.3**2 / 4 - 0.25)),
        ("ConOpt", {"consensus": 10.0}, pair(-2.5, -0.25)),
        ("ConOpt", {"consensus": 1.0}, pair(-0.25, -0.25)),
    ],
    ids=str,
)
def test_eigenvalues_at_the_equilibrium(name: str, settings: dict, expected: list[complex]) -> None:
    found = sorted(eigenvalues_at_0(name, **settings), key=lambda value: (round(value.real, 6), value.imag))
    for ours, theirs in zip(found, expected, strict=True):
        assert abs(ours - theirs) < 1e-7  # a double eigenvalue moves by the root of rounding


@pytest.mark.parametrize("gamma", [0.3, 1.0])
def test_eigenvalues_of_the_relativistic_gan(gamma: float) -> None:
    """RpGAN has the GAN's; with R1 and R2 of γ they are -γ ± √(γ² - ¼)."""
    phases = {"d_loss": losses.relativistic_pairing_d, "g_loss": losses.relativistic_pairing_g}
    for r, expected in ((0.0, pair(0, -0.25)), (gamma, pair(-gamma, gamma**2 - 0.25))):
        toy = dirac(**phases, theta=0.0, psi=0.0, r1=r, r2=r)
        field = Field(toy.game, toy.shares, toy.h)
        found = eigenvalues(field.jacobian([[toy.turns.batch(index, 0) for index in range(2)]])).tolist()
        assert sorted(found, key=lambda v: (round(v.real, 6), v.imag)) == pytest.approx(expected, abs=1e-7)


def test_eigenvalues_with_instance_noise() -> None:
    """-σ²/4 ± √(σ⁴/16 - ¼), over 400,000 samples: 4 standard errors are .01."""
    found = eigenvalues_at_0("instance noise", instance_noise=1.0, batch_size=400_000)
    expected = -0.25 + cmath.sqrt(1 / 16 - 0.25)
    assert abs(max(found, key=lambda value: value.imag) - expected) < 0.01


def test_simultaneous_gan_grows_by_its_law() -> None:
    """r² ← r² (1 + h² f'(ψθ)²), f'(t) = 1 / (1 + eᵗ) here, exactly, at every step."""
    path = dirac(**DIRAC["GAN"], update="simultaneous").play(50)
    squares = path.square().sum(1)
    slope = torch.sigmoid(path.prod(1))
    assert torch.allclose(squares[1:], squares[:-1] * (1 + H**2 * slope[:-1] ** 2), rtol=1e-6)


def test_unclipped_wgan() -> None:
    """Simultaneous: r² ← r² (1 + h²). Alternating: θ² + ψ² - hθψ stays (ψ of the sign of real samples: + hθψ)."""
    free = {"d_loss": losses.wasserstein_d, "g_loss": losses.wasserstein_g}
    squares = dirac(**free, update="simultaneous").play(50).square().sum(1)
    assert torch.allclose(squares[1:], squares[:-1] * (1 + H**2), rtol=1e-12)
    theta, psi = dirac(**free, update="alternating").play(200).T
    kept = theta.square() + psi.square() + H * theta * psi
    assert torch.allclose(kept, kept[:1].expand_as(kept), rtol=1e-12)


def test_ns_gan_has_a_limit_cycle_of_known_radius() -> None:
    """√(2h) = .632 for small h: two rates, whose radii go as the root."""
    found = {
        h: float(dirac(**DIRAC["NSGAN"], update="simultaneous", lr=h).play(20_000)[-1].norm()) for h in (0.1, 0.05)
    }
    for h, found_radius in found.items():
        assert found_radius == pytest.approx(math.sqrt(2 * h), rel=0.02)


def test_consensus_on_the_bilinear_game() -> None:
    """γ .1 at (1, 1): the update's direction is (-1.1, .9)."""
    path = bilinear(lr=1.0, update="simultaneous", consensus=0.1).play(1)
    assert (path[1] - path[0]).tolist() == pytest.approx([-1.1, 0.9], abs=1e-12)


def test_unrolling_goes_through_the_discriminators_step() -> None:
    """ψ + 2ηθ = 1.2; a stopped gradient would give 1.1, no unrolling 1.0."""
    for k, expected in ((0, 1.0), (1, 1.2)):
        toy = bilinear(lr=0.1, unrolled=k)
        toy.play(1)
        assert float(toy.shares[0].trainees[0].gradient[0]) == pytest.approx(expected, abs=1e-12)


def test_unrolled_descent_on_the_bilinear_game_converges() -> None:
    """-η ± i √(1 - η²): within a step of rate η the radius falls."""
    path = bilinear(lr=0.1, unrolled=1, update="simultaneous").play(500)
    assert path[-1].norm() < 0.2 < path[0].norm()


def test_extragradient_and_optimism_converge_where_descent_leaves() -> None:
    """Simultaneous descent grows by √(1 + h²) a step; a look ahead gives √((1 - h²)² + h²), exactly."""
    steps, h = 100, 0.2
    factor = {"simultaneous": math.sqrt(1 + h**2), "extragradient": math.sqrt((1 - h**2) ** 2 + h**2)}
    for update, each in factor.items():
        path = bilinear(update=update).play(steps)
        assert path[-1].norm().item() == pytest.approx(path[0].norm().item() * each**steps, rel=1e-9)
    path = bilinear(update="simultaneous", optimistic=True).play(steps)
    root = max(abs(value) for value in _optimistic_roots(h))
    slope = (path[-1].norm() / path[-21].norm()).item() ** (1 / 20)
    assert slope == pytest.approx(root, rel=1e-3)
    assert root < 1


def _optimistic_roots(h: float) -> list[complex]:
    """x² - (1 - 2ih) x - ih = 0: w' = w - 2h iw + h i(w before), in the plane of θ + iψ."""
    b, c = -(1 - 2j * h), -1j * h
    root = cmath.sqrt(b * b - 4 * c)
    return [(-b + root) / 2, (-b - root) / 2]
