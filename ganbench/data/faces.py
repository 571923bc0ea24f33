"""The Toronto Face Database, from the MATLAB file that its owners give to those who ask for it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.data import images
from ganbench.errors import DataError

NAME = "tfd"
FILE = "TFD_48x48.mat"
FOLD = 0
"""Which of the five official folds."""

PARTS = {"train": (0, 1), "valid": (2,), "test": (3,), "train+valid": (0, 1, 2)}
"""What `folds` calls a split's images: 0 unlabelled, 1 training, 2 validation, 3 test. Unlabelled faces train."""


def load(split: str, root: Path | None) -> tuple[Tensor, None]:
    """uint8 (n, 1, 48, 48) of a split; without classes, for most faces have none. DataError where there is no file."""
    faces, folds = _read(images.folder_of(root)[0] / FILE)
    return faces[torch.isin(folds, torch.tensor(PARTS[split]))], None


@lru_cache(maxsize=1)
def _read(path: Path) -> tuple[Tensor, Tensor]:
    """All faces, and the part of the fold that each is in."""
    from scipy.io import loadmat

    if not path.is_file():
        raise DataError(
            f"no {NAME} in {path.parent}: --data-root (or GANBENCH_DATA) must hold {FILE}, given on request only"
        )
    try:
        found: dict[str, Any] = loadmat(path, variable_names=["images", "folds"])
        faces, folds = np.asarray(found["images"]), np.asarray(found["folds"])
    except Exception as error:  # noqa: BLE001 - the reader raises anything on damaged files; the line names the file
        raise DataError(f"cannot read {path}: it is damaged, or not a MATLAB file of faces ({error!r})") from None
    if faces.dtype != np.uint8 or faces.shape[1:] != (48, 48) or folds.shape[:1] != faces.shape[:1]:
        raise DataError(f"{path}: images are uint8 (n, 48, 48) and folds (n, 5), got {faces.dtype} {faces.shape}")
    return torch.from_numpy(faces)[:, None].contiguous(), torch.from_numpy(folds[:, FOLD].astype(np.int64))
