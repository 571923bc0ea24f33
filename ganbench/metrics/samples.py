"""Samples that were made elsewhere: read, checked, and scored like any run's."""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.data import Dataset, find
from ganbench.errors import DataError, SampleError
from ganbench.lazy import np, torch
from ganbench.metrics.base import Sampler
from ganbench.metrics.engine import check_shape, resolve, score
from ganbench.spec import Score, Scoring

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

CHUNK = 500
KEYS = ("samples", "arr_0", "images", "data")
_DAMAGED = (EOFError, LookupError, zipfile.BadZipFile, zlib.error, pickle.PickleError)


def evaluate(
    samples: Any,
    dataset: str | Dataset,
    metrics: Sequence[str] | str | None = None,
    *,
    n: int | None = None,
    features: str | None = None,
    weights: str | Path | None = None,
    root: str | Path | None = None,
    device: str = "cpu",
) -> tuple[Score, ...]:
    """Score samples on a data set.

    samples: a numpy array or torch tensor, or the path of an image folder, `.npz`, `.npy` or `.pt` file; points
    (n, d), or images uint8 or float in [0, 1], (n, h, w), (n, h, w, c) or (n, c, h, w). n: how many are scored,
    for every metric; None: each metric's own protocol, and fewer than that are an error.
    """
    card = find(dataset) if isinstance(dataset, str) else dataset
    names = [name.strip() for name in metrics.split(",")] if isinstance(metrics, str) else metrics
    scoring = resolve(card, Scoring.parse(
        {"metrics": names, "samples": n, "features": features, "weights": weights}
    ))  # fmt: skip
    sampler = open_samples(samples, card)
    return score(sampler, card, scoring, root=Path(root) if root else None, device=device)


def open_samples(source: Any, dataset: Dataset) -> Sampler:
    """A sampler over given samples; SampleError (one line) for what cannot be read or scored."""
    path = Path(source) if isinstance(source, str | Path) else None
    array = _read(path) if path else source
    name = str(path or "samples")
    tensor = array if isinstance(array, torch.Tensor) else _tensor(np.asarray(array), name)
    tensor = _points(tensor, name) if dataset.kind == "points" else _images(tensor, name)
    if len(tensor) == 0:
        raise SampleError(f"{name}: no samples in it")
    check_shape(tensor, dataset)

    def sampler(n: int) -> Iterator[Tensor]:
        if n > len(tensor):
            raise SampleError(f"{n:,} samples are needed, {name} has {len(tensor):,}: use --samples {len(tensor)}")
        yield from tensor[:n].split(CHUNK)

    return sampler


def _read(path: Path) -> Any:
    from ganbench.data import files

    if not path.exists():
        raise SampleError(f"no samples at {path}: give an image folder, .npz, .npy or .pt file")
    if path.is_dir():
        return files.read_images(files.image_files(path))
    readers = {".npy": _read_npy, ".npz": _read_npz, ".pt": _read_pt, ".pth": _read_pt}
    if path.suffix not in readers:
        raise SampleError(f"cannot read samples from {path}: give an image folder, .npz, .npy or .pt file")
    try:
        return readers[path.suffix](path)
    except (OSError, ValueError, RuntimeError, *_DAMAGED) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SampleError(f"cannot read samples from {path}: {reason}") from None


def _read_npy(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def _read_npz(path: Path) -> NDArray[Any]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        names = [key for key in KEYS if key in archive.files] or archive.files[:1]
        if not names:
            raise ValueError("the archive is empty")
        array: NDArray[Any] = archive[names[0]]
        return array


def _read_pt(path: Path) -> Any:
    found = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(found, dict):
        found = next((found[key] for key in KEYS if key in found), next(iter(found.values()), None))
    if not isinstance(found, torch.Tensor):
        raise ValueError(f"it holds a {type(found).__name__}, not a tensor")
    return found


def _tensor(array: NDArray[Any], name: str) -> Tensor:
    if array.dtype.kind not in "fiub":
        raise SampleError(f"{name}: samples are numbers, got {array.dtype}")
    return torch.from_numpy(np.ascontiguousarray(array))


def _finite(tensor: Tensor, name: str) -> None:
    bad = int((~tensor.isfinite()).sum())
    if bad:
        raise SampleError(f"{name}: {bad:,} values are not finite (NaN or infinite)")


def _points(tensor: Tensor, name: str) -> Tensor:
    if tensor.dim() != 2:
        raise SampleError(f"{name}: points are (n, d), got shape {tuple(tensor.shape)}")
    if not tensor.is_floating_point():
        raise SampleError(f"{name}: points are floats, got {tensor.dtype}")
    tensor = tensor.float()
    _finite(tensor, name)
    return tensor


def _images(tensor: Tensor, name: str) -> Tensor:
    from ganbench.data import files

    if tensor.is_floating_point():
        tensor = _quantised(tensor, name)
    if tensor.dtype != torch.uint8:
        raise SampleError(f"{name}: images are uint8, or floats in [0, 1], got {tensor.dtype}")
    try:
        return files.as_images(tensor.numpy(), name)
    except DataError as error:
        raise SampleError(str(error)) from None


def _quantised(tensor: Tensor, name: str) -> Tensor:
    """Floats in [0, 1] as uint8, rounded to the nearest: truncation would darken every image."""
    _finite(tensor, name)
    low, high = (float(tensor.min()), float(tensor.max())) if tensor.numel() else (0.0, 0.0)
    if low < 0 or high > 1:
        raise SampleError(
            f"{name}: float images are in [0, 1], got {low:.4g} to {high:.4g}: rescale them, or give uint8"
        )
    return (tensor * 255).round().to(torch.uint8)
