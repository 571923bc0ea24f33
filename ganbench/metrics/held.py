"""Metrics that compare two sets of features as a whole: the card of one is its function and what it is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ganbench.canonical import Scalar
from ganbench.lazy import torch
from ganbench.metrics.base import ANY, METRICS, Accumulator, Context, Direction, Metric, Value, View

if TYPE_CHECKING:
    from torch import Tensor

COLLAPSED = 1e-6
"""Of the real features' variance: below it the generated ones are all but one point."""

HARDLY_VARY = "collapsed: the generated features hardly vary"
"""The flag that says so."""


@dataclass(frozen=True)
class Held:
    """What a comparison sees: float32 features (n, d) of the generated samples, and of real ones by split."""

    fake: Tensor
    context: Context

    @property
    def real(self) -> Tensor:
        """Features (n_real, d) of the split that the metric is held against."""
        return self.split(self.context.split, self.context.n_real)

    def split(self, split: str, n: int = 0) -> Tensor:
        """Features of n real samples of a split (0: of all)."""
        return self.context.real.features(split, n)

    def cells(self, split: str, n: int, k: int, seed: int) -> Tensor:
        """k-means centres (k, d) of such features, which are computed once for all runs."""
        return self.context.real.cells(split, n, k, seed)


Comparison = Callable[[Held], Mapping[str, Value]]


class _Holder:
    """Keeps features; several metrics that look at the same chunks keep the same tensors, not copies."""

    def __init__(self, context: Context, compare: Comparison) -> None:
        self._context, self._compare = context, compare
        self._chunks: list[Tensor] = []

    def update(self, view: View) -> None:
        self._chunks.append(view.features(self._context.features))

    def result(self) -> Mapping[str, Value]:
        fake = torch.cat(self._chunks)
        self._chunks.clear()
        found = self._compare(Held(fake, self._context))
        if not _collapsed(fake, self._context):
            return found
        return {name: replace(value, flags=(*value.flags, HARDLY_VARY)) for name, value in found.items()}


def _collapsed(fake: Tensor, context: Context) -> bool:
    real = context.real.features(context.split, context.n_real)
    return bool(len(fake) > 1 and fake.var(0).sum() < COLLAPSED * real.var(0).sum())


def compare_features(
    name: str,
    directions: Mapping[str, Direction],
    compare: Comparison,
    *,
    range: str,
    title: str,
    paper: str,
    kinds: tuple[str, ...] = ("images", "points"),
    split: str = "test",
    n_real: int = 10_000,
    samples: int = 10_000,
    minimum: int = 2,
    extractor: str = ANY,
    protocol: Mapping[str, Scalar] | Callable[[Context], dict[str, Scalar]] | None = None,
    **more: Any,
) -> Metric:
    """Register a metric whose scores are `compare` of generated features against those of real data.

    See Metric for the arguments. protocol: its fixed parameters, which become part of every score's protocol.
    """

    def start(context: Context) -> Accumulator:
        return _Holder(context, compare)

    def fixed(context: Context) -> dict[str, Scalar]:
        return protocol(context) if callable(protocol) else dict(protocol or {})

    return METRICS.add(
        Metric(
            name=name,
            directions=directions,
            range=range,
            title=title,
            paper=paper,
            kinds=kinds,
            samples=samples,
            minimum=minimum,
            start=start,
            extractor=extractor,
            split=split,
            n_real=n_real,
            protocol=fixed,
            **more,
        )
    )
