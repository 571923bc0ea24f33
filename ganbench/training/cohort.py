"""Cohorts: runs that differ in seed and in numbers alone, trained as one tensor program.

What the loop trains is always a cohort. Of a lone run everything is the run's own; of several the players, optimiser
states, memories and curves are stacked along a first axis, and go back to the runs where one is saved or ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from ganbench.data import Minibatches
from ganbench.spec import Status
from ganbench.training import checkpoint
from ganbench.training.draws import Draws, RunDraws, StackedDraws
from ganbench.training.game import Game, Share, StackedGame
from ganbench.training.players import StackedPlayer, Trainee
from ganbench.training.state import RunState, beyond
from ganbench.training.step import Turns


class Cohort:
    """Runs at the same step. `rows` are the places, among all members, of those that still train, in their order."""

    def __init__(self, members: Sequence[RunState], ended: Mapping[int, Status] | None = None) -> None:
        self.members = list(members)
        self.ended = dict(ended or {})  # by place
        self.lone = len(members) == 1
        self.rows = [place for place in range(len(members)) if place not in self.ended]
        self.step, self.seconds = max(run.step for run in self.training or members), 0.0
        if self.rows:
            self._gather()

    @property
    def training(self) -> list[RunState]:
        """The members that still train."""
        return [self.members[row] for row in self.rows]

    @property
    def first(self) -> RunState:
        """A member, for what is the same for all."""
        return self.members[0]

    def turns(self, draws: Draws, *, compiled: bool = False) -> Turns:
        """What trains the cohort. Its members know from now on what is done eagerly."""
        game = Game({name: player.network for name, player in self.training[0].players.items()})
        played = game if self.lone else StackedGame(game, self.players)  # type: ignore[arg-type]
        steps = self.first.spec.steps
        turns = _kind(compiled)(played, self.shares, self.memory, self.h, draws, steps=steps, rates=self.rates)
        for run in self.training:
            run.eager = turns.eager
        return turns

    def draws(self, data: Sequence[Minibatches]) -> Draws:
        """The draws of those that train, each from its minibatches."""
        each = [RunDraws(own, run.h, run.spec.seed) for own, run in zip(data, self.training, strict=True)]
        return each[0] if self.lone else StackedDraws(each)

    def end(self, ended: Mapping[int, Status]) -> None:
        """Take rows (counted among those that train) out: their members stay where they are now."""
        self.hand_back()
        for row, status in ended.items():
            self.ended[self.rows[row]] = status
        self.rows = [place for row, place in enumerate(self.rows) if row not in ended]
        if self.rows:
            self._gather()

    @torch.no_grad()
    def hand_back(self) -> None:
        """Bring the members that train to where the cohort is."""
        for row, member in enumerate(self.training):
            member.step, member.seconds = self.step, member.seconds + self.seconds / len(self.rows)
            if not self.lone:
                self._hand_back(row, member)
        self.seconds = 0.0

    def _gather(self) -> None:
        """Stack what the members that train have."""
        runs = self.training
        stacked = runs[0] if self.lone else _stack(runs)
        self.players, self.shares, self.memory = stacked.players, stacked.shares, stacked.memory
        self.ema, self.curves = stacked.ema, stacked.curves
        self.h, self.rates = (runs[0].h, runs[0].h) if self.lone else settings([run.h for run in runs], runs[0].device)

    def _hand_back(self, row: int, member: RunState) -> None:
        for name, player in self.players.items():
            player.hand_back(row, member.players[name])  # type: ignore[union-attr]
        for share, own in zip(self.shares, member.shares, strict=True):
            for trainee, theirs in zip(share.trainees, own.trainees, strict=True):
                theirs.state = {name: value[row].clone() for name, value in trainee.state.items()}
                theirs.updates = trainee.updates
        for name, value in self.memory.items():
            member.memory[name] = value[row].clone()
        if self.ema is not None and member.ema is not None:
            member.ema.copy_(self.ema[row])
        member.curves.copy_(self.curves[row])

    def save(self, path: Path) -> None:
        """Write everything that training changes, of all members, into one file: all are at one step or at none.

        A lone run's is its own checkpoint.
        """
        self.hand_back()
        if self.lone:
            self.first.save(path)
            return
        tensors = {f"{run.spec.id}/{key}": tensor for run in self.members for key, tensor in run.saved()}
        facts = {run.spec.id: run.facts() for run in self.members}
        over = (Status.COMPLETED, Status.DIVERGED)
        ended = {self.members[place].spec.id: str(status) for place, status in self.ended.items() if status in over}
        checkpoint.save(path, tensors, {"members": facts, "ended": ended})


def resumed(runs: Sequence[RunState], path: Path, until: int) -> Cohort:
    """The cohort of these runs, brought to where the file left them; as they are where it does not know them all, or
    knows them beyond the step `until`.
    """
    tensors, facts = checkpoint.load(path) or ({}, {"members": {}})
    known = [facts["members"].get(run.spec.id) for run in runs]
    if any(each is None or beyond(each, until) for each in known):
        return Cohort(runs)
    if not all(_restore(run, tensors, facts) for run in runs):
        return Cohort(runs)
    ended = {place: facts["ended"].get(run.spec.id) for place, run in enumerate(runs)}
    return Cohort(runs, {place: Status(status) for place, status in ended.items() if status is not None})


def _kind(compiled: bool) -> type[Turns]:
    if not compiled:
        return Turns
    from ganbench.training.compiled import CompiledTurns  # the compiler takes a second to import

    return CompiledTurns


def _restore(run: RunState, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bool:
    prefix = f"{run.spec.id}/"
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return run.load(own, facts["members"][run.spec.id])


def _stack(runs: Sequence[RunState]) -> SimpleNamespace:
    """Everything of runs that training changes, stacked along a first axis."""
    first = runs[0]
    players = {name: StackedPlayer([run.players[name] for run in runs]) for name in first.players}
    return SimpleNamespace(
        players=players,
        shares=[_share([run.shares[index] for run in runs], players) for index in range(len(first.shares))],
        memory={name: torch.stack([run.memory[name] for run in runs]) for name in first.memory},
        ema=None if first.ema is None else torch.stack([run.ema for run in runs if run.ema is not None]),
        curves=torch.stack([run.curves for run in runs]),
    )


def _share(shares: Sequence[Share], players: Mapping[str, StackedPlayer]) -> Share:
    of_each_player = zip(*(share.trainees for share in shares), strict=True)
    pairs = zip(shares[0].phase.names, of_each_player, strict=True)
    return Share(shares[0].phase, [_trainee(each, players[name]) for name, each in pairs])


def _trainee(members: Sequence[Trainee], player: StackedPlayer) -> Trainee:
    trainee = Trainee(player, members[0].optimizer)
    trainee.state = {name: torch.stack([each.state[name] for each in members]) for name in members[0].state}
    trainee.updates = members[0].updates
    return trainee


def settings(each: Sequence[Mapping[str, Any]], device: torch.device) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of runs as one: those in which they differ as float32 (runs,), and as float64 (runs, 1)."""
    differing = [name for name, value in each[0].items() if any(h[name] != value for h in each)]
    numbers = {name: torch.tensor([float(h[name]) for h in each], dtype=torch.float64) for name in differing}
    for_losses = {name: value.float().to(device) for name, value in numbers.items()}
    columns = {name: value[:, None].to(device) for name, value in numbers.items()}
    return {**each[0], **for_losses}, {**each[0], **columns}
