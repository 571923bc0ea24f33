"""DCGAN (Radford et al. 2016) for square images of 28, 32 and 64 pixels."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from ganbench.networks.layers import BatchNorm, Logits, normalised

INIT_STD = 0.02
START = {28: 7, 32: 4, 64: 4}
"""Height of the map that the generator starts from and the discriminator ends at."""


def build(shape: tuple[int, ...], settings: Mapping[str, bool | int | float | str]) -> dict[str, nn.Module]:
    """G: project, then double the size and halve the channels, BN and ReLU, tanh. D mirrors it with LeakyReLU .2.

    `width` is the number of channels at the largest map; weights N(0, .02), as in the paper.
    """
    channels, size = shape[0], shape[-1]
    ups = (size // START[size]).bit_length() - 1
    widths = [int(settings["width"]) * 2**level for level in range(ups)]  # largest map first
    generator = _generator(int(settings["latent_dim"]), widths[::-1], START[size], channels)
    discriminator = _discriminator(channels, widths, START[size], str(settings["norm"]))
    return {"G": generator, "D": discriminator}


def _generator(latent_dim: int, widths: list[int], start: int, channels: int) -> nn.Module:
    first = widths[0] * start**2
    layers: list[nn.Module] = [nn.Linear(latent_dim, first, bias=False), nn.Unflatten(1, (widths[0], start, start))]
    layers += [BatchNorm(widths[0]), nn.ReLU()]
    for narrow, wide in zip(widths[1:], widths, strict=False):
        layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False), BatchNorm(narrow), nn.ReLU()]
    layers += [nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1), nn.Tanh()]
    return _initialised(nn.Sequential(*layers))


def _discriminator(channels: int, widths: list[int], start: int, norm: str) -> nn.Module:
    layers: list[nn.Module] = []
    for index, (inputs, width) in enumerate(zip([channels, *widths], widths, strict=False)):
        convolution = nn.Conv2d(inputs, width, 4, 2, 1)
        layers += [*normalised(convolution, norm, inner=index > 0), nn.LeakyReLU(0.2)]
    last = nn.Linear(widths[-1] * start**2, 1)
    layers += [nn.Flatten(), *normalised(last, norm, inner=False), Logits()]
    return _initialised(nn.Sequential(*layers))


def _initialised(network: nn.Module) -> nn.Module:
    """Weights N(0, .02), biases 0, batch norm's scales N(1, .02)."""
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.dim() > 1:
            nn.init.normal_(parameter, 0, INIT_STD)
    for module in network.modules():
        if isinstance(module, BatchNorm):
            nn.init.normal_(module.weight, 1, INIT_STD)
    return network
