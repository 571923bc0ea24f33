"""Parzen window log-likelihood, by the protocol of 2014."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganbench.canonical import Scalar
from ganbench.errors import SampleError
from ganbench.lazy import np, torch
from ganbench.metrics.arrays import finite, sound, tensor
from ganbench.metrics.base import METRICS, Context, Metric, Value, View

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

VALID, CHUNK = 1_000, 500


@dataclass(frozen=True)
class Parzen:
    """mean: nats; stderr: std over test points (ddof 0) / √n; sigma: chosen; on_edge: whether at an end of the grid."""

    mean: float
    stderr: float
    sigma: float
    on_edge: bool


def parzen_log_likelihood(
    samples: ArrayLike | Tensor,
    valid: ArrayLike | Tensor,
    test: ArrayLike | Tensor,
    sigmas: Sequence[float] | None = None,
) -> Parzen:
    """Mean log-likelihood of `test` under Gaussians of width σ around `samples`, each (n, ...), pixels in [0, 1].

    log p(x) = logmeanexp_j(-‖x - μ_j‖² / 2σ²) - d log(σ √2π). σ is the one of `sigmas` (default: ten from .1 to 1,
    evenly in the logarithm) with the greatest mean over `valid`. Breuleux et al. 2011; Goodfellow et al. 2014.
    A historical metric: k-means centroids beat true data (Theis et al. 2016), so read it beside the real-data row.
    """
    x, v, t = (_flat(part, name) for part, name in ((samples, "samples"), (valid, "valid"), (test, "test")))
    if not x.shape[1] == v.shape[1] == t.shape[1]:
        raise SampleError(f"dimensions differ: samples {x.shape[1]}, valid {v.shape[1]}, test {t.shape[1]}")
    grid = [float(s) for s in (np.logspace(-1, 0, 10) if sigmas is None else sigmas)]
    means = _log_likelihoods(v, x, grid).mean(1)
    best = int(means.argmax())
    values = _log_likelihoods(t, x, [grid[best]])[0]
    stderr = float(values.std(correction=0)) / math.sqrt(len(values))
    mean = sound(float(values.mean()), "the log-likelihood", x, v, t)
    return Parzen(mean, stderr, grid[best], len(grid) > 1 and best in (0, len(grid) - 1))


def _log_likelihoods(points: Tensor, samples: Tensor, sigmas: Sequence[float]) -> Tensor:
    """log p at each point for each σ, (len(sigmas), n): distances once, by matrix products in float64."""
    d, n = points.shape[1], len(samples)
    centre = samples.mean(0)
    samples = samples - centre
    norms = samples.square().sum(1)
    rows = []
    for part in points.split(CHUNK):
        part = part - centre
        squares = torch.addmm(norms, part, samples.mT, alpha=-2).add_(part.square().sum(1, keepdim=True)).clamp_min_(0)
        rows.append(torch.stack([torch.logsumexp(squares / (-2 * sigma**2), 1) for sigma in sigmas]))
    scales = [math.log(n) + d * math.log(sigma * math.sqrt(2 * math.pi)) for sigma in sigmas]
    return torch.cat(rows, 1) - torch.tensor(scales, dtype=points.dtype, device=points.device)[:, None]


def _flat(given: ArrayLike | Tensor, name: str) -> Tensor:
    x = tensor(given, name)
    kind = given.dtype if isinstance(given, torch.Tensor) else np.asarray(given).dtype
    if "int" in str(kind) or "bool" in str(kind):
        raise SampleError(f"{name} are floats, pixels in [0, 1], got {kind}: divide images of 0 to 255 by 255")
    if x.dim() < 2 or len(x) == 0:
        raise SampleError(f"{name} are (n, ...) with n >= 1, got shape {tuple(x.shape)}")
    return finite(x.flatten(1).double(), name)


def _unit(images: Tensor, device: Any) -> Tensor:
    """uint8 images as rows of pixels in [0, 1]."""
    return images.to(device).flatten(1).double() / 255


class _Parzen:
    """Keeps the generated images as uint8."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._chunks: list[Tensor] = []

    def update(self, view: View) -> None:
        self._chunks.append(view.samples.flatten(1))

    def result(self) -> Mapping[str, Value]:
        dataset, root, device = self._context.dataset, self._context.root, self._context.device
        valid, test = dataset.images("valid", root)[:VALID], dataset.images(self._context.split, root)
        samples = torch.cat(self._chunks)
        found = parzen_log_likelihood(_unit(samples, device), _unit(valid, device), _unit(test, device))
        flags = (f"sigma {found.sigma:.4g} is on the edge of its grid",) if found.on_edge else ()
        return {"parzen": Value(found.mean, found.stderr, flags, {"sigma": found.sigma})}


def _protocol(context: Context) -> dict[str, Scalar]:
    valid = len(context.dataset.images("valid", context.root))
    return {"sigma_from": f"valid[:{min(VALID, valid)}]", "sigmas": "logspace(-1,0,10)"}


METRICS.add(
    Metric(
        name="parzen",
        directions={"parzen": "higher"},
        range="-∞ to ∞ nats",
        title="Parzen window log-likelihood",
        paper="Goodfellow et al. 2014, Generative adversarial nets; Breuleux et al. 2011",
        kinds=("images",),
        samples=10_000,
        minimum=1,
        start=_Parzen,
        split="test",
        protocol=_protocol,
    )
)
