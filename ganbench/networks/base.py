"""What a network is: a card with defaults, and the dotted name of what builds its players."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ganbench.errors import DataError, SpecError
from ganbench.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from ganbench.networks.parts import Order, Parts, Shape

Value = bool | int | float | str
Settings = Mapping[str, Value]


@dataclass(frozen=True)
class Network:
    """A family of networks for one kind of data.

    `parts` is a class of networks.parts.Parts, from which the players of every role are assembled; or `builder` is a
    function of an Order that gives the players by name: G maps latents (n, inputs) to (n, *shape), D maps (n, *shape)
    to logits (n,); `roles` are those that it can build. Either may be a dotted name, "module:name", which is imported
    when something is built: a card need not load torch. `defaults` are the settings the network has, and the
    trainer's that its paper gives; among them `steps`, the length of a run. `sizes` are the image heights it can
    make (empty: any); `pixels` is the range of G's output. `tuned` are settings of its own that win over a variant's
    presets: a network that has some is not any paper's protocol. `planes`: a plane of noise for each level of an
    image pyramid follows the latent. `scale`: the latent is an image of a `scale`-th of the size (0: it is not).
    `alone`: its runs cannot be stacked, for it draws numbers of its own.
    """

    name: str
    kind: str  # "points" or "images"
    title: str
    parts: str | Callable[[Shape, Settings], Parts] = ""
    builder: str | Callable[[Order], dict[str, nn.Module]] = ""
    roles: tuple[str, ...] = ("generator", "scores")
    defaults: Settings = field(default_factory=dict)
    paper: str = ""
    sizes: tuple[int, ...] = ()
    pixels: tuple[float, float] = (-1.0, 1.0)
    tuned: Settings = field(default_factory=dict)
    planes: bool = False
    scale: int = 0
    alone: bool = False
    version: int = 1

    def __post_init__(self) -> None:
        if bool(self.parts) == bool(self.builder):
            raise SpecError(f"network {self.name!r} needs either parts or a builder")
        needed = ("steps", "prior") if self.scale else ("steps", "prior", "latent_dim")
        missing = [name for name in needed if name not in self.defaults]
        if missing:
            raise SpecError(f"network {self.name!r} needs a default for {', '.join(missing)}")

    def build(self, order: Order) -> dict[str, nn.Module]:
        """The players by name; their weights are drawn from torch's global generator."""
        self.check_shape(order.shape)
        self.check_roles(order.roles)
        if self.parts:
            from ganbench.networks.roles import assemble

            return assemble(order, _found(self.parts)(order.shape, order.settings))
        players: dict[str, nn.Module] = _found(self.builder)(order)
        return players

    def inputs(self, shape: tuple[int, ...], settings: Settings) -> int:
        """Numbers that G is given for a sample: the latent, the codes of InfoGAN, planes of noise; or a small image."""
        if self.scale:
            return shape[0] * (shape[1] // self.scale) * (shape[2] // self.scale)
        codes = int(settings.get("codes_categorical", 0)) + int(settings.get("codes_continuous", 0))
        planes = sum(size**2 for size in level_sizes(shape)[:-1]) if self.planes else 0
        return int(settings["latent_dim"]) + codes + planes

    def check_roles(self, roles: Mapping[str, str]) -> None:
        """SpecError where a player has a role that the network cannot build."""
        for role in roles.values():
            if role not in self.roles and (role in SPECIAL or not self.parts):
                fitting = [card.name for card in NETWORKS if role in card.roles or (card.parts and role not in SPECIAL)]
                raise SpecError(f"network {self.name!r} has no {role!r} player: use {', '.join(fitting)}")

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """DataError where the network cannot make samples of this shape."""
        if len(shape) != len(AXES[self.kind]):
            axes = ", ".join(AXES[self.kind])
            raise DataError(f"network {self.name!r} is for {self.kind} of shape ({axes}), the data are {shape}")
        if self.sizes and (shape[-1] not in self.sizes or shape[-2] != shape[-1]):
            sizes = ", ".join(f"{size}x{size}" for size in self.sizes)
            raise DataError(f"network {self.name!r} makes images of {sizes}, the data are {shape[-2]}x{shape[-1]}")


def _found(maker: str | Callable[..., Any]) -> Callable[..., Any]:
    """What is given itself, or by its dotted name."""
    return pkgutil.resolve_name(maker) if isinstance(maker, str) else maker


SMALLEST_LEVEL = 8
"""Levels of a pyramid are halved while their images are larger than this."""


def level_sizes(shape: tuple[int, ...]) -> list[int]:
    """Heights of the images of a pyramid's levels, finest first."""
    sizes = [shape[-1]]
    while sizes[-1] > SMALLEST_LEVEL:
        sizes.append(sizes[-1] // 2)
    return sizes


SPECIAL = ("pyramid", "boltzmann", "upscaler")
"""Roles that no parts make: networks of their own have them."""

AXES = {"points": ("dimensions",), "images": ("channels", "height", "width")}

DEFAULTS = {"points": "mlp", "images": "dcgan-mini"}
"""The network of each kind of data, where the variant has none of its own."""

NETWORKS: Registry[Network] = Registry("network", ("ganbench.networks.builtin",))


def default_for(kind: str, shape: tuple[int, ...]) -> Network:
    """The network for this kind of data; for images of a size no convolutional stack makes, the maxout pair."""
    card = NETWORKS.get(DEFAULTS[kind])
    if card.sizes and (shape[-1] not in card.sizes or shape[-2] != shape[-1]):
        return NETWORKS.get("maxout")
    return card
