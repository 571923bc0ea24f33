"""Images of one's own: a folder of image files, or an `.npz`."""

from __future__ import annotations

import hashlib
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.errors import DataError
from ganbench.lazy import np, torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
TENTH = 10
"""Where a path has no test set, every tenth image is it, and of the others every tenth is `valid`."""

KEYS = ("images", "x_train", "arr_0", "samples", "data")


def inspect(path: Path) -> tuple[tuple[int, int, int], str, int]:
    """Shape (c, h, w), content hash (12 hex digits) and number of classes, without loading every image of a folder."""
    if not path.exists():
        raise DataError(f"no data at {path}: give an image folder, an .npz file or a name (`ganbench list datasets`)")
    if path.is_dir():
        files = image_files(path)
        first = read_image(files[0])
        return first.shape, _hash(files, path), len({file.parent for file in files})
    images, _ = _npz(path)["all"]
    return tuple(images.shape[1:]), _hash([path], path.parent), 0  # type: ignore[return-value]


def load(path: Path, split: str) -> tuple[Tensor, Tensor | None]:
    """uint8 (n, c, h, w) and labels of a split."""
    parts = _folder(path) if path.is_dir() else _npz(path)
    if "test" in parts:
        images, labels = parts["test" if split == "test" else "train"]
        held = None if split in ("test", "train+valid") else split
    else:
        images, labels = parts["all"]
        held = split
    return _part(images, labels, held, has_test="test" in parts)


def _part(images: Tensor, labels: Tensor | None, split: str | None, *, has_test: bool) -> tuple[Tensor, Tensor | None]:
    """Of the training images (or of all) those of a split; None: all of them."""
    if split is None:
        return images, labels
    index = torch.arange(len(images))
    test = torch.zeros(len(images), dtype=torch.bool) if has_test else index % TENTH == TENTH - 1
    valid = ~test & (index % TENTH == TENTH - 2)
    mask = {"train": ~test & ~valid, "valid": valid, "test": test, "train+valid": ~test}[split]
    return images[mask], None if labels is None else labels[mask]


def image_files(folder: Path) -> list[Path]:
    """Every image file below a folder, sorted by its path; DataError where there is none."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise DataError(f"no images in {folder}: files must end in {', '.join(SUFFIXES)}")
    return files


def read_image(file: Path) -> NDArray[Any]:
    """uint8 (c, h, w), one channel for grey images and three for others; DataError names a broken file."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            grey = image.mode in ("1", "L", "I;16", "LA")
            array = np.asarray(image.convert("L" if grey else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot read image {file}: {error}") from None
    return array[None] if grey else np.ascontiguousarray(array.transpose(2, 0, 1))


def read_images(files: list[Path]) -> NDArray[Any]:
    """uint8 (n, c, h, w); DataError names the first file whose size differs from the first one's."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        arrays = list(pool.map(read_image, files))
    expected = arrays[0].shape
    for file, array in zip(files, arrays, strict=True):
        if array.shape != expected:
            raise DataError(f"image {file} is {_size(array.shape)}, the others are {_size(expected)}: resize it")
    return np.stack(arrays)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[2]}x{shape[1]} with {shape[0]} channel{'s' if shape[0] > 1 else ''}"


@lru_cache(maxsize=4)
def _folder(path: Path) -> dict[str, tuple[Tensor, Tensor | None]]:
    roots = {"train": path / "train", "test": path / "test"}
    if not all(root.is_dir() for root in roots.values()):
        roots = {"all": path}
    return {split: _labelled(root) for split, root in roots.items()}


def _labelled(root: Path) -> tuple[Tensor, Tensor | None]:
    files = image_files(root)
    classes = sorted({file.parent for file in files})
    labels = torch.tensor([classes.index(file.parent) for file in files]) if len(classes) > 1 else None
    return torch.from_numpy(read_images(files)), labels


@lru_cache(maxsize=4)
def _npz(path: Path) -> dict[str, tuple[Tensor, Tensor | None]]:
    try:
        # opened here: np.load leaves a file open when it is not a whole archive
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    key = next((key for key in KEYS if key in arrays), None)
    if key is None:
        raise DataError(f"{path} has no array named {', '.join(KEYS)}: it has {', '.join(arrays) or 'none'}")
    labels = arrays.get("y_train" if key == "x_train" else "labels")
    parts = {"all": (as_images(arrays[key], str(path)), _labels(labels))}
    if key == "x_train" and "x_test" in arrays:
        parts["train"] = parts["all"]
        parts["test"] = as_images(arrays["x_test"], str(path)), _labels(arrays.get("y_test"))
    return parts


def _labels(array: NDArray[Any] | None) -> Tensor | None:
    return None if array is None else torch.from_numpy(array).long().flatten()


def as_images(array: NDArray[Any], name: str) -> Tensor:
    """uint8 (n, c, h, w) of an array (n, h, w), (n, h, w, c) or (n, c, h, w); DataError for any other."""
    if array.dtype != np.uint8:
        raise DataError(f"{name}: images are uint8 (0..255), got {array.dtype}")
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[-1] in (1, 3) and array.shape[1] not in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in (1, 3) or len(array) == 0:
        raise DataError(f"{name}: images are (n, h, w), (n, h, w, c) or (n, c, h, w), got shape {array.shape}")
    return torch.from_numpy(np.ascontiguousarray(array))


def _hash(files: list[Path], root: Path) -> str:
    """Names and bytes: data that changed are other data, wherever the folder lies."""
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.relative_to(root)}\0{file.stat().st_size}\0".encode())
        found.update(file.read_bytes())
    return found.hexdigest()[:12]
