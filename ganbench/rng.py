"""Randomness as a function: every stream depends on (seed, purpose, step) and on nothing else.

So a run's noise does not depend on its executor, on its neighbours or on how often it was restarted, and a
checkpoint holds no generator state.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from ganbench.lazy import torch

if TYPE_CHECKING:
    from torch import Generator

_MASK = 2**64 - 1


@lru_cache(maxsize=4096)
def _base(seed: int, purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "big")


def derive(seed: int, purpose: str, step: int = 0) -> int:
    """A 63-bit seed for (seed, purpose, step): SHA-256 of the first two, SplitMix64 over the step.

    PyTorch's CPU generator (Mersenne Twister) keeps 32 bits of it, its CUDA generator (Philox) all of them.
    """
    x = (_base(seed, purpose) + step * 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return (x ^ (x >> 31)) >> 1


def stream(seed: int, purpose: str, step: int = 0, device: str | torch.device = "cpu") -> Generator:
    """A fresh generator on `device`, set to the start of the stream (seed, purpose, step)."""
    return torch.Generator(device).manual_seed(derive(seed, purpose, step))


@contextlib.contextmanager
def global_stream(seed: int, purpose: str, step: int = 0) -> Iterator[None]:
    """Within the block torch's global CPU generator is the stream; its state outside is left as it was.

    For code that cannot be handed a generator, such as the default initialisation of a user's `nn.Module`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive(seed, purpose, step))
        yield


def global_generator(device: torch.device) -> Generator:
    """The generator that code without one of its own draws from (dropout), on this device."""
    if device.type == "cuda":
        found: Generator = torch.cuda.default_generators[device.index or 0]
        return found
    return torch.default_generator
