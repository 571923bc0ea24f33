"""Run by test_memory.py in a process of its own: prints the MB that scoring takes above the extractor and the data set.

    python peak.py METRIC [METRIC ...]

The extractor is a random projection to Inception's 2,048 features and 1,008 logits, so that 50,000 images go through in
seconds; images are of CIFAR-10's size and number.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ganbench.data import Dataset
from ganbench.metrics.engine import score
from ganbench.metrics.features.base import EXTRACTORS, Card, Recipe, loaded
from ganbench.spec import Scoring
from ganbench.sweeps.devices import peak_megabytes

SIZES = {"train": 45_000, "valid": 5_000, "test": 10_000, "train+valid": 50_000}


@lru_cache
def images(split: str) -> Tensor:
    return _noise(SIZES[split], sorted(SIZES).index(split))


def _noise(n: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=generator)


@dataclass(frozen=True)
class Noise(Dataset):
    def images(self, split: str, root: Path | None = None) -> Tensor:
        return images(split)


def _projection(recipe: Recipe):  # type: ignore[no-untyped-def]
    weights = torch.randn(3072, 2048 + 1008, generator=torch.Generator().manual_seed(0)) / 3072**0.5

    def features(x: Tensor) -> tuple[Tensor, Tensor]:
        out = (x.flatten(1).float() / 128 - 1) @ weights
        return out[:, :2048].relu(), out[:, 2048:]

    return features


def sampler(n: int) -> Iterator[Tensor]:
    for index in range(0, n, 500):
        yield _noise(min(500, n - index), 1000 + index)


def main() -> None:
    EXTRACTORS.get("inception")
    EXTRACTORS._cards["inception"] = Card("inception", "a projection", _projection, resizes=("tf1",), batch=(500, 500))
    dataset = Noise("noise", "images", (3, 32, 32), "Noise", "nowhere")
    loaded("inception")(_noise(64, 0))
    torch.linalg.eigvalsh(torch.eye(256, dtype=torch.float64))  # LAPACK's own start
    for split in {"train+valid"} if sys.argv[1:] == ["fid"] else SIZES:
        dataset.images(split)  # the data set's own, whatever looks at it
    before = peak_megabytes("cpu")
    scoring = Scoring.parse({"metrics": sys.argv[1:], "features": "inception"})
    found = score(sampler, dataset, scoring)
    assert all(each.value == each.value for each in found), found
    print(f"{(peak_megabytes('cpu') - before) * 1e6 / 2**20:.0f}")  # noqa: T201


if __name__ == "__main__":
    main()
