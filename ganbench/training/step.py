"""One generator step: the variant's phases, in turn or at once."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import SimpleNamespace

import torch
from torch import Tensor

from ganbench import rng
from ganbench.data import Minibatches
from ganbench.spec import RunSpec, Scalar
from ganbench.training.latents import latents
from ganbench.training.optim import learning_rate
from ganbench.training.players import Player
from ganbench.variants.base import Batch, Phase, Variant


class Turns:
    """Steps of one run: `turn(step)` runs every phase of the variant once, as a pure function of state and step."""

    def __init__(self, spec: RunSpec, variant: Variant, players: Mapping[str, Player], data: Minibatches) -> None:
        self.spec, self.variant, self.players, self.data = spec, variant, players, data
        self.repeats = [_repeat(phase, spec.settings) for phase in variant.phases]
        self.nets = SimpleNamespace(**{name: player.network for name, player in players.items()})
        self._noise = torch.Generator(data.device)
        self._ambient = _global_generator(data.device)
        self._autocast = (
            torch.autocast(data.device.type, torch.bfloat16)
            if spec.settings["precision"] == "bf16"
            else contextlib.nullcontext()
        )

    def turn(self, step: int) -> list[Tensor]:
        """Train generator step `step` (from 0); returns each phase's last loss, detached, still on the device."""
        self._seed(step)
        run = self._simultaneous if self.variant.update == "simultaneous" else self._alternating
        return run(step)

    def _alternating(self, step: int) -> list[Tensor]:
        return [self.play(phase, step, repeat) for phase, repeat in zip(self.variant.phases, self.repeats, strict=True)]

    def play(self, phase: Phase, step: int, repeat: int) -> Tensor:
        """Update a phase's player `repeat` times within generator step `step`; the last loss."""
        for turn in range(repeat):
            loss = self._differentiate(phase, step * repeat + turn)
            self._apply(phase, step)
        return loss

    def _simultaneous(self, step: int) -> list[Tensor]:
        losses = [self._differentiate(phase, step) for phase in self.variant.phases]
        for phase in self.variant.phases:
            self._apply(phase, step)
        return losses

    def _seed(self, step: int) -> None:
        """One stream a step for what the loop draws, one for what networks draw themselves (dropout)."""
        self._noise.manual_seed(rng.derive(self.spec.seed, "train", step))
        self._ambient.manual_seed(rng.derive(self.spec.seed, "ambient", step))

    def _differentiate(self, phase: Phase, draw: int) -> Tensor:
        player = self.players[phase.player]
        player.thaw()
        with self._autocast:
            loss = phase.loss(self.nets, self._batch(phase.reads, draw), self.spec.settings)
        player.differentiate(loss)
        player.freeze()
        return loss.detach()

    def _batch(self, reads: tuple[str, ...], draw: int) -> Batch:
        n, noise = self.data.batch_size, self._noise
        return Batch(
            real=self.data.batch(draw) if "real" in reads else None,
            z=latents(n, self.spec.settings, noise) if "z" in reads else None,
            eps=torch.rand(n, generator=noise, device=self.data.device) if "eps" in reads else None,
        )

    @torch.no_grad()
    def _apply(self, phase: Phase, step: int) -> None:
        player, h = self.players[phase.player], self.spec.settings
        lr = learning_rate(step, self.spec.steps, h)
        if phase.player != "G":
            lr *= float(h["lr_ratio"])
        player.updates += 1
        player.optimizer.update(player.weights, player.gradient, player.state, player.updates, lr, h)
        if phase.clip:
            bound = float(h[phase.clip])
            player.weights.clamp_(-bound, bound)


def _repeat(phase: Phase, settings: Mapping[str, Scalar]) -> int:
    return phase.repeat if isinstance(phase.repeat, int) else int(settings[phase.repeat])


def _global_generator(device: torch.device) -> torch.Generator:
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator
