"""Samples of a trained generator, in the form that metrics take."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ganbench import rng
from ganbench.networks import NETWORKS, standing_statistics
from ganbench.spec import Scalar
from ganbench.training.latents import latents
from ganbench.training.state import RunState

CHUNK = 500
STANDING_BATCHES = 32
SAMPLING_SEED = 0


class GeneratorSampler:
    """Calling it with n yields n samples in chunks: float32 points (c, d), or uint8 images (c, C, H, W).

    The first n samples of a longer draw are the same n. Latents depend on the sampling seed alone, so that all runs
    are sampled at the same latents. Weights are the moving average where the run kept one; batch norms hold standing
    statistics of STANDING_BATCHES batches.
    """

    def __init__(self, state: RunState, seed: int = SAMPLING_SEED) -> None:
        self._settings, self._device, self._seed = state.spec.settings, state.device, seed
        self._network = NETWORKS.get(state.spec.network)
        self._generator = _final_generator(state, seed)
        self.protocol: dict[str, Scalar] = {
            "generator": "last" if state.ema is None else "ema",
            "sampling_seed": seed,
        }
        if self._network.kind == "images":
            self.protocol["quantisation"] = "round"

    def __call__(self, n: int) -> Iterator[Tensor]:
        """Yield n samples."""
        for index, start in enumerate(range(0, n, CHUNK)):
            noise = rng.stream(self._seed, "sample", index, self._device)
            with torch.no_grad():
                samples = self._generator(latents(CHUNK, self._settings, noise))
            yield self._finish(samples[: n - start])

    def _finish(self, samples: Tensor) -> Tensor:
        if self._network.kind == "points":
            return samples
        low, high = self._network.pixels
        return ((samples - low) * (255 / (high - low))).round().clamp(0, 255).to(torch.uint8)


@torch.no_grad()
def _final_generator(state: RunState, seed: int) -> torch.nn.Module:
    player = state.players["G"]
    size = int(state.spec.settings["batch_size"])
    last = player.weights.clone()
    if state.ema is not None:
        player.weights.copy_(state.ema)
    batches = (
        latents(size, state.spec.settings, rng.stream(seed, "standing", index, state.device))
        for index in range(STANDING_BATCHES)
    )
    generator = standing_statistics(player.network, batches)
    player.weights.copy_(last)
    return generator
