"""What a data set is, and how one is found by name, by parameters or by path."""

from __future__ import annotations

import inspect
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ganbench.errors import DataError, SpecError, UnknownNameError, nearest
from ganbench.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.data.mixtures import Mixture

Value = bool | int | float | str
SPLITS = ("train", "valid", "test", "train+valid")


@dataclass(frozen=True)
class Dataset:
    """A card. Points have a mixture; images have splits.

    shape: (2,) for points, (channels, height, width) for images. `version` is a content hash for data given by path.
    Splits: `train` is what training sees, `valid` the held-out tail of the official training set, `train+valid` all
    of that set in its order, `test` the official test set; `all` is every image of data given by path.
    """

    name: str
    kind: Literal["points", "images"]
    shape: tuple[int, ...]
    title: str
    source: str
    version: Value = 1
    classes: int = 0
    parameters: Mapping[str, float] = field(default_factory=dict, hash=False)  # of a mixture: what may follow its name
    path: Path | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that it can be held against in."""
        return (*SPLITS, "all") if self.path else SPLITS

    def mixture(self) -> Mixture:
        """The mixture of a data set of points; DataError for images."""
        from ganbench.data import mixtures

        if self.kind != "points":
            raise DataError(f"{self.name} holds images: it has no known density")
        return mixtures.of(self.name.partition(":")[0], self.parameters)

    def images(self, split: str, root: Path | None = None) -> Tensor:
        """uint8 (n, channels, height, width) of a split of an image set; `root` as --data-root."""
        return self._arrays(split, root)[0]

    def labels(self, split: str, root: Path | None = None) -> Tensor | None:
        """int64 (n,) class of each image, or None where the data have none."""
        return self._arrays(split, root)[1]

    def prepare(self, root: Path | None = None) -> None:
        """Make sure the data are there (download what may be downloaded); DataError where they cannot be had."""
        if self.kind == "images":
            for split in ("train", "test"):  # SVHN keeps them in files of their own
                self.images(split, root)

    def _arrays(self, split: str, root: Path | None) -> tuple[Tensor, Tensor | None]:
        from ganbench.data import faces, files, images, stacked

        if self.kind != "images":
            raise DataError(f"{self.name} holds points: it has no splits")
        if split not in self.splits:
            raise UnknownNameError(f"split of {self.name}", split, self.splits)
        if self.path:
            return files.load(self.path, split)
        special = {stacked.NAME: stacked.load, faces.NAME: faces.load}.get(self.name)
        return special(split, root) if special else images.load(self.name, split, root)


DATASETS: Registry[Dataset] = Registry("dataset")


def _points(name: str, title: str, source: str, **parameters: float) -> None:
    shape, classes = _facts(name, parameters)
    DATASETS.add(Dataset(name, "points", shape, title, source, classes=classes, parameters=parameters))


_OWN: set[str] = set()
"""Names of users' mixtures, whose parameters do not say how many modes they have: those are counted."""


def _facts(name: str, parameters: Mapping[str, float]) -> tuple[tuple[int], int]:
    """Shape and classes of a mixture. The classes of points are the modes that they come from."""
    if name in _OWN:
        from ganbench.data import mixtures

        return _counted(mixtures.of(name, parameters))
    modes = int(parameters["side"]) ** 2 if name == "grid" else int(parameters["modes"])
    return (int(parameters.get("dimensions", 2)),), modes


def _counted(mixture: Mixture) -> tuple[tuple[int], int]:
    modes, dimensions = mixture.means.shape
    return (dimensions,), modes


def register_mixture(
    name: str, function: Callable[..., Mixture], *, title: str = "", source: str = "own", version: Value = 1
) -> Dataset:
    """Register a mixture of one's own, which is found as `name`, or as `name:parameter=value` with others changed.

    `function` returns a `ganbench.data.Mixture` with means (modes, dimensions). Its parameters are those that the
    data set has; each has a default, a number above 0, and is a whole number where the default is one. Raise
    `version` when the same parameters give other points, or old results will be taken for new ones.
    """
    from ganbench.data import mixtures

    if not re.fullmatch(r"[\w-]+", name):  # commas, colons and slashes mean something where data sets are named
        raise SpecError(f"a data set's name is letters, digits, '_' and '-', got {name!r}")
    parameters = {key: _default(name, parameter) for key, parameter in inspect.signature(function).parameters.items()}
    shape, classes = _counted(function(**parameters))
    card = DATASETS.add(Dataset(name, "points", shape, title or name, source, version, classes, parameters))
    mixtures.add(name, function)
    _OWN.add(name)
    return card


