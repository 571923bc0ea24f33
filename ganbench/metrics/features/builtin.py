"""Imports every extractor, so that it is registered: one line a file."""

from ganbench.metrics.features import classifier, clip, dinov2, efficientnet, inception, plain, vgg

__all__ = ["classifier", "clip", "dinov2", "efficientnet", "inception", "plain", "vgg"]
