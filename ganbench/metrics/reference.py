"""The real side of a score, computed once and kept under a key of everything that it depends on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from ganbench import rng
from ganbench.canonical import digest
from ganbench.data.cache import cache_folder, content_hash
from ganbench.lazy import torch
from ganbench.metrics.moments import Gaussian, Moments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from ganbench.data import Dataset
    from ganbench.metrics.features.base import Extractor
    from ganbench.metrics.progress import Progress

VERSION = 2
"""Of this computation: raised when the same inputs would give other numbers."""

CHUNK = 500

POINTS = 10_000
"""Points of a mixture, which has no end of them, that stand for a split of it."""

FEW = 10_000
"""Samples whose features are kept (82 MB at Inception's width), so that metrics of moments and of features extract them
once; of more, as FID's, moments alone are."""

Tensors = dict[str, "Tensor"]


@dataclass
class Reference:
    """Features and moments of real samples under one extractor, from the cache or computed into it.

    Several processes that want the same compute it once: one does, the others wait.
    """

    dataset: Dataset
    extractor: Extractor
    root: Path | None = None
    progress: Progress | None = None
    _features: dict[tuple[str, int], Tensor] = field(default_factory=dict, repr=False)

    def moments(self, split: str, n: int = 0) -> Gaussian:
        """Moments of the features of n samples of a split (0: of all)."""
        if count(self.dataset, split, n, self.root) <= FEW:
            return _moments(self.features(split, n).split(CHUNK))
        found = self._cached("moments", split, n, self._streamed)
        return Gaussian(found["mean"], found["covariance"], int(found["n"]))

    def features(self, split: str, n: int = 0) -> Tensor:
        """float32 features (n, d) of n samples of a split (0: of all), on the extractor's device."""
        if (split, n) not in self._features:
            found = self._cached("features", split, n, self._stacked)["features"]
            self._features[split, n] = found.to(self.extractor.device)
        return self._features[split, n]

    def cells(self, split: str, n: int, k: int, seed: int) -> Tensor:
        """The k centres (k, d) of the k-means cells of those features: see cells.kmeans."""
        from ganbench.metrics.cells import kmeans

        def compute(samples: Tensor) -> Tensors:
            return {"centres": kmeans(self.features(split, n), k, seed).cpu()}

        return self._cached(f"cells {k} {seed}", split, n, compute)["centres"].to(self.extractor.device)

    def _streamed(self, samples: Tensor) -> Tensors:
        found = _moments(self._extracted(samples))
        return {"mean": found.mean, "covariance": found.covariance, "n": torch.tensor(found.n)}

    def _stacked(self, samples: Tensor) -> Tensors:
        """Into their place at once: chunks and their concatenation would be two copies of it all."""
        found: Tensor | None = None
        row = 0
        for chunk in self._extracted(samples):
            found = torch.empty(len(samples), chunk.shape[1]) if found is None else found
            found[row : row + len(chunk)] = chunk
            row += len(chunk)
        assert found is not None, "a split has samples"
        return {"features": found}

    def _extracted(self, samples: Tensor) -> Iterator[Tensor]:
        done = 0
        for chunk in samples.split(CHUNK):
            yield self.extractor(chunk)[0]
            done += len(chunk)
            if self.progress:
                self.progress(f"real {self.dataset.name}, {self.extractor.name}", done, len(samples))

    def _cached(self, what: str, split: str, n: int, compute: Callable[[Tensor], Tensors]) -> Tensors:
        samples = real_split(self.dataset, split, n, self.root)
        path = cache_folder() / "reference" / f"{self._key(what, samples)}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            found: Tensors | None = _read(path)
            if found is None:
                found = compute(samples)
                _write(path, found)
        return found

    def _key(self, what: str, samples: Tensor) -> str:
        """The samples themselves are hashed. CUDA and CPU differ in the last digits, so theirs are kept apart."""
        return digest(
            {
                "what": what,
                "samples": content_hash(samples),
                "device": str(self.extractor.device).partition(":")[0],
                "version": VERSION,
                **self.extractor.protocol,
            }
        )


def _moments(chunks: Iterable[Tensor]) -> Gaussian:
    moments = Moments()
    for chunk in chunks:
        moments.update(chunk)
    return moments.result()


def real_split(dataset: Dataset, split: str, n: int, root: Path | None) -> Tensor:
    """n samples of a split (0: all of it; of a mixture, POINTS fresh ones: each split has its own).

    Fewer images than there are, are drawn from all of them: folders are sorted by class, and the first n would be one.
    """
    if dataset.kind == "points":
        return dataset.mixture().sample(max(n, POINTS), seed=split_seed(split))[: n or None]
    images = dataset.images(split, root)
    if not 0 < n < len(images):
        return images
    return images[torch.randperm(len(images), generator=rng.stream(0, "reference"))[:n].sort().values]


def split_seed(split: str) -> int:
    """The seed of the points that stand for a split of a mixture."""
    return int.from_bytes(hashlib.sha256(f"split {split}".encode()).digest()[:4], "big")


def count(dataset: Dataset, split: str, n: int, root: Path | None) -> int:
    """How many samples `real_split` gives."""
    if dataset.kind == "points":
        return n or POINTS
    held = len(dataset.images(split, root))
    return min(n or held, held)


def _read(path: Path) -> Tensors | None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError):
        return None  # none, or a broken one: it is computed again


def _write(path: Path, tensors: Tensors) -> None:
    from safetensors.torch import save_file

    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    save_file(tensors, temporary)
    temporary.replace(path)
