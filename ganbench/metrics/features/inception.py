"""Inception of 2015-12-05, the network of IS and FID: torch-fidelity's port, and its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.errors import WeightsError
from ganbench.lazy import torch
from ganbench.metrics.features.base import EXTRACTORS, Card, Network, Recipe, state_dict
from ganbench.metrics.features.download import Published

if TYPE_CHECKING:
    from torch import Tensor, nn

SIZE = 299


def _address() -> str:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    return str(URL_INCEPTION_V3)


WEIGHTS = Published(
    "Inception",
    "weights-inception-2015-12-05-6726825d.pth",
    _address,
    "or use the metric fd-efficientnet-lite0",
)


def available() -> bool:
    """Whether the weights are cached, or can be downloaded now."""
    return WEIGHTS.available()


def _load(recipe: Recipe) -> Network:
    """Folded, channels last, and in the type asked for; the features are averaged and the logits made in float32."""
    from ganbench.metrics.features import resize
    from ganbench.metrics.features.folding import fold

    network = _port(recipe.weights).to(recipe.device)
    weight = network.fc.weight.clone()
    network = fold(network).to(dtype=recipe.torch_dtype, memory_format=torch.channels_last)
    trunk = torch.compile(_trunk, options={"freezing": True}) if recipe.compiled else _trunk
    enlarge = resize.WAYS[recipe.resize]

    def features(images: Tensor) -> tuple[Tensor, Tensor]:
        x = (enlarge(images, SIZE) - 128) / 128
        maps = trunk(network, x.to(recipe.torch_dtype, memory_format=torch.channels_last))
        pooled = maps.float().mean((2, 3))
        return pooled, pooled @ weight.mT

    return features


def _port(path: Path | None) -> Any:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    assert path is not None
    state_dict(path)  # torch-fidelity unpickles whatever is in the file: let only tensors reach it
    try:
        return FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
        )
    except RuntimeError:
        raise WeightsError(f"weights {path} are not those of torch-fidelity's Inception") from None


STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "MaxPool_2")
MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")


def _trunk(network: nn.Module, x: Tensor) -> Tensor:
    """The port's own layers in its own order: (n, 3, 299, 299) in -1..1 → (n, 2048, 8, 8)."""
    for name in (*STEM, *(f"Mixed_{name}" for name in MIXED)):
        x = network.get_submodule(name)(x)
    return x


EXTRACTORS.add(
    Card(
        name="inception",
        title="Inception 2015-12-05, 2048 pooled features and logits without bias (torch-fidelity's port)",
        resizes=("tf1", "clean"),
        find=WEIGHTS.find,
        load=_load,
        batch=(8, 256),
        compiles=True,
    )
)
