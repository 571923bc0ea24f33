"""Moments of real features, computed once and kept under a key of everything that they depend on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ganbench.data.cache import cache_folder
from ganbench.metrics.moments import Gaussian, Moments
from ganbench.spec import digest

if TYPE_CHECKING:
    from ganbench.data import Dataset
    from ganbench.metrics.features.base import Extractor

VERSION = 1
"""Of this computation: raised when the same inputs would give other moments."""

CHUNK = 500


def real_moments(
    dataset: Dataset, split: str, n: int, extractor: Extractor, *, root: Path | None = None, device: Any = "cpu"
) -> Gaussian:
    """Moments of the features of the first n images of a split (0: of all), from the cache or computed into it.

    Several processes that want the same moments compute them once: one does, the others wait.
    """
    path = _folder() / f"{_key(dataset, split, n, extractor, str(device))}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        found = _read(path)
        if found is None:
            found = _compute(dataset, split, n, extractor, root)
            _write(path, found)
    return found


def _key(dataset: Dataset, split: str, n: int, extractor: Extractor, device: str) -> str:
    """CUDA and CPU differ in the last digits, so their moments are kept apart."""
    content = {
        "dataset": dataset.name,
        "data": dataset.version,
        "split": split,
        "n": n,
        "device": device.partition(":")[0],
        "version": VERSION,
        **extractor.protocol,
    }
    return digest(content)


def _compute(dataset: Dataset, split: str, n: int, extractor: Extractor, root: Path | None) -> Gaussian:
    images = dataset.images(split, root)
    moments = Moments()
    for chunk in images[: n or None].split(CHUNK):
        moments.update(extractor(chunk)[0])
    return moments.result()


def _folder() -> Path:
    return cache_folder() / "reference"


def _read(path: Path) -> Gaussian | None:
    try:
        tensors = load_file(path)
        return Gaussian(tensors["mean"], tensors["covariance"], int(tensors["n"]))
    except (OSError, SafetensorError, KeyError):
        return None  # none, or a broken one: it is computed again


def _write(path: Path, moments: Gaussian) -> None:
    import torch

    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    tensors = {"mean": moments.mean, "covariance": moments.covariance, "n": torch.tensor(moments.n)}
    save_file(tensors, temporary)
    temporary.replace(path)
