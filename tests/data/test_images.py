from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ganbench.data import DATASETS, find, minibatches, real_samples
from ganbench.data.batches import _Images
from ganbench.errors import DataError

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "mean"), [("mnist", 0.1307), ("fashion_mnist", 0.2860)])
def test_real_sets_have_their_known_means_and_splits(name: str, mean: float, data_root: Path) -> None:
    card = find(name)
    whole = card.images("train+valid", data_root)
    assert whole.shape == (60_000, 1, 28, 28)
    assert whole.dtype == torch.uint8
    assert whole.double().mean().item() / 255 == pytest.approx(mean, abs=5e-5)
    train, valid, test = (card.images(split, data_root) for split in ("train", "valid", "test"))
    assert (len(train), len(valid), len(test)) == (50_000, 10_000, 10_000)
    assert torch.equal(torch.cat([train, valid]), whole)
    assert card.labels("train+valid", data_root).bincount().shape == (10,)
    assert not torch.equal(test[:100], whole[:100])


@pytest.mark.parametrize("card", [card for card in DATASETS if card.kind == "images"], ids=lambda card: card.name)
def test_a_root_without_the_data_is_one_clear_line(card, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(DataError) as caught:
        card.prepare(tmp_path)
    holder = "mnist" if card.name == "stacked_mnist" else card.name  # it is made of mnist's digits
    assert f"no {holder} in {tmp_path}: --data-root" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []  # nothing is downloaded into a folder that the user named
    assert capsys.readouterr().out == ""


def test_without_network_the_cache_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    def refuse(self) -> None:
        raise OSError("name resolution failed")

    monkeypatch.delenv("GANBENCH_DATA", raising=False)
    monkeypatch.setattr(datasets.KMNIST, "download", refuse)
    with pytest.raises(DataError, match=r"cannot download kmnist to .*name resolution failed.*--data-root"):
        find("kmnist").prepare()


class _Numbered:
    """Minibatches over n one-pixel images, each holding its own number."""

    def __init__(self, n: int, batch: int, seed: int = 0) -> None:
        images = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1)
        self.data = _Images(images, lambda: images.flatten().long(), seed, batch, CPU, (0.0, 255.0))

    def draw(self, index: int) -> list[int]:
        return self.data.batch(index).flatten().int().tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.data())
def test_each_epoch_visits_each_image_once(n: int, data) -> None:
    batch = data.draw(st.integers(1, n))
    numbered = _Numbered(n, batch, seed=data.draw(st.integers(0, 5)))
    order = [number for draw in range(2 * n) for number in numbered.draw(draw)]
    for epoch in range(2 * batch):
        assert sorted(order[epoch * n : (epoch + 1) * n]) == list(range(n))


def test_batches_can_be_entered_anywhere() -> None:
    forwards = [_Numbered(50, 8).draw(index) for index in range(20)]
    backwards = _Numbered(50, 8)
    assert [backwards.draw(index) for index in reversed(range(20))][::-1] == forwards
    assert _Numbered(50, 8, seed=1).draw(0) != forwards[0]


def test_labels_go_with_their_images() -> None:
    numbered = _Numbered(50, 8)
    for draw in range(20):
        assert numbered.data.labels(draw).tolist() == numbered.draw(draw)


def test_images_without_classes_say_so() -> None:
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(DataError, match="these images have no classes"):
        _Images(images, lambda: None, 0, 2, CPU, (0.0, 1.0)).labels(0)


def test_the_class_of_a_point_is_its_mode() -> None:
    data = minibatches(find("ring"), 0, 500, CPU)
    points, modes = data.batch(3), data.labels(3)
    nearest = torch.cdist(points.double(), find("ring").mixture().means).argmin(1)
    assert torch.equal(nearest, modes)
    assert (find("ring").classes, find("grid").classes, find("ring:modes=5").classes) == (8, 25, 5)


def test_pixels_are_scaled_to_the_networks_range(data_root: Path) -> None:
    card = find("mnist")
    for low, high in ((-1.0, 1.0), (0.0, 1.0)):
        batch = minibatches(card, 0, 64, CPU, pixels=(low, high), root=data_root).batch(3)
        assert batch.dtype == torch.float32
        assert (batch.min().item(), batch.max().item()) == pytest.approx((low, high), abs=1e-6)
    with pytest.raises(DataError, match="batch_size 60000 is more than the 50000 training images"):
        minibatches(card, 0, 60_000, CPU, root=data_root)


