"""Vendi score: how many different samples there are, in effect.

Friedman and Dieng 2023, The Vendi score: a diversity evaluation metric for machine learning, definition 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ganbench.canonical import Scalar
from ganbench.lazy import torch
from ganbench.metrics.arrays import rows
from ganbench.metrics.base import ANY, METRICS, Context, Metric, Value, View

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

KEPT = 4096
"""Features that are kept for the standard error."""


def vendi(features: ArrayLike | Tensor) -> float:
    """exp of the entropy -Σ λ log λ of the eigenvalues of K/n, K the cosines between features (n, d), n >= 1.

    From 1 (all point in one direction) to min(n, d) (as many in each of so many orthogonal ones). With unit rows X,
    K = XXᵀ has the nonzero eigenvalues of the d x d XᵀX: the smaller of the two is decomposed. Rows of zeros have no
    direction: they count as one more, alike among themselves and unlike all others, so that d + 1 is possible.
    SampleError for features that are not finite.
    """
    x = _directions(rows(features, "features"))
    products = x @ x.mT if len(x) < x.shape[1] else x.mT @ x
    return math.exp(_entropy(torch.linalg.eigvalsh(products / len(x))))


def _directions(features: Tensor) -> Tensor:
    """float64 unit rows (n, d + 1): the last coordinate is 1 for rows of zeros, else 0."""
    x = features.double()
    largest = x.abs().amax(1, keepdim=True)
    zero = largest == 0
    x = x / torch.where(zero, 1, largest)  # or squares of the very small and the very large leave float64's range
    norms = x.norm(dim=1, keepdim=True)
    return torch.cat([x / torch.where(zero, 1, norms), zero.double()], 1)


def _entropy(eigenvalues: Tensor) -> float:
    values = eigenvalues.clamp_min(0)
    return max(0.0, -float(torch.xlogy(values, values).sum()))


class _Vendi:
    """Σ xxᵀ of the unit rows: all that the score needs, whatever n is."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._n = self._zeros = 0
        self._products: Tensor | None = None
        self._kept: list[Tensor] = []

    def update(self, view: View) -> None:
        x = _directions(view.features(self._context.features))
        self._products = x.mT @ x if self._products is None else self._products.addmm_(x.mT, x)
        self._kept.append(x[: max(0, KEPT - self._n)].float().cpu())
        self._zeros += int(x[:, -1].sum())
        self._n += len(x)

    def result(self) -> Mapping[str, Value]:
        assert self._products is not None
        score, stderr = _score_and_stderr(self._products.cpu() / self._n, torch.cat(self._kept).double(), self._n)
        plural = "samples have" if self._zeros > 1 else "sample has"
        flag = f"{self._zeros:,} {plural} all-zero features, which count as one direction of their own"
        return {"vendi": Value(score, stderr, (flag,) if self._zeros else ())}


def _score_and_stderr(second: Tensor, some: Tensor, n: int) -> tuple[float, float | None]:
    """The score of n unit rows with second moments (d, d), and its standard error over their draws; None for one row.

    Delta method: a row x moves the entropy S by (-xᵀ log(M) x - S)/n; the deviation of that over `some` of them, over
    √n, times exp S. The score's bias, down by an amount of order 1/n, is no part of it: scores of one n compare.
    """
    values, vectors = torch.linalg.eigh(second)
    entropy = _entropy(values)
    empty = values < len(values) * torch.finfo(values.dtype).eps * values[-1]  # rows have no part in these directions
    logs = torch.where(empty, 0, values.clamp_min(1e-300).log())
    moved = -(some @ vectors).square() @ logs
    score = math.exp(entropy)
    return score, score * float(moved.std()) / n**0.5 if n > 1 else None


def _protocol(context: Context) -> dict[str, Scalar]:
    return {"kernel": "cosine"}


METRICS.add(
    Metric(
        name="vendi",
        directions={"vendi": "higher"},
        range="1 to the smaller of the numbers of samples and features",
        title="Vendi score: the effective number of different samples",
        paper="Friedman and Dieng 2023, The Vendi score",
        kinds=("images", "points"),
        samples=10_000,
        minimum=2,
        start=_Vendi,
        protocol=_protocol,
        extractor=ANY,
    )
)
