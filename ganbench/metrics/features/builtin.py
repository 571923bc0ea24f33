"""Imports every extractor, so that it is registered: one line a file."""

from ganbench.metrics.features import efficientnet, inception, plain

__all__ = ["efficientnet", "inception", "plain"]
