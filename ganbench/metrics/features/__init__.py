"""Feature extractors. Importing this room does not load torch."""

from ganbench.metrics.features.base import EXTRACTORS, Card, Extractor

__all__ = ["EXTRACTORS", "Card", "Extractor"]
