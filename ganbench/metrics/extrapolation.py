"""FID∞: the Fréchet distance at endless generated samples, by a line in 1/N.

Chong and Forsyth 2020, Effectively unbiased FID and Inception score: a distance of N samples exceeds the true one by
about a constant over N, and that constant differs between generators, so that distances at one N need not even rank
them rightly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganbench.canonical import Scalar
from ganbench.errors import SampleError
from ganbench.lazy import np, torch
from ganbench.metrics.arrays import feature_pair
from ganbench.metrics.base import Context, Value, View
from ganbench.metrics.frechet import (
    KEPT,
    distance_and_stderr,
    factor_of,
    flags_of,
    frechet_distance,
    on_inception_and_any,
)
from ganbench.metrics.moments import Gaussian, Moments, moments_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

POINTS, SMALLEST = 15, 5000
RULE = "max(n//10, min(2d, n//2))"
BLOCK = 4096
"""Rows that are summed at once in float64: 67 MB at d = 2048."""


def fid_infinity(
    real_features: ArrayLike | Tensor,
    fake_features: ArrayLike | Tensor,
    points: int = POINTS,
    smallest: int = SMALLEST,
    seed: Any = 0,
) -> tuple[float, float]:
    """Intercept of the line in 1/N through Fréchet distances of `points` random subsets, and its standard error.

    features: (n, d), the generated ones n >= smallest + points - 1; smallest >= 2, points >= 3. The subsets' sizes are
    evenly spaced from `smallest` to n; all are held against the moments of all real features, whose own sampling is
    neither extrapolated nor in the error. An unbiased estimate of 0 falls to both sides: negative values are valid.
    The error is over draws of the generated samples (see `_Line`). SampleError for non-finite features, widths that
    differ, or too few of them.
    """
    real, fake = feature_pair(real_features, fake_features, minimum=2)
    line = _extrapolate(moments_of(real), _Pool([fake]), points, smallest, seed)
    return line.intercept, line.stderr


def smallest_subset(n: int, d: int) -> int:
    """The smallest subset of n samples of width d: n/10, but no fewer than 2d, and never more than n/2.

    At 50,000 samples of Inception it is the paper's 5,000. Few samples for the width leave the line: between equal
    isotropic Gaussians the distance is d (γ/4 + γ²/32 + ...) with γ = d/N, which is 1 % above d γ/4 at N = 10d, 8 % at
    2d and 21 % at d. A narrow range of N hardly determines the intercept: hence at most n/2.
    """
    return max(n // 10, min(2 * d, n // 2))


class _Pool:
    """Rows by their numbers, of features that stay in the chunks they came in: no second copy is made of them."""

    def __init__(self, chunks: Sequence[Tensor]) -> None:
        self._chunks = chunks
        self._starts = np.cumsum([0, *(len(chunk) for chunk in chunks)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def take(self, rows: NDArray[np.int64]) -> Tensor:
        """The rows of these numbers, in the order of their chunks."""
        owner = np.searchsorted(self._starts, rows, side="right") - 1
        parts = []
        for index in np.unique(owner):
            chunk = self._chunks[index]
            inside = torch.from_numpy(rows[owner == index] - self._starts[index])
            parts.append(chunk[inside.to(chunk.device)])
        return torch.cat(parts)

    def prefixes(self, order: NDArray[np.int64], sizes: Sequence[int]) -> Iterator[Gaussian]:
        """Moments of the first rows in an order, by increasing sizes; no row is summed twice."""
        moments = Moments()
        for size in sizes:
            for start in range(moments.n, size, BLOCK):
                moments.update(self.take(order[start : min(start + BLOCK, size)]))
            yield moments.result()


@dataclass(frozen=True)
class _Line:
    """A least-squares line in 1/N and the distance of all n samples.

    stderr: a generated sample moves every distance that it is in by the same influence over that N (the delta method of
    `distance_and_stderr`), and so the intercept by that times c = Σ w/N over its subsets, w the distances' weights in
    the intercept; the error is the influences' deviation times √Σ c². The residuals' own error would take the subsets
    for independent draws, and be two to three times too small. What is of second order is left out: at a true distance
    of exactly 0 the error is about a fifth too small.
    """

    intercept: float
    stderr: float
    slope: float
    smallest: int
    distance: float
    full: Gaussian

    def details(self) -> dict[str, Scalar]:
        """What is of interest beside the score: the plain distance at n, the bias times N, the range of N."""
        return {"distance_at_n": self.distance, "slope": self.slope, "smallest": self.smallest}


def _extrapolate(real: Gaussian, pool: _Pool, points: int, smallest: int, seed: Any) -> _Line:
    """The line through the distances of subsets; each is a random one, so that nesting costs the intercept no bias."""
    n = len(pool)
    _check(n, points, smallest)
    order = np.random.default_rng(seed).permutation(n)
    sizes = np.linspace(smallest, n, points).round().astype(np.int64)
    weights, slopes = _weights(sizes)
    factor, distances, influence = factor_of(real.covariance), np.empty(points), np.zeros(n)
    for point, rows, fake in _subsets(pool, order, sizes):
        distances[point] = frechet_distance(real, fake, factor)
        influence[rows] += weights[point] / len(rows)
    distance, stderr = distance_and_stderr(real, fake, pool.take(order[:KEPT]))  # the last subset is all of them
    deviation = stderr * n**0.5
    return _Line(
        intercept=float(weights @ distances),
        stderr=deviation * float(np.linalg.norm(influence)),
        slope=float(slopes @ distances),
        smallest=smallest,
        distance=distance,
        full=fake,
    )


def _subsets(
    pool: _Pool, order: NDArray[np.int64], sizes: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.int64], Gaussian]]:
    """Each size's place, the rows of a subset of that size, and their moments; the subset of all rows comes last.

    Subsets grow from either end of the order by turns, which takes two passes. From one end alone, in one pass, the
    intercept would not depend on the rows of the smallest subset at all (their Σ w/N is 0), and its variance be 1.1
    to 1.8 times as large.
    """
    last = len(sizes) - 1
    for rows, first in ((order[::-1], (last - 1) % 2), (order, last % 2)):
        for step, fake in enumerate(pool.prefixes(rows, sizes[first::2].tolist())):
            point = first + 2 * step
            yield point, rows[: sizes[point]], fake


def _weights(sizes: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each distance counts in the intercept, and in the slope, of the least-squares line in 1/N."""
    x = 1 / sizes
    slopes = (x - x.mean()) / np.square(x - x.mean()).sum()
    return 1 / len(x) - x.mean() * slopes, slopes


