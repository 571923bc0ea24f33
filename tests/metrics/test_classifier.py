"""The data set's own classifier: what it learns, when it is trained again, and what its features are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from ganbench.data import Dataset, find
from ganbench.errors import SpecError, WeightsError
from ganbench.metrics.features import classifier
from ganbench.metrics.features.base import Extractor, Recipe, Source
from ganbench.metrics.features.classifier import CARD, facts, trained

SIZES = {"train": 600, "valid": 200}


@dataclass(frozen=True)
class Bars(Dataset):
    """A bright row in noise: which one is the class, but for every tenth image of `valid`, whose label is wrong.

    There is no other split than those that training may see.
    """

    turn: int = 0  # of the labels

    def images(self, split: str, root: Path | None = None) -> Tensor:
        generator = torch.Generator().manual_seed(SIZES[split] + int(self.version))
        images = torch.randint(0, 100, (SIZES[split], *self.shape), dtype=torch.uint8, generator=generator)
        rows = torch.arange(SIZES[split])
        images[rows, :, 2 * (rows % self.classes)] = 200
        return images

    def labels(self, split: str, root: Path | None = None) -> Tensor:
        rows = torch.arange(SIZES[split])
        return (rows + self.turn + ((rows % 10 == 0) & (split == "valid"))) % self.classes


BARS = Bars("bars", "images", (1, 8, 8), "Bars", "nowhere", classes=4)


def _network(path: Path) -> Extractor:
    return Extractor(CARD, Recipe(path, CARD.resizes[0], "float32", "cpu"))


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A classifier of the bars, trained for longer than so few images are by default."""
    monkeypatch.setattr(classifier, "EPOCHS", 12)
    return CARD.weights(Source(dataset=BARS)) or Path()


def test_it_learns_and_tells_its_accuracy_on_held_out_images(bars: Path) -> None:
    """Of `valid` at most nine in ten can be right, by chance one in four; of `train` all can."""
    logits = _network(bars)(BARS.images("valid"))[1]
    assert logits is not None
    right = (logits.argmax(1) == BARS.labels("valid")).double().mean().item()
    assert facts(bars)["accuracy"] == right
    assert 0.85 < right <= 0.9


def test_features_are_the_dense_units_after_their_relu(bars: Path) -> None:
    """Against the layers written out."""
    images, weights = BARS.images("valid")[:150], load_file(bars)
    x = images.float() / 255
    for layer in ("0", "2"):
        x = F.conv2d(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"]).relu()
    units = F.linear(F.max_pool2d(x, 2).flatten(1), weights["6.weight"], weights["6.bias"]).relu()
    features, logits = _network(bars)(images)
    assert features.shape == (150, 128)
    torch.testing.assert_close(features, units)
    torch.testing.assert_close(logits, F.linear(units, weights["8.weight"], weights["8.bias"]))
    assert (weights["0.weight"].shape[0], weights["2.weight"].shape[0]) == (32, 64)


def test_a_network_of_grey_images_takes_colours_one_by_one(bars: Path) -> None:
    network, images = _network(bars), BARS.images("valid")[:150]
    features, logits = network(images.view(50, 3, 8, 8))
    alone = network(images)
    torch.testing.assert_close(features, alone[0].view(50, 384))
    assert logits is not None
    assert alone[1] is not None
    torch.testing.assert_close(logits, alone[1].view(50, 12))


def test_stacked_digits_are_scored_by_the_classifier_of_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Dataset] = []
    monkeypatch.setattr(
        classifier, "trained", lambda dataset, root, progress=None: asked.append(dataset) or Path(__file__)
    )
    CARD.weights(Source(dataset=find("stacked_mnist")))
    assert asked == [find("mnist")]


def test_training_is_a_function_of_the_data_whatever_the_threads(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    content = set()
    before = torch.get_num_threads()
    for threads in (1, 2):
        monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / str(threads)))
        torch.set_num_threads(threads)
        torch.manual_seed(threads)
        try:
            content.add(trained(BARS).read_bytes())
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
    assert len(content) == 1


