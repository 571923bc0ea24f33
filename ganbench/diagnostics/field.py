"""The flow of a game, its Jacobian and the eigenvalues, for nets of a few thousand weights.

Mescheder et al. 2017, The numerics of GANs, sections 2 and 3: near an equilibrium simultaneous descent converges where
every eigenvalue of the flow's Jacobian has a negative real part, and needs the smaller steps the larger |Im / Re| is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ganbench.training.game import Game, Share
from ganbench.variants.base import Batch

Weights = dict[str, Tensor]
MOST = 5_000
"""Weights of which a full Jacobian is taken: 5,000 squared are 200 MB in float64."""


class Field:
    """The flow of all players down their losses: a function of all weights, as one vector, on given batches."""

    def __init__(self, game: Game, shares: Sequence[Share], h: Mapping[str, Any]) -> None:
        self.game, self.shares, self.h = game, shares, {**h, "progress": 0.0}
        self.names = [(share, name) for share in shares for name in share.phase.names]
        self._sizes = [trainee.player.weights.numel() for share in shares for trainee in share.trainees]

    def weights(self) -> Tensor:
        """Where the players are, (w,)."""
        return torch.cat([trainee.player.weights for share in self.shares for trainee in share.trainees]).detach()

    def flow(self, weights: Tensor, batches: Sequence[Batch]) -> Tensor:
        """-v: minus each phase's gradient in its own players, (w,)."""
        flats = dict(zip((name for _, name in self.names), weights.split(self._sizes), strict=True))
        parts = []
        for share, batch in zip(self.shares, batches, strict=True):
            own = {name: flats[name] for name in share.phase.names}
            found = torch.func.grad(self._loss(share, batch, flats))(own)
            parts += [found[name] for name in share.phase.names]
        return -torch.cat(parts)

    def _loss(self, share: Share, batch: Batch, flats: Weights) -> Callable[[Weights], Tensor]:
        players = {name: trainee.player for each in self.shares for name, trainee in each.named()}

        def loss(own: Weights) -> Tensor:
            named = {name: players[name].named_views(flat) for name, flat in {**flats, **own}.items()}
            value: Tensor = self.game.at(named)(share.phase, batch, self.h)[0]
            return value

        return loss

    def consensus_flow(self, weights: Tensor, batches: Sequence[Batch], gamma: float) -> Tensor:
        """-v - γ ∇ ½‖v‖², what consensus optimisation follows. Mescheder et al. 2017, equation 11."""

        def energy(at: Tensor) -> Tensor:
            squares: Tensor = self.flow(at, batches).square()
            return squares.sum() / 2

        pull: Tensor = torch.func.grad(energy)(weights)
        return self.flow(weights, batches) - gamma * pull

    def jacobian(self, draws: Sequence[Sequence[Batch]], gamma: float = 0.0) -> Tensor:
        """The Jacobian (w, w) of the flow, or of the consensus flow, averaged over batches. Padding is left out.

        ValueError where there are more than MOST weights.
        """
        kept = self._kept()
        if len(kept) > MOST:
            raise ValueError(f"a full Jacobian is for at most {MOST:,} weights, these players have {len(kept):,}")
        point = self.weights()

        def moved(own: Tensor, batches: Sequence[Batch]) -> Tensor:
            at = point.index_copy(0, kept, own)
            flow = self.consensus_flow(at, batches, gamma) if gamma else self.flow(at, batches)
            return flow[kept]

        found = [torch.func.jacrev(moved)(point[kept], batches) for batches in draws]
        return torch.stack(found).mean(0)

    def _kept(self) -> Tensor:
        """Places of the weights that are not padding."""
        marks = []
        for share in self.shares:
            for trainee in share.trainees:
                mark = torch.zeros_like(trainee.player.weights)
                for view in trainee.player.views(mark):
                    view.fill_(1)
                marks.append(mark)
        return torch.cat(marks).nonzero().flatten()


def eigenvalues(jacobian: Tensor) -> Tensor:
    """Complex eigenvalues (w,), the largest real part first."""
    found: Tensor = torch.linalg.eigvals(jacobian.double().cpu())
    return found[found.real.argsort(descending=True)]


def summary(found: Tensor) -> dict[str, float]:
    """The largest real part, and the largest |Im / Re| among eigenvalues that have a real part."""
    real = found.real.abs()
    ratios = (found.imag.abs() / real)[real > 1e-12]
    return {"max_re": float(found.real.max()), "max_im_re": float(ratios.max()) if len(ratios) else float("inf")}
