"""Residual networks for 28, 32 and 64 pixels: Gulrajani et al. 2017 (WGAN-GP) and Miyato et al. 2018 (SN-GAN)."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from ganbench.networks.dcgan import START
from ganbench.networks.layers import BatchNorm, normalised
from ganbench.networks.parts import Late, Parts, Shape, Trunk, dropout, scaled


class _Up(nn.Module):
    """BN-ReLU-up-conv3-BN-ReLU-conv3, shortcut up-conv1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        up = nn.Upsample(scale_factor=2, mode="nearest")
        self.path = nn.Sequential(
            BatchNorm(inputs), nn.ReLU(), up, nn.Conv2d(inputs, outputs, 3, 1, 1),
            BatchNorm(outputs), nn.ReLU(), nn.Conv2d(outputs, outputs, 3, 1, 1),
        )  # fmt: skip
        self.shortcut = nn.Sequential(up, nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Twice the size."""
        made: Tensor = self.path(x) + self.shortcut(x)
        return made


class _Block(nn.Module):
    """ReLU-conv3-ReLU-conv3 and a 1x1 shortcut, each then pooled where the block goes `down`.

    The `first` block of D has no activation before it, and pools its shortcut before the convolution.
    """

    def __init__(self, inputs: int, outputs: int, norm: str, *, down: bool, first: bool = False) -> None:
        super().__init__()
        pool = [nn.AvgPool2d(2)] if down else []
        entry: list[nn.Module] = [] if first else [*_before(inputs, norm), nn.ReLU()]
        one = normalised(nn.Conv2d(inputs, outputs, 3, 1, 1), norm, inner=False)
        two = normalised(nn.Conv2d(outputs, outputs, 3, 1, 1), norm, inner=False)
        self.path = nn.Sequential(*entry, *one, *_before(outputs, norm), nn.ReLU(), *two, *pool)
        link = normalised(nn.Conv2d(inputs, outputs, 1), norm, inner=False) if down or inputs != outputs else []
        self.shortcut = nn.Sequential(*pool, *link) if first else nn.Sequential(*link, *pool)

    def forward(self, x: Tensor) -> Tensor:
        """The same size, or half of it."""
        made: Tensor = self.path(x) + self.shortcut(x)
        return made


def _before(channels: int, norm: str) -> list[nn.Module]:
    """The norm that precedes an activation; spectral norm is on the weights instead."""
    norms: dict[str, list[nn.Module]] = {"batch": [BatchNorm(channels)], "layer": [nn.GroupNorm(1, channels)]}
    return norms.get(norm, [])


class _Pool(nn.Module):
    """ReLU, then the sum (SN-GAN) or mean (WGAN-GP) over places."""

    def __init__(self, *, total: bool) -> None:
        super().__init__()
        self.total = total

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) → (n, c)."""
        x = F.relu(x)
        return x.sum((2, 3)) if self.total else x.mean((2, 3))


class ResNet(Parts):
    """G: FC, up-blocks, BN-ReLU-conv3-tanh. D: a first block, one that goes down, two that stay, ReLU, pool.

    `width` is the channels of both. With spectral norm D pools by the sum, has no bias in its last layer, and weights
    are Glorot's times √2 (shortcuts times 1); without it D pools by the mean and weights are He's.
    """

    encoder_norm = "batch"

    def body(self, inputs: int) -> nn.Module:
        """(n, inputs) → (n, *shape)."""
        width, size = int(self.settings["width"]), self.shape[-1]
        start = START[size]
        blocks = [_Up(width, width) for _ in range((size // start).bit_length() - 1)]
        first = [nn.Linear(inputs, width * start**2), nn.Unflatten(1, (width, start, start))]
        return nn.Sequential(*first, *blocks, BatchNorm(width), nn.ReLU(), nn.Conv2d(width, self.shape[0], 3, 1, 1))

    def activation(self) -> nn.Module:
        """To -1..1."""
        return nn.Tanh()

    def trunk(self, shape: Shape, want: Trunk) -> nn.Module:
        """Four blocks and a pool."""
        width = scaled(int(self.settings["width"]), want)
        blocks = [
            _Block(shape[0], width, want.norm, down=True, first=True),
            _Block(width, width, want.norm, down=True),
            *(_Block(width, width, want.norm, down=False) for _ in range(2)),
        ]
        return Late([*blocks, _Pool(total=want.norm == "spectral"), *dropout(want)], width, want)

    def initialise(self, player: nn.Module) -> None:
        """Glorot's or He's, see the class."""
        spectral = self.settings.get("norm") == "spectral"
        for name, parameter in player.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() > 1 and spectral:
                nn.init.xavier_uniform_(parameter, 1 if "shortcut" in name else math.sqrt(2))
            elif parameter.dim() > 1:
                nn.init.kaiming_uniform_(parameter, nonlinearity="relu")
        head = getattr(player, "head", None)
        if spectral and isinstance(head, nn.Linear):
            head.register_parameter("bias", None)
