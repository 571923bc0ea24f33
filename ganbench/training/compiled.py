"""Compiled steps: a phase's gradient, and its players' move, each as one graph of operations on tensors.

A graph is traced below autograd, so that a gradient of a gradient (a penalty's) is operations like any other, and so is
what vmap makes of several runs. All that changes from step to step comes in as tensors; what training keeps (gradients,
weights, optimiser states, spectral norm's vectors) is written in place, where CUDA's graphs find it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch._inductor
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from ganbench.training.draws import drawn
from ganbench.training.game import Told
from ganbench.training.optim import Numbers
from ganbench.training.players import Trainee
from ganbench.training.step import Turns
from ganbench.variants.base import Batch

REHEARSALS = 3
"""Calls before a CUDA graph is recorded, as its documentation wants; their effects are undone."""

Function = Callable[..., Any]
"""Of tensors in lists and dicts, to such; it may write into tensors that it knows."""
Flat = Callable[..., Sequence[Tensor]]
"""The same of tensors alone, to a sequence of them."""


class CompiledTurns(Turns):
    """Turns whose parts are compiled. `eager` says of each part that cannot be why; it is done as by Turns.

    Parts are compiled at their first call, and compute the same at every call, so that a resumed run is what it was.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        foresee = [index for index in self._indices if self.looked_at(self.shares[index]) is not None]
        self.eager: dict[str, str] = {self._name("gradient", index): "it looks ahead" for index in foresee}
        self._gradients = [self._part("gradient", index, self._gradient, self._played()) for index in self._indices]
        self._moves = [self._part("move", index, self._moved, self._kept(index)) for index in self._indices]

    def gradient(
        self, index: int, batches: Sequence[Batch], numbers: Mapping[str, Any], draw: int = 0, step: int = 0
    ) -> Told:
        """See Turns."""
        if self.looked_at(self.shares[index]) is None:
            fields = [{name: getattr(batch, name) for name in drawn(batch)} for batch in batches]
            runs = self.shares[index].trainees[0].player.weights.shape[:-1]  # losses see a number of each
            found = self._gradients[index](fields, {name: self._filled(value, runs) for name, value in numbers.items()})
            if found is not None:
                told: Told = found
                return told
        return super().gradient(index, batches, numbers, draw, step)

    @torch.no_grad()
    def move(self, index: int, numbers: Sequence[Numbers]) -> None:
        """See Turns."""
        tensors = [[self._filled(value, (), torch.float64) for value in own] for own in numbers]
        if self._moves[index](tensors) is None:
            super().move(index, numbers)

    @property
    def _indices(self) -> range:
        return range(len(self.shares))

    def _gradient(self, index: int, fields: Sequence[Mapping[str, Tensor]], numbers: Mapping[str, Tensor]) -> Told:
        with torch.enable_grad():
            return super().gradient(index, [Batch(**each) for each in fields], numbers)

    def _moved(self, index: int, numbers: Sequence[Numbers]) -> tuple[()]:
        """The move, with the optimisers' new states written over the old ones."""
        trainees = self.shares[index].trainees
        held = [trainee.state for trainee in trainees]
        super().move(index, numbers)
        for trainee, state in zip(trainees, held, strict=True):
            for name, value in state.items():
                value.copy_(trainee.state[name])
            trainee.state = state
        return ()

    def _part(self, kind: str, index: int, function: Function, written: Iterable[Tensor]) -> _Part:
        refuse = partial(self.eager.__setitem__, self._name(kind, index))
        return _Part(partial(function, index), list(written), self.draws.device, refuse)

    def _name(self, kind: str, index: int) -> str:
        return f"{kind} of {self.shares[index].phase.name}"

    def _filled(self, value: Any, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        """A number where the weights are; filled in there, for a copy would wait for the device."""
        return value if isinstance(value, Tensor) else torch.full(shape, value, dtype=dtype, device=self.draws.device)

    def _trainees(self) -> Iterator[Trainee]:
        return (trainee for share in self.shares for trainee in share.trainees)

    def _played(self) -> Iterator[Tensor]:
        """What a gradient writes."""
        for trainee in self._trainees():
            yield trainee.gradient
            yield from trainee.player.buffers.values()

    def _kept(self, index: int) -> Iterator[Tensor]:
        """What a move writes."""
        for trainee in self.shares[index].trainees:
            yield from (tensor for _, tensor in trainee.player.tensors())
            yield from trainee.state.values()


class _Part:
    """A function, compiled at its first call. Where that fails it does nothing, gives None, and has told `refuse` why.

    `written` are the tensors, beside its results, that it writes.
    """

    def __init__(
        self, function: Function, written: Sequence[Tensor], device: torch.device, refuse: Callable[[str], None]
    ) -> None:
        self._function, self._written, self._refuse = function, written, refuse
        self._cuda = [device] if device.type == "cuda" else []
        self._run: Flat | None = None
        self._tried = False
        self._form: TreeSpec | None = None  # of the results

    @torch.no_grad()
    def __call__(self, *arguments: Any) -> Any:
        leaves, form = tree_flatten(arguments)
        if not self._tried:
            self._tried = True
            self._run = self._prepared(partial(self._flat, form), leaves)
        if self._run is None or self._form is None:
            return None
        return tree_unflatten(self._run(*leaves), self._form)

    def _flat(self, form: TreeSpec, *leaves: Tensor) -> tuple[Tensor, ...]:
        """The function, of leaves."""
        results, self._form = tree_flatten(self._function(*tree_unflatten(leaves, form)))
        return tuple(results)

    def _prepared(self, function: Flat, leaves: list[Tensor]) -> Flat | None:
        """What to call from now on. Tracing runs the function and draws random numbers: both are undone."""
        before = [tensor.clone() for tensor in self._written]
        with torch.random.fork_rng(devices=self._cuda):
            try:
                run = _compiled(function, leaves)
                if not self._cuda:
                    return run
                with torch.cuda.device(self._cuda[0]):  # what other devices are given is not recorded
                    return _recorded(run, leaves)
            except Exception as error:  # noqa: BLE001 - a user's loss, or the compiler, may raise anything
                self._refuse(f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}")
                return None
            finally:
                for tensor, value in zip(self._written, before, strict=True):
                    tensor.copy_(value)


def _compiled(function: Flat, leaves: list[Tensor]) -> Flat:
    """A function as one compiled graph, called once; random numbers are drawn in it as they are outside."""
    run: Flat = torch._inductor.compile(make_fx(function)(*leaves), [*leaves], options={"fallback_random": True})
    run(*leaves)
    return run


def _recorded(run: Flat, leaves: list[Tensor]) -> Flat:
    """Compiled work as a CUDA graph: one launch. Its arguments and results lie where they lay when it was recorded."""
    placed = [leaf.clone() for leaf in leaves]
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(REHEARSALS):
            run(*placed)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = run(*placed)

    def replay(*arguments: Tensor) -> list[Tensor]:
        torch._foreach_copy_(placed, list(arguments))
        graph.replay()
        return [result.clone() for result in results]

    return replay
