"""Nearest neighbours and counts in balls against differences in float64, on points that float32 gets wrong too."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganbench.errors import SampleError
from ganbench.metrics import neighbours as module
from ganbench.metrics.neighbours import balls, mutual_balls, mutual_neighbours, neighbours, squared_distances

SEEDS = st.integers(0, 2**16)
KINDS = ("plain", "offset", "clusters", "lattice", "copies", "huge", "tiny", "outlier", "shell", "specks")

many = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True, params=["float32", "float64"])
def _small_tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of 16 rows, batches of few differences, and products in float32 or float64 whatever the width is."""
    monkeypatch.setattr(module, "ROWS", 16)
    monkeypatch.setattr(module, "DIRECT", 100)
    monkeypatch.setattr(module, "NARROW", 1 if request.param == "float32" else 10**9)


def _points(kind: str, seed: int, n: int, d: int) -> np.ndarray:
    """float32 numbers that are hard in one way or another."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    found = {
        "plain": lambda: x,
        "offset": lambda: 1e4 + x,
        "clusters": lambda: 5 * rng.integers(0, 2, (n, 1)) + 1e-4 * x,  # nearer than float32 resolves about the mean
        "lattice": lambda: rng.integers(0, 3, (n, d)),
        "copies": lambda: rng.normal(size=(3, d))[rng.integers(0, 3, n)],
        "huge": lambda: 1e30 * x,  # squares overflow float32
        "tiny": lambda: 1e-30 * x,  # and underflow
        "outlier": lambda: np.where(np.arange(n)[:, None] == n // 2, 1e6, x),
        "shell": lambda: np.where(rng.random((n, 1)) < 0.3, 1e-3 * x, x / np.linalg.norm(x, axis=1, keepdims=True)),
        "specks": lambda: 1e-25 * x + (np.arange(n) == 0)[:, None] - (np.arange(n) == n - 1)[:, None],
    }[kind]()
    return found.astype(np.float32)


def _brute(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return ((x.astype(np.float64)[:, None] - y.astype(np.float64)[None]) ** 2).sum(2)


def _check(found: module.Neighbours, squares: np.ndarray, k: int) -> None:
    """The distances; and that those which are named are distinct and lie there."""
    expected = np.sort(squares, 1)[:, :k]
    np.testing.assert_allclose(found.squared.numpy(), expected, rtol=1e-12, atol=0)
    named = np.take_along_axis(squares, found.index.numpy(), 1)
    np.testing.assert_allclose(named, found.squared.numpy(), rtol=1e-12, atol=0)
    assert all(len(set(row)) == k for row in found.index.tolist())


@many
@given(seed=SEEDS, kind=st.sampled_from(KINDS), n=st.integers(1, 50), m=st.integers(1, 50), d=st.integers(1, 9))
def test_nearest_of_another_set(seed: int, kind: str, n: int, m: int, d: int) -> None:
    """Both ways, one at a time and by one pass."""
    x, y = np.split(_points(kind, seed, n + m, d), [n])
    k = 1 + seed % min(n, m)
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)
    _check(neighbours(tx, ty, k), _brute(x, y), k)
    of_x, of_y = mutual_neighbours(tx, ty, k)
    _check(of_x, _brute(x, y), k)
    _check(of_y, _brute(y, x), k)


@many
@given(seed=SEEDS, kind=st.sampled_from(KINDS), n=st.integers(2, 60), d=st.integers(1, 9))
def test_nearest_of_the_same_set_but_oneself(seed: int, kind: str, n: int, d: int) -> None:
    """A copy of a point is its neighbour at distance 0; the point itself is not."""
    x = _points(kind, seed, n, d)
    squares = _brute(x, x)
    np.fill_diagonal(squares, np.inf)
    k = 1 + seed % (n - 1)
    _check(neighbours(torch.from_numpy(x), k=k), squares, k)


@many
@given(
    seed=SEEDS,
    kind=st.sampled_from(KINDS),
    closed=st.booleans(),
    n=st.integers(1, 50),
    m=st.integers(1, 50),
    d=st.integers(1, 9),
)
def test_counts_in_balls(seed: int, kind: str, closed: bool, n: int, m: int, d: int) -> None:
    """Radii are distances to points of the other set, so that d < r and d <= r are different counts: each ball has a
    point on its surface."""
    x, y = np.split(_points(kind, seed, n + m, d), [n])
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)
    of_x, of_y = mutual_neighbours(tx, ty, 1 + seed % min(n, m))
    x_squared, y_squared = of_x.squared[:, -1], of_y.squared[:, -1]
    exact = _brute(x, y) if kind == "lattice" else _pair_by_pair(tx, ty)
    compare = np.less_equal if closed else np.less
    in_x = compare(exact, x_squared.numpy()[:, None])
    in_y = compare(exact, y_squared.numpy()[None])
    one, other = mutual_balls(tx, ty, x_squared, y_squared, closed=closed)
    alone = balls(tx, ty, x_squared, closed=closed)
    for found in (one, alone):
        assert found.holds.tolist() == in_x.sum(1).tolist()
        assert found.around.tolist() == in_x.sum(0).tolist()
    assert other.holds.tolist() == in_y.sum(0).tolist()
    assert other.around.tolist() == in_y.sum(1).tolist()


def _pair_by_pair(x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """On a surface the last digit decides, and but for integers NumPy's order of summation gives another one."""
    i, j = torch.cartesian_prod(torch.arange(len(x)), torch.arange(len(y))).T
    return squared_distances(x, i, y, j).reshape(len(x), len(y)).numpy()


