"""The 1-nearest-neighbour two-sample test: whether a point's nearest neighbour tells which set the point is from.

Lopez-Paz and Oquab 2017, Revisiting classifier two-sample tests; Xu et al. 2018, An empirical study on evaluation
metrics of generative adversarial networks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganbench import rng
from ganbench.lazy import torch
from ganbench.metrics.arrays import feature_pair
from ganbench.metrics.base import Value
from ganbench.metrics.held import Held, compare_features
from ganbench.metrics.neighbours import mutual_neighbours, neighbours

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor


SEED = 0
"""Of the rows that are drawn from the larger set."""


@dataclass(frozen=True)
class OneNN:
    """Leave-one-out accuracies, 0 to 1: on all points, on real and on generated ones; n: points of each set."""

    accuracy: float
    real: float
    fake: float
    n: int


def one_nearest_neighbour(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor) -> OneNN:
    """Leave-one-out accuracy of the 1-nearest-neighbour classifier on the union of n real and n generated features.

    features: (n, d), n >= 2; of the larger set as many are drawn as the smaller one has, not its first ones: data sets
    are often ordered, and neighbours in that order are neighbours in space (MNIST's test set, by writer). A point whose
    nearest neighbours of both sets are equally near counts half. Where both sets are drawn from one distribution the
    expected accuracy is (n - 1) / (2n - 1); 1 where they lie apart, 0 where each generated point copies a real one of
    its own. Low on real and high on generated points: the generated ones lie amid the real ones but cluster more (Xu et
    al., section 3).
    SampleError for fewer than 2 of either.
    """
    real, fake = feature_pair(real_features, fake_features, minimum=2)
    n = min(len(real), len(fake))
    real, fake = (_drawn(part, n) for part in (real, fake))
    of_real, of_fake = mutual_neighbours(real, fake)
    on_real = _right(neighbours(real).squared, of_real.squared)
    on_fake = _right(neighbours(fake).squared, of_fake.squared)
    return OneNN((on_real + on_fake) / 2, on_real, on_fake, n)


def _drawn(x: Tensor, n: int) -> Tensor:
    """n rows, which ones depends on the number of rows alone; x itself where it has no more."""
    if len(x) == n:
        return x
    return x[torch.randperm(len(x), generator=rng.stream(SEED, "one-nn"))[:n].to(x.device)]


def _right(own: Tensor, other: Tensor) -> float:
    """Share of points whose nearest neighbour of their own set is nearer than that of the other one, ties halved."""
    return (int((own < other).sum()) + int((own <= other).sum())) / (2 * len(own))


def _compare(held: Held) -> Mapping[str, Value]:
    """The standard error is binomial, as if the 2n leave-one-out answers were independent (they nearly are)."""
    found = one_nearest_neighbour(held.real, held.fake)
    stderr = math.sqrt(found.accuracy * (1 - found.accuracy) / (2 * found.n))
    details = {"real_accuracy": found.real, "fake_accuracy": found.fake, "n_each": found.n}
    return {"one_nn": Value(found.accuracy, stderr, details=details)}


compare_features(
    "one-nn",
    {"one_nn": 0.5},
    _compare,
    range="0 to 1, .5 for equal distributions",
    title="Leave-one-out accuracy of a 1-nearest-neighbour classifier of real and generated features",
    paper="Lopez-Paz and Oquab 2017, Revisiting classifier two-sample tests; Xu et al. 2018",
    protocol={"ties": "half", "drawn_seed": SEED},
)
