"""What a variant is: phases over players, each with a loss, and hyperparameters with their bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ganbench.errors import SpecError
from ganbench.registry import Registry

if TYPE_CHECKING:
    pass

Value = bool | int | float | str
Settings = Mapping[str, Value]
H = Mapping[str, Any]
"""What a loss reads beside nets and batch: the run's settings, the values of its memory, and `pixels`, the range of
its network's images (None for points)."""


@dataclass(frozen=True)
class Span:
    """A range that a hyperparameter is searched in: uniform or, with `log`, log-uniform; of integers, if both are."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Hyper:
    """A hyperparameter: its default, type and bounds (inclusive), and what it means, with its unit.

    A `switch` is off at its default, and then no part of a run's identity: a new one leaves all old runs what they are.
    A `file` is a path, and the file's content is part of the identity. `space` is where a search looks for it, if not
    told otherwise: a range, or values to choose from; None: it is left alone.
    """

    name: str
    default: Value
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    switch: bool = False
    file: bool = False
    space: Span | tuple[Value, ...] | None = None

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
class Batch:
    """What a loss sees of one step; n is the batch size. What the phase does not read is not drawn, and is None.

    real: (n, ...) minibatch of data; z: (n, latent_dim) latents; eps: (n,) uniform on [0, 1), one a sample; noise:
    (2, n, ...) normal, of the data's shape: one for real samples, one for generated ones; y: (n,) classes of `real`.
    """

    real: Any = None
    z: Any = None
    eps: Any = None
    noise: Any = None
    y: Any = None


def on(value: Any) -> bool:
    """Whether a setting is not 0. Of runs that train together it may be a tensor, a number a run: then none is 0."""
    return bool(value) if isinstance(value, _PLAIN) else True


_PLAIN = (bool, int, float, str)  # a tuple: a union would be made anew at each of the hot loop's calls

Nets = Any
"""Players by name as attributes: nets.G(z), nets.D(x). Where a run is conditional they know the batch's classes."""
Loss = Callable[[Nets, Batch, H], Any]
"""(nets, batch, h) → what is minimised; or (that, new values of the phase's memory by name)."""
Reads = tuple[str, ...] | Callable[[Settings], tuple[str, ...]]


@dataclass(frozen=True)
class Phase:
    """One update of a turn: `loss` is minimised over the parameters of `players`, `repeat` times.

    players: one name, or several as "E G". repeat names the setting that says how often (n_dis for a discriminator)
    or is a number. `clip` names the setting to whose symmetric bound the players' parameters are clamped after each
    update (WGAN). `reads` are the fields of the batch that the loss looks at, or a function of the settings that
    gives them. `hypers` are the settings that it reads beside those that every variant has; `memory` are numbers
    that it keeps from one update to the next, with their first values or the settings that hold them.
    """

    players: str
    loss: Loss
    repeat: str | int = 1
    clip: str | None = None
    reads: Reads = ("real", "z", "eps")
    hypers: tuple[Hyper, ...] = ()
    memory: Mapping[str, str | float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How it is called in curves and checkpoints: its players."""
        return self.players.replace(" ", "+")

    @property
    def names(self) -> tuple[str, ...]:
        """Its players' names."""
        return tuple(self.players.split())

    def fields(self, h: Settings) -> tuple[str, ...]:
        """The fields of the batch that it looks at."""
        return self.reads(h) if callable(self.reads) else self.reads


GAN: Mapping[str, str] = {"G": "generator", "D": "scores"}


@dataclass(frozen=True)
class Variant:
    """A trainer of the field: a preset over losses, penalties, normalisation and update rule.

    `roles` says what each player is (see networks.roles); the first is built first. `presets` maps a network's name,
    a kind of data ("points", "images") or "" (always) to the defaults that the paper gives there; the more particular
    wins. `hypers` are those that only this variant has, `networks` its default network by kind of data, where that is
    not the kind's own, and `kinds` the kinds of data that it can be trained on. `objective` is False where a loss is
    there for its gradient alone, and need not fall (contrastive divergence). For the documentation: `equation`,
    `remarks` (where paper and code disagree, what is not from a text), and `oracle`, what proves it.
    """

    name: str
    title: str
    family: str
    paper: str
    year: int
    phases: tuple[Phase, ...]
    roles: Mapping[str, str] = field(default_factory=lambda: GAN)
    presets: Mapping[str, Settings] = field(default_factory=dict)
    hypers: tuple[Hyper, ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("points", "images")
    objective: bool = True
    doc: str = ""
    equation: str = ""
    remarks: str = ""
    oracle: str = ""
    version: int = 1

    def __post_init__(self) -> None:
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise SpecError(f"variant {self.name!r} has two phases of the same players: make them one")
        strangers = [player for player in self.players if player not in self.roles]
        if strangers:
            raise SpecError(f"variant {self.name!r} trains {strangers[0]!r}, which its roles do not name")

    @property
    def players(self) -> tuple[str, ...]:
        """The names of those that are trained, in that order."""
        return tuple(dict.fromkeys(name for phase in self.phases for name in phase.names))

    @property
    def own_hypers(self) -> dict[str, Hyper]:
        """Its settings beside those that every variant has, by name: those of its phases, and its own, which win."""
        of_phases = (hyper for phase in self.phases for hyper in phase.hypers)
        return {hyper.name: hyper for hyper in (*of_phases, *self.hypers)}


VARIANTS: Registry[Variant] = Registry("variant", ("ganbench.variants.builtin",))