def _check(n: int, points: int, smallest: int) -> None:
    if points < 3 or smallest < 2:
        raise SampleError(f"FID∞ takes at least 3 points, of at least 2 samples each, got {points} of {smallest}")
    if n < smallest + points - 1:
        raise SampleError(
            f"FID∞ over {points} subsets of {smallest} samples and more needs {smallest + points - 1} of them, got {n}"
        )


class _Infinity:
    """Keeps the generated features; metrics that look at the same chunks keep the same tensors, not copies."""

    def __init__(self, context: Context, name: str) -> None:
        self._context, self._name = context, name
        self._chunks: list[Tensor] = []

    def update(self, view: View) -> None:
        self._chunks.append(view.features(self._context.features))

    def result(self) -> Mapping[str, Value]:
        real = self._context.real.moments(self._context.split, self._context.n_real)
        pool, d = _Pool(self._chunks), len(real.mean)
        line = _extrapolate(real, pool, POINTS, smallest_subset(len(pool), d), seed=0)
        self._chunks = []
        flags = list(flags_of(real, line.full))
        if line.smallest <= d:
            flags.append(f"bent: subsets of {line.smallest} samples for {d} features leave the line in 1/N")
        return {self._name: Value(line.intercept, line.stderr, tuple(flags), line.details())}


def _protocol(context: Context) -> dict[str, Scalar]:
    return {"points": POINTS, "smallest": RULE, "seed": 0}


on_inception_and_any(
    _Infinity,
    ("fid_infinity", "fd_infinity"),
    ("Fréchet Inception distance at endless samples", "Fréchet distance at endless samples, on any features"),
    range="-∞ to ∞, 0 for equal distributions",
    paper="Chong and Forsyth 2020, Effectively unbiased FID and Inception score",
    minimum=2 * POINTS,
    protocol=_protocol,
)
