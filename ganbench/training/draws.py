"""What phases see at each update: minibatches, and numbers drawn from the step's own stream; of one run or of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

import torch
from torch import Tensor

from ganbench import rng
from ganbench.data import Minibatches
from ganbench.training.latents import latents, small_images
from ganbench.variants.base import Batch


class Draws(Protocol):
    """A run's randomness, or that of several runs, whose batches are stacked along a first axis."""

    device: torch.device

    def begin(self, step: int, purpose: str = "train") -> None:
        """What is drawn from now on is a function of the seed, the purpose and the step."""
        ...

    def begin_networks(self, step: int) -> None:
        """So is what networks draw themselves (dropout)."""
        ...

    def batch(self, wanted: Sequence[str], draw: int) -> Batch:
        """Minibatch `draw` with those fields of a Batch; what is not data comes next from the step's stream."""
        ...


class RunDraws:
    """Draws of one run: one stream a step for what the loop draws, another for what networks draw."""

    def __init__(self, data: Minibatches, h: Mapping[str, Any], seed: int) -> None:
        self.data, self.h, self.seed, self.device = data, h, seed, data.device
        self._noise = torch.Generator(data.device)
        self._conditional = h.get("conditioning", "none") != "none"

    def begin(self, step: int, purpose: str = "train") -> None:
        """See Draws."""
        self._noise.manual_seed(rng.derive(self.seed, purpose, step))

    def begin_networks(self, step: int) -> None:
        """See Draws."""
        rng.global_generator(self.device).manual_seed(rng.derive(self.seed, "ambient", step))

    def batch(self, wanted: Sequence[str], draw: int) -> Batch:
        """See Draws. Classes come with every batch where the run is conditional."""
        n, noise, device = self.data.batch_size, self._noise, self.device
        real = self.data.batch(draw) if "real" in wanted else None
        z = self._latents(draw) if "z" in wanted else None
        eps = torch.rand(n, generator=noise, device=device) if "eps" in wanted else None
        shape = (2, n, *self.data.shape)
        normal = torch.randn(shape, generator=noise, device=device) if "noise" in wanted else None
        y = self.data.labels(draw) if self._conditional else None
        return Batch(real, z, eps, normal, y)

    def _latents(self, draw: int) -> Tensor:
        """Latents for a minibatch: from the prior, or the small images of that minibatch."""
        if self.h["scale"]:
            return small_images(self.data.batch(draw), int(self.h["scale"]))
        return latents(self.data.batch_size, self.h, self._noise)


class StackedDraws:
    """Draws of several runs, each as it would be alone; what networks draw themselves is shared out among them."""

    def __init__(self, members: Sequence[Draws]) -> None:
        self.members, self.device = list(members), members[0].device

    def begin(self, step: int, purpose: str = "train") -> None:
        """See Draws."""
        for member in self.members:
            member.begin(step, purpose)

    def begin_networks(self, step: int) -> None:
        """See Draws. All draw from the first member's stream: dropout alone depends on who is together."""
        self.members[0].begin_networks(step)

    def batch(self, wanted: Sequence[str], draw: int) -> Batch:
        """See Draws."""
        batches = [member.batch(wanted, draw) for member in self.members]
        return Batch(**{name: torch.stack([getattr(each, name) for each in batches]) for name in drawn(batches[0])})


def drawn(batch: Batch) -> list[str]:
    """The fields that are there."""
    return [field.name for field in fields(batch) if getattr(batch, field.name) is not None]
