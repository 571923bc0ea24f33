"""The image sets that torchvision reads: found in a root folder, or downloaded to the cache with its checksums."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.data.cache import cache_folder
from ganbench.errors import DataError

HOLDOUT = {"cifar10": 5_000, "cifar100": 5_000}
"""Images of the official training set's tail that training never sees: `valid`."""

HOLDOUT_DEFAULT = 10_000
"""The 2014 Parzen protocol trains on MNIST's first 50,000 and chooses σ on images of the rest."""

Reader = Callable[[Path, bool, bool], Any]


def load(name: str, split: str, root: Path | None) -> tuple[Tensor, Tensor]:
    """uint8 (n, c, h, w) and labels int64 (n,) of a split."""
    folder, given = folder_of(root)
    images, labels = _official(name, split != "test", folder, may_download=not given)
    kept = len(images) - HOLDOUT.get(name, HOLDOUT_DEFAULT)
    part = {"train": slice(kept), "valid": slice(kept, None)}.get(split, slice(None))
    return images[part], labels[part]


def folder_of(root: Path | None) -> tuple[Path, bool]:
    """The folder that holds the data, and whether it was given, as `root` or GANBENCH_DATA; else it is the cache's."""
    given = root or os.environ.get("GANBENCH_DATA")
    return (Path(given), True) if given else (cache_folder() / "data", False)


@lru_cache(maxsize=4)
def _official(name: str, train: bool, folder: Path, *, may_download: bool) -> tuple[Tensor, Tensor]:
    read = _readers()[name]
    try:
        with _quiet():
            found = _find_or_download(read, folder, train, may_download=may_download)
    except Exception as error:  # noqa: BLE001 - torchvision and the network raise anything; the line says what to do
        raise DataError(_fault(name, folder, error, may_download=may_download)) from None
    return _tensors(found)


def _find_or_download(read: Reader, folder: Path, train: bool, *, may_download: bool) -> Any:
    try:
        return read(folder, train, False)
    except RuntimeError:
        if not may_download:
            raise
    folder.mkdir(parents=True, exist_ok=True)
    return read(folder, train, True)


def _fault(name: str, folder: Path, error: Exception, *, may_download: bool) -> str:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if not may_download and "not found" not in reason:  # torchvision's words for files that are not there
        return f"cannot read {name} in {folder} ({reason}): its files are damaged, fetch them anew"
    if not may_download:
        return (
            f"no {name} in {folder}: --data-root (or GANBENCH_DATA) must hold it as torchvision lays it out; "
            "leave it out to download to the cache"
        )
    return (
        f"cannot download {name} to {folder} ({reason}): where there is no network, "
        "give the folder that holds it with --data-root"
    )


def _readers() -> dict[str, Reader]:
    from torchvision import datasets as tv

    def by_flag(cls: Any) -> Reader:
        return lambda root, train, download: cls(root, train=train, download=download)

    def by_name(cls: Any) -> Reader:
        return lambda root, train, download: cls(root, split="train" if train else "test", download=download)

    return {
        "mnist": by_flag(tv.MNIST),
        "fashion_mnist": by_flag(tv.FashionMNIST),
        "kmnist": by_flag(tv.KMNIST),
        "cifar10": by_flag(tv.CIFAR10),
        "cifar100": by_flag(tv.CIFAR100),
        "svhn": by_name(tv.SVHN),
    }


def _tensors(found: Any) -> tuple[Tensor, Tensor]:
    """torchvision's arrays, which are NHW tensors, NHWC arrays (CIFAR) or NCHW arrays (SVHN), as one form."""
    images = torch.as_tensor(np.asarray(found.data))
    labels = torch.as_tensor(np.asarray(found.targets if hasattr(found, "targets") else found.labels))
    if images.dim() == 3:
        images = images[:, None]
    elif images.shape[-1] == 3:
        images = images.permute(0, 3, 1, 2)
    return images.contiguous(), labels.long()


@contextlib.contextmanager
def _quiet() -> Any:
    """torchvision prints progress; stdout is for results."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
