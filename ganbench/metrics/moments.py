"""Mean and covariance of a stream, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganbench.errors import SampleError
from ganbench.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """Moments of n vectors: mean (d,) and covariance (d, d) with ddof 1, float64."""

    mean: Tensor
    covariance: Tensor
    n: int


class Moments:
    """Σ(x - s) and Σ(x - s)(x - s)ᵀ about the first batch's mean s, so that an offset costs no digits."""

    def __init__(self) -> None:
        self.n = 0

    def update(self, x: Tensor) -> None:
        """Take a batch (n, d)."""
        x = x.double()
        if self.n == 0:
            self._shift = x.mean(0)
            self._sum = torch.zeros_like(self._shift)
            self._products = torch.zeros(x.shape[1], x.shape[1], dtype=x.dtype, device=x.device)
        x = x - self._shift
        self._sum += x.sum(0)
        self._products.addmm_(x.mT, x)
        self.n += len(x)

    def result(self) -> Gaussian:
        """The moments; SampleError with fewer than two vectors."""
        if self.n < 2:
            raise SampleError(f"a covariance needs at least 2 samples, got {self.n}")
        mean = self._sum / self.n
        covariance = torch.addr(self._products, mean, mean, alpha=-self.n).div_(self.n - 1)
        return Gaussian((self._shift + mean).cpu(), covariance.cpu(), self.n)


def moments_of(x: Tensor) -> Gaussian:
    """The moments of vectors (n, d) that are all at hand."""
    moments = Moments()
    moments.update(x)
    return moments.result()
