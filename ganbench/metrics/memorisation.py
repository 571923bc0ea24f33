"""Whether samples are copies of training data: AuthPct, and the data-copying test C_T.

Alaa et al. 2022, How faithful is your synthetic data?; Stein et al. 2023, Exposing flaws of generative model evaluation
metrics; Meehan et al. 2020, A non-parametric test to detect data-copying in generative models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganbench.canonical import Scalar
from ganbench.errors import SampleError
from ganbench.lazy import torch
from ganbench.metrics.arrays import feature_pair
from ganbench.metrics.base import Context, Value
from ganbench.metrics.cells import cell_of, kmeans
from ganbench.metrics.held import Held, compare_features
from ganbench.metrics.neighbours import neighbours
from ganbench.metrics.reference import count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

CELLS, FEWEST, SEED = 10, 20, 0
TESTED = 10_000
"""Test samples that generated ones are compared with: the first of the split."""


def authpct(train: ArrayLike | Tensor, fake: ArrayLike | Tensor) -> float:
    """Percent of generated samples that are authentic: further from their nearest training sample than that one's own
    nearest other training sample is.

    features: all (m, d) of the training set, m >= 2, and (n, d). 0 to 100. Copies give 0. Fresh samples of the true
    distribution give 33.3 on a line, 37.9 in the plane and more towards 50 as the dimension grows, as one that has a
    training sample as its mutual nearest neighbour is not authentic; where a few training samples are nearest to many,
    as among images, they give more than 50. Samples far from all data give 100, so the number says nothing of quality,
    and duplicates within the training set raise it. SampleError for m < 2.
    """
    return 100 * float(_authentic(*feature_pair(train, fake)).double().mean())


def _authentic(train: Tensor, fake: Tensor) -> Tensor:
    """Whether each generated sample is authentic, bool (n,). Distances within the training set are found
    only for those of its samples that are nearest to a generated one."""
    if len(train) < 2:
        raise SampleError(f"AuthPct needs at least 2 training samples, got {len(train)}")
    found = neighbours(fake, train)
    asked, place = found.index[:, 0].unique(return_inverse=True)
    own = neighbours(train[asked], train, k=2).squared[:, 1]  # the first is itself, or a twin at the same distance of 0
    return found.squared[:, 0] > own[place]


def data_copying(
    train: ArrayLike | Tensor, test: ArrayLike | Tensor, fake: ArrayLike | Tensor, cells: int = CELLS, seed: int = SEED
) -> float:
    """C_T: whether generated samples lie nearer to the training data than test samples do, in units of chance.

    features: (l, d), (m, d) and (n, d). Each k-means cell of the training set has a z-score of its n generated and its
    m test samples, (U - mn/2) / √(mn (m + n + 1) / 12), where U counts, as Mann and Whitney do, the pairs of them in
    which the generated one is further from the cell's nearest training sample, ties halved. C_T is the mean of z over
    cells, weighted by their share of test samples; cells with fewer than 20 of either are left out. -∞ to ∞: negative
    where samples are copies, positive where they underfit. It grows as the root of the sample size: only scores of the
    same m and n compare. NaN where all cells are left out. SampleError for fewer training samples than cells.
    """
    real, made = feature_pair(train, fake)
    held_out = feature_pair(test, fake)[0].to(real.device)
    return _copying(real, held_out, made, kmeans(real, cells, seed)).value


@dataclass(frozen=True)
class _Copying:
    """C_T with its standard error, the number of cells that it is a mean of, and their share of the test samples."""

    value: float = math.nan
    stderr: float | None = None
    cells: int = 0
    share: float = 0.0


@dataclass(frozen=True)
class _Cell:
    """A cell's test samples by distance and its generated samples, as indices; of how many test samples each generated
    one is further from the training data, and of how many no nearer."""

    test: Tensor
    fake: Tensor
    below: Tensor
    upto: Tensor


def _copying(train: Tensor, test: Tensor, fake: Tensor, centres: Tensor) -> _Copying:
    """The standard error is over draws of both the test and the generated samples, the training set and its cells held
    fixed, by the infinitesimal jackknife: the root of the sum of squares of the score's slopes in each sample's weight.

    On true data z has a standard error of 1 in each cell, so the mean of c equal cells has one of 1 / √c; where samples
    are copies it is far less. Right within 10 % at m = n = 400 on true data, copies, halves of both, and underfits.
    """
    found = _cells(train, test, fake, centres)
    if not found:
        return _Copying()
    with torch.enable_grad():
        weights = [torch.ones(len(part), dtype=torch.float64, requires_grad=True) for part in (test, fake)]
        score = _weighted(found, *weights)
        slopes = torch.autograd.grad(score, weights)
    stderr = math.sqrt(sum(float((each - each.mean()).square().sum()) for each in slopes))
    return _Copying(float(score.detach()), stderr, len(found), sum(len(cell.test) for cell in found) / len(test))


def _cells(train: Tensor, test: Tensor, fake: Tensor, centres: Tensor) -> list[_Cell]:
    """The cells that have enough of both to compare."""
    labels = [cell_of(part, centres) for part in (train, test, fake)]
    found = []
    for cell in range(len(centres)):
        base, *inside = [(label == cell).nonzero()[:, 0] for label in labels]
        if len(base) and min(map(len, inside)) >= FEWEST:
            samples = [part[index] for part, index in zip((test, fake), inside, strict=True)]
            found.append(_ranked(*inside, *(neighbours(some, train[base]).squared[:, 0] for some in samples)))
    return found


def _ranked(test: Tensor, fake: Tensor, test_distances: Tensor, fake_distances: Tensor) -> _Cell:
    ordered, order = test_distances.sort()
    below, upto = (torch.searchsorted(ordered, fake_distances, right=right).cpu() for right in (False, True))
    return _Cell(test[order].cpu(), fake.cpu(), below, upto)


def _weighted(cells: list[_Cell], test: Tensor, fake: Tensor) -> Tensor:
    """C_T of samples that each count as often as its weight says."""
    total, mass = test.new_zeros(()), test.new_zeros(())
    for cell in cells:
        counted = torch.cat([test.new_zeros(1), test[cell.test].cumsum(0)])
        m, n = counted[-1], fake[cell.fake].sum()
        u = (fake[cell.fake] * (counted[cell.below] + counted[cell.upto])).sum() / 2
        total = total + m * (u - m * n / 2) / (m * n * (m + n + 1) / 12).sqrt()
        mass = mass + m
    return total / mass


def _compare_authpct(held: Held) -> Mapping[str, Value]:
    """The standard error is binomial: over draws of the generated samples, the training set held fixed."""
    share = float(_authentic(held.real, held.fake).double().mean())
    return {"authpct": Value(100 * share, 100 * math.sqrt(share * (1 - share) / len(held.fake)))}


def _compare_ct(held: Held) -> Mapping[str, Value]:
    train, other = _sides(held.context)
    if other == "all":
        return {"ct": Value(math.nan, flags=("split 'all' holds training data: C_T needs samples that do not",))}
    real, tested = (held.split(split, _n(held.context, split)) for split in (train, other))
    centres = held.cells(train, _n(held.context, train), CELLS, SEED)
    found = _copying(real, tested, held.fake, centres)
    left_out = CELLS - found.cells
    flags = (f"cells left out: {left_out} of {CELLS}, with fewer than {FEWEST} samples",) if left_out else ()
    return {"ct": Value(found.value, found.stderr, flags, {"cells": found.cells, "test_share": found.share})}


def _sides(context: Context) -> tuple[str, str]:
    """The splits of training and of test samples: a split that is asked for takes the place of the one that it is."""
    return (context.split, "test") if context.split.startswith("train") else ("train", context.split)


def _n(context: Context, split: str) -> int:
    """How many of a split; 0: all."""
    return context.n_real if split == context.split else 0 if split == "train" else TESTED


def _protocol(context: Context) -> dict[str, Scalar]:
    train, other = _sides(context)
    tested = count(context.dataset, other, _n(context, other), context.root)
    sides: dict[str, Scalar] = {"trained": train, "tested": other, "n_tested": tested}
    return sides | {"cells": CELLS, "fewest": FEWEST, "kmeans_seed": SEED}


compare_features(
    "authpct",
    {"authpct": "higher"},
    _compare_authpct,
    range="0 to 100 %: 0 for copies, 40 to 70 for fresh true samples",
    title="Percent of samples that are authentic: no nearer to a training sample than another one is",
    paper="Alaa et al. 2022, How faithful is your synthetic data?; Stein et al. 2023",
    split="train",
    n_real=0,
    minimum=1,
)
compare_features(
    "ct",
    {"ct": 0.0},
    _compare_ct,
    range="-∞ to ∞: below 0 copies, above 0 underfits",
    title="Data-copying test: distances to training data of generated against test samples",
    paper="Meehan et al. 2020, A non-parametric test to detect data-copying in generative models",
    split="train",
    n_real=0,
    minimum=FEWEST,
    protocol=_protocol,
    looks_at=("train", "test"),
)
