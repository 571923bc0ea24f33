"""Nearest neighbours and counts of points in balls: as a float64 computation gives them, at the speed of float32.

Squared distances are bounded from below and above by matrix products in float32, tile by tile. Whatever the bounds
leave open, which is little, is computed again pair by pair from differences in float64. No matrix of all pairs is held.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from ganbench.errors import SampleError
from ganbench.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

ROWS = 1280
"""Points on each side of a tile: 6 MB of float32, which the passes over a tile find in a CPU's cache."""

SPARE = 6
"""Candidates beyond the k nearest: enough, nearly always, to hold all that rounding could have put in their place."""

DIRECT = 2**20
"""Numbers in a batch of differences: 8 MB, again for the cache."""

CROWD = 32
"""A pair's differences take about as long as this many of its products in float64."""

SOME = 1000
"""Points of a set, or a few more, whose mean stands for that of all."""

NARROW = 64
"""Below this width products are not what takes the time, and float64 is used throughout."""

UNITS = 64
"""Units of rounding, of ‖x‖² + ‖y‖², that all steps but the sum of d products take together: 40 by count."""


@dataclass(frozen=True)
class Neighbours:
    """squared: float64 squared distances (n, k), ascending; index: int64 (n, k), of the rows that lie there."""

    squared: Tensor
    index: Tensor


@dataclass(frozen=True)
class Balls:
    """holds: how many points each ball holds (balls,); around: how many balls each point lies in (points,); int64."""

    holds: Tensor
    around: Tensor


def neighbours(x: Tensor, y: Tensor | None = None, k: int = 1) -> Neighbours:
    """The k rows of y (m, d) that are nearest to each row of x (n, d); y None: the other rows of x, excluded by index.

    x, y: float32 or float64, finite, on one device. Which of several at exactly the k-th distance are named is left
    open; their distances are not. SampleError where there are fewer than k.
    """
    among = x if y is None else y
    _check(k, len(among) - (y is None))
    frame = _Frame.around(x) if y is None else _Frame.around(x, y)
    of_x = _Nearest(x, among, k, frame, alike=y is None)
    xs = frame.tiles(x)
    if y is None:
        _scan_pairs(xs, of_x)
    else:
        _scan(xs, frame.tiles(y), of_x)
    return of_x.settled()


def mutual_neighbours(x: Tensor, y: Tensor, k: int = 1) -> tuple[Neighbours, Neighbours]:
    """`neighbours(x, y, k)` and `neighbours(y, x, k)`, by one pass over the pairs."""
    _check(k, min(len(x), len(y)))
    frame = _Frame.around(x, y)
    of_x, of_y = _Nearest(x, y, k, frame), _Nearest(y, x, k, frame)
    _scan(frame.tiles(x), frame.tiles(y), of_x, of_y)
    return of_x.settled(), of_y.settled()


def balls(centres: Tensor, points: Tensor, squared: Tensor, *, closed: bool = False) -> Balls:
    """Which points (m, d) lie within the radius of which centres (n, d): d² < r², or d² <= r² where `closed`.

    squared: float64 r² (n,).
    """
    frame = _Frame.around(centres, points)
    tally = _Tally(squared, len(points), 0, closed, frame)
    _count(frame, centres, points, (tally,))
    return tally.balls


def mutual_balls(
    x: Tensor, y: Tensor, x_squared: Tensor, y_squared: Tensor, *, closed: bool = False
) -> tuple[Balls, Balls]:
    """`balls(x, y, x_squared)` and `balls(y, x, y_squared)`, by one pass over the pairs."""
    frame = _Frame.around(x, y)
    of_x, of_y = _Tally(x_squared, len(y), 0, closed, frame), _Tally(y_squared, len(x), 1, closed, frame)
    _count(frame, x, y, (of_x, of_y))
    return of_x.balls, of_y.balls


