"""Samples that were made elsewhere: read, checked and quantised, chunk by chunk."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench import rng
from ganbench.canonical import Scalar
from ganbench.data import Dataset, files
from ganbench.errors import SampleError, UnknownNameError
from ganbench.lazy import np, torch
from ganbench.metrics.arrays import from_numpy
from ganbench.metrics.engine import check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

KEYS = ("samples", "arr_0", "images", "data", "x")
KINDS = "give an image folder, .npz, .npy or .pt file"
SUFFIXES = (".npy", ".npz", ".pt", ".pth")
TOLERANCE = 1e-6
"""By which floats may leave their range: rounding alone takes them so far."""


@dataclass(frozen=True)
class Samples:
    """Samples at rest. Calling it with n yields the first n in chunks, as metrics take them: it is a Sampler.

    protocol: how images became uint8; empty for points. read: n → chunks.
    """

    name: str
    count: int
    protocol: Mapping[str, Scalar]
    read: Callable[[int], Iterator[Tensor]]

    def __call__(self, n: int) -> Iterator[Tensor]:
        """The first n; SampleError where there are fewer."""
        if n > self.count:
            raise SampleError(f"{n:,} samples are needed, {self.name} has {self.count:,}: use --samples {self.count}")
        return self.read(n)


@dataclass(frozen=True)
class Quantisation:
    """How float images become uint8: the values that they may have, and the level 0..255 of each."""

    low: float
    high: float
    level: Callable[[Tensor], Tensor]


QUANTISATIONS = {
    "round": Quantisation(0, 1, lambda x: (x * 255).round()),
    "truncate": Quantisation(0, 1, lambda x: (x * 255).floor()),
    # a generator without a last tanh overshoots, and StyleGAN's own conversion clamps; beyond 2 it is another scale
    "stylegan": Quantisation(-2, 2, lambda x: (x * 127.5 + 128).floor()),
}
"""`round` is unbiased; `truncate` is what a plain cast does, and darkens by half a level; `stylegan` takes -1..1."""


def open_samples(source: Any, dataset: Dataset, quantise: str = "round") -> Samples:
    """Samples to be scored on a data set.

    source: a numpy array or torch tensor, or the path of an image folder, `.npz`, `.npy` or `.pt` file. Arrays are
    checked whole, files of a folder as they are read. DataError (one line) for what cannot be read or scored.
    """
    if quantise not in QUANTISATIONS:
        raise UnknownNameError("quantisation", quantise, QUANTISATIONS)
    if not isinstance(source, str | Path):
        return _of_array(source, "samples", dataset, quantise)
    path = Path(source)
    if _is_folder(path):
        return _of_folder(path, dataset)
    return _of_array(_loaded(path), str(path), dataset, quantise)


def _is_folder(path: Path) -> bool:
    try:
        path.stat()
        return path.is_dir()
    except (OSError, ValueError):  # a name with a null character
        raise SampleError(f"no samples at {path}: {KINDS}") from None


def _of_folder(path: Path, dataset: Dataset) -> Samples:
    if dataset.kind == "points":
        raise SampleError(f"{path} is a folder of images, {dataset.name} holds points: give a .npz, .npy or .pt file")
    found = _shuffled(files.image_files(path))
    _check_size(files.read_image(found[0]).shape, dataset, f"{found[0]} is")

    def read(n: int) -> Iterator[Tensor]:
        return (torch.from_numpy(chunk) for chunk in files.read_chunks(found[:n]))

    return Samples(str(path), len(found), {"quantisation": "uint8"}, read)


def _shuffled(found: list[Path]) -> list[Path]:
    """Names sort by class, often: the first n would be one, and neighbours alike."""
    order = torch.randperm(len(found), generator=rng.stream(0, "folder"))
    return [found[index] for index in order.tolist()]


def _of_array(given: Any, name: str, dataset: Dataset, quantise: str) -> Samples:
    array = _array(given, name)
    shape = tuple(array.shape)
    if not shape or shape[0] == 0:
        raise SampleError(f"{name}: no samples in it, its shape is {shape}")
    protocol: dict[str, Scalar] = {}
    if dataset.kind == "points":
        convert = _points_of(array, name, dataset)
    else:
        convert, protocol["quantisation"] = _images_of(array, name, dataset, quantise)
    size = files.chunk_size(shape[1:])

    def read(n: int) -> Iterator[Tensor]:
        return (convert(_tensor(array[start : min(n, start + size)])) for start in range(0, n, size))

    return Samples(name, shape[0], protocol, read)


def _array(given: Any, name: str) -> Any:
    """A numpy array or torch tensor of real numbers, as it is: a large file's stays on the disk."""
    if isinstance(given, torch.Tensor):
        if given.is_complex() or given.is_quantized or given.layout != torch.strided:
            raise SampleError(f"{name}: samples are a dense tensor of real numbers, got {given.dtype}, {given.layout}")
        return given
    try:
        array = np.asarray(given)
    except (ValueError, TypeError, RuntimeError):  # a ragged list, or an object that cannot become an array
        raise SampleError(f"{name}: samples are one array of numbers, got a {type(given).__name__}") from None
    if array.dtype.kind not in "fiub":
        raise SampleError(f"{name}: samples are numbers, got {array.dtype}")
    return array


def _tensor(part: Any) -> Tensor:
    """A chunk of the array on the CPU."""
    return part.detach().cpu() if isinstance(part, torch.Tensor) else from_numpy(part)


