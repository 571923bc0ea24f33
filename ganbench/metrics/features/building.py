"""What networks that are read from a file share: they are built hollow, filled, and fed standardised images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.errors import WeightsError
from ganbench.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and deviation of ImageNet's channels, for images in [0, 1]."""


def hollow(build: Callable[[], nn.Module]) -> Any:
    """The network that `build` makes, on no device: nothing is allocated or drawn only to be overwritten."""
    with torch.device("meta"):
        return build()


def fill(network: Any, tensors: Mapping[str, Any], path: Path, title: str) -> Any:
    """The hollow network with these tensors as its parameters and buffers, for evaluation.

    WeightsError where the tensors of `path` are not all of those of such a network, which `title` names.
    """
    try:
        if not all(isinstance(each, torch.Tensor) for each in tensors.values()):
            raise RuntimeError("it holds more than tensors")
        network.load_state_dict(dict(tensors), assign=True)
    except (RuntimeError, AttributeError):  # the latter where names are not strings
        raise WeightsError(f"weights {path} are not those of {title}") from None
    return network.eval().requires_grad_(False)


def standardised(images: Tensor, moments: tuple[tuple[float, ...], tuple[float, ...]]) -> Tensor:
    """Images (n, c, h, w) in 0 to 255, less each channel's mean and over its deviation.

    moments: means and deviations of images in [0, 1].
    """
    mean, deviation = (255 * torch.tensor(each, device=images.device)[:, None, None] for each in moments)
    return (images - mean) / deviation
