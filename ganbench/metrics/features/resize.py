"""The ways in which images are brought to a network's input size: they move FID by whole points, so each has a name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor


def tf1(images: Tensor, size: int) -> Tensor:
    """TensorFlow 1's bilinear resize: corners not aligned, no half-pixel centres, no antialiasing.

    (n, c, h, w) of any type → float32 (n, c, size, size) in the range of the input. Linear and separable, so it is two
    small matrix products; within 1e-4 of torch-fidelity's on 0 to 255.
    """
    height, width = (_tf1_matrix(extent, size, images.device) for extent in images.shape[2:])
    return height @ images.float() @ width.mT


@lru_cache(maxsize=16)
def _tf1_matrix(extent: int, size: int, device: torch.device) -> Tensor:
    """(size, extent): row i weighs the two pixels about i · extent / size, in float32 as TensorFlow does."""
    at = torch.arange(size, dtype=torch.float32) * torch.tensor(extent / size, dtype=torch.float32)
    low = at.long()
    matrix = torch.zeros(size, extent)
    row = torch.arange(size)
    matrix[row, low] += 1 - (at - low)
    matrix[row, (low + 1).clamp_max(extent - 1)] += at - low
    return matrix.to(device)


def clean(images: Tensor, size: int) -> Tensor:
    """Pillow's antialiased bicubic, each channel in float32, clipped to 0..255 and not rounded again.

    Parmar et al. 2022, On aliased resizing and surprising subtleties in GAN evaluation. uint8 (n, c, h, w) → float32
    (n, c, size, size); on the CPU, wherever the images are.
    """
    planes = images.cpu().flatten(0, 1).numpy().astype(np.float32)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        resized = list(pool.map(lambda plane: _bicubic(plane, size), planes))
    return torch.from_numpy(np.stack(resized)).view(*images.shape[:2], size, size).to(images.device)


def _bicubic(plane: Any, size: int) -> Any:
    from PIL import Image

    return np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC)).clip(0, 255)


WAYS = {"tf1": tf1, "clean": clean}
