"""Names of data sets: one form for one content, and content that is one with its name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganbench.data import DATASETS, find
from ganbench.errors import SpecError, UnknownNameError

POSITIVE = st.floats(1e-6, 1e6)


@settings(max_examples=100, deadline=None)
@given(modes=st.integers(1, 1000), radius=POSITIVE, std=POSITIVE)
def test_a_canonical_name_reads_back_as_the_same_mixture(modes: int, radius: float, std: float) -> None:
    card = find(f"ring:std={std!r}:radius={radius!r}:modes={modes}")
    assert card.parameters == {"modes": modes, "radius": radius, "std": std}
    assert find(card.name) == card


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("ring:modes=16.0", "ring:modes=16"),
        ("ring:radius=2.0:modes=8", "ring:radius=2"),
        ("grid:std=5e-2:side=5:spacing=2", "grid"),
        ("ring:std=0.12345678901234567", "ring:std=0.12345678901234566"),  # the float64 next to it, no digit dropped
    ],
)
def test_a_number_has_one_form(typed: str, canonical: str) -> None:
    assert find(typed).name == canonical


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ring:modes=16:modes=9", "ring: modes is given twice"),
        ("ring:modes=2.5", "ring: modes is a whole number, got '2.5'"),
        ("ring:modes=inf", "ring: modes is a whole number, got 'inf'"),
        ("ring:modes", "ring: modes is a whole number, got ''"),
    ],
)
def test_bad_parameters(name: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        find(name)


def test_an_empty_name_is_not_the_current_folder() -> None:
    with pytest.raises(UnknownNameError, match="unknown data set ''"):
        find("")


@pytest.mark.parametrize("card", list(DATASETS), ids=lambda card: card.name)
def test_cards_are_complete(card) -> None:
    assert find(card.name) is card
    assert card.title
    assert card.source
    assert len(card.shape) == {"points": 1, "images": 3}[card.kind]
    assert card.classes > 0 or card.name == "tfd"  # most of its faces have none
    assert {card: 1}[card] == 1  # a card can key a cache
