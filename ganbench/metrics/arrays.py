"""What the metrics' functions accept: numpy arrays and torch tensors, checked once; one clear line for all else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ganbench.errors import SampleError
from ganbench.lazy import np, torch

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor


def rows(given: ArrayLike | Tensor, name: str, minimum: int = 1) -> Tensor:
    """Finite numbers (n, d) with n >= minimum, as floats of the precision they came in; SampleError for all else."""
    x = tensor(given, name)
    if x.dim() != 2 or len(x) < minimum or x.shape[1] == 0:
        raise SampleError(f"{name} are (n, d) with n >= {minimum}, got shape {tuple(x.shape)}")
    return finite(x, name)


def feature_pair(real: ArrayLike | Tensor, fake: ArrayLike | Tensor, minimum: int = 1) -> tuple[Tensor, Tensor]:
    """Real and generated features of one width, each as `rows`, in the greater precision, on the real ones' device."""
    x, y = rows(real, "real features", minimum), rows(fake, "generated features", minimum)
    same_width(x, y)
    dtype = torch.promote_types(x.dtype, y.dtype)
    return x.to(dtype), y.to(x.device, dtype)


def same_width(real: Tensor, fake: Tensor) -> None:
    """SampleError where features differ in width."""
    if real.shape[1] != fake.shape[1]:
        raise SampleError(f"features differ in width: real {real.shape[1]}, generated {fake.shape[1]}")


def tensor(given: ArrayLike | Tensor, name: str) -> Tensor:
    """`given` as a detached tensor of floats; SampleError where it is not an array of real numbers."""
    x = given.detach() if isinstance(given, torch.Tensor) else _from_numpy(given, name)
    if x.is_complex() or x.is_quantized or x.layout != torch.strided:
        raise SampleError(f"{name} are real numbers in a dense tensor, got {x.dtype}, {x.layout}")
    return x if x.dtype in (torch.float32, torch.float64) else x.float() if x.is_floating_point() else x.double()


def _from_numpy(given: Any, name: str) -> Tensor:
    try:
        array = np.asarray(given)
    except (ValueError, TypeError, RuntimeError):  # a ragged list, or an object that cannot become an array
        raise SampleError(f"{name} are not one array of numbers") from None
    if array.dtype.kind not in "fiub":
        raise SampleError(f"{name} are real numbers, got {array.dtype}")
    return from_numpy(array)


def from_numpy(array: NDArray[Any]) -> Tensor:
    """A tensor of an array of numbers in a type and byte order that torch has; a copy where the array is read-only."""
    wide = array.dtype.kind == "f" and array.dtype.itemsize > 8
    known = array.astype(np.float64 if wide else array.dtype.newbyteorder("="), order="C", copy=False)
    return torch.from_numpy(known if known.flags.writeable else known.copy())


def finite(x: Tensor, name: str) -> Tensor:
    """`x`, or SampleError with the number of values that are NaN or infinite."""
    if x.sum().isfinite():  # one pass without a mask; a sum that overflows is looked into
        return x
    bad = int((~x.isfinite()).sum())
    if bad:
        raise SampleError(f"{name} hold values that are not finite: {bad:,} are NaN or infinite")
    return x


def sound(value: float, name: str, *inputs: Tensor) -> float:
    """`value`, or SampleError where it is NaN or infinite: the inputs are finite, so its arithmetic overflowed."""
    if math.isfinite(value):
        return value
    largest = max(float(x.abs().max()) for x in inputs)
    raise SampleError(f"{name} is not finite for values as large as {largest:.3g}: rescale them")
