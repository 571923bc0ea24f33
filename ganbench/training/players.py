"""A player: a network whose parameters are views into one flat vector, with its optimiser's state."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ganbench.training.optim import Optimizer

_ALIGN = 16  # floats: every parameter starts on a 64-byte boundary, which the matrix kernels like


class Player:
    """A network to be trained: `weights` and `gradient` are flat vectors that its parameters are views of."""

    def __init__(self, network: nn.Module, optimizer: Optimizer, *, channels_last: bool = False) -> None:
        self.network = network
        self.optimizer = optimizer
        self.parameters = list(network.parameters())
        offsets = _offsets(self.parameters)
        self.weights = torch.zeros(offsets[-1], device=self.parameters[0].device)
        self.gradient = torch.zeros_like(self.weights)
        self._gradients = []
        for parameter, offset in zip(self.parameters, offsets, strict=False):
            view = _view(self.weights, offset, parameter, channels_last)
            view.copy_(parameter.data)
            parameter.data = view
            self._gradients.append(_view(self.gradient, offset, parameter, channels_last))
        self.state = optimizer.init(self.weights)
        self.updates = 0
        self.freeze()

    def freeze(self) -> None:
        """Losses taken now are constant in this player's parameters."""
        for parameter in self.parameters:
            parameter.requires_grad_(False)

    def thaw(self) -> None:
        """Losses taken now can be differentiated in this player's parameters."""
        for parameter in self.parameters:
            parameter.requires_grad_(True)

    def differentiate(self, loss: Tensor) -> None:
        """Write d loss / d weights into `gradient`; parameters the loss does not see get zero."""
        gradients = torch.autograd.grad(loss, self.parameters, materialize_grads=True)
        torch._foreach_copy_(self._gradients, gradients)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Everything that training changes, by name: what a checkpoint holds."""
        yield "weights", self.weights
        for name, moment in self.state.items():
            yield f"optimizer.{name}", moment
        for name, buffer in self.network.named_buffers():
            yield f"buffer.{name}", buffer


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
