"""Pictures that runs leave: what they generate, at the same latents each time, and their curves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.data import Dataset
    from ganbench.training.state import RunState

GRID_SAMPLES = 64
SCATTER_SAMPLES = 2500


def samples(dataset: Dataset, sampler: Callable[[int], Iterator[Tensor]], path: Path) -> None:
    """Draw images as a grid, points of the plane on the true modes; other points not at all."""
    from ganbench.reports import plots

    if dataset.kind == "images":
        plots.image_grid(next(iter(sampler(GRID_SAMPLES))).cpu().numpy(), path)
    elif dataset.shape == (2,):
        points = [chunk.cpu().numpy() for chunk in sampler(SCATTER_SAMPLES)]
        mixture = dataset.mixture()
        plots.scatter(points, mixture.means.numpy(), mixture.std, path)


def curves(state: RunState, path: Path) -> None:
    """Draw a run's training curves."""
    from ganbench.reports import plots

    plots.curves(state.curves.cpu().numpy(), state.columns, path)