def test_all_that_the_weights_depend_on_is_in_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {trained(BARS)}
    paths.add(trained(replace(BARS, turn=1)))
    paths.add(trained(replace(BARS, version=2)))  # other images
    paths.add(trained(replace(BARS, classes=3)))
    for constant, value in (("VERSION", 2), ("EPOCHS", 1), ("BATCH", 32), ("RATE", 1e-3), ("SEED", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(classifier, constant, value)
            paths.add(trained(BARS))
    assert len(paths) == 9
    assert trained(replace(BARS, name="other")) in paths  # a name is no content


def test_it_is_trained_once(bars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(classifier, "train")
    assert CARD.weights(Source(dataset=BARS)) == bars
    assert CARD.weights(Source(given=bars)) == bars
    assert {path.suffix for path in bars.parent.iterdir()} <= {".safetensors", ".lock"}


def test_training_is_told_and_found_weights_are_not() -> None:
    told: list[tuple[str, int, int]] = []
    for _ in range(2):
        trained(BARS, progress=lambda *facts: told.append(facts))
    images = len(BARS.images("train")) * classifier.EPOCHS
    assert told[-1] == (f"training a classifier of {BARS.name}", images, images)
    assert [facts[1] for facts in told] == sorted({facts[1] for facts in told})  # once


def test_two_that_want_it_at_once_train_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    train = classifier.train

    def counted(*data: Any) -> torch.nn.Sequential:
        calls.append(1)
        return train(*data)

    monkeypatch.setattr(classifier, "train", counted)
    with ThreadPoolExecutor(2) as pool:
        paths = set(pool.map(trained, [BARS, BARS]))
    assert len(paths) == len(calls) == 1


@pytest.mark.parametrize("damage", ["empty", "cut", "no metadata", "other tensors"])
def test_a_damaged_file_is_trained_again(damage: str, bars: Path) -> None:
    whole = bars.read_bytes()
    if damage == "no metadata":
        save_file(load_file(bars), bars)
    elif damage == "other tensors":
        save_file({"layer": torch.zeros(2)}, bars, {"classifier": '{"shape": [1, 8, 8], "classes": 4}'})
    else:
        bars.write_bytes(b"" if damage == "empty" else whole[:-100])
    assert CARD.weights(Source(dataset=BARS)) == bars
    assert bars.read_bytes() == whole


@pytest.mark.parametrize("side", [4, 40])
def test_images_beyond_the_networks_sides_are_resized(side: int) -> None:
    """A 40-pixel image is seen as its antialiased 32-pixel one, a 4-pixel one as its enlargement to 8."""
    path = trained(replace(BARS, classes=2, shape=(3, side, side)))
    network, seen = _network(path), min(max(side, 8), 32)
    assert load_file(path)["6.weight"].shape == (128, 64 * ((seen - 4) // 2) ** 2)
    flat = torch.full((2, 3, side, side), 77, dtype=torch.uint8)
    resized = classifier.prepared(flat)
    assert resized.shape == (2, 3, seen, seen)
    torch.testing.assert_close(resized, torch.full_like(resized, 77 / 255))
    assert network(flat)[0].shape == (2, 128)


@pytest.mark.parametrize(
    ("dataset", "named"),
    [
        (replace(BARS, classes=0), "bars"),
        (replace(BARS, classes=1), "bars"),
        (find("ring"), "ring"),
    ],
    ids=["no classes", "one class", "points"],
)
def test_data_without_labels_are_one_clear_line(dataset: Dataset, named: str) -> None:
    with pytest.raises(SpecError, match=f"labels, which {named} has none of: choose other features") as caught:
        CARD.weights(Source(dataset=dataset))
    assert "\n" not in str(caught.value)


def test_without_a_data_set_there_is_nothing_to_train_on() -> None:
    with pytest.raises(WeightsError, match="name the data set"):
        CARD.weights(Source())


@pytest.mark.parametrize("content", ["text", "tensors", "shape"])
def test_a_given_file_of_another_network_is_one_clear_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "given.safetensors"
    if content == "text":
        path.write_text("hello")
    else:
        save_file({"8.bias": torch.zeros(3)}, path, {"classifier": '{"shape": 3}'} if content == "shape" else None)
    with pytest.raises(WeightsError, match=r"given\.safetensors are not those of a classifier") as caught:
        _network(path)
    assert "\n" not in str(caught.value)
