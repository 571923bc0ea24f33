"""Samples from arrays and files: every form gives the same scores, and every fault one line."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench.data import find, ring
from ganbench.errors import SampleError
from ganbench.metrics import evaluate
from ganbench.metrics.samples import open_samples


def _images(n: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 8, 8), dtype=np.uint8)


def _opened(source: Any, dataset: Any, n: int = 40) -> torch.Tensor:
    return torch.cat(list(open_samples(source, dataset)(n)))


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x,
        lambda x: x[..., None],
        lambda x: x[:, None],
        lambda x: torch.from_numpy(x),
        lambda x: (x / 255).astype(np.float32),
        lambda x: x[:, None] / 255,
    ],
    ids=["NHW", "NHWC", "NCHW", "tensor", "float32", "float64"],
)
def test_arrays_of_every_form_are_the_same_images(grey, form: Callable[[Any], Any]) -> None:
    assert torch.equal(_opened(form(_images()), grey), torch.from_numpy(_images())[:, None])


def test_floats_are_rounded_not_cut_off(grey) -> None:
    found = _opened(np.full((2, 8, 8), 0.999), grey, 2)
    assert int(found.min()) == 255


def _npz(path: Path) -> Path:
    np.savez(path / "x.npz", _images())
    return path / "x.npz"


def _npy(path: Path) -> Path:
    np.save(path / "x.npy", _images())
    return path / "x.npy"


def _pt(path: Path) -> Path:
    torch.save(torch.from_numpy(_images()), path / "x.pt")
    return path / "x.pt"


def _folder(path: Path) -> Path:
    for index, image in enumerate(_images()):
        Image.fromarray(image).save(path / f"{index:03}.png")
    return path


@pytest.mark.parametrize("write", [_npz, _npy, _pt, _folder])
def test_files_of_every_kind_are_the_same_images(grey, write: Callable[[Path], Path], tmp_path: Path) -> None:
    assert torch.equal(_opened(write(tmp_path), grey), torch.from_numpy(_images())[:, None])


def test_colour_comes_channels_first(colour) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    assert torch.equal(_opened(images, colour, 5), torch.from_numpy(images).permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.full((9, 8, 8), 1.5), "1.5"),
        (np.full((9, 8, 8), -1.0), "-1"),
        (np.full((9, 8, 8), np.nan), "not finite"),
        (np.zeros((9, 8, 8), np.int64), "int64"),
        (np.zeros((0, 8, 8), np.uint8), "no samples|0"),
        (np.zeros((9, 9, 9), np.uint8), r"9, 9"),
        (np.array(["a", "b"]), "U1"),
    ],
    ids=["above", "below", "nan", "integers", "empty", "shape", "text"],
)
def test_bad_arrays_are_one_line(grey, samples: np.ndarray, message: str) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        evaluate(samples, grey, "parzen", n=9)
    assert "\n" not in str(caught.value)


def _pickled(path: Path) -> None:
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def _unsafe(path: Path) -> None:
    path.write_bytes(pickle.dumps({"samples": Path("x")}, protocol=2))


def _broken(path: Path) -> None:
    path.write_bytes(b"not what the name says")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.npy", _pickled),
        ("x.pt", _unsafe),
        ("x.pt", _broken),
        ("x.npz", _broken),
        ("x.npy", _broken),
        ("x.csv", _broken),
    ],
)
def test_bad_files_are_one_line_that_names_them(grey, tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / name)
    with pytest.raises(SampleError, match=name) as caught:
        open_samples(tmp_path / name, grey)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(grey, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r"absent\.npy"):
        open_samples(tmp_path / "absent.npy", grey)


def test_points_are_scored_under_the_samples_given(grey) -> None:
    points = ring().sample(400, seed=0)
    with pytest.raises(SampleError, match=r"2,500 samples.*400"):
        evaluate(points, "ring")
    scores = evaluate(points.numpy().astype(np.float64), "ring", "modes,kl", n=400)
    assert [each.metric for each in scores] == ["modes", "kl"]
    assert {each.protocol["n_generated"] for each in scores} == {400}
    assert scores[0].value == 8


def test_more_samples_than_there_are_is_an_error() -> None:
    with pytest.raises(SampleError, match="400"):
        evaluate(ring().sample(400), find("ring"), n=401)