@many
@given(seed=SEEDS, n=st.integers(1, 40), d=st.integers(1, 40))
def test_a_pair_has_the_same_digits_in_any_company(seed: int, n: int, d: int) -> None:
    x = torch.from_numpy(_points("plain", seed, n, d))
    y = torch.from_numpy(_points("offset", seed, n, d))
    every = torch.arange(n)
    together = squared_distances(x, every, y, every)
    assert together.tolist() == [float(squared_distances(x, i[None], y, i[None])) for i in every]
    assert together.tolist() == squared_distances(y, every, x, every).tolist()
    np.testing.assert_allclose(together, np.diagonal(_brute(x.numpy(), y.numpy())), rtol=1e-14)


@many
@given(seed=SEEDS, kind=st.sampled_from(KINDS), n=st.integers(1, 16), m=st.integers(1, 16), d=st.integers(1, 400))
def test_bounds_hold(seed: int, kind: str, n: int, m: int, d: int) -> None:
    """lower <= scaled d² <= lower + slack, and the slack is some d units of rounding of squares about the mean."""
    x, y = np.split(_points(kind, seed, n + m, d), [n])
    frame = module._Frame.around(torch.from_numpy(x), torch.from_numpy(y))
    a, b = frame.tile(torch.from_numpy(x), 0), frame.tile(torch.from_numpy(y), 0)
    lower = module._lower(a, b).double().numpy()
    slack = (a.slack[:, None] + b.slack[None]).numpy()
    exact = _brute(x * np.float64(frame.scale), y * np.float64(frame.scale))
    assert (lower <= exact).all()
    assert (exact <= lower + slack).all()
    unit = torch.finfo(frame.dtype).eps / 2
    mean = np.concatenate([x, y]).mean(0, dtype=np.float64)
    norms = [((part - mean) ** 2).sum(1) * frame.scale**2 for part in (x, y)]
    assert (slack <= 2.02 * (d + 64) * unit * (norms[0][:, None] + norms[1][None]) + 1e-30).all()


