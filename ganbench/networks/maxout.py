"""Maxout discriminators: the pair of the first GAN's MNIST experiment, and PacGAN's toy pair."""

from __future__ import annotations

import math

from torch import nn

from ganbench.networks.layers import BatchNorm, Maxout
from ganbench.networks.parts import Joined, Parts, Shape, Trunk, dropout, scaled

UNITS, PIECES = 240, 5
KEEP_INPUT, KEEP_HIDDEN = 0.8, 0.5
TOY_UNITS, TOY_PIECES, TOY_LAYERS, TOY_STD = 200, 5, 3, 0.02


class Maxout2014(Parts):
    """Goodfellow et al. 2014, MNIST, and its public code.

    G: latents → width ReLU → width ReLU → sigmoid, weights U(±.05). D: maxout 240x5 twice, dropout, U(±.005). The
    public code sets G's output bias from the pixels' marginals; here it starts at 0, for networks see no data.
    """

    def body(self, inputs: int) -> nn.Module:
        """(n, inputs) → (n, *shape)."""
        width = int(self.settings["width"])
        layers = [nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(width, math.prod(self.shape)), nn.Unflatten(1, self.shape))

    def activation(self) -> nn.Module:
        """To 0..1."""
        return nn.Sigmoid()

    def trunk(self, shape: Shape, want: Trunk) -> nn.Module:
        """Dropout .2 on what is seen and .5 on hidden units, where no other is asked for."""
        units, inputs = scaled(UNITS, want), math.prod(shape) + want.extra
        hidden = want.dropout or 1 - KEEP_HIDDEN
        layers: list[nn.Module] = [nn.Dropout(1 - KEEP_INPUT)]
        for entering in (inputs, units):
            layers += [Maxout(entering, units, PIECES), nn.Dropout(hidden)]
        return Joined(layers, units)

    def codes(self, inputs: int, want: Trunk) -> nn.Module:
        """Codes are judged as samples are."""
        return self.trunk((inputs,), want)

    def initialise(self, player: nn.Module) -> None:
        """What makes samples is U(±.05), what judges them U(±.005)."""
        bound = 0.05 if hasattr(player, "body") else 0.005
        for module in player.modules():
            if isinstance(module, nn.Linear):
                nn.init.uniform_(module.weight, -bound, bound)
                nn.init.zeros_(module.bias)


class MaxoutToy(Parts):
    """Lin et al. 2018 (PacGAN), mixtures: G of four layers of `width` ReLU units with batch norm, D maxout 200x5."""

    def body(self, inputs: int) -> nn.Module:
        """(n, inputs) → (n, d)."""
        width = int(self.settings["width"])
        layers: list[nn.Module] = []
        for _ in range(int(self.settings["depth"])):
            layers += [nn.Linear(inputs, width), BatchNorm(width), nn.ReLU()]
            inputs = width
        return nn.Sequential(*layers, nn.Linear(width, math.prod(self.shape)))

    def trunk(self, shape: Shape, want: Trunk) -> nn.Module:
        """Three maxout layers."""
        units, inputs = scaled(TOY_UNITS, want), math.prod(shape) + want.extra
        layers: list[nn.Module] = []
        for _ in range(TOY_LAYERS):
            layers += [Maxout(inputs, units, TOY_PIECES), *dropout(want)]
            inputs = units
        return Joined(layers, units)

    def codes(self, inputs: int, want: Trunk) -> nn.Module:
        """Codes are judged as samples are."""
        return self.trunk((inputs,), want)

    def initialise(self, player: nn.Module) -> None:
        """Weights N(0, .02), biases 0."""
        for module in player.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, TOY_STD)
                nn.init.zeros_(module.bias)
