"""The flow of a game, its Jacobian and the eigenvalues, for nets of a few thousand weights.

Mescheder et al. 2017, The numerics of GANs, sections 2 and 3: near an equilibrium simultaneous descent converges where
every eigenvalue of the flow's Jacobian has a negative real part, and needs the smaller steps the larger |Im / Re| is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ganbench.training.game import Game, Share, gradient_at
from ganbench.variants.base import Batch

MOST = 5_000
"""Weights of which a full Jacobian is taken: 5,000 squared are 200 MB in float64."""
CHUNK = 128
"""Rows of a Jacobian taken at once: all at once would hold every activation of a batch as many times as there are
weights."""


class Field:
    """The flow of all players down their losses: a function of all weights, as one vector, on given batches."""

    def __init__(self, game: Game, shares: Sequence[Share], h: Mapping[str, Any]) -> None:
        self.game, self.shares, self.h = game, shares, {**h, "progress": 0.0}
        self.players = {name: trainee.player for share in shares for name, trainee in share.named()}
        self._sizes = [player.weights.numel() for player in self.players.values()]

    def weights(self) -> Tensor:
        """Where the players are, (w,)."""
        return torch.cat([player.weights for player in self.players.values()]).detach()

    def flow(self, weights: Tensor, batches: Sequence[Batch]) -> Tensor:
        """-v: minus the gradients that the phases, one batch each, give their players, (w,).

        A player of several phases follows the sum of theirs.
        """
        flats = dict(zip(self.players, weights.split(self._sizes), strict=True))
        total = {name: torch.zeros_like(flat) for name, flat in flats.items()}
        for share, batch in zip(self.shares, batches, strict=True):
            for name, found in gradient_at(self.game, self.shares, share, flats, batch, self.h).items():
                total[name] = total[name] - found
        return torch.cat(list(total.values()))

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

        found = [torch.func.jacrev(moved, chunk_size=CHUNK)(point[kept], batches) for batches in draws]
        return torch.stack(found).mean(0)

    def _kept(self) -> Tensor:
        """Places of the weights that are not padding."""
        marks = []
        for player in self.players.values():
            marks.append(torch.zeros_like(player.weights))
            for view in player.views(marks[-1]):
                view.fill_(1)
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
