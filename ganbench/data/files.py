"""Images of one's own: a folder of image files, or an `.npz`."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
from collections.abc import Iterator
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
"""Where a path has no test set, every tenth image is it; `valid` is every tenth too, the one before."""

LONGEST = 200
"""Characters of a reader's error that are told."""

KEYS = ("images", "x_train", "arr_0", "samples", "data")

CHUNK, CHUNK_BYTES = 500, 2**27
"""Images that are handled at once, and the most bytes that they may have."""


def inspect(path: Path) -> tuple[tuple[int, int, int], str, int]:
    """Shape (c, h, w), content hash (12 hex digits) and number of classes, without loading every image of a folder."""
    if not path.exists():
        raise DataError(f"no data at {path}: give an image folder, an .npz file or a name (`ganbench list datasets`)")
    if path.is_dir():
        files = image_files(path)
        return read_image(files[0]).shape, _hash(files, path), len(_classes(_roots(path)))
    images, labels = _npz(path)["all"]
    classes = 0 if labels is None else int(labels.max()) + 1
    return tuple(images.shape[1:]), _hash([path], path.parent), classes  # type: ignore[return-value]


def load(path: Path, split: str) -> tuple[Tensor, Tensor | None]:
    """uint8 (n, c, h, w) and labels of a split, "all" for every image; DataError where no image falls into it."""
    parts = _parts(path)
    if split == "all":
        return _joined(parts["train"], parts["test"]) if "test" in parts else parts["all"]
    if "test" in parts:
        images, labels = parts["test" if split == "test" else "train"]
        held = None if split in ("test", "train+valid") else split
    else:
        images, labels = parts["all"]
        held = split
    found, classes = _part(images, labels, held, has_test="test" in parts)
    if len(found) == 0:
        raise DataError(f"{path} has no {split!r} images, it has {len(images)} in all: give at least {TENTH}")
    return found, classes


def has_test(path: Path) -> bool:
    """Whether the data at a path name a test set of their own, as folders `train` and `test`, or x_train and x_test."""
    return "test" in (_roots(path) if path.is_dir() else _npz(path))


def _parts(path: Path) -> dict[str, tuple[Tensor, Tensor | None]]:
    return _folder(path) if path.is_dir() else _npz(path)


def _joined(*parts: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
    labels = [label for _, label in parts if label is not None]
    return torch.cat([images for images, _ in parts]), torch.cat(labels) if len(labels) == len(parts) else None


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
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and _may_be_image(file))
    if not files:
        raise DataError(f"no images in {folder}: files must end in {', '.join(SUFFIXES)}")
    return files


def _may_be_image(file: Path) -> bool:
    """A link to nothing is kept: to read it is an error, and to leave it out would be other data."""
    return file.is_file() or (file.is_symlink() and not file.exists())


def read_image(file: Path) -> NDArray[Any]:
    """uint8 (c, h, w), one channel for grey images and three for others; DataError names a broken file."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            if not image.mode.startswith(("I", "F")):
                grey = image.mode in ("1", "L", "LA")
                array = np.asarray(image.convert("L" if grey else "RGB"))
                return array[None] if grey else np.ascontiguousarray(array.transpose(2, 0, 1))
            mode = image.mode
    except UnidentifiedImageError:
        raise DataError(f"cannot read image {file}: it is damaged, or not an image") from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged files; the line names the file
        raise DataError(f"cannot read image {file}: {reason(error)}") from None
    # Pillow would clip them to 255, not scale them
    raise DataError(f"image {file} has more than 8 bits a channel (mode {mode}): convert it to 8")


def reason(error: Exception) -> str:
    """The first line of an error that some reader raised; its type where it says nothing."""
    lines = str(error).strip().splitlines()
    return getattr(error, "strerror", None) or (clipped(lines[0]) if lines else type(error).__name__)


def clipped(text: str) -> str:
    """The beginning of a text that came out of a damaged file, and may be of any length."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def read_chunks(files: list[Path]) -> Iterator[NDArray[Any]]:
    """uint8 (m, c, h, w), chunk by chunk, so that memory is bounded whatever their number; threads read the next chunk
    while this one is used. DataError names the first file that is broken, or of another size than the first one."""
    expected = read_image(files[0]).shape
    size = chunk_size(expected)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        try:
            ahead = pool.map(read_image, files[:size])
            for start in range(0, len(files), size):
                arrays, ahead = list(ahead), pool.map(read_image, files[start + size : start + 2 * size])
                _check_sizes(files[start:], arrays, expected)
                yield np.stack(arrays)
        finally:
            pool.shutdown(cancel_futures=True)


