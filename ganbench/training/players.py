"""Players: networks whose parameters are views into one flat vector, and what each phase keeps to train them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganbench.training.optim import Number, Numbers, Optimizer

_ALIGN = 16  # floats: every parameter starts on a 64-byte boundary, which the matrix kernels like


class Player:
    """A network to be trained. `weights` is a flat vector that its parameters are views of.

    `past` is the mean of its past weights, where historical averaging is on.
    """

    def __init__(self, network: nn.Module, *, channels_last: bool = False, remembers: bool = False) -> None:
        self.network = network
        self.parameters: list[Tensor] = list(network.parameters())
        self._names = [name for name, _ in network.named_parameters()]
        self._shapes = [parameter.shape for parameter in self.parameters]
        self._offsets = _offsets(self._shapes)
        self._channels_last = channels_last
        self.weights = torch.zeros(self._offsets[-1], device=self.parameters[0].device, dtype=self.parameters[0].dtype)
        for parameter, view in zip(self.parameters, self.views(self.weights), strict=True):
            view.copy_(parameter.data)
            parameter.data = view
        self.past = torch.zeros_like(self.weights) if remembers else None
        self.remembered = torch.zeros((), device=self.weights.device)
        self.freeze()

    def views(self, flat: Tensor) -> list[Tensor]:
        """Vectors (..., w) laid out as `weights`, as one tensor a parameter, (..., *its shape); differentiable."""
        pairs = zip(self._shapes, self._offsets, strict=False)
        return [_view(flat, offset, shape, self._channels_last) for shape, offset in pairs]

    def named_views(self, flat: Tensor) -> dict[str, Tensor]:
        """The same by the parameters' names."""
        return self.named(self.views(flat))

    def named(self, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
        """One tensor a parameter, by the parameters' names."""
        return dict(zip(self._names, parameters, strict=True))

    @property
    def buffers(self) -> dict[str, Tensor]:
        """What the network keeps beside its parameters, by name: spectral norm's vectors."""
        return dict(self.network.named_buffers())

    def freeze(self) -> None:
        """Losses taken now are constant in this player's parameters."""
        for parameter in self.parameters:
            parameter.requires_grad_(False)

    def thaw(self) -> None:
        """Losses taken now can be differentiated in this player's parameters."""
        for parameter in self.parameters:
            parameter.requires_grad_(True)

    def remember(self) -> None:
        """Take the weights into the mean of past ones."""
        if self.past is not None:
            self.remembered += 1
            self.past.lerp_(self.weights, 1 / self.remembered)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Everything that training changes, by name, but for the optimisers' states."""
        yield "weights", self.weights
        if self.past is not None:
            yield "past", self.past
            yield "remembered", self.remembered
        for name, buffer in self.buffers.items():
            yield f"buffer.{name}", buffer


class StackedPlayer(Player):
    """The same player of several runs: weights (runs, w), parameters (runs, *shape), buffers and past alike.

    It begins where its members are. `network` is a template: what it computes at given weights is the same for all.
    """

    def __init__(self, members: Sequence[Player]) -> None:
        first = members[0]
        self.network, self._names = first.network, first._names
        self._shapes, self._offsets, self._channels_last = first._shapes, first._offsets, first._channels_last
        self.weights = torch.stack([member.weights for member in members])
        self.parameters = self.views(self.weights)
        self._buffers = {name: torch.stack([each.buffers[name] for each in members]) for name in first.buffers}
        self.past = (
            None if first.past is None else torch.stack([each.past for each in members if each.past is not None])
        )
        self.remembered = first.remembered.clone()  # as many for all
        self.freeze()

    @property
    def buffers(self) -> dict[str, Tensor]:
        """Of all runs, (runs, ...)."""
        return self._buffers

    def hand_back(self, row: int, member: Player) -> None:
        """Bring a member to where row `row` is."""
        member.weights.copy_(self.weights[row])
        if member.past is not None and self.past is not None:
            member.past.copy_(self.past[row])
            member.remembered.copy_(self.remembered)
        for name, buffer in member.buffers.items():
            buffer.copy_(self.buffers[name][row])


class Trainee:
    """A player as one phase trains it: its gradient, the optimiser's state, and the number of updates."""

    def __init__(self, player: Player, optimizer: Optimizer) -> None:
        self.player, self.optimizer = player, optimizer
        self.gradient = torch.zeros_like(player.weights)
        self._gradients = player.views(self.gradient)
        self.state = optimizer.init(player.weights)
        self.updates = 0

    def receive(self, gradients: tuple[Tensor, ...]) -> None:
        """Keep the gradients of all parameters."""
        torch._foreach_copy_(self._gradients, list(gradients))

    def count(self, lr: Number, h: Mapping[str, Any]) -> Numbers:
        """Begin one more update; the numbers that it goes by."""
        self.updates += 1
        return self.optimizer.numbers(self.updates, lr, h)

    def move(self, numbers: Numbers, h: Mapping[str, Any]) -> None:
        """One step of the optimiser along the gradient."""
        step, state = self.optimizer.rule(self.gradient, self.state, numbers, h)
        self.player.weights.add_(step)
        self.player.remember()
        self.state = state


def _offsets(shapes: Sequence[torch.Size]) -> list[int]:
    """Where each parameter starts in the flat vector, and last the vector's length."""
    offsets = [0]
    for shape in shapes:
        offsets.append(offsets[-1] + -(-shape.numel() // _ALIGN) * _ALIGN)
    return offsets


def _view(flat: Tensor, offset: int, shape: torch.Size, channels_last: bool) -> Tensor:
    piece = flat[..., offset : offset + shape.numel()]
    if channels_last and len(shape) == 4:
        out, into, height, width = shape
        images: Tensor = piece.unflatten(-1, (out, height, width, into))
        return images.movedim(-1, -3)
    view: Tensor = piece.unflatten(-1, shape) if shape else piece.squeeze(-1)
    return view
