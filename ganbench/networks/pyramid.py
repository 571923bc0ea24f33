"""LAPGAN's networks (Denton et al. 2015): one generator and one discriminator for each level of a Laplacian pyramid."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganbench.networks.base import level_sizes
from ganbench.networks.parts import Order


def down(images: Tensor) -> Tensor:
    """Half the size, by means over 2x2 pixels."""
    return F.avg_pool2d(images, 2)


def up(images: Tensor) -> Tensor:
    """Twice the size, each pixel four times."""
    return F.interpolate(images, scale_factor=2, mode="nearest")


def decompose(images: Tensor, levels: int) -> list[tuple[Tensor | None, Tensor]]:
    """(coarse, h) for each level, finest first, up(coarser) + h being the image; last (None, the coarsest image)."""
    found: list[tuple[Tensor | None, Tensor]] = []
    for _ in range(levels - 1):
        coarse = up(down(images))
        found.append((coarse, images - coarse))
        images = down(images)
    return [*found, (None, images)]


class PyramidGenerator(nn.Module):
    """Latents (n, inputs) → images: the coarsest image, then for each finer level its residual on what is there.

    A latent is the base's `latent_dim` numbers, then a plane of noise for each level but the coarsest.
    """

    def __init__(self, shape: tuple[int, ...], latent_dim: int, width: int) -> None:
        super().__init__()
        channels, self.sizes = shape[0], level_sizes(shape)
        self.latent_dim = latent_dim
        coarsest = (channels, self.sizes[-1], self.sizes[-1])
        self.base = nn.Sequential(
            nn.Linear(latent_dim, 8 * width), nn.ReLU(), nn.Linear(8 * width, 8 * width), nn.ReLU(),
            nn.Linear(8 * width, math.prod(coarsest)), nn.Unflatten(1, coarsest), nn.Tanh(),
        )  # fmt: skip
        self.residuals = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels + 1, width, 5, 1, 2), nn.ReLU(), nn.Conv2d(width, width, 5, 1, 2), nn.ReLU(),
                nn.Conv2d(width, channels, 5, 1, 2),
            )
            for _ in self.sizes[:-1]
        )  # fmt: skip

    def decompose(self, images: Tensor) -> list[tuple[Tensor | None, Tensor]]:
        """The pyramid of real images, see `decompose`."""
        return decompose(images, len(self.sizes))

    def level(self, index: int, z: Tensor, coarse: Tensor | None) -> Tensor:
        """What level `index` (0 is the finest) makes: a residual on `coarse`, or the coarsest image."""
        if coarse is None:
            base: Tensor = self.base(z[:, : self.latent_dim])
            return base
        size = self.sizes[index]
        start = self.latent_dim + sum(other**2 for other in self.sizes[:index])
        plane = z[:, start : start + size**2].view(-1, 1, size, size)
        residual: Tensor = self.residuals[index](torch.cat([coarse, plane], 1))
        return residual

    def forward(self, z: Tensor) -> Tensor:
        """Images in -1..1."""
        images = self.level(len(self.sizes) - 1, z, None)
        for index in reversed(range(len(self.sizes) - 1)):
            coarse = up(images)
            images = coarse + self.level(index, z, coarse)
        return images.clamp(-1, 1)


class PyramidDiscriminator(nn.Module):
    """One network a level: a residual is judged with its coarse image added to it, dropout .5 before the score."""

    def __init__(self, shape: tuple[int, ...], sizes: list[int], width: int) -> None:
        super().__init__()
        self.judges = nn.ModuleList(self._judge(shape[0], size, width) for size in sizes)

    @staticmethod
    def _judge(channels: int, size: int, width: int) -> nn.Module:
        half = -(-size // 2)
        return nn.Sequential(
            nn.Conv2d(channels, width, 5, 2, 2), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 5, 1, 2), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(width * half**2, 1), nn.Flatten(0),
        )  # fmt: skip

    def forward(self, index: int, coarse: Tensor | None, sample: Tensor) -> Tensor:
        """(n,) logits of residuals, or of coarsest images."""
        scores: Tensor = self.judges[index](sample if coarse is None else coarse + sample)
        return scores


def build(order: Order) -> dict[str, nn.Module]:
    """G and D for a pyramid down to 7 or 8 pixels."""
    width = int(order.settings["width"])
    generator = PyramidGenerator(order.shape, int(order.settings["latent_dim"]), width)
    return {"G": generator, "D": PyramidDiscriminator(order.shape, generator.sizes, width)}
