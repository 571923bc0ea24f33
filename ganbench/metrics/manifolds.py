"""Precision, recall, density and coverage: how far generated and real features lie in each other's neighbourhoods.

A set's manifold is the union of balls about its points that reach to their k-th nearest neighbours in the set. Two
conventions are in use and give different numbers: each is a card of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganbench.errors import SampleError
from ganbench.metrics.arrays import feature_pair
from ganbench.metrics.base import Value
from ganbench.metrics.held import Held, compare_features
from ganbench.metrics.neighbours import Balls, mutual_balls, neighbours

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

K, IMPROVED_K = 5, 3
"""Of Naeem et al. and of Kynkäänniemi et al."""


def prdc(real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = K) -> dict[str, float]:
    """Precision, recall, density and coverage of features (n, d), (m, d), n > k and m > k, on any embedding.

    Naeem et al. 2020, Reliable fidelity and diversity metrics for generative models, equations 1 to 5, with open balls
    (d < r). precision: share of generated points in any real ball; recall: of real points in any generated ball;
    density: mean number of real balls about a generated point, over k, 0 to n / k; coverage: share of real balls that
    hold a generated point. Where both sets are drawn from one distribution the expected density is 1 and the expected
    coverage 1 - Π_{i=1..k} (n - i) / (m + n - i). SampleError for k that is not 1 to one less than either set's size.
    """
    return _Manifolds.of(*feature_pair(real_features, fake_features), k, closed=False).scores()


def improved_precision_recall(
    real_features: ArrayLike | Tensor, fake_features: ArrayLike | Tensor, k: int = IMPROVED_K
) -> dict[str, float]:
    """Precision and recall of features (n, d), (m, d), n > k and m > k, with closed balls (d <= r).

    Kynkäänniemi et al. 2019, Improved precision and recall metric for assessing generative models, equations 1 and 2;
    the paper's features are VGG16's fc2, and its numbers come from 50,000 of each. SampleError as `prdc`.
    """
    found = _Manifolds.of(*feature_pair(real_features, fake_features), k, closed=True).scores()
    return {name: found[name] for name in ("precision", "recall")}


@dataclass(frozen=True)
class _Manifolds:
    """real: the balls of real points and the generated points in them; fake: the other way round."""

    real: Balls
    fake: Balls
    k: int

    @classmethod
    def of(cls, real: Tensor, fake: Tensor, k: int, closed: bool) -> _Manifolds:
        for name, part in (("real", real), ("generated", fake)):
            if not 1 <= k < len(part):
                raise SampleError(f"k is 1 to {len(part) - 1} with {len(part)} {name} features, got {k}")
        radii = [neighbours(part, k=k).squared[:, -1] for part in (real, fake)]
        return cls(*mutual_balls(real, fake, *radii, closed=closed), k)

    @property
    def density(self) -> Tensor:
        """Of each generated point."""
        return self.real.around.double() / self.k

    def scores(self) -> dict[str, float]:
        return {
            "precision": _share(self.real.around),
            "recall": _share(self.fake.around),
            "density": 1 / self.k * (int(self.real.around.sum()) / len(self.real.around)),
            "coverage": _share(self.real.holds),
        }

    def values(self) -> dict[str, Value]:
        """With standard errors over the points that are counted, the balls held fixed: of precision and density over
        generated points, of recall and coverage over real ones."""
        found = self.scores()
        errors = {
            "precision": _binomial(found["precision"], len(self.real.around)),
            "recall": _binomial(found["recall"], len(self.fake.around)),
            "density": float(self.density.std()) / math.sqrt(len(self.density)),
            "coverage": _binomial(found["coverage"], len(self.real.holds)),
        }
        return {name: Value(found[name], errors[name]) for name in found}


def _share(counts: Tensor) -> float:
    return int((counts > 0).sum()) / len(counts)


def _binomial(share: float, n: int) -> float:
    return math.sqrt(share * (1 - share) / n)


def _compare(held: Held) -> Mapping[str, Value]:
    return _Manifolds.of(held.real, held.fake, K, closed=False).values()


def _compare_improved(held: Held) -> Mapping[str, Value]:
    found = _Manifolds.of(held.real, held.fake, IMPROVED_K, closed=True).values()
    return {f"improved_{name}": found[name] for name in ("precision", "recall")}


compare_features(
    "prdc",
    {"precision": "higher", "recall": "higher", "density": "higher", "coverage": "higher"},
    _compare,
    range="0 to 1; density 0 to n_real / k, 1 for equal distributions",
    title="Precision, recall, density and coverage in open balls to the 5th neighbour",
    paper="Naeem et al. 2020, Reliable fidelity and diversity metrics for generative models",
    minimum=K + 1,
    protocol={"k": K, "comparison": "<"},
)
compare_features(
    "improved-pr",
    {"improved_precision": "higher", "improved_recall": "higher"},
    _compare_improved,
    range="0 to 1",
    title="Improved precision and recall in closed balls to the 3rd neighbour (the paper's features: VGG16 fc2)",
    paper="Kynkäänniemi et al. 2019, Improved precision and recall metric for assessing generative models",
    minimum=IMPROVED_K + 1,
    protocol={"k": IMPROVED_K, "comparison": "<="},
)
