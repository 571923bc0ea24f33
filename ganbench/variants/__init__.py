"""Variants: losses, penalties and presets, composed into trainers of the field."""

from ganbench.variants.base import VARIANTS, Batch, Hyper, Phase, Span, Variant
from ganbench.variants.own import variant
from ganbench.variants.phases import discriminator, generator

__all__ = ["VARIANTS", "Batch", "Hyper", "Phase", "Span", "Variant", "discriminator", "generator", "variant"]
