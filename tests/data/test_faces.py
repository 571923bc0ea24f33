"""The Toronto faces, from a file laid out as theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from ganbench.data import find
from ganbench.data.faces import FILE
from ganbench.errors import DataError


def write(folder: Path, **changes: np.ndarray) -> Path:
    faces = np.random.default_rng(0).integers(0, 256, (12, 48, 48), dtype=np.uint8)
    folds = np.tile(np.arange(12, dtype=np.uint8)[:, None] % 4, (1, 5))
    folder.mkdir(exist_ok=True)
    savemat(folder / FILE, {"images": faces, "folds": folds, **changes})
    return folder


def test_splits_are_those_of_the_first_fold(tmp_path: Path) -> None:
    card, root = find("tfd"), write(tmp_path / "a")
    sizes = {split: len(card.images(split, root)) for split in ("train", "valid", "test", "train+valid")}
    assert sizes == {"train": 6, "valid": 3, "test": 3, "train+valid": 9}
    assert card.images("test", root).shape == (3, 1, 48, 48)
    assert card.labels("train", root) is None


def test_what_is_not_there_or_not_faces_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold TFD_48x48\.mat, given on request only"):
        find("tfd").images("train", tmp_path)
    (tmp_path / FILE).write_bytes(b"oh")
    with pytest.raises(DataError, match="it is damaged, or not a MATLAB file of faces"):
        find("tfd").images("train", tmp_path)
    with pytest.raises(DataError, match=r"images are uint8 \(n, 48, 48\)"):
        find("tfd").images("train", write(tmp_path / "b", images=np.zeros((12, 96, 96), np.uint8)))
