"""Cells of a data set: k-means of the training features, and the cell that each sample falls into."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ganbench.errors import SampleError
from ganbench.lazy import torch
from ganbench.metrics.arrays import sound
from ganbench.metrics.neighbours import neighbours

if TYPE_CHECKING:
    from torch import Tensor

WHOLE = 10_000
"""Training samples up to which each step of k-means looks at all of them; above, at a batch."""


def kmeans(train: Tensor, k: int, seed: int) -> Tensor:
    """k centres (k, d) of training features (n, d); SampleError for fewer samples than centres.

    scikit-learn's Lloyd iterations from one k-means++ start, or mini-batches (Sculley 2010, Web-scale k-means
    clustering) above WHOLE samples. The features are centred first: float32 would lose digits to an offset.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    if not 1 <= k <= len(train):
        raise SampleError(f"k-means takes 1 to {len(train):,} cells on as many samples, got {k}")
    mean = train.mean(0)
    centred = train - mean
    sound(float(torch.linalg.vector_norm(centred)), "k-means", train)  # which sums squares, and makes no copy
    x = centred.cpu().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer distinct samples than cells: some stay empty
        if len(x) <= WHOLE:
            found = KMeans(k, n_init=1, random_state=seed, copy_x=False).fit(x)
        else:
            found = MiniBatchKMeans(k, n_init=1, random_state=seed).fit(x)
    return torch.from_numpy(found.cluster_centers_).to(train) + mean


def cell_of(x: Tensor, centres: Tensor) -> Tensor:
    """The index of the centre that each of x (n, d) is nearest to, int64 (n,)."""
    return neighbours(x, centres).index[:, 0]
