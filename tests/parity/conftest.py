"""What the tests against the field's own libraries share: a weights file for the networks that cannot be downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch_fidelity.feature_extractor_inceptionv3 as fidelity

SIDES = (32, 64, 299)
"""Pixels of the images that the tests use."""


class _Blank(fidelity.FeatureExtractorInceptionV3):  # type: ignore[misc]
    """As initialised: nothing is loaded."""

    def load_state_dict(self, *_: Any, **__: Any) -> None:
        return None


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random state dict of torch-fidelity's Inception that does not amplify rounding.

    Its batch norms are calibrated on images of the sizes that are tested. Their biases are 1: with 0, half of all
    activations lie at the kink of the ReLU and float32's rounding grows to 4e-5 over the layers, which no trained
    network does; with 1 it stays at 1e-6.
    """
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
        torch.manual_seed(0)
        network = _Blank("blank", ["2048"])
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over batches
            torch.nn.init.ones_(module.bias)
    network.train()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for side in SIDES:
            network(torch.randint(0, 256, (8, 3, side, side), dtype=torch.uint8, generator=generator))
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path
