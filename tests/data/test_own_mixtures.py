"""Mixtures of a user's own: found by name, their modes and dimensions counted, bad ones refused in one line."""

from __future__ import annotations

import re

import pytest
import torch

import ganbench
from ganbench.data import DATASETS, Mixture, base, find, minibatches, mixtures
from ganbench.errors import SpecError, UnknownNameError


def corners(side: float = 1.0, dimensions: int = 3, std: float = 0.1) -> Mixture:
    """The corners of a cube: 2^dimensions modes."""
    return Mixture(torch.cartesian_prod(*[torch.tensor([-side, side])] * dimensions), std)


@pytest.fixture(autouse=True)
def _own_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers, no other sees."""
    monkeypatch.setattr(DATASETS, "_cards", dict(DATASETS._cards))
    monkeypatch.setattr(mixtures, "FAMILIES", dict(mixtures.FAMILIES))
    monkeypatch.setattr(base, "_OWN", set())


def test_modes_and_dimensions_are_counted() -> None:
    card = ganbench.register_mixture("corners", corners, title="Corners of a cube", version=2)
    assert (card.kind, card.shape, card.classes, card.version) == ("points", (3,), 8, 2)
    assert card.parameters == {"side": 1.0, "dimensions": 3, "std": 0.1}
    assert find("corners") is card
    flat = find("corners:std=0.10:dimensions=2")
    assert (flat.name, flat.shape, flat.classes, flat.version) == ("corners:dimensions=2", (2,), 4, 2)
    assert flat.mixture().modes == 4
    assert find(flat.name) == flat


def test_its_points_and_their_classes_are_what_is_trained_on() -> None:
    ganbench.register_mixture("corners", corners)
    data = minibatches(find("corners:std=0.001"), seed=0, batch_size=64, device=torch.device("cpu"))
    points, modes = data.batch(5), data.labels(5)
    assert points.shape == (64, 3)
    assert int(modes.max()) <= 7
    assert torch.equal(points.sign().double(), corners().means[modes])


def test_a_name_is_one_mixtures_alone() -> None:
    ganbench.register_mixture("corners", corners)
    ganbench.register_mixture("corners", corners)  # the same once more is no other
    for taken, function in (("corners", lambda side=2.0: corners(side)), ("ring", corners), ("mnist", corners)):
        with pytest.raises(SpecError, match=f"dataset '{taken}' is already registered"):
            ganbench.register_mixture(taken, function)
    with pytest.raises(SpecError, match="mixture 'corners' is already registered"):  # another with one card
        ganbench.register_mixture("corners", lambda side=1.0, dimensions=3, std=0.1: corners(side, dimensions, std))
    assert find("ring").mixture().modes == 8
    assert find("corners:side=2").mixture().means.max() == 2


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("my:corners", corners, "a data set's name is letters, digits, '_' and '-', got 'my:corners'"),
        ("", corners, "a data set's name is letters"),
        ("corners", lambda side: corners(side), "corners: side needs a default that is a number above 0"),
        ("corners", lambda side=0: corners(side), "corners: side needs a default that is a number above 0"),
        ("corners", lambda side=True: corners(side), "corners: side needs a default that is a number above 0"),
        ("corners", lambda **settings: corners(**settings), "corners: settings needs a default"),
    ],
)
def test_what_cannot_be_registered(name: str, function, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        ganbench.register_mixture(name, function)
    assert name not in DATASETS


def test_unknown_parameters_of_ones_own() -> None:
    ganbench.register_mixture("corners", corners)
    with pytest.raises(UnknownNameError, match="unknown parameter of corners 'sides': did you mean 'side'"):
        find("corners:sides=2")
    with pytest.raises(SpecError, match="corners: dimensions is a whole number"):
        find("corners:dimensions=2.5")