def test_the_sets_share_a_mean_of_float64_numbers() -> None:
    """An offset of 1e8, at which float32 has steps of 8, costs nothing: float64 features are centred as they are."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 5)), rng.normal(size=(30, 5))
    found = neighbours(torch.from_numpy(x + 1e8), torch.from_numpy(y + 1e8), 3)
    np.testing.assert_allclose(found.squared, np.sort(_brute(x + 1e8, y + 1e8), 1)[:, :3], rtol=1e-12)


def test_float32_alone_would_be_wrong() -> None:
    """What the exact pass is for: on clusters about a far mean, float32 products order neighbours wrongly."""
    x = torch.from_numpy(_points("clusters", 3, 48, 6))
    centred = x - x.mean(0)
    norms = centred.square().sum(1)
    rough = (norms[:, None] + norms - 2 * centred @ centred.T).fill_diagonal_(math.inf)
    nearest = neighbours(x, k=1)
    assert (rough.argmin(1) != nearest.index[:, 0]).float().mean() > 0.2
    squares = _brute(x.numpy(), x.numpy()) + np.diag(np.full(48, np.inf))
    assert nearest.index[:, 0].tolist() == squares.argmin(1).tolist()


@pytest.mark.parametrize("nearest", range(6))
def test_candidates_are_all_that_rounding_could_have_ranked_first(nearest: int) -> None:
    """Six points on a sphere, whose centre is all but the frame's: whichever is nearer to it by 1e-10 is found. Their
    bounds are off by more than the centre's own part of the slack."""
    y = np.random.default_rng(0).normal(size=(3, 200))
    y = np.concatenate([y, -y]) / np.linalg.norm(np.concatenate([y, y]), axis=1, keepdims=True)
    y[nearest] *= 1 - 1e-10
    x = torch.zeros(2, 200)
    x[1] = 0.005  # moves the frame off the centre of the sphere
    assert neighbours(x, torch.from_numpy(y)).index[0].tolist() == [nearest]


def test_no_product_is_larger_than_a_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = _spied(monkeypatch)
    x = torch.from_numpy(_points("clusters", 0, 100, 4))
    radii = neighbours(x, k=2).squared[:, -1]
    mutual_balls(x, x, radii, radii)
    assert max(map(max, shapes)) == 16


def test_pairs_of_a_set_are_multiplied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """7 tiles have 28 pairs, a tile with itself included; 49 with another set's, for both balls and ways."""
    shapes = _spied(monkeypatch)
    x, y = torch.from_numpy(_points("plain", 0, 224, 4)).split(112)
    radii = neighbours(x, k=2).squared[:, -1]
    assert len(shapes) == 28
    mutual_neighbours(x, y)
    mutual_balls(x, y, radii, radii)
    assert len(shapes) == 28 + 2 * 49


def _spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of all products from now on."""
    shapes: list[tuple[int, ...]] = []
    inner = module._lower

    def spy(a: module._Tile, b: module._Tile) -> torch.Tensor:
        bounds = inner(a, b)
        shapes.append(tuple(bounds.shape))
        return bounds

    monkeypatch.setattr(module, "_lower", spy)
    return shapes


def test_lowered_precision_of_products_changes_nothing() -> None:
    """TF32 or bfloat16 products, once allowed, would break the bounds: float64 is used instead."""
    x = torch.from_numpy(_points("plain", 0, 60, 128))
    before = neighbours(x, k=4)
    torch.set_float32_matmul_precision("medium")
    try:
        assert module._Frame.around(x, x).dtype == torch.float64
        found = neighbours(x, k=4)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert found.squared.tolist() == before.squared.tolist()
    assert found.index.tolist() == before.index.tolist()


@pytest.mark.parametrize(("n", "m", "k"), [(5, 3, 4), (5, 3, 0), (5, None, 5), (1, None, 1)])
def test_k_out_of_range_is_one_line(n: int, m: int | None, k: int) -> None:
    with pytest.raises(SampleError, match=f"got k {k}") as caught:
        neighbours(torch.zeros(n, 2), None if m is None else torch.zeros(m, 2), k)
    assert "\n" not in str(caught.value)


def test_mutual_k_is_of_the_smaller_set() -> None:
    with pytest.raises(SampleError, match="1 to 3 among so many others, got k 4"):
        mutual_neighbours(torch.zeros(9, 2), torch.zeros(3, 2), 4)
