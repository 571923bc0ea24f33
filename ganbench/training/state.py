"""The state of one run: players, average weights, curves, and where training stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganbench import rng
from ganbench.data import Dataset, Minibatches
from ganbench.networks import NETWORKS
from ganbench.networks.parts import Order
from ganbench.spec import RunSpec
from ganbench.training import checkpoint
from ganbench.training.draws import RunDraws
from ganbench.training.estimates import NAMES
from ganbench.training.game import Game, Share
from ganbench.training.optim import chosen
from ganbench.training.players import Player, Trainee
from ganbench.training.settings import full
from ganbench.training.step import Turns
from ganbench.variants.base import VARIANTS, Phase, Variant

CURVE_POINTS = 200
OUTPUTS = ("D(x)", "D(G(z))", *NAMES)
"""Columns of the curves where D scores samples."""


@dataclass
class RunState:
    """Everything about a run that a checkpoint brings back."""

    spec: RunSpec
    h: Mapping[str, Any]  # every setting, also those that are off
    players: dict[str, Player]
    shares: list[Share]  # phases with what trains their players
    memory: dict[str, Tensor]  # numbers that phases keep, by name
    ema: Tensor | None
    curves: Tensor  # (points, columns) float32, NaN where not reached
    columns: tuple[str, ...]
    step: int = 0  # generator steps done
    seconds: float = 0.0
    complete: bool = field(default=False)
    eager: Mapping[str, str] | None = None  # where steps are compiled: parts that are not, and why

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.curves.device

    @property
    def curve_every(self) -> int:
        """Steps between two points of the curves."""
        return curve_every(self.spec.steps)

    def turns(self, data: Minibatches) -> Turns:
        """What trains this run, alone, on minibatches."""
        game = Game({name: player.network for name, player in self.players.items()})
        draws = RunDraws(data, self.h, self.spec.seed)
        return Turns(game, self.shares, self.memory, self.h, draws, steps=self.spec.steps)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Everything that training changes, by name. The optimisers' states have "optimizer" in theirs."""
        trained = {name for share in self.shares for name, _ in share.named()}  # others come from where they came
        for name in sorted(trained):
            yield from ((f"{name}.{key}", tensor) for key, tensor in self.players[name].tensors())
        for share in self.shares:
            for name, trainee in share.named():
                prefix = f"{name}.optimizer.{share.phase.name}"
                yield from ((f"{prefix}.{key}", tensor) for key, tensor in trainee.state.items())
        yield from ((f"memory.{name}", value) for name, value in self.memory.items())
        if self.ema is not None:
            yield "ema", self.ema
        yield "curves", self.curves

    def saved(self) -> Iterator[tuple[str, Tensor]]:
        """What a checkpoint holds: of a complete run no optimiser state, for nothing will train on from it."""
        return ((name, tensor) for name, tensor in self.tensors() if not (self.complete and ".optimizer." in name))

    def facts(self) -> dict[str, Any]:
        """What a checkpoint holds beside tensors."""
        return {
            "run": self.spec.id,
            "step": self.step,
            "seconds": self.seconds,
            "complete": self.complete,
            "columns": list(self.columns),  # of the curves: a report knows no variants
            "updates": [[trainee.updates for trainee in share.trainees] for share in self.shares],
        }

    def save(self, path: Path) -> None:
        """Write the checkpoint."""
        checkpoint.save(path, dict(self.saved()), self.facts())

    def restore(self, path: Path, until: int | None = None) -> bool:
        """Bring back what `path` holds of this very run; False where it holds nothing that fits.

        A run that is not complete does not fit where it is beyond the step `until`.
        """
        found = checkpoint.load(path)
        if found is None or found[1].get("run") != self.spec.id or beyond(found[1], until):
            return False
        return self.load(*found)

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bool:
        """Bring back what a checkpoint of this run held; False where it is of an older layout."""
        ours = dict(self.tensors())
        wanted = [name for name in ours if not (facts["complete"] and ".optimizer." in name)]
        if any(name not in tensors for name in wanted):
            return False
        for name in wanted:
            ours[name].copy_(tensors[name])
        for share, updates in zip(self.shares, facts["updates"], strict=True):
            for trainee, count in zip(share.trainees, updates, strict=True):
                trainee.updates = count
        self.step, self.seconds, self.complete = facts["step"], facts["seconds"], facts["complete"]
        return True


def beyond(facts: Mapping[str, Any], until: int | None) -> bool:
    """Whether a run's facts are of a step after `until`, and not of its end."""
    return until is not None and not facts["complete"] and facts["step"] > until


def new_state(spec: RunSpec, dataset: Dataset, device: torch.device) -> RunState:
    """The state before the first step: weights from the stream (seed, "weights"), the same on every device."""
    variant = VARIANTS.get(spec.variant)
    h = full(spec, dataset)
    with rng.global_stream(spec.seed, "weights"):
        order = Order(dataset.shape, h, variant.roles, int(h["inputs"]), int(h["classes"]))
        networks = NETWORKS.get(spec.network).build(order)
    players = {
        name: Player(network.to(device), channels_last=bool(h["channels_last"]), remembers=bool(h["historical"]))
        for name, network in networks.items()
    }
    columns = _columns(variant)
    return RunState(
        spec=spec,
        h=h,
        players=players,
        shares=[_share(phase, players, h) for phase in variant.phases],
        memory=_memory(variant, h, device),
        ema=players["G"].weights.clone() if h["ema"] else None,
        curves=torch.full((curve_points(spec.steps), len(columns)), torch.nan, device=device),
        columns=columns,
    )


def _share(phase: Phase, players: Mapping[str, Player], h: Mapping[str, Any]) -> Share:
    return Share(phase, [Trainee(players[name], chosen(h)) for name in phase.names])


def _memory(variant: Variant, h: Mapping[str, Any], device: torch.device) -> dict[str, Tensor]:
    """The first values of the phases' numbers."""
    first = {name: value for phase in variant.phases for name, value in phase.memory.items()}
    values = {name: float(h[value]) if isinstance(value, str) else value for name, value in first.items()}
    return {name: torch.tensor(value, device=device) for name, value in values.items()}


def curve_points(steps: int) -> int:
    """Points of the curves."""
    return math.ceil(steps / curve_every(steps))


def curve_every(steps: int) -> int:
    """Steps between two points of the curves: about CURVE_POINTS in all, and not more than one a step."""
    return max(1, steps // CURVE_POINTS)


def _columns(variant: Variant) -> tuple[str, ...]:
    """The names of the curves' columns: the step, then what is drawn."""
    losses = tuple(f"loss {phase.name}" for phase in variant.phases)
    outputs = OUTPUTS if variant.roles.get("D") == "scores" else ()
    norms = tuple(f"gradient norm {name}" for phase in variant.phases for name in _norm_names(phase, variant))
    return ("step", *losses, *outputs, *norms)


def _norm_names(phase: Phase, variant: Variant) -> list[str]:
    """The phase's players; with the phase where a player has several."""
    several = {name for name in variant.players if sum(name in other.names for other in variant.phases) > 1}
    return [f"{name} ({phase.name})" if name in several else name for name in phase.names]
