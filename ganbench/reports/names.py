"""What reports know of metrics by name: which values are better, and which metric ranks a table of several."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

Direction = Literal["higher", "lower"] | float
DirectionOf = Callable[[str], Direction]

REAL = "real"
"""The reserved variant whose samples are training data: listed first, never ranked."""


class Track(NamedTuple):
    """A metric as it was measured."""

    metric: str
    protocol: str
    version: int


HIGHER = frozenset(
    {
        *("modes", "high_quality", "confidence", "parzen", "is", "vendi", "authpct"),
        *("precision", "recall", "density", "coverage", "improved_precision", "improved_recall"),
        "f_score",  # torch-fidelity's: it comes in with imported scores alone
    }
)
"""Metrics of which more is better. `high_quality` of true data is 98.889 %: above that is under-dispersion."""

LOG_FROM = 50
"""Positive values whose largest is this many times the smallest are drawn on a logarithmic axis."""

TARGETS = {"ct": 0.0, "one_nn": 0.5}
"""Metrics of which neither more nor less is better, but what is closest to this."""

ORDER = ("fid", "fd-", "kl", "jsd", "parzen", "is", "kid", "modes", "high_quality")
"""The beginnings of metrics' names, those that say most first: the first that a table has is its primary one."""


def direction(metric: str) -> Direction:
    """Which values of the metric are better; a number: those closest to it."""
    return TARGETS.get(metric, "higher" if metric in HIGHER else "lower")


def told(direction: Direction) -> str:
    """The direction in words."""
    return f"{direction} is better" if isinstance(direction, str) else f"closest to {direction:g} is best"


def arrow(direction: Direction) -> str:
    """The direction as a sign."""
    return {"higher": "↑", "lower": "↓"}[direction] if isinstance(direction, str) else f"→ {direction:g}"


def loss(value: float, direction: Direction) -> float:
    """`value` so turned that less is better."""
    if isinstance(direction, str):
        return -value if direction == "higher" else value
    return abs(value - direction)


def order(metric: str) -> tuple[int, str]:
    """Sorts metrics: the primary one first."""
    places = [
        place for place, start in enumerate(ORDER) if metric == start or (start[-1] == "-" and metric.startswith(start))
    ]
    return (places[0] if places else len(ORDER), metric)


def primary(metrics: Iterable[str]) -> str | None:
    """The metric by which results that have all of these are ordered; None where there is none."""
    return min(metrics, key=order, default=None)


def better(metric: str, value: float, than: float) -> bool:
    """Whether `value` beats `than`; NaN beats nothing, and every number beats NaN."""
    if math.isnan(value) or math.isnan(than):
        return not math.isnan(value)
    return loss(value, direction(metric)) < loss(than, direction(metric))


def elsewhere(protocol: str) -> bool:
    """Whether others measured by it, or nobody here knows all of how it was made (docs/interchange.md)."""
    return any(word.startswith("source=") or word.endswith("=unknown") for word in protocol.split())
