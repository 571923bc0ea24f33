"""The conformance suite over every registered variant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganbench import testing
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
    check(name, str(tmp_path / "shapes.npz"), {"width": 4, "latent_dim": 8, "batch_size": 8})


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