def chunk_size(shape: tuple[int, ...]) -> int:
    """How many images of this shape are handled at once: CHUNK, or as many as CHUNK_BYTES hold."""
    return max(1, min(CHUNK, CHUNK_BYTES // max(1, math.prod(shape))))


def _check_sizes(files: list[Path], arrays: list[NDArray[Any]], expected: tuple[int, ...]) -> None:
    for file, array in zip(files, arrays, strict=False):
        if array.shape != expected:
            raise DataError(
                f"image {file} is {measures(array.shape)}, the others are {measures(expected)}: "
                "give all one size and mode"
            )


def read_images(files: list[Path]) -> NDArray[Any]:
    """uint8 (n, c, h, w) of all files; DataError as read_chunks."""
    chunks = read_chunks(files)
    first = next(chunks)
    images = np.empty((len(files), *first.shape[1:]), np.uint8)
    start = 0
    for chunk in itertools.chain([first], chunks):
        images[start : start + len(chunk)] = chunk
        start += len(chunk)
    return images


def measures(shape: tuple[int, ...]) -> str:
    """An image's shape (c, h, w) in words."""
    return f"{shape[2]}x{shape[1]} with {shape[0]} channel{'s' if shape[0] > 1 else ''}"


@lru_cache(maxsize=4)
def _folder(path: Path) -> dict[str, tuple[Tensor, Tensor | None]]:
    files = {split: image_files(root) for split, root in _roots(path).items()}
    images = torch.from_numpy(read_images([file for part in files.values() for file in part]))
    parts = torch.split(images, [len(part) for part in files.values()])
    classes = {name: index for index, name in enumerate(_classes(_roots(path)))}
    labels = [
        torch.tensor([classes[file.parent.name] for file in part]) if classes else None for part in files.values()
    ]
    return dict(zip(files, zip(parts, labels, strict=True), strict=True))


def _roots(path: Path) -> dict[str, Path]:
    """The folders of the splits, or the whole folder as "all"."""
    roots = {"train": path / "train", "test": path / "test"}
    return roots if all(root.is_dir() for root in roots.values()) else {"all": path}


def _classes(roots: dict[str, Path]) -> list[str]:
    """The names of the folders that images lie in, the same list for every split; none where there is only one."""
    plain = set(roots.values())
    parents = {file.parent for root in roots.values() for file in image_files(root)} - plain
    names = sorted({parent.name for parent in parents})
    return names if len(names) > 1 else []


@lru_cache(maxsize=4)
def _npz(path: Path) -> dict[str, tuple[Tensor, Tensor | None]]:
    if path.suffix != ".npz":
        raise DataError(f"cannot read {path}: give an image folder or an .npz file")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except Exception as error:  # noqa: BLE001 - readers raise anything on damaged files; the line names the file
        raise DataError(f"cannot read {path}: {reason(error)}") from None
    key = next((key for key in KEYS if key in arrays), None)
    if key is None:
        raise DataError(f"{path} has no array named {', '.join(KEYS)}: it has {clipped(', '.join(arrays) or 'none')}")
    labels = arrays.get("y_train" if key == "x_train" else "labels")
    parts = {"all": _pair(arrays[key], labels, path)}
    if key == "x_train" and "x_test" in arrays:
        parts["train"] = parts["all"]
        parts["test"] = _pair(arrays["x_test"], arrays.get("y_test"), path)
        shapes = [tuple(parts[split][0].shape[1:]) for split in ("train", "test")]
        if shapes[0] != shapes[1]:
            raise DataError(f"{path}: x_train holds images {shapes[0]}, x_test {shapes[1]}: give all one size")
    return parts


def _pair(images: NDArray[Any], labels: NDArray[Any] | None, path: Path) -> tuple[Tensor, Tensor | None]:
    found = as_images(images, str(path))
    if labels is None:
        return found, None
    flat = labels.reshape(-1)  # Keras keeps CIFAR's as (n, 1)
    if labels.dtype.kind not in "iu" or len(flat) != len(found) or flat.min() < 0:
        raise DataError(
            f"{path}: labels are whole numbers from 0, one for each of {len(found)} images, "
            f"got {labels.dtype} of shape {labels.shape}"
        )
    return found, torch.from_numpy(flat.astype(np.int64))


def as_images(array: NDArray[Any], name: str) -> Tensor:
    """uint8 (n, c, h, w) of an array (n, h, w), (n, h, w, c) or (n, c, h, w); DataError for any other."""
    if array.dtype != np.uint8:
        raise DataError(f"{name}: images are uint8 (0..255), got {array.dtype}")
    return torch.from_numpy(np.ascontiguousarray(channels_first(array, name)))


def channels_first(array: NDArray[Any], name: str) -> NDArray[Any]:
    """A view (n, c, h, w) of an array (n, h, w), (n, h, w, c) or (n, c, h, w) with 1 or 3 channels; else DataError."""
    view = array
    if view.ndim == 3:
        view = view[:, None]
    elif view.ndim == 4 and view.shape[-1] in (1, 3) and view.shape[1] not in (1, 3):
        view = view.transpose(0, 3, 1, 2)
    if view.ndim != 4 or view.shape[1] not in (1, 3) or len(view) == 0:
        raise DataError(f"{name}: images are (n, h, w), (n, h, w, c) or (n, c, h, w), got shape {array.shape}")
    return view


def _hash(files: list[Path], root: Path) -> str:
    """Names and bytes: data that changed are other data, wherever the folder lies."""
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.relative_to(root)}\0{file.stat().st_size}\0".encode())
        found.update(file.read_bytes())
    return found.hexdigest()[:12]
