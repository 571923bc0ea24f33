"""MS-SSIM against torchmetrics.

Both take the contrast terms over the places where the window lies inside the image. At the coarsest scale torchmetrics
also counts places where it reaches into a reflected border, as neither Wang's code nor ours does: the ratio of the two
means is taken off, from torchmetrics' own map.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure as theirs,
)
from torchmetrics.functional.image import structural_similarity_index_measure

from ganbench.metrics.similarity import ms_ssim, scales

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
BORDER = 5


def _inside_over_all(x: Tensor, y: Tensor, halvings: int) -> Tensor:
    for _ in range(halvings):
        x, y = torch.nn.functional.avg_pool2d(x, 2), torch.nn.functional.avg_pool2d(y, 2)
    _, places = structural_similarity_index_measure(x, y, data_range=1.0, reduction="none", return_full_image=True)
    height, width = x.shape[2:]
    inside = places[..., BORDER : height - BORDER, BORDER : width - BORDER]
    return inside.mean((1, 2, 3)) / places.mean((1, 2, 3))


@pytest.mark.parametrize(("side", "channels"), [(28, 1), (32, 3), (64, 3), (128, 1), (176, 1)])
@pytest.mark.parametrize("similar", [0.9, 0.5])
def test_equals_torchmetrics(side: int, channels: int, similar: float) -> None:
    """abs 1e-7: its exponents are float32."""
    rng = np.random.default_rng(side)
    x, other = (torch.from_numpy(rng.uniform(size=(3, channels, side, side))) for _ in range(2))
    y = similar * x + (1 - similar) * other
    count = scales(side, side)
    betas = tuple(weight / sum(WEIGHTS[:count]) for weight in WEIGHTS[:count])
    expected = theirs(x, y, data_range=1.0, betas=betas, reduction="none")
    expected = expected * _inside_over_all(x, y, count - 1) ** betas[-1]
    assert expected.min() > 0.05
    torch.testing.assert_close(ms_ssim(x, y), expected, rtol=0, atol=1e-7)
