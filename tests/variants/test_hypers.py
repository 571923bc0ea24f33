from __future__ import annotations

import pytest

from ganbench.errors import SpecError, UnknownNameError
from ganbench.variants import VARIANTS, Hyper

LR = Hyper("lr", 1e-3, "learning rate", low=0.0)
N = Hyper("n_dis", 1, "steps", low=1)


def test_numbers_take_their_hypers_type() -> None:
    assert (LR.check(1), type(LR.check(1))) == (1.0, float)
    assert (N.check(2.0), type(N.check(2.0))) == (2, int)


@pytest.mark.parametrize(
    ("hyper", "value", "message"),
    [
        (LR, "fast", "lr is a number, got 'fast'"),
        (LR, True, "lr is a number, got True"),
        (LR, -1, "lr must be at least 0.0, got -1.0"),
        (LR, float("nan"), "lr must be at least 0.0, got nan"),
        (N, 1.5, "n_dis is a whole number, got 1.5"),
        (N, 0, "n_dis must be at least 1, got 0"),
        (Hyper("beta1", 0.5, "", low=0, high=1), 1.5, "beta1 must be between 0 and 1, got 1.5"),
        (Hyper("norm", "none", "", choices=("none", "batch")), "bach", "norm is one of none, batch, got 'bach'"),
    ],
)
def test_bad_values_are_one_clear_line(hyper: Hyper, value: object, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        hyper.check(value)
    assert str(caught.value) == message


def test_an_unknown_variant_gets_the_nearest_match() -> None:
    with pytest.raises(UnknownNameError, match="unknown variant 'wgangp': did you mean 'wgan-gp'"):
        VARIANTS.get("wgangp")


@pytest.mark.parametrize("card", list(VARIANTS), ids=lambda card: card.name)
def test_cards_are_complete(card) -> None:
    assert card.title
    assert card.family
    assert str(card.year) in card.paper
    assert card.doc.endswith(".")
    assert card.equation
    assert card.oracle
    assert set(card.players) == card.roles.keys()
