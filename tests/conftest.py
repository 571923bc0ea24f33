"""What all tests share: one thread, the real data's folder, and a cache that is never the user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


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
