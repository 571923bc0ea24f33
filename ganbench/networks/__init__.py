"""Networks: generators and discriminators, built from a shape and settings. Importing this room does not load torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganbench.networks.base import DEFAULTS, NETWORKS, Network, default_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

__all__ = ["DEFAULTS", "NETWORKS", "Network", "default_for", "standing_statistics"]


def standing_statistics(generator: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> nn.Module:
    """A copy of `generator` to sample from: see networks.layers.standing_statistics."""
    from ganbench.networks import layers

    return layers.standing_statistics(generator, batches)
