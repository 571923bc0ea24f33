"""The state of one run: players, average weights, curves, and where training stands."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ganbench import rng
from ganbench.data import Dataset
from ganbench.networks import NETWORKS
from ganbench.spec import RunSpec
from ganbench.training import checkpoint
from ganbench.training.optim import OPTIMIZERS
from ganbench.training.players import Player
from ganbench.variants.base import VARIANTS, Variant

CURVE_POINTS = 200


@dataclass
class RunState:
    """Everything about a run that a checkpoint brings back."""

    spec: RunSpec
    players: dict[str, Player]
    ema: Tensor | None
    curves: Tensor  # (points, columns) float32, NaN where not reached
    columns: tuple[str, ...]
    step: int = 0  # generator steps done
    seconds: float = 0.0
    complete: bool = field(default=False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.curves.device

    @property
    def curve_every(self) -> int:
        """Steps between two points of the curves."""
        return curve_every(self.spec.steps)

    def save(self, path: Path) -> None:
        """Write the checkpoint; a complete run's has no optimiser state, for nothing will train on from it."""
        tensors = {
            f"{name}.{key}": tensor
            for name, player in self.players.items()
            for key, tensor in player.tensors()
            if not (self.complete and key.startswith("optimizer."))
        }
        if self.ema is not None:
            tensors["ema"] = self.ema
        tensors["curves"] = self.curves
        facts = {
            "run": self.spec.id,
            "step": self.step,
            "seconds": self.seconds,
            "complete": self.complete,
            "updates": {name: player.updates for name, player in self.players.items()},
        }
        checkpoint.save(path, tensors, facts)

    @torch.no_grad()
    def restore(self, path: Path) -> bool:
        """Bring back what `path` holds of this very run; False where it holds nothing that fits."""
        found = checkpoint.load(path)
        if found is None or found[1].get("run") != self.spec.id:
            return False
        tensors, facts = found
        for name, player in self.players.items():
            for key, tensor in player.tensors():
                if f"{name}.{key}" in tensors:
                    tensor.copy_(tensors[f"{name}.{key}"])
            player.updates = facts["updates"][name]
        if self.ema is not None:
            self.ema.copy_(tensors["ema"])
        self.curves.copy_(tensors["curves"])
        self.step, self.seconds, self.complete = facts["step"], facts["seconds"], facts["complete"]
        return True


def new_state(spec: RunSpec, dataset: Dataset, device: torch.device) -> RunState:
    """The state before the first step: weights from the stream (seed, "weights"), the same on every device."""
    variant = VARIANTS.get(spec.variant)
    with rng.global_stream(spec.seed, "weights"):
        networks = NETWORKS.get(spec.network).build(dataset.shape, spec.settings)
    optimizer = OPTIMIZERS[str(spec.settings["optimizer"])]
    players = {
        name: Player(network.to(device), optimizer, channels_last=bool(spec.settings["channels_last"]))
        for name, network in networks.items()
    }
    columns = _columns(variant)
    points = math.ceil(spec.steps / curve_every(spec.steps))
    return RunState(
        spec=spec,
        players=players,
        ema=players["G"].weights.clone() if spec.settings["ema"] else None,
        curves=torch.full((points, len(columns)), torch.nan, device=device),
        columns=columns,
    )


def curve_every(steps: int) -> int:
    """Steps between two points of the curves: about CURVE_POINTS in all, and not more than one a step."""
    return max(1, steps // CURVE_POINTS)


def _columns(variant: Variant) -> tuple[str, ...]:
    losses = tuple(f"loss {phase.player}" for phase in variant.phases)
    norms = tuple(f"gradient norm {name}" for name in variant.players)
    return ("step", *losses, "D(x)", "D(G(z))", *norms)
