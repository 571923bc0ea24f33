"""What a variant is: phases over players, each with a loss, and hyperparameters with their bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ganbench.errors import SpecError
from ganbench.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

Value = bool | int | float | str
Settings = Mapping[str, Value]


@dataclass(frozen=True)
class Batch:
    """What a loss sees of one step; n is the batch size.

    real: (n, ...) minibatch of data; z: (n, latent_dim) latents; eps: (n,) uniform on [0, 1), one a sample.
    What the phase does not read is not drawn, and is None.
    """

    real: Any = None
    z: Any = None
    eps: Any = None


Nets = Any
"""Players by name as attributes: nets.G(z), nets.D(x)."""
Loss = Callable[[Nets, Batch, Mapping[str, Any]], "Tensor"]


@dataclass(frozen=True)
class Phase:
    """One update of a turn: `loss` is minimised over the parameters of `player`, `repeat` times.

    repeat names the setting that says how often (n_dis for a discriminator) or is a number. `clip` names the
    setting to whose symmetric bound the player's parameters are clamped after each update (WGAN). `reads` are the
    fields of the batch that the loss looks at.
    """

    player: str
    loss: Loss
    repeat: str | int = 1
    clip: str | None = None
    reads: tuple[str, ...] = ("real", "z", "eps")


@dataclass(frozen=True)
class Hyper:
    """A hyperparameter: its default, type and bounds (inclusive), and what it means, with its unit."""

    name: str
    default: Value
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: object) -> Value:
        """`value` as this hyperparameter's type, or SpecError: wrong type, out of bounds, not a choice."""
        kind = type(self.default)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not kind or not isinstance(value, bool | int | float | str):
            raise SpecError(f"{self.name} is {_article(kind)}, got {value!r}")
        if self.choices and value not in self.choices:
            raise SpecError(f"{self.name} is one of {', '.join(self.choices)}, got {value!r}")
        if isinstance(value, int | float) and not self._inside(value):
            raise SpecError(f"{self.name} must be {self._bounds()}, got {value!r}")
        return value

    def _inside(self, value: float) -> bool:
        # written so that NaN is outside
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high) and value == value

    def _bounds(self) -> str:
        if self.low is None or self.high is None:
            return f"at least {self.low}" if self.high is None else f"at most {self.high}"
        return f"between {self.low} and {self.high}"


def _article(kind: type) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a name"}[kind]


@dataclass(frozen=True)
class Variant:
    """A trainer of the field: a preset over losses, penalties, normalisation and update rule.

    `presets` maps a network's name, a kind of data ("points", "images") or "" (always) to the defaults that the
    paper gives there; the more particular wins. `hypers` are those that only this variant has, `networks` its
    default network by kind of data, where that is not the kind's own.
    """

    name: str
    title: str
    family: str
    paper: str
    year: int
    phases: tuple[Phase, ...]
    update: Literal["alternating", "simultaneous"] = "alternating"
    presets: Mapping[str, Settings] = field(default_factory=dict)
    hypers: tuple[Hyper, ...] = ()
    networks: Mapping[str, str] = field(
        default_factory=dict
    )  # kind of data → default network, where not the kind's own
    doc: str = ""
    version: int = 1

    @property
    def players(self) -> tuple[str, ...]:
        """The players' names, in the order in which they are trained."""
        return tuple(dict.fromkeys(phase.player for phase in self.phases))


VARIANTS: Registry[Variant] = Registry("variant", ("ganbench.variants.builtin",))
