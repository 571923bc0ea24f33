"""What a network is: a card with defaults, and the dotted name of what builds its players."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ganbench.errors import DataError
from ganbench.registry import Registry

if TYPE_CHECKING:
    from torch import nn

Value = bool | int | float | str
Settings = Mapping[str, Value]


@dataclass(frozen=True)
class Network:
    """A family of networks for one kind of data.

    `builder` names a function (shape, settings) → {"G": module, "D": module}; G maps latents (n, latent_dim) to
    (n, *shape), D maps (n, *shape) to logits (n,). `defaults` are the settings the network has, and the trainer's
    that its paper gives; among them `steps`, the length of a run. `sizes` are the image heights it can make
    (empty: any); `pixels` is the range of G's output. `tuned` are settings of its own that win over a variant's
    presets: a network that has some is not any paper's protocol.
    """

    name: str
    kind: str  # "points" or "images"
    title: str
    builder: str
    defaults: Settings
    paper: str = ""
    sizes: tuple[int, ...] = ()
    pixels: tuple[float, float] = (-1.0, 1.0)
    tuned: Settings = field(default_factory=dict)
    version: int = 1

    def build(self, shape: tuple[int, ...], settings: Settings) -> dict[str, nn.Module]:
        """The players by name; their weights are drawn from torch's global generator."""
        self.check_shape(shape)
        players: dict[str, nn.Module] = pkgutil.resolve_name(self.builder)(shape, settings)
        return players

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """DataError where the network cannot make samples of this shape."""
        if len(shape) != len(AXES[self.kind]):
            axes = ", ".join(AXES[self.kind])
            raise DataError(f"network {self.name!r} is for {self.kind} of shape ({axes}), the data are {shape}")
        if self.sizes and (shape[-1] not in self.sizes or shape[-2] != shape[-1]):
            sizes = ", ".join(f"{size}x{size}" for size in self.sizes)
            raise DataError(f"network {self.name!r} makes images of {sizes}, the data are {shape[-2]}x{shape[-1]}")


AXES = {"points": ("dimensions",), "images": ("channels", "height", "width")}

DEFAULTS = {"points": "mlp", "images": "dcgan-mini"}
"""The network of each kind of data, where the variant has none of its own."""

NETWORKS: Registry[Network] = Registry("network")

NETWORKS.add(
    Network(
        name="mlp",
        kind="points",
        title="Multilayer perceptrons with ReLU, for points",
        builder="ganbench.networks.mlp:build",
        defaults={
            "width": 64,
            "depth": 3,
            "latent_dim": 2,
            "prior": "normal",
            "norm": "none",
            "batch_size": 128,
            "lr_decay": "linear",
            "steps": 3000,
        },
    )
)

NETWORKS.add(
    Network(
        name="maxout",
        kind="images",
        title="The 2014 pair: ReLU generator, maxout discriminator with dropout",
        builder="ganbench.networks.maxout:build",
        paper="Goodfellow et al. 2014, Generative adversarial nets (MNIST)",
        defaults={
            "width": 1200,
            "latent_dim": 100,
            "prior": "uniform_unit",
            "batch_size": 100,
            "steps": 25_000,
        },
        pixels=(0.0, 1.0),
    )
)

_DCGAN: Settings = {"width": 64, "latent_dim": 100, "prior": "uniform", "norm": "batch", "batch_size": 64}

NETWORKS.add(
    Network(
        name="dcgan",
        kind="images",
        title="Strided convolutions for 28, 32 and 64 pixels",
        builder="ganbench.networks.dcgan:build",
        paper="Radford et al. 2016, Unsupervised representation learning with deep convolutional GANs",
        defaults={**_DCGAN, "steps": 20_000},
        sizes=(28, 32, 64),
    )
)

NETWORKS.add(
    Network(
        name="dcgan-mini",
        kind="images",
        title="DCGAN of half the width, tuned to a few minutes on two CPU cores",
        builder="ganbench.networks.dcgan:build",
        paper="Radford et al. 2016, Unsupervised representation learning with deep convolutional GANs",
        defaults={**_DCGAN, "width": 32, "steps": 1500},
        # the papers' rates are for ten times as many steps and more; the leaderboard's network column tells them apart
        tuned={"lr": 1e-3, "lr_decay": "linear"},
        sizes=(28, 32, 64),
    )
)


def default_for(kind: str, shape: tuple[int, ...]) -> Network:
    """The network for this kind of data; for images of a size no convolutional stack makes, the maxout pair."""
    card = NETWORKS.get(DEFAULTS[kind])
    if card.sizes and (shape[-1] not in card.sizes or shape[-2] != shape[-1]):
        return NETWORKS.get("maxout")
    return card
