"""Minibatches as a function of (seed, draw): the hot path, on the device, without workers or host syncs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ganbench import rng
from ganbench.data.base import Dataset
from ganbench.errors import DataError


class Minibatches(Protocol):
    """An endless sequence of minibatches that can be entered anywhere."""

    batch_size: int
    device: torch.device
    shape: tuple[int, ...]

    def batch(self, draw: int) -> Tensor:
        """Minibatch number `draw` (from 0): float32 (batch_size, *shape) on the device."""
        ...

    def labels(self, draw: int) -> Tensor:
        """The classes of minibatch number `draw`: int64 (batch_size,) on the device."""
        ...


class _Points:
    """Fresh samples of a mixture for each draw."""

    def __init__(self, dataset: Dataset, seed: int, batch_size: int, device: torch.device, purpose: str) -> None:
        mixture = dataset.mixture()
        self.batch_size, self.device, self.shape, self._seed = batch_size, device, dataset.shape, seed
        self._purpose = purpose
        self._modes, self._points = mixture.modes, mixture.on(device)
        self._generator = torch.Generator(device)

    def batch(self, draw: int) -> Tensor:
        return self._points(self.labels(draw), self._generator)

    def labels(self, draw: int) -> Tensor:
        """The mode of each point."""
        noise = self._generator.manual_seed(rng.derive(self._seed, self._purpose, draw))
        return torch.randint(self._modes, (self.batch_size,), generator=noise, device=self.device)


class _Images:
    """Shuffled epochs without replacement; the whole training split stays on the device as uint8."""

    def __init__(
        self,
        images: Tensor,  # on the device
        labels: Callable[[], Tensor | None],
        seed: int,
        batch_size: int,
        device: torch.device,
        pixels: tuple[float, float],
    ) -> None:
        if batch_size > len(images):
            raise DataError(f"batch_size {batch_size} is more than the {len(images)} training images")
        self.batch_size, self.device, self.shape, self._seed = batch_size, device, tuple(images.shape[1:]), seed
        self._images, self._read_labels = images, labels
        self._low, self._scale = pixels[0], (pixels[1] - pixels[0]) / 255
        self._orders: dict[int, Tensor] = {}

    def batch(self, draw: int) -> Tensor:
        return self._images[self._index(draw)].float().mul_(self._scale).add_(self._low)

    def labels(self, draw: int) -> Tensor:
        return self._labels[self._index(draw)]

    @cached_property
    def _labels(self) -> Tensor:
        labels = self._read_labels()
        if labels is None:
            raise DataError("these images have no classes: put them into one folder a class, or give labels")
        return labels.to(self.device)

    def _index(self, draw: int) -> Tensor:
        """Which images minibatch `draw` holds."""
        epoch, start = divmod(draw * self.batch_size, len(self._images))
        index = self._order(epoch)[start : start + self.batch_size]
        if len(index) < self.batch_size:
            index = torch.cat([index, self._order(epoch + 1)[: self.batch_size - len(index)]])
        return index

    def _order(self, epoch: int) -> Tensor:
        """The permutation of an epoch, the current ones kept."""
        if epoch not in self._orders:
            if len(self._orders) > 1:
                self._orders.clear()
            noise = rng.stream(self._seed, "order", epoch)
            self._orders[epoch] = torch.randperm(len(self._images), generator=noise).to(self.device)
        return self._orders[epoch]


def minibatches(dataset: Dataset, seed: int, batch_size: int, device: torch.device, **options: Any) -> Minibatches:
    """The training data of one run; see `minibatches_of_each` for the options."""
    return minibatches_of_each(dataset, [seed], batch_size, device, **options)[0]


def minibatches_of_each(
    dataset: Dataset,
    seeds: Sequence[int],
    batch_size: int,
    device: torch.device,
    *,
    pixels: tuple[float, float] = (-1.0, 1.0),  # what 0 and 255 become
    root: Path | None = None,
    held_out: bool = False,
) -> list[Minibatches]:
    """The data of runs with these seeds: fresh points of the mixture, or images, which all share, of the `train` split.

    Held-out data are other points, and images of the `valid` split. DataError where a split has not a minibatch.
    """
    if dataset.kind == "points":
        return [_Points(dataset, seed, batch_size, device, "held out" if held_out else "data") for seed in seeds]
    split = "valid" if held_out else "train"
    images = dataset.images(split, root).to(device)
    return [_Images(images, lambda: dataset.labels(split, root), seed, batch_size, device, pixels) for seed in seeds]