def _default(name: str, parameter: inspect.Parameter) -> float:
    value = parameter.default
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
        return value
    raise SpecError(f"{name}: {parameter.name} needs a default that is a number above 0")


def _images(name: str, title: str, source: str, shape: tuple[int, int, int], classes: int = 10) -> None:
    DATASETS.add(Dataset(name, "images", shape, title, source, classes=classes))


_points("ring", "Gaussians on a circle", "Lin et al. 2018, PacGAN", modes=8, radius=1.0, std=0.01)
_points("grid", "Gaussians on a square grid", "Lin et al. 2018, PacGAN", side=5, spacing=2.0, std=0.05)
_points(
    "mog1200",
    "Gaussians in subspaces of 700 of 1200 dimensions",
    "Srivastava et al. 2017, VEEGAN",
    modes=10,
    dimensions=1200,
    inner=700,
    std=1.0,
)
_images("mnist", "Handwritten digits", "LeCun et al. 1998", (1, 28, 28))
_images("fashion_mnist", "Clothing", "Xiao et al. 2017", (1, 28, 28))
_images("kmnist", "Cursive Japanese characters", "Clanuwat et al. 2018", (1, 28, 28))
_images("stacked_mnist", "Three digits as red, green and blue", "Metz et al. 2017", (3, 28, 28), classes=1000)
_images("cifar10", "Small colour photographs, 10 classes", "Krizhevsky 2009", (3, 32, 32))
_images("cifar100", "Small colour photographs, 100 classes", "Krizhevsky 2009", (3, 32, 32), classes=100)
_images("tfd", "Toronto faces, from a user's own .mat file", "Susskind et al. 2010", (1, 48, 48), classes=0)
_images("svhn", "House numbers", "Netzer et al. 2011", (3, 32, 32))


def find(text: str) -> Dataset:
    """The data set that `text` names.

    A registered name (`mnist`); a mixture with parameters (`ring:modes=16:std=0.02`); or the path of an image
    folder or `.npz` file. Errors say what is wrong in one line, with the nearest name.
    """
    name, colon, parameters = text.partition(":")
    if name in DATASETS and (not colon or DATASETS.get(name).parameters):
        card = DATASETS.get(name)
        return _with_parameters(card, parameters) if colon else card
    if text and (os.sep in text or text.endswith(".npz") or Path(text).exists()):
        return _by_path(Path(text))
    known = [card.name for card in DATASETS]
    raise (
        UnknownNameError("data set", text, known)
        if not colon
        else SpecError(f"data set {text!r}: {name} takes no parameters, or is unknown: {nearest(name, known)}")
    )


def _with_parameters(card: Dataset, text: str) -> Dataset:
    """The card with its mixture's parameters changed, its name canonical: sorted, plain numbers, no defaults."""
    given: dict[str, float] = {}
    for part in text.split(":"):
        key, _, value = part.partition("=")
        if key not in card.parameters:
            raise UnknownNameError(f"parameter of {card.name}", key, card.parameters)
        if key in given:
            raise SpecError(f"{card.name}: {key} is given twice, in {text!r}")
        given[key] = _number(card, key, value)
    values = {**card.parameters, **given}
    changed = {key: value for key, value in sorted(given.items()) if value != card.parameters[key]}
    name = ":".join([card.name, *(f"{key}={_plain(value)}" for key, value in changed.items())])
    shape, classes = _facts(card.name, values)
    return Dataset(name, card.kind, shape, card.title, card.source, card.version, classes, parameters=values)


def _number(card: Dataset, key: str, text: str) -> float:
    whole = isinstance(card.parameters[key], int)
    try:
        value = float(text)
        if whole and not value.is_integer():
            raise ValueError
    except ValueError:
        raise SpecError(f"{card.name}: {key} is a {'whole ' if whole else ''}number, got {text!r}") from None
    if not 0 < value < math.inf:
        raise SpecError(f"{card.name}: {key} must be above 0, got {text}")
    return int(value) if whole else value


def _plain(value: float) -> str:
    """The shortest text that reads back as the same number: 2.0 is 2, and no digit is lost."""
    return repr(int(value)) if value == int(value) else repr(value)


@lru_cache(maxsize=32)
def _by_path(path: Path) -> Dataset:
    from ganbench.data import files

    shape, content, classes = files.inspect(path)
    return Dataset(str(path), "images", shape, f"Images of {path.name}", "a path", content, classes, path=path)
