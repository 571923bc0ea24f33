"""The two things a family of networks is made of, from which the players of every variant are assembled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Settings = Mapping[str, Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Order:
    """What is to be built: players by role, for data of this shape.

    `settings` holds every setting of the run; `inputs` is the length of a latent with the codes that follow it (None:
    latent_dim), `classes` the number of classes of the data (0: none).
    """

    shape: Shape
    settings: Settings
    roles: Mapping[str, str] = field(default_factory=lambda: {"G": "generator", "D": "scores"})
    inputs: int | None = None
    classes: int = 0

    @property
    def latents(self) -> int:
        """Numbers that G is given for a sample."""
        return int(self.settings["latent_dim"]) if self.inputs is None else self.inputs


@dataclass(frozen=True)
class Trunk:
    """How a trunk is wanted: numbers that join the sample (`extra`), normalisation, relative width, dropout."""

    extra: int = 0
    norm: str = "none"
    width: float = 1.0
    dropout: float = 0.0


class Parts(ABC):
    """A family of networks for samples of one shape.

    body(inputs): a module (n, inputs) → (n, *shape), before the last activation. trunk(shape, want): a module
    (n, *shape), (n, extra) or None → (n, k) of features, with k as its attribute `features`.
    """

    encoder_norm = "none"
    """Of the layers of encoders."""

    def __init__(self, shape: Shape, settings: Settings) -> None:
        self.shape, self.settings = shape, settings

    @abstractmethod
    def body(self, inputs: int) -> nn.Module:
        """What generators and decoders are."""

    @abstractmethod
    def trunk(self, shape: Shape, want: Trunk) -> nn.Module:
        """What discriminators and encoders begin with."""

    def codes(self, inputs: int, want: Trunk) -> nn.Module:
        """A trunk for vectors of `inputs` numbers: what judges codes."""
        return dense_trunk(inputs, [256, 256], want, lambda: nn.LeakyReLU(0.2))

    def activation(self) -> nn.Module | None:
        """What brings the body's output to the range of the data, where anything must."""
        return None

    def initialise(self, player: nn.Module) -> None:  # noqa: B027 - to leave them is a choice
        """Draw the weights of a finished player anew, where PyTorch's defaults are not the paper's."""


class Joined(nn.Sequential):
    """A trunk of layers over vectors: the sample flattened, with the extra numbers after it."""

    def __init__(self, layers: list[nn.Module], features: int) -> None:
        super().__init__(*layers)
        self.features = features

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        """Features (n, k)."""
        x = x.flatten(1) if extra is None else torch.cat([x.flatten(1), extra], 1)
        for layer in self:  # as in nn.Sequential, whose own forward is not typed
            x = layer(x)
        return x


class Late(nn.Module):
    """A trunk over images; where there are extra numbers they join its features through one more layer."""

    def __init__(self, layers: list[nn.Module], features: int, want: Trunk, joint: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.joint = nn.Sequential(nn.Linear(features + want.extra, joint), nn.LeakyReLU(0.2)) if want.extra else None
        self.features = joint if want.extra else features

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        """Features (n, k)."""
        found: Tensor = self.layers(x)
        if self.joint is not None and extra is not None:
            found = self.joint(torch.cat([found, extra], 1))
        return found


def dense_trunk(inputs: int, widths: list[int], want: Trunk, activation: Callable[[], nn.Module]) -> Joined:
    """A trunk of fully connected layers."""
    from ganbench.networks.layers import normalised

    layers: list[nn.Module] = []
    inputs += want.extra
    for index, units in enumerate(widths):
        layers += [*normalised(nn.Linear(inputs, units), want.norm, inner=index > 0), activation()]
        layers += dropout(want)
        inputs = units
    return Joined(layers, inputs)


def dropout(want: Trunk) -> list[nn.Module]:
    """The layer after a hidden one."""
    return [nn.Dropout(want.dropout)] if want.dropout else []


def scaled(width: int, want: Trunk) -> int:
    """A width of D: at least one unit."""
    return max(1, round(width * want.width))
