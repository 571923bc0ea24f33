"""Kernel Inception distance: the squared maximum mean discrepancy under a cubic kernel, unbiased.

Bińkowski et al. 2018, Demystifying MMD GANs, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganbench.errors import SampleError
from ganbench.lazy import np, torch
from ganbench.metrics.arrays import feature_pair
from ganbench.metrics.base import Value
from ganbench.metrics.held import Held, compare_features

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

SUBSETS, SUBSET_SIZE = 100, 1000

STRIP = 64
"""Rows of a kernel matrix that are looked at at once."""

LARGEST = 1e150
"""Beyond it the square of a sum of kernels is no float64."""


def kid(
    real_features: ArrayLike | Tensor,
    fake_features: ArrayLike | Tensor,
    subsets: int = SUBSETS,
    subset_size: int = SUBSET_SIZE,
    seed: Any = 0,
) -> tuple[float, float]:
    """Mean and standard deviation (ddof 0) over random subsets of the unbiased MMD² with k(x, y) = (x·y / d + 1)³.

    features: (n, d), n >= subset_size >= 2. seed: a number, or a NumPy generator whose `choice` draws each subset, of
    the generated features first. Negative values are valid: an unbiased estimate of 0 falls to both sides. The
    deviation is a spread over overlapping subsets, not a standard error. SampleError for fewer samples than a subset
    has.
    """
    real, fake = feature_pair(real_features, fake_features)
    _check(real, fake, subsets, subset_size)
    generator = seed if hasattr(seed, "choice") else np.random.default_rng(seed)
    x, y = _fastest(real), _fastest(fake)
    values = []
    for _ in range(subsets):
        drawn = y[generator.choice(len(y), subset_size, replace=False)]
        values.append(_mmd2(x[generator.choice(len(x), subset_size, replace=False)], drawn))
    return float(np.mean(values)), float(np.std(values))


def _fastest(x: Tensor) -> Any:
    """NumPy's array on a CPU: its product sees that x xᵀ is symmetric and computes half of it, PyTorch's does not."""
    return x.numpy() if x.device.type == "cpu" else x


def block_stderr(real: Tensor, fake: Tensor, size: int = SUBSET_SIZE) -> float | None:
    """Standard error of the mean over disjoint blocks, which are independent; None with fewer than two of them.

    That is the error of `kid` where the distributions differ. Where they are equal it is an upper one: the mean over
    overlapping subsets then varies less, by up to the root of the number of blocks.
    """
    blocks = list(zip(real.split(size), fake.split(size), strict=False))
    whole = [(x, y) for x, y in blocks if len(x) == len(y) == size]
    if len(whole) < 2:
        return None
    values = [_mmd2(_fastest(x), _fastest(y)) for x, y in whole]
    return float(np.std(values, ddof=1)) / math.sqrt(len(whole))


def _mmd2(x: Any, y: Any) -> float:
    """Equation 4 for sets (m, d) of one size: off the diagonals of k(x, x) and k(y, y), all of k(x, y)."""
    m, d = x.shape
    within = sum(_total(products, d) - _total(products.diagonal()[:, None], d) for products in (x @ x.T, y @ y.T))
    return float(within / (m * (m - 1)) - 2 * _total(x @ y.T, d) / m**2)


def _total(products: Any, d: int) -> float:
    """Σ (p / d + 1)³: rows in their own precision, strip by strip so that they stay in the cache; their sum exactly."""
    sums: list[float] = []
    for start in range(0, len(products), STRIP):
        base = products[start : start + STRIP] / d
        base += 1
        cube = base * base
        cube *= base
        sums += cube.sum(1).tolist()
    return math.fsum(sums)


def _check(real: Tensor, fake: Tensor, subsets: int, subset_size: int) -> None:
    if subsets < 1 or subset_size < 2:
        raise SampleError(f"KID takes at least 1 subset of at least 2 samples, got {subsets} of {subset_size}")
    for name, part in (("real", real), ("generated", fake)):
        if len(part) < subset_size:
            raise SampleError(f"KID on subsets of {subset_size} needs as many {name} features, got {len(part)}")
        limit = (min(torch.finfo(part.dtype).max, LARGEST) / subset_size) ** (1 / 3)
        if float(torch.linalg.vector_norm(part, dim=1).max()) ** 2 / part.shape[1] + 1 > limit:
            raise SampleError(f"KID overflows: {name} features are as large as {float(part.abs().max()):.3g}")


def _compare(held: Held) -> Mapping[str, Value]:
    mean, spread = kid(held.real, held.fake)
    return {"kid": Value(mean, block_stderr(held.real, held.fake), details={"std_over_subsets": spread})}


compare_features(
    "kid",
    {"kid": "lower"},
    _compare,
    range="-∞ to ∞, 0 for equal distributions",
    title="Kernel Inception distance",
    paper="Bińkowski et al. 2018, Demystifying MMD GANs",
    minimum=SUBSET_SIZE,
    protocol={"subsets": SUBSETS, "subset_size": SUBSET_SIZE},
)
