"""What all tests share: one thread, the real data's folder, and a cache that is never the user's."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SIDES = (32, 64, 299)
"""Pixels of the images that Inception is tested on."""


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server; skips where there is none. Its folder can be reached by the user that runs it."""
    from postgres_server import Server

    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder that holds MNIST/raw and FashionMNIST/raw: GANBENCH_DATA, else shared/data beside the checkout."""
    root = Path(os.environ.get("GANBENCH_DATA") or Path(__file__).parents[2] / "shared" / "data")
    assert (root / "MNIST" / "raw").is_dir(), f"no MNIST in {root}: set GANBENCH_DATA"
    return root


@pytest.fixture(autouse=True)
def _private_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's store or cache."""
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("GANBENCH_STORE", raising=False)


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random state dict of torch-fidelity's Inception that does not amplify rounding, for want of the real one.

    Its batch norms are calibrated on images of the sizes that are tested. Their biases are 1: with 0, half of all
    activations lie at the kink of the ReLU and float32's rounding grows to 4e-5 over the layers, which no trained
    network does; with 1 it stays at 1e-6.
    """
    import torch
    from torch_fidelity import feature_extractor_inceptionv3 as fidelity

    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *_, **__: None)
        torch.manual_seed(0)
        network = fidelity.FeatureExtractorInceptionV3("blank", ["2048"])
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
