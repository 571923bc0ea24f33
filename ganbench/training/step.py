"""One generator step: the variant's phases, in turn, at once, or at once after a look ahead; of one run or of many."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ganbench.canonical import Scalar
from ganbench.training.draws import Draws
from ganbench.training.game import Playable, Share, Told, differentiate, differentiate_consensus, free, unroll
from ganbench.training.optim import Number, Numbers, learning_rate, like
from ganbench.variants.base import Batch, Phase, on


class Turns:
    """Steps of a run: `turn(step)` runs every phase of the variant once, as a pure function of state and step.

    `memory` holds the phases' numbers, and is written; `h` every setting of the run. Of several runs each setting that
    they differ in is a tensor: (runs,) in `h`, for losses, and a float64 column (runs, 1) in `rates`, for optimisers.
    """

    eager: Mapping[str, str] | None = None
    """Of steps that are compiled: parts that are not, and why."""

    def __init__(
        self,
        game: Playable,
        shares: Sequence[Share],
        memory: MutableMapping[str, Tensor],
        h: Mapping[str, Any],
        draws: Draws,
        *,
        steps: int,
        rates: Mapping[str, Any] | None = None,
    ) -> None:
        self.game, self.shares, self.memory, self.h, self.draws, self.steps = game, shares, memory, h, draws, steps
        self.rates = h if rates is None else rates
        self.repeats = [_repeat(share.phase, h) for share in shares]
        self._fields = [share.phase.fields(h) for share in shares]
        self._autocast = (
            torch.autocast(draws.device.type, torch.bfloat16) if h["precision"] == "bf16" else contextlib.nullcontext()
        )

    def turn(self, step: int) -> list[Tensor]:
        """Train generator step `step` (from 0); returns each phase's last loss, detached, still on the device."""
        self.draws.begin(step)
        self.draws.begin_networks(step)
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
        seen = range(len(self.shares)) if on(self.h["consensus"]) else (index,)
        batches = [self.batch(each, draw) for each in seen]
        loss, memory = self.gradient(index, batches, {**self.memory, "progress": step / self.steps}, draw, step)
        self.memory.update(memory)
        return loss

    def gradient(
        self, index: int, batches: Sequence[Batch], numbers: Mapping[str, Any], draw: int = 0, step: int = 0
    ) -> Told:
        """The gradient of a phase on these batches at these numbers; `draw` and `step` say what it looks ahead by."""
        h, share = {**self.h, **numbers}, self.shares[index]
        with self._autocast:
            if on(h["consensus"]):
                with free(*self.shares):
                    return differentiate_consensus(self.game.forward, self.shares, share, batches, h)
            with free(share):
                return differentiate(self._view(share, draw, step, h), share, batches[0], h)

    def _view(self, share: Share, draw: int, step: int, h: Mapping[str, Any]) -> Any:
        """The game as a phase sees it: G's, of an unrolled GAN, as it will be after D's next steps."""
        looked = self.looked_at(share)
        if looked is None:
            return self.game.forward
        batch = self.batch(self.shares.index(looked), draw)
        return unroll(self.game, looked, batch, int(h["unrolled"]), self._rate(looked.phase, step), h, self.rates)

    def looked_at(self, share: Share) -> Share | None:
        """Whose next steps a phase foresees, in an unrolled GAN."""
        others = (each for each in self.shares if "D" in each.phase.names and each is not share)
        return next(others, None) if self.h["unrolled"] and "G" in share.phase.names else None

    def batch(self, index: int, draw: int) -> Batch:
        """What a phase sees of minibatch `draw`."""
        return self.draws.batch(self._fields[index], draw)

    def _rate(self, phase: Phase, step: int) -> Number:
        rate = learning_rate(step, self.steps, self.rates)
        return rate * self.rates["lr_ratio"] if "D" in phase.names else rate

    def _move(self, index: int, step: int) -> None:
        share = self.shares[index]
        rate = self._rate(share.phase, step)
        self.move(index, [trainee.count(rate, self.rates) for trainee in share.trainees])

    @torch.no_grad()
    def move(self, index: int, numbers: Sequence[Numbers]) -> None:
        """Move a phase's players along their gradients, by what their optimisers count."""
        share = self.shares[index]
        for trainee, own in zip(share.trainees, numbers, strict=True):
            trainee.move(own, self.rates)
            if share.phase.clip:
                bound = like(self.rates[share.phase.clip], trainee.player.weights)
                trainee.player.weights.clamp_(-bound, bound)


def _repeat(phase: Phase, settings: Mapping[str, Scalar]) -> int:
    return phase.repeat if isinstance(phase.repeat, int) else int(settings[phase.repeat])
