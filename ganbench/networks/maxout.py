"""The pair of the first GAN's MNIST experiment (Goodfellow et al. 2014, and its public code)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn

from ganbench.networks.layers import Logits, Maxout

UNITS, PIECES = 240, 5
KEEP_INPUT, KEEP_HIDDEN = 0.8, 0.5


def build(shape: tuple[int, ...], settings: Mapping[str, bool | int | float | str]) -> dict[str, nn.Module]:
    """G: latents → width ReLU → width ReLU → sigmoid, weights U(±.05). D: maxout 240x5 twice, dropout, U(±.005).

    The public code sets G's output bias from the pixels' marginals; here it starts at 0, for networks see no data.
    """
    width, pixels = int(settings["width"]), math.prod(shape)
    generator = nn.Sequential(
        nn.Linear(int(settings["latent_dim"]), width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, pixels),
        nn.Sigmoid(),
        nn.Unflatten(1, shape),
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Dropout(1 - KEEP_INPUT),
        Maxout(pixels, UNITS, PIECES),
        nn.Dropout(1 - KEEP_HIDDEN),
        Maxout(UNITS, UNITS, PIECES),
        nn.Dropout(1 - KEEP_HIDDEN),
        nn.Linear(UNITS, 1),
        Logits(),
    )
    _uniform(generator, 0.05)
    _uniform(discriminator, 0.005)
    return {"G": generator, "D": discriminator}


def _uniform(network: nn.Module, bound: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -bound, bound)
            nn.init.zeros_(module.bias)
