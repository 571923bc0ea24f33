"""The conformance suite over every registered variant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ganbench import testing
from ganbench.data import find
from ganbench.training.loop import train
from ganbench.training.settings import resolve
from ganbench.variants import VARIANTS

ON_POINTS = [card.name for card in VARIANTS if "points" in card.kinds]
ON_IMAGES = [card.name for card in VARIANTS if "points" not in card.kinds]
BOTH = pytest.mark.parametrize("check", testing.CHECKS, ids=lambda check: check.__name__)


@BOTH
@pytest.mark.parametrize("name", ON_POINTS)
def test_conforms_on_points(name: str, check) -> None:
    check(name, "ring", {})


@BOTH
@pytest.mark.parametrize("name", ON_IMAGES)
def test_conforms_on_images(name: str, check, tmp_path: Path) -> None:
    """Variants that points are nothing for, on 28 x 28 pixels of two shapes."""
    images = np.zeros((64, 28, 28), np.uint8)
    images[::2, 7:21, 7:21] = images[1::2, :, 10:18] = 255
    np.savez(tmp_path / "shapes.npz", images=images)
    small = {"width": 4, "batch_size": 8} | ({"depth": 1} if name == "srgan" else {"latent_dim": 8})
    if name == "lapgan":
        small["lr"] = 2e-3  # its own is for nets sixteen times as wide, and may diverge here
    check(name, str(tmp_path / "shapes.npz"), small)


@pytest.mark.parametrize("settings", [{"ema": 0.9}, {"norm": "spectral"}, {"norm": "batch"}, {"n_dis": 3}], ids=str)
def test_options_conform(settings: dict) -> None:
    testing.same_seed_same_result("ns", "ring", settings)
    testing.resumes_bit_for_bit("ns", "ring", settings)
    testing.trains_its_players_only("ns", "ring", settings)


def test_the_suite_catches_a_variant_that_ignores_n_dis(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganbench.training import step

    play = step.Turns.play
    monkeypatch.setattr(step.Turns, "play", lambda self, index, at, repeat: play(self, index, at, 1))
    with pytest.raises(AssertionError, match="does not honour n_dis"):
        testing.trains_its_players_only("wgan", "ring", {})


def test_levels_of_a_pyramid_train_alone_in_their_sum(tmp_path: Path) -> None:
    """The gradient of a level's networks in LAPGAN's summed losses is that of its own loss."""
    from ganbench.variants import losses

    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", images=images)
    state, turns = testing.started("lapgan", str(tmp_path / "noise.npz"), {"width": 4, "batch_size": 8})
    turns.game.eval()  # without dropout
    nets, batch = turns.game.nets, turns.batch(0, 0)
    for player in state.players.values():
        player.thaw()
    for phase, judge, own in (("D", True, nets.D), ("G", False, nets.G)):
        (share,) = [each for each in state.shares if each.phase.name == phase]
        weights = list(own.parameters())
        whole = torch.autograd.grad(share.phase.loss(nets, batch, turns.h), weights)
        for index, (coarse, real) in enumerate(nets.G.decompose(batch.real)):
            fake = nets.D(index, coarse, nets.G.level(index, batch.z, coarse))
            told = nets.D(index, coarse, real)
            alone = losses.cross_entropy_d(told, fake, turns.h) if judge else losses.non_saturating_g(fake, turns.h)
            found = torch.autograd.grad(alone, weights, allow_unused=True)
            moved = [pair for pair in zip(found, whole, strict=True) if pair[0] is not None]
            assert moved
            for mine, summed in moved:
                torch.testing.assert_close(mine, summed)


@pytest.mark.parametrize("how", ["concat", "embedding", "projection"])
def test_classes_that_are_asked_for_are_got(how: str) -> None:
    """A conditional GAN on two far modes: nearly every sample lies by the mode that was asked for."""
    data = find("ring:modes=2:std=0.1")
    spec = resolve("cgan", data, steps=600, overrides={"conditioning": how, "width": 32, "lr": 2e-3})
    _, state = train(spec, data)
    y = torch.arange(200) % 2
    with torch.no_grad():
        points = state.players["G"].network(torch.randn(200, 2, generator=torch.Generator().manual_seed(0)), y)
    nearest = torch.cdist(points.double(), data.mixture().means).argmin(1)
    assert (nearest == y).float().mean() > 0.9
