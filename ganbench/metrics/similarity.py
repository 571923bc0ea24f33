"""Multi-scale structural similarity between pairs of generated images: the lower, the more diverse they are.

Wang et al. 2003, Multi-scale structural similarity for image quality assessment, equation 7; as a measure of diversity
Odena et al. 2017, Conditional image synthesis with auxiliary classifier GANs, section 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ganbench.canonical import Scalar
from ganbench.errors import SampleError
from ganbench.lazy import F, torch
from ganbench.metrics.arrays import finite, tensor
from ganbench.metrics.base import METRICS, Context, Metric, Value, View

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

    from ganbench.data import Dataset

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the five scales, the finest first: section 3.2."""

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
AT_ONCE = 2**20
"""Pixels of pairs that are filtered at once: 21 MB of maps."""


def ms_ssim(x: ArrayLike | Tensor, y: ArrayLike | Tensor) -> Tensor:
    """Similarity (n,) of the pairs x[i], y[i] of images (n, c, h, w) in [0, 1], h and w >= 11: from 0 to 1, 1 if equal.

    Π (contrast and structure at scale j)^w_j, and at the coarsest scale luminance too, each the mean over channels and
    over the places where the Gaussian window (11 x 11, σ 1.5) lies wholly inside; a mean below 0 counts as 0. The next
    scale is the mean of blocks of 2 x 2. Of the published five scales as many are used as the window fits into
    (`scales`), their weights renormalised to a sum of 1: compare scores of one image size only. SampleError for images
    of other shapes or ranges.
    """
    x, y = _images(x), _images(y)
    if x.shape != y.shape:
        raise SampleError(f"images are compared in pairs of one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    return _similarity(x, y.to(x.device, x.dtype))


def scales(height: int, width: int) -> int:
    """How many of the five scales an image has: ones at which both sides are 11 or more.

    Each scale halves the sides, rounding down: 1 from 11 pixels, 2 from 22, 3 from 44, 4 from 88, 5 from 176.
    """
    side = min(height, width)
    return sum(side >> scale >= WINDOW for scale in range(len(WEIGHTS)))


def _similarity(x: Tensor, y: Tensor) -> Tensor:
    weights = WEIGHTS[: scales(*x.shape[2:])]
    found = torch.ones(len(x), dtype=x.dtype, device=x.device)
    for left, weight in zip(reversed(range(len(weights))), weights, strict=True):
        luminance, structure = _terms(x, y)
        term = structure if left else luminance * structure
        found *= term.mean((1, 2, 3)).clamp_min(0) ** (weight / sum(weights))
        x, y = (F.avg_pool2d(part, 2) if left else part for part in (x, y))
    return found


def _terms(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance, and contrast times structure, at every place of the window: maps (n, c, h - 10, w - 10)."""
    mean_x, mean_y, xx, yy, xy = _blur(torch.stack([x, y, x * x, y * y, x * y]))
    variances = (xx - mean_x**2).clamp_min(0) + (yy - mean_y**2).clamp_min(0)
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return luminance, (2 * (xy - mean_x * mean_y) + C2) / (variances + C2)


def _blur(maps: Tensor) -> Tensor:
    """Means under the window: (..., h, w) → (..., h - 10, w - 10).

    As products with band matrices: on a CPU they are many times as fast as convolutions of one channel.
    """
    down, along = (_band(side).to(maps.device, maps.dtype) for side in maps.shape[-2:])
    return down @ maps @ along.mT


def _band(side: int) -> Tensor:
    """float64 (side - 10, side): the window's weights along one side, a row for each of its places."""
    shift = torch.arange(side) - torch.arange(side - WINDOW + 1)[:, None] - WINDOW // 2
    weights = torch.exp(-shift.double().square() / (2 * SIGMA**2)) * (shift.abs() <= WINDOW // 2)
    return weights / weights.sum(1, keepdim=True)


def _images(given: ArrayLike | Tensor) -> Tensor:
    images = finite(tensor(given, "images"), "images")
    if images.dim() != 4 or not images.numel() or min(images.shape[2:]) < WINDOW:
        raise SampleError(f"images are (n, c, h, w) with h and w >= {WINDOW}, got shape {tuple(images.shape)}")
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 1:
        raise SampleError(f"images are in [0, 1], got {low:.4g} to {high:.4g}")
    return images


class _Pairs:
    """Pairs each sample of an even place with the next: disjoint, so their similarities are independent."""

    def __init__(self, context: Context) -> None:
        self._left: list[Tensor] = []  # a sample that waits for the next chunk
        self._found: list[Tensor] = []

    def update(self, view: View) -> None:
        images = torch.cat([*self._left, view.samples])
        paired = len(images) // 2 * 2
        self._left = [images[paired:]]
        pixels = images[0].numel()
        for part in images[:paired].split(2 * max(1, AT_ONCE // (2 * pixels))):
            part = part.float() / 255
            self._found.append(_similarity(part[::2], part[1::2]).double().cpu())

    def result(self) -> Mapping[str, Value]:
        found = torch.cat(self._found)
        stderr = float(found.std()) / len(found) ** 0.5 if len(found) > 1 else None
        return {"ms_ssim": Value(float(found.mean()), stderr, details={"pairs": len(found)})}


def _protocol(context: Context) -> dict[str, Scalar]:
    return {"scales": scales(*context.dataset.shape[1:]), "window": WINDOW, "sigma": SIGMA}


def _fits(dataset: Dataset) -> bool:
    return scales(*dataset.shape[1:]) > 0


METRICS.add(
    Metric(
        name="ms-ssim",
        directions={"ms_ssim": "lower"},
        range="0 to 1",
        title="Mean multi-scale structural similarity of disjoint pairs of generated images",
        paper="Wang et al. 2003; Odena et al. 2017, Auxiliary classifier GANs",
        kinds=("images",),
        samples=10_000,
        minimum=2,
        start=_Pairs,
        protocol=_protocol,
        fits=_fits,
    )
)
