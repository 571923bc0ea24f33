"""Games of two weights, whose dynamics are known exactly: Dirac-GAN (Mescheder et al. 2018) and the bilinear game."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganbench.training.draws import RunDraws
from ganbench.training.game import Game, Share
from ganbench.training.optim import chosen
from ganbench.training.players import Player, Trainee
from ganbench.training.step import Turns
from ganbench.variants import losses
from ganbench.variants.base import Batch, H, Nets, Phase
from ganbench.variants.hypers import TRAINER
from ganbench.variants.phases import CLIP, discriminator, generator


class Point(nn.Module):
    """G of the Dirac-GAN: every sample is θ, (n, inputs) → (n, 1)."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta], dtype=torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        """θ for each latent."""
        return self.theta.expand(len(z), 1)


class Slope(nn.Module):
    """D of the Dirac-GAN: D(x) = ψ x, (n, 1) → (n,)."""

    def __init__(self, psi: float) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor([psi], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """ψ x."""
        return (self.psi * x).flatten()


class Zeros:
    """Minibatches of the data δ₀."""

    device = torch.device("cpu")
    shape: tuple[int, ...] = (1,)

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def batch(self, draw: int) -> Tensor:
        """(batch_size, 1) zeros."""
        return torch.zeros(self.batch_size, 1, dtype=torch.float64)

    def labels(self, draw: int) -> Tensor:
        """All of one class."""
        return torch.zeros(self.batch_size, dtype=torch.int64)


class Toy:
    """A game of θ and ψ played by the project's own update rules; plain descent of rate `lr` unless set otherwise."""

    def __init__(
        self,
        phases: Sequence[Phase],
        theta: float = 1.0,
        psi: float = 1.0,
        *,
        batch_size: int = 1,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        known = (*TRAINER, *(hyper for phase in phases for hyper in phase.hypers))
        facts: dict[str, Any] = {"inputs": 1, "prior": "normal", "pixels": None, "classes": 0, "scale": 0}
        plain: dict[str, Any] = {"optimizer": "sgd", "lr": 0.2}
        self.h: dict[str, Any] = {hyper.name: hyper.default for hyper in known} | facts | plain | settings
        self.players = {"G": Player(Point(theta)), "D": Player(Slope(psi))}
        self.shares = [
            Share(phase, [Trainee(self.players[name], chosen(self.h)) for name in phase.names]) for phase in phases
        ]
        self.game = Game({name: player.network for name, player in self.players.items()})
        self.turns = Turns(self.game, self.shares, {}, self.h, RunDraws(Zeros(batch_size), self.h, seed), steps=1)

    @property
    def point(self) -> tuple[float, float]:
        """(θ, ψ)."""
        return float(self.players["G"].parameters[0]), float(self.players["D"].parameters[0])

    def play(self, steps: int) -> Tensor:
        """The trajectory (steps + 1, 2) of θ and ψ, from where they are."""
        seen = [self.point]
        with torch.random.fork_rng(devices=[]):
            for step in range(steps):
                self.turns.turn(step)
                seen.append(self.point)
        return torch.tensor(seen, dtype=torch.float64)


def dirac(d_loss: Any, g_loss: Any, theta: float = 1.0, psi: float = -1.0, **settings: Any) -> Toy:
    """Data δ₀, G = θ, D(x) = ψx with these losses on scores, G moving first. Mescheder et al. 2018, section 2.

    There D is large on generated samples and starts at ψ = 1; here it is large on real ones, and that start is -1.
    """
    phases = [generator(g_loss), discriminator(d_loss, clip=CLIP if "clip" in settings else None)]
    return Toy(phases, theta, psi, **settings)


DIRAC: dict[str, dict[str, Any]] = {
    "GAN": {"d_loss": losses.cross_entropy_d, "g_loss": losses.minimax_g},
    "NSGAN": {"d_loss": losses.cross_entropy_d, "g_loss": losses.non_saturating_g},
    "WGAN": {"d_loss": losses.wasserstein_d, "g_loss": losses.wasserstein_g, "clip": 1.0},
    "WGAN-GP": {"d_loss": losses.wasserstein_d, "g_loss": losses.wasserstein_g, "gp": 0.35},
    "instance noise": {"d_loss": losses.cross_entropy_d, "g_loss": losses.minimax_g, "instance_noise": 1.0},
    "R1": {"d_loss": losses.cross_entropy_d, "g_loss": losses.minimax_g, "r1": 0.3},
    "NSGAN + R1": {"d_loss": losses.cross_entropy_d, "g_loss": losses.non_saturating_g, "r1": 0.3},
    "ConOpt": {"d_loss": losses.cross_entropy_d, "g_loss": losses.minimax_g, "consensus": 1.0},
}
"""The methods that Mescheder et al. 2018 simulate, with their settings. Their weight of WGAN-GP's penalty, .7, is
halved in its loss."""


def _product(nets: Nets, batch: Batch, h: H) -> Tensor:
    """θψ, which G minimises."""
    value: Tensor = nets.D(nets.G(batch.z)).mean()
    return value


def _negative_product(nets: Nets, batch: Batch, h: H) -> Tensor:
    """-θψ: D maximises the product."""
    return -_product(nets, batch, h)


BILINEAR = (Phase("G", _product, reads=("z",)), Phase("D", _negative_product, reads=("z",)))


def bilinear(**settings: Any) -> Toy:
    """min over θ, max over ψ of θψ: the simplest game, which plain simultaneous descent leaves."""
    return Toy(BILINEAR, **settings)
