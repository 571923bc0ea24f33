"""The conformance suite over every registered variant."""

from __future__ import annotations

import pytest

from ganbench import testing
from ganbench.variants import VARIANTS

NAMES = [card.name for card in VARIANTS]


@pytest.mark.parametrize("check", testing.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_conforms_on_points(name: str, check) -> None:
    check(name, "ring", {})


@pytest.mark.parametrize("settings", [{"ema": 0.9}, {"norm": "spectral"}, {"norm": "batch"}, {"n_dis": 3}], ids=str)
def test_options_conform(settings: dict) -> None:
    testing.same_seed_same_result("ns", "ring", settings)
    testing.resumes_bit_for_bit("ns", "ring", settings)
    testing.trains_its_players_only("ns", "ring", settings)


def test_the_suite_catches_a_variant_that_ignores_n_dis(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganbench.training import step

    play = step.Turns.play
    monkeypatch.setattr(step.Turns, "play", lambda self, phase, at, repeat: play(self, phase, at, 1))
    with pytest.raises(AssertionError, match="does not honour n_dis"):
        testing.trains_its_players_only("wgan", "ring", {})
