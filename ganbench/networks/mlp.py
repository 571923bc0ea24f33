"""Multilayer perceptrons for points."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn

from ganbench.networks.layers import Logits, normalised


def build(shape: tuple[int, ...], settings: Mapping[str, bool | int | float | str]) -> dict[str, nn.Module]:
    """G and D with `depth` hidden layers of `width` ReLU units each, PyTorch's default initialisation."""
    width, depth = int(settings["width"]), int(settings["depth"])
    dimensions = math.prod(shape)
    hidden = [width] * depth
    generator = [*_hidden(int(settings["latent_dim"]), hidden, "none"), nn.Linear(width, dimensions)]
    norm = str(settings["norm"])
    last = normalised(nn.Linear(width, 1), norm, inner=False)
    discriminator = [*_hidden(dimensions, hidden, norm), *last, Logits()]
    return {"G": nn.Sequential(*generator), "D": nn.Sequential(*discriminator)}


def _hidden(inputs: int, widths: list[int], norm: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for index, width in enumerate(widths):
        layers += [*normalised(nn.Linear(inputs, width), norm, inner=index > 0), nn.ReLU()]
        inputs = width
    return layers
