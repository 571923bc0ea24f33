"""What the speed tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def all_cores() -> Iterator[None]:
    """NumPy's and SciPy's BLAS take all cores: PyTorch gets as many."""
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(before)