def test_real_samples_are_training_images(data_root: Path) -> None:
    chunks = list(real_samples(find("mnist"), 1200, root=data_root))
    assert [len(chunk) for chunk in chunks] == [500, 500, 200]
    assert torch.equal(torch.cat(list(real_samples(find("mnist"), 700, root=data_root))), torch.cat(chunks)[:700])
    with pytest.raises(DataError, match="50000 training images, 50001 were asked for"):
        next(real_samples(find("mnist"), 50_001, root=data_root))


def write_images(folder: Path, n: int, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(folder.name))
    for index in range(n):
        shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
        Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8), mode).save(folder / f"{index:03}.png")


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
class TestFolders:
    def test_splits_by_name(self, tmp_path: Path) -> None:
        write_images(tmp_path / "train" / "cat", 10)
        write_images(tmp_path / "train" / "dog", 10)
        write_images(tmp_path / "test" / "cat", 4)
        card = find(str(tmp_path))
        assert card.shape == (3, 8, 8)
        assert len(card.images("test")) == 4
        assert len(card.images("train+valid")) == 20
        assert len(card.images("train")) + len(card.images("valid")) == 20
        assert card.labels("train+valid").tolist() == [0] * 10 + [1] * 10

    def test_splits_by_every_tenth(self, tmp_path: Path) -> None:
        write_images(tmp_path / "all", 40, mode="L")
        card = find(str(tmp_path))
        assert card.shape == (1, 8, 8)
        assert [len(card.images(split)) for split in ("train", "valid", "test")] == [32, 4, 4]

    def test_version_is_the_content(self, tmp_path: Path) -> None:
        from ganbench.data.files import inspect

        write_images(tmp_path / "all", 3)
        before = inspect(tmp_path)[1]
        assert inspect(tmp_path)[1] == before
        (tmp_path / "all" / "000.png").write_bytes((tmp_path / "all" / "001.png").read_bytes())
        assert inspect(tmp_path)[1] != before

    def test_an_odd_sized_file_is_named(self, tmp_path: Path) -> None:
        write_images(tmp_path, 5)
        write_images(tmp_path / "odd", 1, size=(9, 8))
        with pytest.raises(DataError, match=r"image .*odd.000.png is 9x8 with 3 channels, the others are 8x8"):
            find(str(tmp_path)).images("train")

    @pytest.mark.parametrize("content", [b"", b"not an image", None], ids=["empty", "text", "truncated"])
    def test_a_broken_file_is_named(self, content: bytes | None, tmp_path: Path) -> None:
        write_images(tmp_path, 3)
        broken = tmp_path / "002.png"
        broken.write_bytes(broken.read_bytes()[:60] if content is None else content)
        with pytest.raises(DataError, match=r"cannot read image .*002.png"):
            find(str(tmp_path)).images("train")

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="no images in"):
            find(str(tmp_path))

    def test_real_photographs(self, data_root: Path, tmp_path: Path) -> None:
        with zipfile.ZipFile(data_root / "cifar10_jpeg.zip") as archive:
            names = [name for name in archive.namelist() if name.endswith(".jpg")]
            picked = [name for name in names if name.startswith("train/")][:40]
            picked += [name for name in names if name.startswith("test/")][:8]
            archive.extractall(tmp_path, picked)
        card = find(str(tmp_path))
        assert card.shape == (3, 32, 32)
        assert len(card.images("test")) == 8
        assert card.images("train").float().std() > 30


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, x_train=np.zeros((20, 8, 8, 3), np.uint8), x_test=np.ones((5, 8, 8, 3), np.uint8), y_train=range(20))
    card = find(str(path))
    assert card.shape == (3, 8, 8)
    assert (len(card.images("train+valid")), len(card.images("test"))) == (20, 5)
    assert card.images("test").max() == 1


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((3, 8, 8), np.float32)}, "images are uint8"),
        ({"images": np.zeros((3, 8), np.uint8)}, "got shape"),
        ({"pictures": np.zeros((3, 8, 8), np.uint8)}, "has no array named images"),
        ({"images": np.array([{"a": 1}], dtype=object)}, "Object arrays cannot be loaded"),
    ],
)
def test_bad_npz(arrays: dict, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message):
        find(str(path))


def test_truncated_npz(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, images=np.zeros((3, 8, 8), np.uint8))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match="cannot read"):
        find(str(path))
