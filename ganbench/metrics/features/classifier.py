"""A small classifier trained on the data set itself: features where ImageNet's say nothing, as on digits.

The convolutional network by which Srivastava et al. 2017 (VEEGAN) and Lin et al. 2018 (PacGAN) name the digits of
stacked MNIST: 32 and 64 convolutions 3 x 3, max pooling by 2, 128 dense units, and a softmax over the classes.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ganbench import rng
from ganbench.canonical import digest
from ganbench.data import Dataset
from ganbench.data.cache import cache_folder, content_hash
from ganbench.errors import SpecError, WeightsError
from ganbench.lazy import F, torch
from ganbench.metrics.features.base import EXTRACTORS, Card, Network, Recipe, Source, state_dict
from ganbench.metrics.features.building import fill, hollow

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ganbench.metrics.progress import Progress

VERSION = 1
"""Of the architecture and of all that training does: raised when the same data would give other weights."""

EPOCHS, BATCH, RATE, SEED = 2, 64, 2e-3, 0
SIDES = 8, 32
"""The least and the most pixels of a side that the network sees; images beyond are resized to them."""

Teller = Callable[[int, int], None]
"""Told how much is done, and how much there is."""

TITLE = "a classifier that ganbench trained"

STACKED = "stacked_mnist"
"""Its images are scored by the classifier of its digits, channel by channel."""


def _find(source: Source) -> Path:
    """The file that was given, else that of the data set's classifier, which is trained where there is none yet."""
    if source.given is not None:
        return source.given
    if source.dataset is None:
        raise WeightsError("features 'classifier' are of a network that is trained on a data set: name the data set")
    return trained(_digits(source.dataset), source.root, source.progress)


def _digits(dataset: Dataset) -> Dataset:
    from ganbench.data import find

    return find("mnist") if dataset.name == STACKED else dataset


def trained(dataset: Dataset, root: Path | None = None, progress: Progress | None = None) -> Path:
    """The weights of the classifier of a labelled image set, from the cache or trained into it.

    It is trained on the split `train`, on the CPU and by one thread, since the sums of more would depend on their
    number. Processes that want it at once train it once. SpecError where the data have no labels.
    """
    images, labels = _labelled(dataset, "train", root)
    path = cache_folder() / "classifiers" / f"{_key(dataset, images, labels)}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not _readable(path):
            with _one_thread():
                network = train(images, labels, dataset.classes, _teller(progress, dataset))
                right = accuracy(network, *_labelled(dataset, "valid", root))
            _write(path, network, {"shape": images.shape[1:], "classes": dataset.classes, "accuracy": right})
    return path


def _teller(progress: Progress | None, dataset: Dataset) -> Teller:
    if progress is None:
        return lambda done, total: None
    return partial(progress, f"training a classifier of {dataset.name}")


def _labelled(dataset: Dataset, split: str, root: Path | None) -> tuple[Tensor, Tensor]:
    labels = dataset.labels(split, root) if dataset.kind == "images" and dataset.classes > 1 else None
    if labels is None:
        raise SpecError(
            f"features 'classifier' are of a network that is trained on labels, which {dataset.name} has none of: "
            "choose other features"
        )
    return dataset.images(split, root), labels


def _key(dataset: Dataset, images: Tensor, labels: Tensor) -> str:
    """All that the weights depend on."""
    return digest(
        {
            "images": content_hash(images),
            "labels": content_hash(labels),
            "classes": dataset.classes,
            "version": VERSION,
            "epochs": EPOCHS,
            "batch": BATCH,
            "rate": RATE,
            "seed": SEED,
            "sides": SIDES,
        }
    )


def _readable(path: Path) -> bool:
    """Whether a classifier is there; a damaged one is not, and is trained again."""
    try:
        return path.exists() and bool(_load(Recipe(path, "", "float32", "cpu")))
    except WeightsError:
        return False


def _write(path: Path, network: nn.Module, facts: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    save_file(network.state_dict(), temporary, {"classifier": json.dumps(facts)})
    temporary.replace(path)


def facts(path: Path) -> dict[str, Any]:
    """What the file says of itself: shape and classes of the images, and the share of `valid` that was named right."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            found = json.loads((file.metadata() or {}).get("classifier", ""))
        channels, height, width = found["shape"]
        return {**found, "shape": (int(channels), int(height), int(width)), "classes": int(found["classes"])}
    except (OSError, ValueError, LookupError, TypeError, SafetensorError):
        raise WeightsError(f"weights {path} are not those of {TITLE}") from None


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def build(shape: Sequence[int], classes: int) -> nn.Sequential:
    """The untrained network for images of this shape (channels, height, width); its last layer gives the logits."""
    rows, columns = (_side(extent) // 2 - 2 for extent in shape[1:])
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(shape[0], 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * rows * columns, 128),
        nn.ReLU(),
        nn.Linear(128, classes),
    )


def _side(extent: int) -> int:
    return min(max(extent, SIDES[0]), SIDES[1])


def prepared(images: Tensor) -> Tensor:
    """uint8 images (n, c, h, w) as the network sees them: in [0, 1], with sides of 8 to 32 pixels."""
    x = images.float() / 255
    size = [_side(extent) for extent in x.shape[2:]]
    if size == list(x.shape[2:]):
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)


def train(images: Tensor, labels: Tensor, classes: int, tell: Teller = lambda done, total: None) -> nn.Sequential:
    """The network after EPOCHS of Adam, its rate on one cycle of warming up and annealing; a function of its input.

    `tell` is called with how many images were seen, and how many will be.
    """
    with rng.global_stream(SEED, "classifier weights"):
        network = build(images.shape[1:], classes)
    optimiser = torch.optim.Adam(network.parameters())
    steps = EPOCHS * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images), generator=rng.stream(SEED, "classifier order", epoch))
        for index, batch in enumerate(order.split(BATCH)):
            optimiser.zero_grad()
            F.cross_entropy(network(prepared(images[batch])), labels[batch]).backward()
            optimiser.step()
            schedule.step()
            tell(epoch * len(images) + index * BATCH + len(batch), EPOCHS * len(images))
    return network.eval().requires_grad_(False)


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images whose largest logit is that of their label."""
    found = torch.cat([network(prepared(batch)).argmax(1) for batch in images.split(500)])
    return float((found == labels).double().mean())


def _load(recipe: Recipe) -> Network:
    """Features after the dense layer's ReLU, and logits; to a network of grey images a colour one is three of them."""
    path = recipe.weights
    assert path is not None
    known = facts(path)
    network = hollow(lambda: build(known["shape"], known["classes"]))
    network = fill(network, state_dict(path), path, TITLE)
    network = network.to(recipe.device, recipe.torch_dtype)

    def features(images: Tensor) -> tuple[Tensor, Tensor]:
        single = images.flatten(0, 1)[:, None] if known["shape"][0] == 1 else images
        units = network[:-1](prepared(single).to(recipe.torch_dtype))
        return units.view(len(images), -1), network[-1](units).view(len(images), -1)

    return features


CARD = EXTRACTORS.add(
    Card(
        name="classifier",
        title="A small classifier trained on the data set's own labels, 128 dense units and logits",
        resizes=(f"within-{SIDES[0]}-{SIDES[1]}",),
        find=_find,
        load=_load,
        dtypes=("float32", "tf32"),
        batch=(128, 1024),
        repeats_grey=False,
    )
)