def _is_float(array: Any) -> bool:
    return array.is_floating_point() if isinstance(array, torch.Tensor) else array.dtype.kind == "f"


def _points_of(array: Any, name: str, dataset: Dataset) -> Callable[[Tensor], Tensor]:
    """The conversion of chunks to float32 points; SampleError where they are none."""
    if len(array.shape) != 2:
        raise SampleError(f"{name}: points are (n, d), got shape {tuple(array.shape)}")
    if not _is_float(array):
        raise SampleError(f"{name}: points are floats, got {array.dtype}")
    check_shape(torch.empty(0, *array.shape[1:]), dataset)
    _check_values(array, name, torch.Tensor.float)
    return torch.Tensor.float


def _images_of(array: Any, name: str, dataset: Dataset, quantise: str) -> tuple[Callable[[Tensor], Tensor], str]:
    """The conversion of chunks to uint8 images (n, c, h, w), and its name; DataError where they are none."""
    one = np.broadcast_to(np.uint8(0), tuple(array.shape))
    _check_size(files.channels_first(one, name).shape[1:], dataset, f"{name} holds images of")
    if not _is_float(array):
        if array.dtype not in (torch.uint8, np.uint8):
            raise SampleError(f"{name}: images are uint8, or floats in [0, 1], got {array.dtype}")
        return lambda part: files.as_images(part.numpy(), name), "uint8"
    way = QUANTISATIONS[quantise]
    _check_range(*_check_values(array, name, _precise), way, name)

    def quantised(part: Tensor) -> Tensor:
        return files.as_images(way.level(_precise(part)).clamp(0, 255).to(torch.uint8).numpy(), name)

    return quantised, quantise


def _precise(x: Tensor) -> Tensor:
    """Half precision has too few digits for the levels of a byte."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _check_values(array: Any, name: str, convert: Callable[[Tensor], Tensor]) -> tuple[float, float]:
    """The least and the greatest value; SampleError with the number of those that are not finite once converted."""
    bad, low, high = 0, math.inf, -math.inf
    size = files.chunk_size(tuple(array.shape[1:]))
    for start in range(0, len(array), size):
        part = convert(_tensor(array[start : start + size]))
        bad += int((~part.isfinite()).sum())
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    if bad:
        raise SampleError(f"{name}: {bad:,} values are not finite (NaN, infinite, or beyond float32)")
    return low, high


def _check_range(low: float, high: float, way: Quantisation, name: str) -> None:
    if low >= way.low - TOLERANCE and high <= way.high + TOLERANCE:
        return
    if way is QUANTISATIONS["stylegan"]:
        raise SampleError(f"{name}: float images for this quantisation are in [-1, 1], got {low:.4g} to {high:.4g}")
    signed = " (for images in [-1, 1] there is the quantisation stylegan)" if low >= -1 and high <= 1 else ""
    raise SampleError(
        f"{name}: float images are in [0, 1], got {low:.4g} to {high:.4g}: rescale them, or give uint8{signed}"
    )


def _check_size(shape: tuple[int, ...], dataset: Dataset, subject: str) -> None:
    """SampleError where images (c, h, w) are not of the data set's size and channels, with what to do about it."""
    if shape == dataset.shape:
        return
    channels, height, width = dataset.shape
    advice = []
    if shape[1:] != (height, width):
        advice.append(f"resize them to {width}x{height}")
    if shape[0] != channels:
        advice.append("make them grey" if channels == 1 else "give them three channels")
    raise SampleError(
        f"{subject} {files.measures(shape)}, those of {dataset.name} are {files.measures(dataset.shape)}: "
        f"{' and '.join(advice)} first, or name another data set"
    )


def _loaded(path: Path) -> Any:
    if path.suffix.lower() not in SUFFIXES:
        raise SampleError(f"cannot read samples from {path}: {KINDS}")
    try:
        return _of_torch(path) if path.suffix.lower().startswith(".pt") else _of_numpy(path)
    except SampleError:
        raise
    except Exception as error:  # noqa: BLE001 - readers raise anything on damaged files; the line names the file
        raise SampleError(f"cannot read samples from {path}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if "pickle" in type(error).__module__ or "Python objects" in str(error) or "Object arrays" in str(error):
        return "it is damaged, or holds a pickle, which could run code: save plain arrays or tensors"
    return files.reason(error)


def _of_numpy(path: Path) -> NDArray[Any]:
    """The array of an .npy file, which stays on the disk, or of an .npz: what counts is the content, not the name."""
    with path.open("rb") as file:
        if file.read(2) == b"PK":  # a zip archive; NumPy leaves a file that it opens itself open where that is damaged
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return np.asarray(archive[_key(archive.files, path)])
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _of_torch(path: Path) -> Tensor:
    found = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(found, dict):
        found = found[_key(found, path)]
    if not isinstance(found, torch.Tensor):
        raise SampleError(f"cannot read samples from {path}: it holds a {type(found).__name__}, not a tensor")
    return found


def _key(names: Collection[Any], path: Path) -> Any:
    """Under which name the samples are: a usual one, or the only one."""
    usual = [key for key in KEYS if key in names]
    if not usual and len(names) != 1:
        holds = files.clipped(", ".join(sorted(map(str, names))) or "nothing")
        raise SampleError(f"cannot read samples from {path}: it holds {holds}, and none of {', '.join(KEYS)}")
    return (*usual, *names)[0]
