"""What a metric is: a card, and an accumulator that one pass over the samples feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ganbench.errors import SpecError, UnknownNameError
from ganbench.registry import Registry
from ganbench.spec import Scalar

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.data import Dataset
    from ganbench.metrics.features.base import Extractor

Direction = Literal["higher", "lower"]


class View(Protocol):
    """A chunk of samples as metrics see it; features are extracted once for all of them."""

    @property
    def samples(self) -> Tensor:
        """float32 points (n, d), or uint8 images (n, c, h, w)."""
        ...

    def features(self, extractor: Extractor) -> Tensor:
        """(n, extractor.dim) features of the chunk."""
        ...

    def logits(self, extractor: Extractor) -> Tensor:
        """(n, classes) logits of the chunk."""
        ...


class Accumulator(Protocol):
    """Takes samples chunk by chunk, and then has numbers; holds no more of them than it needs."""

    def update(self, view: View) -> None:
        """Take a chunk."""
        ...

    def result(self) -> Mapping[str, Value]:
        """The scores by name."""
        ...


@dataclass(frozen=True)
class Value:
    """A number with its standard error (None: none is known), what is wrong with it, and more that is of interest."""

    value: float
    stderr: float | None = None
    flags: tuple[str, ...] = ()
    details: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What an accumulator is made for: n generated samples, to be held against a data set."""

    n: int
    dataset: Dataset
    root: Path | None = None
    device: Any = "cpu"
    extractor: Extractor | None = None


@dataclass(frozen=True)
class Metric:
    """A family of scores that come out of one accumulator.

    directions: score name → whether higher or lower is better. samples: the protocol's number of generated samples;
    minimum: below which the metric is undefined. protocol: what else of the protocol is fixed, given the context.
    `weights` names the extractor that the family needs, None where it needs none.
    """

    name: str
    directions: Mapping[str, Direction]
    range: str
    title: str
    paper: str
    kinds: tuple[str, ...]
    samples: int
    minimum: int
    start: Callable[[Context], Accumulator]
    protocol: Callable[[Context], dict[str, Scalar]]
    extractor: str | None = None
    version: int = 1

    def rows(self) -> list[dict[str, str]]:
        """One row of plain text for each score: what `ganbench list metrics` prints."""
        return [
            {
                "name": name,
                "better": direction,
                "range": self.range,
                "samples": f"{self.samples:,}",
                "for": ", ".join(self.kinds),
                "paper": self.paper,
            }
            for name, direction in self.directions.items()
        ]


METRICS: Registry[Metric] = Registry("metric", ("ganbench.metrics.builtin",))


def metric_of(score: str) -> Metric:
    """The metric that gives a score of this name; UnknownNameError with the nearest."""
    for card in METRICS:
        if score in card.directions:
            return card
    raise UnknownNameError("metric", score, (name for card in METRICS for name in card.directions))


def for_kind(card: Metric, score: str, kind: str) -> Metric:
    """`card`, or SpecError where it is not for this kind of data."""
    if kind in card.kinds:
        return card
    fitting = sorted(name for other in METRICS if kind in other.kinds for name in other.directions)
    raise SpecError(
        f"metric {score!r} is for {', '.join(card.kinds)}, not for {kind}: choose from {', '.join(fitting)}"
    )


Sampler = Callable[[int], "Iterator[Tensor]"]
"""Called with n, yields chunks that total n samples: float32 points (c, d), or uint8 images (c, C, H, W)."""
