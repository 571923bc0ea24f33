"""DCGAN (Radford et al. 2016) for square images of 28, 32 and 64 pixels, and its kin with unpooling and pooling."""

from __future__ import annotations

from torch import nn

from ganbench.networks.layers import BatchNorm, VirtualBatchNorm, normalised
from ganbench.networks.parts import Late, Parts, Shape, Trunk, dropout, scaled

INIT_STD = 0.02
START = {28: 7, 32: 4, 64: 4}
"""Height of the map that the generator starts from and the discriminator ends at."""

G_NORMS = {"batch": BatchNorm, "virtual": VirtualBatchNorm}


class Dcgan(Parts):
    """G: project, then double the size and halve the channels, BN and ReLU, tanh. D mirrors it with LeakyReLU .2.

    `width` is the number of channels at the largest map; weights N(0, .02), as in the paper.
    """

    encoder_norm = "batch"

    def body(self, inputs: int) -> nn.Module:
        """(n, inputs) → (n, *shape)."""
        start, widths = START[self.shape[-1]], self._widths()[::-1]
        norm = G_NORMS.get(str(self.settings.get("g_norm", "batch")))
        plain = norm is None
        layers: list[nn.Module] = [nn.Linear(inputs, widths[0] * start**2, bias=plain)]
        layers += [nn.Unflatten(1, (widths[0], start, start)), *([] if norm is None else [norm(widths[0])]), nn.ReLU()]
        for narrow, wide in zip(widths[1:], widths, strict=False):
            layers += [*self._up(wide, narrow, bias=plain), *([] if norm is None else [norm(narrow)]), nn.ReLU()]
        return nn.Sequential(*layers, *self._up(widths[-1], self.shape[0], bias=True))

    def _up(self, inputs: int, outputs: int, *, bias: bool) -> list[nn.Module]:
        """Twice the size."""
        return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)]

    def _down(self, inputs: int, outputs: int) -> tuple[nn.Conv2d, list[nn.Module]]:
        """Half the size: the convolution, and what follows its activation."""
        return nn.Conv2d(inputs, outputs, 4, 2, 1), []

    def activation(self) -> nn.Module:
        """To -1..1."""
        return nn.Tanh()

    def trunk(self, shape: Shape, want: Trunk) -> nn.Module:
        """Strided convolutions; extra numbers join the features."""
        layers: list[nn.Module] = []
        widths = [scaled(width, want) for width in self._widths()]
        for index, (inputs, width) in enumerate(zip([shape[0], *widths], widths, strict=False)):
            convolution, after = self._down(inputs, width)
            layers += [*normalised(convolution, want.norm, inner=index > 0), nn.LeakyReLU(0.2), *after, *dropout(want)]
        return Late([*layers, nn.Flatten()], widths[-1] * START[shape[-1]] ** 2, want)

    def _widths(self) -> list[int]:
        """Channels of the maps, the largest map first."""
        size = self.shape[-1]
        ups = (size // START[size]).bit_length() - 1
        return [int(self.settings["width"]) * 2**level for level in range(ups)]

    def initialise(self, player: nn.Module) -> None:
        """Weights N(0, .02), biases 0, batch norm's scales N(1, .02)."""
        for name, parameter in player.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() > 1:
                nn.init.normal_(parameter, 0, INIT_STD)
        for module in player.modules():
            if isinstance(module, BatchNorm | VirtualBatchNorm):
                nn.init.normal_(module.weight, 1, INIT_STD)


class Unpool(Dcgan):
    """Unpooling in G (a pixel becomes 2x2, then a 3x3 convolution), average pooling in D, else as DCGAN."""

    def _up(self, inputs: int, outputs: int, *, bias: bool) -> list[nn.Module]:
        return [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias)]

    def _down(self, inputs: int, outputs: int) -> tuple[nn.Conv2d, list[nn.Module]]:
        return nn.Conv2d(inputs, outputs, 3, 1, 1), [nn.AvgPool2d(2)]
