"""Scoring 50,000 images holds no more than it says, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ganbench.metrics import METRICS

MB_FID, MB_ALL = 400, 2000


def _megabytes(*metrics: str) -> float:
    command = [sys.executable, Path(__file__).with_name("peak.py"), *metrics]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.speed
def test_fid_on_50_000_samples_is_bounded() -> None:
    """Above the extractor's own; the 154 MB of the real images are the data set's and are not in it."""
    assert _megabytes("fid") < MB_FID


@pytest.mark.slow
@pytest.mark.speed
def test_all_metrics_together_are_bounded() -> None:
    every = [
        score
        for card in METRICS
        if "images" in card.kinds and card.name not in ("stacked-modes", "parzen")
        for score in card.directions
    ]
    assert len(every) > 15
    assert _megabytes(*every) < MB_ALL
