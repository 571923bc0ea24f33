"""VGG16 (Simonyan and Zisserman 2015), the network of improved precision and recall: torchvision's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganbench.lazy import torch
from ganbench.metrics.features.base import EXTRACTORS, Card, Network, Recipe, state_dict
from ganbench.metrics.features.building import IMAGENET, fill, hollow, standardised
from ganbench.metrics.features.download import Published

if TYPE_CHECKING:
    from torch import Tensor

SIZE = 224


def _address() -> str:
    from torchvision.models import VGG16_Weights

    return str(VGG16_Weights.IMAGENET1K_V1.url)


WEIGHTS = Published(
    "VGG16", "vgg16-397923af.pth", _address, "or choose other features (`ganbench list features`) with --features"
)


def _load(recipe: Recipe) -> Network:
    """Up to the ReLU of the second dense layer: (n, 4096); dropout does nothing in evaluation."""
    from ganbench.metrics.features import resize

    network: Any = _port(recipe).to(recipe.device, recipe.torch_dtype, memory_format=torch.channels_last)
    dense = network.classifier[:5]
    enlarge = resize.WAYS[recipe.resize]

    def features(images: Tensor) -> tuple[Tensor, None]:
        x = standardised(enlarge(images, SIZE), IMAGENET)
        maps = network.avgpool(network.features(x.to(recipe.torch_dtype, memory_format=torch.channels_last)))
        return dense(maps.flatten(1)), None

    return features


def _port(recipe: Recipe) -> Any:
    from torchvision.models import vgg16

    assert recipe.weights is not None
    return fill(hollow(vgg16), state_dict(recipe.weights), recipe.weights, "torchvision's VGG16")


CARD = EXTRACTORS.add(
    Card(
        name="vgg16",
        title="VGG16, ImageNet, 4096 units of the second dense layer after its ReLU (torchvision's weights)",
        resizes=("tf1", "clean"),
        find=WEIGHTS.find,
        load=_load,
        batch=(8, 128),
    )
)
