"""Data that are damaged or odd: one line that names them, never a traceback, never silently other images."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench.data import Mixture, find, images, ring
from ganbench.errors import DataError, GanbenchError

GREY = np.zeros((20, 8, 8), np.uint8)


def write(folder: Path, n: int, size: int = 8) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(n):
        Image.fromarray(np.full((size, size, 3), index, np.uint8)).save(folder / f"{index:03}.png")


def test_a_class_has_one_number_in_every_split(tmp_path: Path) -> None:
    for folder in ("train/cat", "train/dog", "test/dog"):
        write(tmp_path / folder, 10)
    card = find(str(tmp_path))
    assert card.classes == 2
    assert card.labels("test").tolist() == [1] * 10


def test_a_flat_folder_has_no_classes(tmp_path: Path) -> None:
    write(tmp_path, 20)
    assert find(str(tmp_path)).classes == 0
    assert find(str(tmp_path)).labels("train") is None


def test_the_test_folder_has_the_size_of_the_training_folder(tmp_path: Path) -> None:
    write(tmp_path / "train", 10)
    write(tmp_path / "test", 3, size=9)
    with pytest.raises(DataError, match=r"test.000.png is 9x9 .* the others are 8x8"):
        find(str(tmp_path)).images("train")


def test_too_few_images_for_a_split(tmp_path: Path) -> None:
    write(tmp_path, 3)
    with pytest.raises(DataError, match="has no 'test' images, it has 3 in all: give at least 10"):
        find(str(tmp_path)).images("test")


def test_sixteen_bit_images_are_refused_not_clipped(tmp_path: Path) -> None:
    Image.fromarray((np.arange(64).reshape(8, 8) * 1000).astype(np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(DataError, match=r"deep.png has more than 8 bits a channel"):
        find(str(tmp_path))


@pytest.mark.parametrize("name", ["own.npy", "own.txt"])
def test_files_that_are_no_npz(name: str, tmp_path: Path) -> None:
    with (tmp_path / name).open("wb") as file:
        np.save(file, GREY)
    with pytest.raises(DataError, match=r"give an image folder or an \.npz file"):
        find(str(tmp_path / name))


@pytest.mark.parametrize(
    "labels",
    [np.arange(5), np.full(20, 0.5), np.array(["a"] * 20), np.eye(20, 10, dtype=int), np.full(20, -1)],
    ids=["too few", "fractions", "text", "one-hot", "negative"],
)
def test_bad_labels(labels, tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=GREY, labels=labels)
    with pytest.raises(DataError, match="labels are whole numbers from 0, one for each of 20 images"):
        find(str(tmp_path / "own.npz"))


def test_good_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=GREY, labels=(np.arange(20, dtype=np.uint8) % 4)[:, None])
    card = find(str(tmp_path / "own.npz"))
    assert card.classes == 4
    assert card.labels("test").tolist() == [1, 3]  # images 9 and 19
    assert card.labels("test").dtype == torch.int64


def test_npz_splits_of_two_sizes(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", x_train=GREY, x_test=np.zeros((5, 9, 9), np.uint8))
    with pytest.raises(DataError, match=r"x_train holds images \(1, 8, 8\), x_test \(1, 9, 9\)"):
        find(str(tmp_path / "own.npz"))


def test_any_flipped_byte_of_an_npz_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "whole.npz"
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 9, (50, 8, 8), dtype=np.uint8))
    whole = path.read_bytes()
    refused = 0
    for position in range(0, len(whole), 11):
        damaged = tmp_path / f"{position}.npz"
        damaged.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            assert find(str(damaged)).shape == (1, 8, 8)
        except GanbenchError:
            refused += 1
    assert refused > len(whole) / 11 / 2


def test_damaged_files_of_a_root_are_not_called_missing(data_root: Path, tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (data_root / "MNIST" / "raw").iterdir():
        with file.open("rb") as whole:
            (raw / file.name).write_bytes(whole.read(1000))
    with pytest.raises(DataError, match=r"cannot read mnist in .*its files are damaged"):
        find("mnist").images("train", tmp_path)


def test_torchvisions_three_layouts_become_one() -> None:
    """Stand-ins for what needs a download: MNIST's NHW tensor, CIFAR's NHWC and list, SVHN's NCHW and `labels`."""
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    found = {
        "mnist": SimpleNamespace(data=torch.from_numpy(pixels[..., 0].copy()), targets=torch.tensor([1, 2])),
        "cifar": SimpleNamespace(data=pixels, targets=[1, 2]),
        "svhn": SimpleNamespace(data=pixels.transpose(0, 3, 1, 2), labels=np.array([1, 2], np.int32)),
    }
    for name, each in found.items():
        tensor, labels = images._tensors(each)
        assert tensor.is_contiguous()
        assert tensor.dtype == torch.uint8
        assert torch.equal(tensor[:, 0], torch.from_numpy(pixels[..., 0].copy())), name
        assert tensor.shape[1] == (1 if name == "mnist" else 3)
        assert labels.dtype == torch.int64
        assert labels.tolist() == [1, 2]


def test_preparing_asks_for_both_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    """SVHN's are files of their own: with one alone the other would be fetched by every worker at once."""
    asked = []
    monkeypatch.setattr(images, "load", lambda name, split, root: (asked.append(split), None))
    find("svhn").prepare()
    assert asked == ["train", "test"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: ring(modes=2.5),
        lambda: ring(radius=math.nan),
        lambda: Mixture(torch.zeros(2, 0), 1.0),
        lambda: ring().sample(-1),
        lambda: ring().log_prob(torch.zeros(3, 1)),
        lambda: ring().log_prob(torch.zeros(3, 3)),
    ],
)
def test_mixtures_refuse_what_they_cannot_mean(make) -> None:
    with pytest.raises(DataError):
        make()


def test_means_are_float64_whatever_was_given() -> None:
    assert Mixture(torch.zeros(2, 2), 1.0).means.dtype == torch.float64
