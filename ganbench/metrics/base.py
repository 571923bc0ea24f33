"""What a metric is: a card, and an accumulator that one pass over the samples feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ganbench.canonical import Scalar
from ganbench.errors import SpecError, UnknownNameError
from ganbench.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.data import Dataset
    from ganbench.metrics.features.base import Extractor
    from ganbench.metrics.reference import Reference

Direction = Literal["higher", "lower"] | float
"""Which scores are better; a number: those closest to it."""

ANY = "any"
"""A metric's extractor where it takes the features of whichever is asked for."""


class View(Protocol):
    """A chunk of samples as metrics see it; features are extracted once for all of them."""

    @property
    def samples(self) -> Tensor:
        """float32 points (n, d), or uint8 images (n, c, h, w)."""
        ...

    def features(self, extractor: Extractor) -> Tensor:
        """float32 (n, d) features of the chunk."""
        ...

    def logits(self, extractor: Extractor) -> Tensor:
        """float32 (n, classes) logits of the chunk."""
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
    """What an accumulator is made for: n generated samples, to be held against n_real ones of a split."""

    n: int
    dataset: Dataset
    split: str = ""  # of the real data; empty: the metric looks at none
    n_real: int = 0
    root: Path | None = None
    device: Any = "cpu"
    extractor: Extractor | None = None
    reference: Reference | None = None

    @property
    def features(self) -> Extractor:
        """The extractor of a metric that has one."""
        assert self.extractor is not None, "this metric takes no features"
        return self.extractor

    @property
    def real(self) -> Reference:
        """The real side of a metric that takes features."""
        assert self.reference is not None, "this metric takes no features"
        return self.reference


@dataclass(frozen=True)
class Metric:
    """A family of scores that come out of one accumulator.

    directions: score name → which values are better. samples: the protocol's number of generated samples; minimum:
    below which the metric is undefined. extractor: None where samples are looked at as they are, ANY, or the one that
    the metric is defined on. split, n_real: the real data that it is held against (0: all of the split). protocol: what
    else is fixed, given the context. kinds: of data that it takes; fits: which data sets of those.
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
    extractor: str | None = None
    split: str = ""
    n_real: int = 0
    protocol: Callable[[Context], dict[str, Scalar]] = lambda context: {}
    version: int = 1
    per_extractor: bool = False  # the score's name ends in the extractor's: fd-vgg16
    fits: Callable[[Dataset], bool] = lambda dataset: True
    looks_at: tuple[str, ...] = ()  # splits that it sees beside the one that it is held against

    def names(self) -> tuple[str, ...]:
        """The names of its scores, as they are asked for."""
        return tuple(f"{name}-EXTRACTOR" if self.per_extractor else name for name in self.directions)

    def takes(self, dataset: Dataset) -> bool:
        """Whether it can score samples of this data set."""
        return dataset.kind in self.kinds and self.fits(dataset)

    def rows(self) -> list[dict[str, str]]:
        """One row of plain text for each score: what `ganbench list metrics` prints."""
        return [
            {
                "name": name,
                "better": direction if isinstance(direction, str) else f"near {direction:g}",
                "range": self.range,
                "samples": f"{self.samples:,}",
                "for": ", ".join(self.kinds),
                "features": self.extractor or "-",
                "paper": self.paper,
            }
            for name, direction in zip(self.names(), self.directions.values(), strict=True)
        ]


METRICS: Registry[Metric] = Registry("metric", ("ganbench.metrics.builtin",))


def pinned(score: str, dataset: Dataset) -> tuple[Metric, str | None]:
    """The metric that gives a score of this name on this data set, and the extractor that it pins, if any.

    `fid` → fid, inception; `fd-vgg16` → fd, vgg16; `kid` → kid, None. Where several metrics have a score of that name,
    the one that takes the data set. UnknownNameError with the nearest name.
    """
    found = [found for card in METRICS if (found := _named(card, score))]
    if not found:
        raise UnknownNameError("metric", score, {name for card in METRICS for name in (card.name, *card.directions)})
    return next(((card, extractor) for card, extractor in found if card.takes(dataset)), found[0])


def _named(card: Metric, score: str) -> tuple[Metric, str | None] | None:
    if score in card.directions:
        return card, None if card.extractor == ANY else card.extractor
    stem, dash, extractor = score.partition("-")
    return (card, extractor) if card.per_extractor and dash and stem in card.directions else None


def check_fits(card: Metric, score: str, dataset: Dataset) -> None:
    """SpecError where the metric is not for this data set."""
    if not card.takes(dataset):
        fitting = sorted(name for other in METRICS if other.takes(dataset) for name in other.names())
        raise SpecError(
            f"metric {score!r} is for {', '.join(card.kinds)}, not for {dataset.name} ({dataset.kind}): "
            f"choose from {', '.join(fitting)}"
        )


Sampler = Callable[[int], "Iterator[Tensor]"]
"""Called with n, yields chunks that total n samples: float32 points (c, d), or uint8 images (c, C, H, W)."""
