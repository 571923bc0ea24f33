"""DINOv2 (Oquab et al. 2023) in timm's implementation: the features of FD-DINOv2 (Stein et al. 2023)."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.errors import WeightsError
from ganbench.lazy import F
from ganbench.metrics.features.base import EXTRACTORS, Card, Network, Recipe, Source, state_dict
from ganbench.metrics.features.building import IMAGENET, fill, hollow, standardised

if TYPE_CHECKING:
    from torch import Tensor

SIZE = 224
"""Pixels of the input. The networks were trained at 518: timm resamples their position embeddings."""


def _find(name: str, file: str, source: Source) -> Path:
    if importlib.util.find_spec("timm") is None:
        raise WeightsError(f"features {name!r} need the package timm: pip install 'ganbench[dinov2]'")
    if source.given is None:
        raise WeightsError(
            f"features {name!r} need weights that are not downloaded: give Meta's {file}, "
            "or timm's state dict of the same network, with --weights"
        )
    return source.given


def _load(name: str, model: str, recipe: Recipe) -> Network:
    """The class token after the last norm: (n, width)."""
    from ganbench.metrics.features import resize

    network = _port(name, model, recipe.weights).to(recipe.device, recipe.torch_dtype)
    enlarge = {"bicubic-antialias": bicubic, **resize.WAYS}[recipe.resize]

    def features(images: Tensor) -> tuple[Tensor, None]:
        x = standardised(enlarge(images, SIZE), IMAGENET)
        return network(x.to(recipe.torch_dtype)), None

    return features


def bicubic(images: Tensor, size: int) -> Tensor:
    """torch's antialiased bicubic, as in DINOv2's evaluation: (n, c, h, w) → float32 (n, c, size, size) in 0 to 255."""
    resized = F.interpolate(images.float(), (size, size), mode="bicubic", align_corners=False, antialias=True)
    return resized.clamp(0, 255)


def _port(name: str, model: str, path: Path | None) -> Any:
    import timm

    assert path is not None
    network = hollow(partial(timm.create_model, model, pretrained=False, num_classes=0, img_size=SIZE))
    return fill(network, _converted(path, network, name), path, name)


def _converted(path: Path, network: Any, name: str) -> dict[str, Tensor]:
    """A state dict with timm's names and position embeddings of the network's size."""
    from timm.models.vision_transformer import checkpoint_filter_fn

    try:
        return dict(checkpoint_filter_fn(state_dict(path), network))
    except (RuntimeError, LookupError, ValueError, AttributeError, TypeError):
        raise WeightsError(f"weights {path} are not those of {name}") from None


for _letter, _size, _width in (("s", "small", 384), ("b", "base", 768), ("l", "large", 1024)):
    _name, _file = f"dinov2-vit-{_letter}-14", f"dinov2_vit{_letter}14_pretrain.pth"
    EXTRACTORS.add(
        Card(
            name=_name,
            title=f"DINOv2 ViT-{_letter.upper()}/14, {_width} dimensions of its class token (timm; Meta's weights)",
            resizes=("bicubic-antialias", "clean"),
            find=partial(_find, _name, _file),
            load=partial(_load, _name, f"vit_{_size}_patch14_dinov2"),
            batch=(16, 256),
        )
    )