def squared_distances(x: Tensor, i: Tensor, y: Tensor, j: Tensor) -> Tensor:
    """float64 (p,): ‖x[i] - y[j]‖² from differences; a pair has the same digits whatever else is computed with it."""
    size = min(len(i), max(1, DIRECT // x.shape[1]))
    found = torch.empty(len(i), dtype=torch.float64, device=x.device)
    # one buffer for all batches: the system takes longer to give fresh memory than the arithmetic takes
    buffer = torch.empty(2, size, x.shape[1], dtype=torch.float64, device=x.device)
    for start in range(0, len(i), size or 1):
        rows = slice(start, start + size)
        one, other = buffer[:, : len(i[rows])]
        one.copy_(x.index_select(0, i[rows]))
        other.copy_(y.index_select(0, j[rows]))
        found[rows] = _squares(one.sub_(other))
    return found


def _squares(x: Tensor) -> Tensor:
    """‖x‖² of float64 rows, which are overwritten: a sum by halves, whose order the number of rows does not change."""
    x = x.square_()
    while (width := x.shape[1]) > 1:
        half = (width + 1) // 2
        x[:, : width - half] += x[:, half:]
        x = x[:, :half]
    return x[:, 0]


def _check(k: int, available: int) -> None:
    if not 1 <= k <= available:
        raise SampleError(f"k nearest neighbours are 1 to {max(available, 0)} among so many others, got k {k}")


@dataclass(frozen=True)
class _Tile:
    """Some points in a frame; low: their squared norms, shortened; slack: their part of how far bounds can be off."""

    start: int
    points: Tensor
    centred: Tensor
    low: Tensor
    slack: Tensor

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + len(self.points))


@dataclass(frozen=True)
class _Frame:
    """Coordinates about a centre (d,), in units of a power of two above the greatest of them, in one precision.

    The centre is the mean of every so many of the points, so that an offset that they share costs no digits.
    """

    centre: Tensor
    scale: float
    dtype: torch.dtype

    @classmethod
    def around(cls, *sets: Tensor) -> _Frame:
        some = torch.cat([each[:: len(each) // SOME + 1].double() for each in sets])
        centre = some.mean(0)
        least, most = centre.min(), centre.max()
        edges = (edge for each in sets for low, high in [torch.aminmax(each)] for edge in (low - most, high - least))
        scale = math.ldexp(1.0, -max(math.frexp(max(abs(float(edge)) for edge in edges))[1], -1000))
        narrow = len(centre) < NARROW
        return cls(centre, scale, torch.float64 if narrow or not _full_precision() else torch.float32)

    @property
    def finer(self) -> _Frame:
        """The same in float64."""
        return _Frame(self.centre, self.scale, torch.float64)

    def tiles(self, points: Tensor) -> list[_Tile]:
        return [self.tile(part, ROWS * index) for index, part in enumerate(points.split(ROWS))]

    def tile(self, points: Tensor, start: int) -> _Tile:
        exact = points.to(torch.float64, copy=True).sub_(self.centre).mul_(self.scale)
        centred = exact.to(self.dtype, copy=True)
        norms = _squares(exact)
        band = self._band(points.shape[1], norms)
        return _Tile(start, points, centred, (norms - band).to(self.dtype), 2 * band)

    def _band(self, d: int, norms: Tensor) -> Tensor:
        """What rounding can do, at worst, to a squared distance: this much of x and of y, and underflow of products."""
        facts = torch.finfo(self.dtype)
        unit = facts.eps / 2
        return (d * unit / (1 - d * unit) + UNITS * unit) * norms + 4 * d * facts.tiny


def _full_precision() -> bool:
    """Whether float32 products are float32's: a process may have allowed TF32 or bfloat16, in one of two ways."""
    try:
        return torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:  # set the other way, to something else than this function can name
        return False


def _lower(a: _Tile, b: _Tile) -> Tensor:
    """Lower bounds (len(a), len(b)) of the scaled squared distances; they are at most a.slack + b.slack below them."""
    return torch.addmm(b.low, a.centred, b.centred.mT, alpha=-2).add_(a.low[:, None])


def _scan(xs: Sequence[_Tile], ys: Sequence[_Tile], of_x: _Nearest, of_y: _Nearest | None = None) -> None:
    for a, b in product(xs, ys):
        bounds = _lower(a, b)
        of_x.update(a, b, bounds)
        if of_y is not None:
            of_y.update(b, a, bounds.mT)


def _scan_pairs(xs: Sequence[_Tile], of_x: _Nearest) -> None:
    """Each pair of tiles once: the bounds are those of both."""
    for index, a in enumerate(xs):
        of_x.update(a, a, _lower(a, a).fill_diagonal_(math.inf))
        for b in xs[index + 1 :]:
            bounds = _lower(a, b)
            of_x.update(a, b, bounds)
            of_x.update(b, a, bounds.mT)


class _Nearest:
    """For each row of x the rows of y with the least lower bounds, k and a few more; then the k that are nearest."""

    def __init__(self, x: Tensor, y: Tensor, k: int, frame: _Frame, alike: bool = False) -> None:
        self._x, self._y, self._k, self._frame, self._alike = x, y, k, frame, alike
        shape = len(x), k + SPARE
        self._bounds = torch.full(shape, math.inf, dtype=frame.dtype, device=x.device)
        self._index = torch.zeros(shape, dtype=torch.int64, device=x.device)
        self._reach = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        self._slack = 0.0

    def update(self, a: _Tile, b: _Tile, bounds: Tensor) -> None:
        """Take bounds between rows a of x and rows b of y."""
        width = self._bounds.shape[1]
        found, index = bounds.topk(min(width, bounds.shape[1]), largest=False)
        merged, order = torch.cat([self._bounds[a.rows], found], 1).topk(width, largest=False)
        self._bounds[a.rows] = merged
        self._index[a.rows] = torch.cat([self._index[a.rows], index + b.start], 1).gather(1, order)
        self._reach[a.rows] = a.slack
        self._slack = max(self._slack, float(b.slack.max()))

    def settled(self) -> Neighbours:
        """Exact distances of all candidates that may be among the nearest; rows where others may be are searched."""
        reach = self._bounds[:, self._k - 1].double() + self._reach + self._slack
        may = (self._bounds <= reach[:, None]) & self._bounds.isfinite()
        rows, places = may.nonzero(as_tuple=True)
        exact = torch.full(may.shape, math.inf, dtype=torch.float64, device=may.device)
        exact[rows, places] = squared_distances(self._x, rows, self._y, self._index[rows, places])
        squared, order = exact.topk(self._k, largest=False)
        found = Neighbours(squared, self._index.gather(1, order))
        kth = squared[:, -1]
        left_open = ((kth * self._frame.scale**2 > self._bounds[:, -1]) & (kth > 0)).nonzero()[:, 0]
        for start in range(0, len(left_open), ROWS):
            self._search(left_open[start : start + ROWS], found)
        return found

    def _search(self, rows: Tensor, found: Neighbours) -> None:
        """Replace what was found for some rows by the nearest of all whose float64 bounds are within its reach."""
        fine, x, k = self._frame.finer, self._x[rows], self._k
        limit = found.squared[rows, -1]
        mine = fine.tile(x, 0)
        best = Neighbours(torch.full_like(found.squared[rows], math.inf), torch.zeros_like(found.index[rows]))
        for start in range(0, len(self._y), ROWS):
            part = self._y[start : start + ROWS]
            within = _lower(mine, fine.tile(part, start)) <= (limit * fine.scale**2)[:, None]
            if self._alike:
                within &= rows[:, None] != torch.arange(start, start + len(part), device=rows.device)
            i, j = within.nonzero(as_tuple=True)
            best = _merged(best, i, j + start, squared_distances(x, i, part, j), k)
        found.squared[rows], found.index[rows] = best.squared, best.index


def _merged(best: Neighbours, i: Tensor, index: Tensor, squared: Tensor, k: int) -> Neighbours:
    """The k nearest of those that are there and of pairs: to row i[p] the point index[p] at squared[p]."""
    order = squared.argsort()
    order = order[i[order].argsort(stable=True)]  # by row, and in a row by distance
    i, index, squared = i[order], index[order], squared[order]
    sizes = torch.bincount(i, minlength=len(best.squared))
    place = torch.arange(len(i), device=i.device) - (sizes.cumsum(0) - sizes)[i]
    first = place < k
    table, names = torch.full_like(best.squared, math.inf), torch.zeros_like(best.index)
    table[i[first], place[first]], names[i[first], place[first]] = squared[first], index[first]
    values, kept = torch.cat([best.squared, table], 1).topk(k, largest=False)
    return Neighbours(values, torch.cat([best.index, names], 1).gather(1, kept))


class _Tally:
    """Counts of points in balls whose centres lie along an axis of the tiles: 0, their rows; 1, their columns."""

    def __init__(self, squared: Tensor, points: int, axis: int, closed: bool, frame: _Frame) -> None:
        self._squared, self._limits = squared.double(), squared.double() * frame.scale**2
        self._axis, self._closed = axis, closed
        empty = torch.zeros(len(squared), dtype=torch.int64, device=squared.device)
        self.balls = Balls(empty, torch.zeros(points, dtype=torch.int64, device=squared.device))

    def take(self, a: _Tile, b: _Tile, bounds: Tensor, crowd: int) -> bool:
        """Count a tile; False, and nothing done, where rounding leaves more than a `crowd`th of its pairs open."""
        centres, points = (a, b) if self._axis == 0 else (b, a)
        limits = self._limits[centres.rows].unsqueeze(1 - self._axis)
        margin = a.slack.max() + b.slack.max()
        inside = bounds < (limits - margin).to(bounds.dtype)
        undecided = (bounds <= limits.to(bounds.dtype)) ^ inside
        i, j = undecided.nonzero(as_tuple=True)
        if crowd * len(i) > bounds.numel():
            return False
        exact = squared_distances(a.points, i, b.points, j)
        radii = self._squared[centres.rows][(i, j)[self._axis]]
        inside[i, j] = (exact <= radii) if self._closed else (exact < radii)
        counted = inside.float()  # sums of up to 2^24 are exact
        self.balls.holds[centres.rows] += counted.sum(1 - self._axis).long()
        self.balls.around[points.rows] += counted.sum(self._axis).long()
        return True


def _count(frame: _Frame, x: Tensor, y: Tensor, tallies: Sequence[_Tally]) -> None:
    """In float64 where float32 would leave more pairs open than products in float64 cost: see CROWD."""
    fine = frame.finer
    for a, b in product(frame.tiles(x), frame.tiles(y)):
        bounds = _lower(a, b)
        for tally in tallies:
            if not tally.take(a, b, bounds, CROWD if frame.dtype != fine.dtype else 1):
                finer = fine.tile(a.points, a.start), fine.tile(b.points, b.start)
                tally.take(*finer, _lower(*finer), 1)
