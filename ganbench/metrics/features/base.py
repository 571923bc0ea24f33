"""What a feature extractor is: a card that finds its weights, and the loaded network."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.canonical import Scalar
from ganbench.errors import SpecError, UnknownNameError, WeightsError
from ganbench.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganbench.data import Dataset
    from ganbench.metrics.progress import Progress

DTYPES = ("float32", "tf32", "bfloat16", "float16")
"""What a network may compute in. All but float32 trade digits of the score for speed: see docs/performance.md."""


Network = Callable[["Tensor"], "tuple[Tensor, Tensor | None]"]
"""Samples → features (n, d) and logits (n, classes), or None where it has none; images come as uint8 (n, 3, h, w),
points as float32 (n, d)."""


@dataclass(frozen=True)
class Source:
    """Where weights may come from: a file that was given, or the data set that a network is trained on."""

    given: Path | None = None
    dataset: Dataset | None = None
    root: Path | None = None
    progress: Progress | None = None  # told of training


@dataclass(frozen=True)
class Recipe:
    """How a network is to be loaded: its weights file, where it has one, and how it computes."""

    weights: Path | None
    resize: str
    dtype: str
    device: Any
    compiled: bool = False  # by torch.compile, for networks that say they can be

    @property
    def torch_dtype(self) -> torch.dtype:
        """The type of the network's weights and activations; tf32 is a way to multiply float32."""
        import torch

        found: torch.dtype = getattr(torch, "float32" if self.dtype == "tf32" else self.dtype)
        return found


@dataclass(frozen=True)
class Card:
    """A feature extractor before it is loaded.

    resizes: the ways in which images are brought to its input size, the default first; find: where its weights are,
    or WeightsError (None for `find`: it has no weights); load: recipe → network; batch: samples that go through it at
    once on a CPU, where few keep to the caches, and on a GPU.
    """

    name: str
    title: str
    load: Callable[[Recipe], Network]
    find: Callable[[Source], Path] | None = None
    resizes: tuple[str, ...] = ("none",)
    dtypes: tuple[str, ...] = DTYPES
    kind: str = "images"
    batch: tuple[int, int] = (64, 256)
    repeats_grey: bool = True  # whether grey images are given to it as three equal channels
    compiles: bool = False  # whether torch.compile can make it faster

    def weights(self, source: Source) -> Path | None:
        """The weights file, None where it needs none; WeightsError where it cannot be had or read."""
        if self.find is None:
            if source.given is not None:
                raise WeightsError(f"features {self.name!r} have no weights: leave {source.given} out")
            return None
        path = self.find(source)
        weights_hash(path)  # readable, or one clear line
        return path

    def resize(self, asked: str | None) -> str:
        """The way to resize that was asked for where this extractor has it, else its default."""
        return asked if asked in self.resizes else self.resizes[0]


EXTRACTORS: Registry[Card] = Registry("feature extractor", ("ganbench.metrics.features.builtin",))


def check_options(names: tuple[str, ...], resize: str | None, dtype: str) -> None:
    """An error where a way to resize, or a type, is asked for that none of these extractors has."""
    cards = [EXTRACTORS.get(name) for name in names]
    if resize is not None and not any(resize in card.resizes for card in cards):
        offered = {way for card in cards or EXTRACTORS for way in card.resizes}
        raise UnknownNameError("resize", resize, offered)
    for card in cards:
        if dtype not in card.dtypes:
            raise SpecError(f"features {card.name!r} are not computed in {dtype}: choose from {', '.join(card.dtypes)}")


class Extractor:
    """A loaded feature extractor; all that its features depend on is part of the protocol of every score."""

    def __init__(self, card: Card, recipe: Recipe) -> None:
        self.name = card.name
        self.protocol: dict[str, Scalar] = {"features": card.name, "resize": recipe.resize, "dtype": recipe.dtype}
        if recipe.compiled:
            self.protocol["compiled"] = True
        if recipe.weights is not None:
            self.protocol["weights"] = weights_hash(recipe.weights)
        self._card, self._recipe, self._network = card, recipe, card.load(recipe)

    @property
    def device(self) -> Any:
        """Where it computes."""
        return self._recipe.device

    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (n, d) and logits (n, classes) or None, float32, of uint8 images or float32 points."""
        import torch

        with torch.inference_mode(), _tf32(self._recipe.dtype == "tf32"):
            parts = [self._network(batch) for batch in self._batches(samples)]
        logits = [part.float() for _, part in parts if part is not None]
        return torch.cat([part.float() for part, _ in parts]), torch.cat(logits) if logits else None

    def _batches(self, samples: Tensor) -> Iterator[Tensor]:
        """To the device without waiting for it: the next batch is uploaded while the network is at work."""
        on_gpu = str(self.device).startswith("cuda")
        if on_gpu and not samples.is_cuda:
            samples = samples.pin_memory()
        for batch in samples.split(self._card.batch[on_gpu]):
            batch = batch.to(self.device, non_blocking=True)
            grey = batch.dim() == 4 and batch.shape[1] == 1
            yield batch.expand(-1, 3, -1, -1) if grey and self._card.repeats_grey else batch


@contextlib.contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    """TensorFloat-32 keeps 10 of float32's 23 bits, so it is off unless asked for."""
    import torch

    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        with torch.backends.cudnn.flags(allow_tf32=allowed):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


@lru_cache(maxsize=16)
def _hash(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]


def weights_hash(path: Path) -> str:
    """The first 8 hex digits of the file's SHA-256; WeightsError where it cannot be read."""
    try:
        facts = path.stat()
        return _hash(path, facts.st_size, facts.st_mtime_ns)
    except OSError as error:
        raise WeightsError(f"cannot read weights {path}: {error.strerror}") from None


def state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file, read without running any code in it; WeightsError where it holds anything else."""
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"weights {path} are not a file of tensors: {reason}") from None
    if not isinstance(loaded, dict):
        raise WeightsError(f"weights {path} are not a state dict, but a {type(loaded).__name__}")
    return loaded


def loaded(
    name: str,
    source: Source = Source(),
    *,
    resize: str | None = None,
    dtype: str = "float32",
    device: str = "cpu",
    compiled: bool = False,
) -> Extractor:
    """The extractor of that name, loaded once a process for everything that its features depend on."""
    card = EXTRACTORS.get(name)
    path = card.weights(source)
    recipe = Recipe(path, card.resize(resize), dtype, device, compiled and card.compiles)
    return _loaded(card, recipe, weights_hash(path) if path else "")


@lru_cache(maxsize=4)
def _loaded(card: Card, recipe: Recipe, content: str) -> Extractor:
    return Extractor(card, recipe)
