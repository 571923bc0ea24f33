"""Samples of a trained generator, in the form that metrics take."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ganbench import rng
from ganbench.canonical import Scalar
from ganbench.data import Dataset
from ganbench.errors import DataError
from ganbench.networks import NETWORKS, standing_statistics
from ganbench.training.latents import latents, small_images
from ganbench.training.state import RunState

CHUNK = 500
STANDING_BATCHES = 32
SAMPLING_SEED = 0


class GeneratorSampler:
    """Calling it with n yields n samples in chunks: float32 points (c, d), or uint8 images (c, C, H, W).

    The first n samples of a longer draw are the same n. Latents depend on the sampling seed alone, so that all runs
    are sampled at the same latents; a conditional generator's classes are drawn evenly. Weights are the moving
    average where the run kept one; batch norms hold standing statistics of STANDING_BATCHES batches. A generator that
    enlarges images is given those of the `valid` split, so it needs the data set.
    """

    def __init__(
        self, state: RunState, dataset: Dataset | None = None, root: Path | None = None, seed: int = SAMPLING_SEED
    ) -> None:
        self._source = _small_images(state, dataset, root, seed) if state.h["scale"] else None
        self._h, self._device, self._seed = state.h, state.device, seed
        self._classes = int(state.h["classes"]) if state.h.get("conditioning", "none") != "none" else 0
        self._network = NETWORKS.get(state.spec.network)
        self._generator = self._final(state)
        self.protocol: dict[str, Scalar] = {
            "generator": "last" if state.ema is None else "ema",
            "sampling_seed": seed,
        }
        if self._network.kind == "images":
            self.protocol["quantisation"] = "round"

    def __call__(self, n: int) -> Iterator[Tensor]:
        """Yield n samples."""
        for index, start in enumerate(range(0, n, CHUNK)):
            with torch.no_grad(), self._own_stream(index):
                samples = self._generator(*self._inputs(CHUNK, "sample", index))
            yield self._finish(samples[: n - start])

    def _inputs(self, n: int, purpose: str, index: int) -> tuple[Tensor, ...]:
        """Latents, and classes for a conditional generator."""
        noise = rng.stream(self._seed, purpose, index, self._device)
        if self._source is not None:
            return (self._source[torch.arange(index * n, (index + 1) * n) % len(self._source)].to(self._device),)
        z = latents(n, self._h, noise)
        if not self._classes:
            return (z,)
        return z, torch.randint(self._classes, (n,), generator=noise, device=self._device)

    @contextlib.contextmanager
    def _own_stream(self, index: int) -> Iterator[None]:
        """For generators that draw themselves, as a Boltzmann machine's chain does."""
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            rng.global_generator(self._device).manual_seed(rng.derive(self._seed, "chain", index))
            yield

    def _finish(self, samples: Tensor) -> Tensor:
        if self._network.kind == "points":
            return samples
        low, high = self._network.pixels
        return ((samples - low) * (255 / (high - low))).round().clamp(0, 255).to(torch.uint8)

    @torch.no_grad()
    def _final(self, state: RunState) -> torch.nn.Module:
        """A copy of G at the weights that are sampled."""
        player, size = state.players["G"], int(self._h["batch_size"])
        last = player.weights.clone()
        if state.ema is not None:
            player.weights.copy_(state.ema)
        batches = (self._inputs(size, "standing", index) for index in range(STANDING_BATCHES))
        generator = standing_statistics(player.network, batches)
        player.weights.copy_(last)
        return generator


def _small_images(state: RunState, dataset: Dataset | None, root: Path | None, seed: int) -> Tensor:
    """Held-out images as latents, (n, inputs), shuffled."""
    if dataset is None:
        raise DataError(f"network {state.spec.network!r} enlarges images: its sampler needs the data set")
    low, high = state.h["pixels"]
    images = dataset.images("valid", root).float() * ((high - low) / 255) + low
    order = torch.randperm(len(images), generator=rng.stream(seed, "source"))
    return small_images(images, int(state.h["scale"]))[order]
