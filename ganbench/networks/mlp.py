"""Multilayer perceptrons: for points, and fully connected ones for images."""

from __future__ import annotations

import math

from torch import nn

from ganbench.networks.parts import Parts, Shape, Trunk, dense_trunk, scaled


class Mlp(Parts):
    """`depth` hidden layers of `width` ReLU units each, PyTorch's default initialisation, no last activation."""

    slope = 0.0
    """Of the discriminator's hidden units below 0."""

    def body(self, inputs: int) -> nn.Module:
        """(n, inputs) → (n, *shape)."""
        layers: list[nn.Module] = []
        for units in self._hidden():
            layers += [nn.Linear(inputs, units), nn.ReLU()]
            inputs = units
        layers.append(nn.Linear(inputs, math.prod(self.shape)))
        return nn.Sequential(*layers, *([nn.Unflatten(1, self.shape)] if len(self.shape) > 1 else []))

    def trunk(self, shape: Shape, want: Trunk) -> nn.Module:
        """Sample and extra numbers enter together."""
        return self.codes(math.prod(shape), want)

    def codes(self, inputs: int, want: Trunk) -> nn.Module:
        """Codes are judged as samples are."""
        return dense_trunk(inputs, [scaled(units, want) for units in self._hidden()], want, self._unit)

    def _hidden(self) -> list[int]:
        return [int(self.settings["width"])] * int(self.settings["depth"])

    def _unit(self) -> nn.Module:
        return nn.LeakyReLU(self.slope) if self.slope else nn.ReLU()


class Dense(Mlp):
    """For images: a logistic output, LeakyReLU .2 in discriminators and encoders."""

    slope = 0.2

    def activation(self) -> nn.Module:
        """To 0..1."""
        return nn.Sigmoid()
