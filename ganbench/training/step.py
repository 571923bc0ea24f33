"""One generator step: the variant's phases, in turn, at once, or at once after a look ahead."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ganbench import rng
from ganbench.data import Minibatches
from ganbench.spec import Scalar
from ganbench.training.game import Game, Share, differentiate, differentiate_consensus, free, unroll
from ganbench.training.latents import latents, small_images
from ganbench.training.optim import learning_rate
from ganbench.variants.base import Batch, Phase


class Turns:
    """Steps of one run: `turn(step)` runs every phase of the variant once, as a pure function of state and step.

    `memory` holds the phases' numbers, and is written; `h` every setting of the run.
    """

    def __init__(
        self,
        game: Game,
        shares: Sequence[Share],
        memory: MutableMapping[str, Tensor],
        h: Mapping[str, Any],
        data: Minibatches,
        *,
        seed: int,
        steps: int,
    ) -> None:
        self.game, self.shares, self.memory, self.h, self.data = game, shares, memory, h, data
        self.seed, self.steps = seed, steps
        self.repeats = [_repeat(share.phase, h) for share in shares]
        self._fields = [share.phase.fields(h) for share in shares]
        self._noise = torch.Generator(data.device)
        self._autocast = (
            torch.autocast(data.device.type, torch.bfloat16) if h["precision"] == "bf16" else contextlib.nullcontext()
        )

    def turn(self, step: int) -> list[Tensor]:
        """Train generator step `step` (from 0); returns each phase's last loss, detached, still on the device.

        One stream a step is for what the loop draws, another for what networks draw themselves (dropout).
        """
        self._noise.manual_seed(rng.derive(self.seed, "train", step))
        rng.global_generator(self.data.device).manual_seed(rng.derive(self.seed, "ambient", step))
        if self.h["update"] == "alternating":
            return [self.play(index, step, repeat) for index, repeat in enumerate(self.repeats)]
        for index, repeat in enumerate(self.repeats):
            self.play(index, step, repeat - 1, of=repeat)
        return self._at_once(step) if self.h["update"] == "simultaneous" else self._extragradient(step)

    def play(self, index: int, step: int, repeat: int, *, of: int | None = None) -> Tensor:
        """Update a phase's players `repeat` times within generator step `step`; the last loss.

        Its minibatches are those from step * of on: as many as all its updates of a step need.
        """
        loss = torch.zeros(())
        for turn in range(repeat):
            loss = self._differentiate(index, step * (of or repeat) + turn, step)
            self._move(index, step)
        return loss

    def _at_once(self, step: int) -> list[Tensor]:
        """Everybody's gradient is of the same point."""
        losses = self._differentiate_all(step)
        self._move_all(step)
        return losses

    def _differentiate_all(self, step: int) -> list[Tensor]:
        """Every phase's gradient where the players are, on its last minibatch of the step."""
        return [
            self._differentiate(index, step * repeat + repeat - 1, step) for index, repeat in enumerate(self.repeats)
        ]

    def _move_all(self, step: int) -> None:
        for index in range(len(self.shares)):
            self._move(index, step)

    def _extragradient(self, step: int) -> list[Tensor]:
        """A step to where all would be, and from here along the gradient there. Gidel et al. 2019, algorithm 4.

        The optimisers' moments take both gradients in, as there.
        """
        players = {id(trainee.player): trainee.player for share in self.shares for trainee in share.trainees}
        here = [player.weights.clone() for player in players.values()]
        self._at_once(step)
        losses = self._differentiate_all(step)
        for player, weights in zip(players.values(), here, strict=True):
            player.weights.copy_(weights)
        self._move_all(step)
        return losses

    def _differentiate(self, index: int, draw: int, step: int) -> Tensor:
        """The gradient of a phase on minibatch `draw`; its loss."""
        h = {**self.h, **self.memory, "progress": step / self.steps}
        share = self.shares[index]
        with self._autocast:
            if h["consensus"]:
                batches = [self.batch(other, draw) for other in range(len(self.shares))]
                with free(*self.shares):
                    loss, memory = differentiate_consensus(self.game.forward, self.shares, share, batches, h)
            else:
                batch = self.batch(index, draw)
                with free(share):
                    loss, memory = differentiate(self._view(share, draw, step, h), share, batch, h)
        self.memory.update(memory)
        return loss

    def _view(self, share: Share, draw: int, step: int, h: Mapping[str, Any]) -> Any:
        """The game as a phase sees it: G's, of an unrolled GAN, as it will be after D's next steps."""
        looked = [each for each in self.shares if "D" in each.phase.names and each is not share]
        if not h["unrolled"] or "G" not in share.phase.names or not looked:
            return self.game.forward
        batch = self.batch(self.shares.index(looked[0]), draw)
        return unroll(self.game, looked[0], batch, int(h["unrolled"]), self._rate(looked[0].phase, step), h)

    def batch(self, index: int, draw: int) -> Batch:
        """What a phase sees of minibatch `draw`; what is not data comes next from the step's stream."""
        n, noise, device, fields = self.data.batch_size, self._noise, self.data.device, self._fields[index]
        real = self.data.batch(draw) if "real" in fields else None
        z = self.latents(self.data, draw, noise) if "z" in fields else None
        eps = torch.rand(n, generator=noise, device=device) if "eps" in fields else None
        shape = (2, n, *self.data.shape)
        normal = torch.randn(shape, generator=noise, device=device) if "noise" in fields else None
        y = self.data.labels(draw) if self._conditional else None
        return Batch(real, z, eps, normal, y)

    def latents(self, data: Minibatches, draw: int, noise: torch.Generator) -> Tensor:
        """Latents for a minibatch: from the prior, or the small images of that minibatch."""
        if self.h["scale"]:
            return small_images(data.batch(draw), int(self.h["scale"]))
        return latents(data.batch_size, self.h, noise)

    @property
    def _conditional(self) -> bool:
        return bool(self.h.get("conditioning", "none") != "none")

    def nets(self, data: Minibatches, draw: int) -> Any:
        """The players, knowing the classes of a minibatch where the run is conditional."""
        return self.game.told(data.labels(draw)) if self._conditional else self.game.nets

    def _rate(self, phase: Phase, step: int) -> float:
        rate = learning_rate(step, self.steps, self.h)
        return rate * float(self.h["lr_ratio"]) if "D" in phase.names else rate

    @torch.no_grad()
    def _move(self, index: int, step: int) -> None:
        share = self.shares[index]
        rate = self._rate(share.phase, step)
        for trainee in share.trainees:
            trainee.move(rate, self.h)
            if share.phase.clip:
                bound = float(self.h[share.phase.clip])
                trainee.player.weights.clamp_(-bound, bound)


def _repeat(phase: Phase, settings: Mapping[str, Scalar]) -> int:
    return phase.repeat if isinstance(phase.repeat, int) else int(settings[phase.repeat])
