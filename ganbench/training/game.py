"""The game: all players in one module, the losses of phases at any weights, and the gradients that players follow.

Several runs are one game with another first axis: a loss is written for one run, `torch.func.vmap` makes it many, and
since no run's loss depends on another's weights the gradient of their sum is each one's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganbench.training.draws import drawn
from ganbench.training.optim import Number
from ganbench.training.players import Player, StackedPlayer, Trainee
from ganbench.variants import losses
from ganbench.variants.base import Batch, Phase, on

Told = tuple[Tensor, Mapping[str, Tensor]]
"""A phase's loss, and the new values of its memory; (runs,) where several runs are played."""


class Playable(Protocol):
    """A game of one run, or of several."""

    nets: SimpleNamespace

    def forward(self, phase: Phase, batch: Batch, h: Mapping[str, Any]) -> Told:
        """The loss where the players are, and what the phase wants remembered."""
        ...

    def told(self, y: Tensor) -> SimpleNamespace:
        """The players, knowing the classes y: nets.G(z) is G(z, y)."""
        ...

    def at(self, weights: Mapping[str, Mapping[str, Tensor]]) -> Callable[..., Told]:
        """The game with players of these names at these named weights, the others where they are."""
        ...


class Game(nn.Module):
    """Players by name; called with (phase, batch, h) it gives the phase's loss, at whatever weights it is called."""

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.nets = SimpleNamespace(**networks)

    def forward(self, phase: Phase, batch: Batch, h: Mapping[str, Any]) -> Told:
        """The loss, and what the phase wants remembered."""
        nets = self.nets if batch.y is None else self.told(batch.y)
        found = phase.loss(nets, batch, h)
        return found if isinstance(found, tuple) else (found, {})

    def told(self, y: Tensor) -> SimpleNamespace:
        """See Playable; y is (n,)."""
        return SimpleNamespace(**{name: _Told(player, y) for name, player in vars(self.nets).items()})

    def at(self, weights: Mapping[str, Mapping[str, Tensor]]) -> Callable[..., Told]:
        """See Playable."""
        flat = {f"networks.{name}.{key}": value for name, each in weights.items() for key, value in each.items()}
        return lambda *arguments: torch.func.functional_call(self, flat, arguments)


class _Told:
    """A player that is told the classes of the batch at every call."""

    def __init__(self, player: nn.Module, y: Tensor) -> None:
        self._player, self._y = player, y

    def __call__(self, *inputs: Tensor) -> Any:
        return self._player(*inputs, y=self._y)

    def features(self, *inputs: Tensor) -> Any:
        features: Any = self._player.features
        return features(*inputs, y=self._y)

    def parameters(self) -> Any:
        return self._player.parameters()


class StackedGame:
    """The games of several runs as one: weights, batches and differing settings have a first axis, and so have losses.

    `game` is one of theirs, at whose networks weights are put.
    """

    def __init__(self, game: Game, players: Mapping[str, StackedPlayer]) -> None:
        self.game, self.players = game, players
        self.nets = SimpleNamespace(**{name: self._net(name) for name in players})

    def forward(self, phase: Phase, batch: Batch, h: Mapping[str, Any]) -> Told:
        """See Playable."""
        return self.at({})(phase, batch, h)

    def at(self, weights: Mapping[str, Mapping[str, Tensor]]) -> Callable[..., Told]:
        """See Playable."""
        ours = {name: player.named(player.parameters) for name, player in self.players.items()}
        placed = {**ours, **weights}
        everything = {name: {**placed[name], **player.buffers} for name, player in self.players.items()}

        def play(phase: Phase, batch: Batch, h: Mapping[str, Any]) -> Told:
            differing = {name: value for name, value in h.items() if isinstance(value, Tensor)}

            def alone(at: Any, fields: Mapping[str, Tensor], settings: Mapping[str, Tensor]) -> Told:
                return self.game.at(at)(phase, Batch(**fields), {**h, **settings})

            fields = {name: getattr(batch, name) for name in drawn(batch)}
            told: Told = torch.func.vmap(alone, randomness="different")(everything, fields, differing)
            return told

        return play

    def told(self, y: Tensor) -> SimpleNamespace:
        """See Playable; y is (runs, n)."""
        return SimpleNamespace(**{name: self._net(name, y) for name in self.players})

    def _net(self, name: str, y: Tensor | None = None) -> Callable[..., Any]:
        """A player as a function of inputs (runs, n, ...)."""
        player = self.players[name]

        def alone(at: Mapping[str, Tensor], inputs: tuple[Tensor, ...], more: Mapping[str, Tensor]) -> Any:
            return torch.func.functional_call(player.network, dict(at), inputs, dict(more))

        def net(*inputs: Tensor) -> Any:
            at = {**player.named(player.parameters), **player.buffers}
            more = {} if y is None else {"y": y}
            return torch.func.vmap(alone, randomness="different")(at, inputs, more)

        return net


