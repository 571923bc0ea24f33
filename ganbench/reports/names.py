"""What reports know of metrics by name: which way is better, and which one ranks a table of several."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal

Direction = Literal["higher", "lower"]
DirectionOf = Callable[[str], Direction]

HIGHER = frozenset({"modes", "high_quality", "parzen", "is", "precision", "recall", "density", "coverage"})
"""Metrics of which more is better. `high_quality` of true data is 98.889 %: above that is under-dispersion."""

ORDER = ("fid", "fd-", "kl", "jsd", "parzen", "is", "kid", "modes", "high_quality")
"""The beginnings of metrics' names, those that say most first: the first that a table has is its primary one."""


def direction(metric: str) -> Direction:
    """Whether higher or lower values of the metric are better."""
    return "higher" if metric in HIGHER else "lower"


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
    return value > than if direction(metric) == "higher" else value < than
