"""What a feature extractor is: a card that finds its weights, and the loaded network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ganbench.errors import WeightsError
from ganbench.registry import Registry
from ganbench.spec import Scalar

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 64
"""Images that go through a network at once: more is slower on a CPU's caches."""


class Network(Protocol):
    """uint8 images (n, 3, h, w) → features (n, d) and logits (n, classes), or None where it has none."""

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features and logits, float32."""
        ...


@dataclass(frozen=True)
class Card:
    """A feature extractor before it is loaded.

    dim: width of its features; resize: how images are brought to its input size; find: explicit path or None → the
    weights file, or WeightsError; load: (weights file, device) → network.
    """

    name: str
    title: str
    dim: int
    resize: str
    find: Callable[[Path | None], Path]
    load: Callable[[Path, Any], Network]


EXTRACTORS: Registry[Card] = Registry("feature extractor", ("ganbench.metrics.features.builtin",))


class Extractor:
    """A loaded feature extractor; its weights' hash is part of the protocol of every score made with it."""

    def __init__(self, card: Card, weights: Path | None, device: Any) -> None:
        path = card.find(weights)
        self.name, self.dim = card.name, card.dim
        self.protocol: dict[str, Scalar] = {
            "features": card.name,
            "weights": weights_hash(path),
            "resize": card.resize,
            "dtype": "float32",
        }
        self._network = card.load(path, device)
        self._device = device

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (n, dim) and logits (n, classes) or None, float32; grey images are repeated to three channels."""
        import torch

        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            parts = [self._network(_colour(batch.to(self._device))) for batch in images.split(BATCH)]
        logits = [part for _, part in parts if part is not None]
        return torch.cat([part for part, _ in parts]), torch.cat(logits) if logits else None


def _colour(images: Tensor) -> Tensor:
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images


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

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"weights {path} are not a file of tensors: {reason}") from None
    if not isinstance(loaded, dict):
        raise WeightsError(f"weights {path} are not a state dict, but a {type(loaded).__name__}")
    return loaded


@lru_cache(maxsize=2)
def loaded(name: str, weights: Path | None, device: str) -> Extractor:
    """The extractor of that name, loaded once a process."""
    return Extractor(EXTRACTORS.get(name), weights, device)
