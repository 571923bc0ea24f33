"""Networks of a user's own are given themselves, not by a dotted name: a file of `--load` has none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ganbench
from ganbench.errors import SpecError
from ganbench.networks.mlp import Mlp
from ganbench.networks.roles import ROLES

DEFAULTS = {"latent_dim": 3, "prior": "normal", "steps": 10}
SETTINGS = {"width": 8, "depth": 2, "latent_dim": 3, "d_outputs": 2, "paint_steps": 2}


class Wide(Mlp):
    """Twice as wide."""

    def _hidden(self) -> list[int]:
        return [2 * units for units in super()._hidden()]


def pair(order: ganbench.Order) -> dict[str, nn.Module]:
    d = order.shape[0]
    return {"G": nn.Linear(order.latents, d), "D": nn.Sequential(nn.Linear(d, 1), nn.Flatten(0))}


@pytest.mark.parametrize("parts", [Wide, "ganbench.networks.mlp:Mlp"], ids=["class", "name"])
def test_parts_are_a_class_or_its_name(parts) -> None:
    card = ganbench.Network(name="wide", kind="points", title="Wide", parts=parts, defaults=DEFAULTS)
    players = card.build(ganbench.Order((2,), SETTINGS))
    assert players["G"](torch.randn(5, 3)).shape == (5, 2)
    assert players["D"](torch.randn(5, 2)).shape == (5,)
    assert players["D"].trunk.features == (16 if parts is Wide else 8)


def test_a_class_of_parts_plays_every_role() -> None:
    card = ganbench.Network(name="wide", kind="points", title="Wide", parts=Wide, defaults=DEFAULTS)
    roles = [role for role in ROLES if role != "code head"]  # which stands on D's features
    assert {"generator", "scores", "joint", "encoder", "autoencoder"} <= set(roles)
    for role in roles:
        player = card.build(ganbench.Order((2,), SETTINGS, {"P": role}))["P"]
        assert isinstance(player, nn.Module), role


def test_a_builder_is_a_function() -> None:
    card = ganbench.Network(name="pair", kind="points", title="Linear", builder=pair, defaults=DEFAULTS)
    players = card.build(ganbench.Order((4,), SETTINGS))
    assert players["D"](players["G"](torch.randn(5, 3))).shape == (5,)
    with pytest.raises(SpecError, match="network 'pair' has no 'encoder' player"):
        card.build(ganbench.Order((4,), SETTINGS, {"E": "encoder"}))
