"""SRGAN's networks (Ledig et al. 2017): residual blocks and pixel shuffling in G, DCGAN's trunk in D, VGG19 beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganbench.errors import WeightsError
from ganbench.networks.dcgan import Dcgan
from ganbench.networks.layers import BatchNorm
from ganbench.networks.parts import Order
from ganbench.networks.roles import assemble

SCALE = 4
"""Height of an image over that of its low-resolution one."""

VGG_SCALE = 1 / 12.75
"""Of VGG's features, which makes their squares comparable with those of pixels (section 3.2)."""

VGG_LAYERS = 36
"""Of torchvision's VGG19: up to the activation of the fourth convolution before the fifth pooling, φ_5,4."""


class _Residual(nn.Module):
    """conv-BN-PReLU-conv-BN, added to what came."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1), BatchNorm(width), nn.PReLU(),
            nn.Conv2d(width, width, 3, 1, 1), BatchNorm(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        made: Tensor = x + self.path(x)
        return made


class Upscaler(nn.Module):
    """Low-resolution images, flat (n, inputs), → (n, *shape) in -1..1."""

    def __init__(self, shape: tuple[int, ...], width: int, depth: int) -> None:
        super().__init__()
        channels, height, across = shape
        self.low = (channels, height // SCALE, across // SCALE)
        self.first = nn.Sequential(nn.Conv2d(channels, width, 9, 1, 4), nn.PReLU())
        blocks = [_Residual(width) for _ in range(depth)]
        self.path = nn.Sequential(*blocks, nn.Conv2d(width, width, 3, 1, 1), BatchNorm(width))
        up = [nn.Conv2d(width, 4 * width, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU()]
        again = [nn.Conv2d(width, 4 * width, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU()]
        self.last = nn.Sequential(*up, *again, nn.Conv2d(width, channels, 9, 1, 4), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        """Images of four times the size."""
        x = self.first(z.view(-1, *self.low))
        made: Tensor = self.last(x + self.path(x))
        return made


class Perceptual(nn.Module):
    """Images in -1..1 → VGG19's features φ_5,4 divided by 12.75; its weights never change."""

    mean: Tensor
    std: Tensor

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 512, h / 16, w / 16)."""
        coloured = ((x + 1) / 2).expand(-1, 3, -1, -1)
        features: Tensor = self.layers((coloured - self.mean) / self.std)
        return VGG_SCALE * features


def _vgg(path: Path) -> nn.Module:
    """VGG19's layers with torchvision's weights from a file; WeightsError where they are not."""
    from torchvision.models import vgg19

    network = vgg19(weights=None, init_weights=False)
    try:
        weights: Any = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
    except Exception as error:  # noqa: BLE001 - the reader raises anything on damaged files; the line names the file
        raise WeightsError(f"weights {path} are not those of torchvision's VGG19 ({type(error).__name__})") from None
    layers: nn.Module = network.features[:VGG_LAYERS]
    for layer in layers.children():
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return layers


def build(order: Order) -> dict[str, nn.Module]:
    """G and D, and V where weights are given to compare by."""
    h = order.settings
    parts = Dcgan(order.shape, h)
    roles = {"D": "scores"}
    players: dict[str, nn.Module] = {"G": Upscaler(order.shape, int(h["width"]), int(h["depth"]))}
    players |= assemble(Order(order.shape, h, roles, order.latents, order.classes), parts)
    weights = str(h.get("vgg_weights", ""))
    if weights:
        players["V"] = Perceptual(_vgg(Path(weights.partition("@")[0])))
    return players
