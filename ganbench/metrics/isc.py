"""Inception score: exp of the mean divergence between p(y|x) and p(y), over splits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ganbench.canonical import Scalar
from ganbench.errors import SampleError
from ganbench.lazy import torch
from ganbench.metrics.arrays import rows
from ganbench.metrics.base import METRICS, Context, Metric, Value, View

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

SPLITS = 10


def inception_score(logits: ArrayLike | Tensor, splits: int = SPLITS) -> tuple[float, float]:
    """Mean and standard deviation (ddof 0) over splits of exp E KL(p(y|x) ‖ p(y)); logits (n, classes), no bias.

    Salimans et al. 2016, Improved techniques for training GANs. Split i is rows i*n//splits to (i+1)*n//splits.
    From 1 to the number of classes. SampleError for fewer samples than splits, or logits that are not finite.
    """
    x = rows(logits, "logits")
    accumulator = _Splits(len(x), splits)
    accumulator.add(x)
    return accumulator.result()


class _Splits:
    """For each split the sum of p and of Σ p log p: all that the score needs, whatever n is."""

    def __init__(self, n: int, splits: int) -> None:
        if splits < 1:
            raise SampleError(f"the Inception score is over at least 1 split, got {splits}")
        if n < splits:
            raise SampleError(f"the Inception score over {splits} splits needs at least {splits} samples, got {n}")
        self._bounds = [i * n // splits for i in range(splits + 1)]
        self._seen = 0
        self._sums: list[Tensor | float] = [0.0] * splits
        self._negentropies = [0.0] * splits

    def add(self, logits: Tensor) -> None:
        p = logits.double().softmax(1)
        for split in range(len(self._sums)):
            part = p[max(0, self._bounds[split] - self._seen) : max(0, self._bounds[split + 1] - self._seen)]
            self._sums[split] = self._sums[split] + part.sum(0)
            self._negentropies[split] += float(torch.xlogy(part, part).sum())
        self._seen += len(p)

    def result(self) -> tuple[float, float]:
        scores = torch.tensor([self._score(split) for split in range(len(self._sums))], dtype=torch.float64)
        return float(scores.mean()), float(scores.std(correction=0))

    def _score(self, split: int) -> float:
        n = self._bounds[split + 1] - self._bounds[split]
        marginal = torch.as_tensor(self._sums[split]) / n
        return math.exp(self._negentropies[split] / n - float(torch.xlogy(marginal, marginal).sum()))


class _InceptionScore:
    def __init__(self, context: Context) -> None:
        self._extractor, self._splits = context.features, _Splits(context.n, SPLITS)

    def update(self, view: View) -> None:
        self._splits.add(view.logits(self._extractor))

    def result(self) -> Mapping[str, Value]:
        mean, std = self._splits.result()
        return {"is": Value(mean, stderr=std / SPLITS**0.5, details={"std_over_splits": std})}


def _protocol(context: Context) -> dict[str, Scalar]:
    return {"splits": SPLITS}


METRICS.add(
    Metric(
        name="is",
        directions={"is": "higher"},
        range="1 to 1008",
        title="Inception score",
        paper="Salimans et al. 2016, Improved techniques for training GANs",
        kinds=("images",),
        samples=50_000,
        minimum=SPLITS,
        start=_InceptionScore,
        protocol=_protocol,
        extractor="inception",
    )
)
