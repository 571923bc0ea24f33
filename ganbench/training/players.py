"""Players: networks whose parameters are views into one flat vector, and what each phase keeps to train them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganbench.training.optim import Optimizer

_ALIGN = 16  # floats: every parameter starts on a 64-byte boundary, which the matrix kernels like


class Player:
    """A network to be trained. `weights` is a flat vector that its parameters are views of.

    `past` is the mean of its past weights, where historical averaging is on.
    """

    def __init__(self, network: nn.Module, *, channels_last: bool = False, remembers: bool = False) -> None:
        self.network = network
        self.parameters = list(network.parameters())
        self._offsets = _offsets(self.parameters)
        self._channels_last = channels_last
        self.weights = torch.zeros(self._offsets[-1], device=self.parameters[0].device, dtype=self.parameters[0].dtype)
        for parameter, view in zip(self.parameters, self.views(self.weights), strict=True):
            view.copy_(parameter.data)
            parameter.data = view
        self.past = torch.zeros_like(self.weights) if remembers else None
        self.remembered = torch.zeros((), device=self.weights.device)
        self.freeze()

    def views(self, flat: Tensor) -> list[Tensor]:
        """A vector laid out as `weights`, as one tensor a parameter; differentiable."""
        pairs = zip(self.parameters, self._offsets, strict=False)
        return [_view(flat, offset, parameter, self._channels_last) for parameter, offset in pairs]

    def named_views(self, flat: Tensor) -> dict[str, Tensor]:
        """The same by the parameters' names."""
        return dict(zip((name for name, _ in self.network.named_parameters()), self.views(flat), strict=True))

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
        for name, buffer in self.network.named_buffers():
            yield f"buffer.{name}", buffer


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

    def move(self, lr: float, h: Mapping[str, Any]) -> None:
        """One step of the optimiser along the gradient."""
        self.updates += 1
        step, state = self.optimizer.update(self.gradient, self.state, self.updates, lr, h)
        self.player.weights.add_(step)
        self.player.remember()
        self.state = state


def _offsets(parameters: list[nn.Parameter]) -> list[int]:
    """Where each parameter starts in the flat vector, and last the vector's length."""
    offsets = [0]
    for parameter in parameters:
        offsets.append(offsets[-1] + -(-parameter.numel() // _ALIGN) * _ALIGN)
    return offsets


def _view(flat: Tensor, offset: int, like: Tensor, channels_last: bool) -> Tensor:
    piece = flat[offset : offset + like.numel()]
    if channels_last and like.dim() == 4:
        out, into, height, width = like.shape
        return piece.view(out, height, width, into).permute(0, 3, 1, 2)
    return piece.view(like.shape)