class Share:
    """One phase of the game, with the trainees of its players."""

    def __init__(self, phase: Phase, trainees: Sequence[Trainee]) -> None:
        self.phase, self.trainees = phase, list(trainees)
        self.parameters = [parameter for trainee in trainees for parameter in trainee.player.parameters]

    def named(self) -> Iterator[tuple[str, Trainee]]:
        """The trainees with their players' names."""
        return zip(self.phase.names, self.trainees, strict=True)

    def receive(self, gradients: Sequence[Tensor]) -> None:
        """Hand the gradients of all parameters to the trainees."""
        start = 0
        for trainee in self.trainees:
            end = start + len(trainee.player.parameters)
            trainee.receive(tuple(gradients[start:end]))
            start = end

    def history(self, h: Mapping[str, Any]) -> Tensor | float:
        """The term of historical averaging, 0 where it is off or nothing is past yet."""
        if not on(h["historical"]):
            return 0.0
        pairs = (pair for trainee in self.trainees for pair in _past(trainee.player))
        stacked = isinstance(self.trainees[0].player, StackedPlayer)
        distance = torch.func.vmap(losses.historical_average) if stacked else losses.historical_average
        total: Tensor = h["historical"] * sum(distance(weights, past) for weights, past in pairs)
        return total


@contextlib.contextmanager
def free(*shares: Share) -> Iterator[None]:
    """Within the block losses can be differentiated in the parameters of these shares' players; outside they cannot."""
    players = [trainee.player for share in shares for trainee in share.trainees]
    for player in players:
        player.thaw()
    try:
        yield
    finally:
        for player in players:
            player.freeze()


def _past(player: Player) -> list[tuple[Tensor, Tensor]]:
    assert player.past is not None
    past = torch.where(player.remembered > 0, player.past, player.weights)
    return list(zip(player.parameters, player.views(past), strict=True))


def differentiate(game: Callable[..., Told], share: Share, batch: Batch, h: Mapping[str, Any]) -> Told:
    """Give a freed share's trainees the gradient of its phase's loss; the loss, detached, and the new memory."""
    loss, memory = game(share.phase, batch, h)
    total = _summed(loss + share.history(h))
    share.receive(torch.autograd.grad(total, share.parameters, materialize_grads=True))
    return loss.detach(), _detached(memory)


def differentiate_consensus(
    game: Callable[..., Told], shares: Sequence[Share], moving: Share, batches: Sequence[Batch], h: Mapping[str, Any]
) -> Told:
    """As `differentiate` for one share, with γ ∇ ½‖v‖² added, v the gradients of all. Mescheder et al. 2017, eq. 11."""
    told = [game(share.phase, batch, h) for share, batch in zip(shares, batches, strict=True)]
    field = [
        torch.autograd.grad(
            _summed(loss + share.history(h)), share.parameters, create_graph=True, materialize_grads=True
        )
        for share, (loss, _) in zip(shares, told, strict=True)
    ]
    energy = torch.stack([part.square().sum() for parts in field for part in parts]).sum() / 2
    pull = torch.autograd.grad(energy, moving.parameters, materialize_grads=True)
    index = list(shares).index(moving)
    gamma = h["consensus"]
    moving.receive(
        [part.detach() + _of_runs(gamma, part) * more for part, more in zip(field[index], pull, strict=True)]
    )
    loss, memory = told[index]
    return loss.detach(), _detached(memory)


def _summed(loss: Tensor) -> Tensor:
    """Of several runs the sum, whose gradient in a run's weights is that of its own loss."""
    return loss.sum() if loss.dim() else loss


def _of_runs(value: Number, like: Tensor) -> Number:
    """A setting (runs,) as it multiplies a parameter (runs, ...)."""
    return value.view(-1, *(1,) * (like.dim() - 1)) if isinstance(value, Tensor) else value


def gradient_at(
    game: Game, shares: Sequence[Share], share: Share, flats: Mapping[str, Tensor], batch: Batch, h: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The gradient of a phase in the flat weights of its players, all players being at `flats`; by torch.func."""
    players = {name: trainee.player for each in shares for name, trainee in each.named()}

    def loss(own: dict[str, Tensor]) -> Tensor:
        named = {name: players[name].named_views(flat) for name, flat in {**flats, **own}.items()}
        value: Tensor = game.at(named)(share.phase, batch, h)[0]
        return value

    found: dict[str, Tensor] = torch.func.grad(loss)({name: flats[name] for name in share.phase.names})
    return found


def unroll(
    game: Playable,
    share: Share,
    batch: Batch,
    steps: int,
    lr: Number,
    h: Mapping[str, Any],
    rates: Mapping[str, Any],
) -> Callable[..., Told]:
    """The game after `steps` more updates of a share, differentiable in other players. Metz et al. 2017, eq. 7-9.

    `h` is what losses read, `rates` what optimisers read (see Turns).
    """
    weights = {trainee: trainee.player.weights.detach().requires_grad_() for trainee in share.trainees}
    states = {trainee: trainee.state for trainee in share.trainees}

    def moved() -> Callable[..., Told]:
        return game.at({name: trainee.player.named_views(weights[trainee]) for name, trainee in share.named()})

    for done in range(steps):
        loss, _ = moved()(share.phase, batch, h)
        gradients = torch.autograd.grad(
            _summed(loss), list(weights.values()), create_graph=True, materialize_grads=True
        )
        for trainee, gradient in zip(share.trainees, gradients, strict=True):
            count = trainee.updates + done + 1
            step, states[trainee] = trainee.optimizer.update(gradient, states[trainee], count, lr, rates)
            weights[trainee] = weights[trainee] + step
    return moved()


def _detached(memory: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return {name: value.detach() for name, value in memory.items()}
