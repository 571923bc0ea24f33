"""What a run's step costs in a cohort beside what it costs alone: what sweeps/cohorts.py chooses sizes by."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ganbench.data import find
from ganbench.spec import RunSpec
from ganbench.training.loop import train_together
from ganbench.training.settings import resolve


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def runs_of(dataset: str, n: int, steps: int, network: str | None = None) -> list[RunSpec]:
    return [resolve("ns", find(dataset), seed=seed, steps=steps, network=network) for seed in range(n)]


def gain(specs: list[RunSpec], root: Path | None = None) -> float:
    """A run's share of the time together goes how often into its time alone: the median of three pairs."""

    def seconds(of: list[RunSpec]) -> float:
        started = time.perf_counter()
        train_together(of, find(of[0].dataset), root=root)
        return (time.perf_counter() - started) / len(of)

    seconds(specs[:1])
    return statistics.median([seconds(specs[:1]) / seconds(specs) for _ in range(3)])


@pytest.mark.speed
@pytest.mark.parametrize("n", [4, 8, 16, 32, 64])
def test_points_gain(n: int) -> None:
    found = gain(runs_of("ring", n, 100))
    print(f"\nring, a cohort of {n}: a run's step {found:.2f} times as fast as alone")  # noqa: T201
    assert found > 1


@pytest.mark.speed
@pytest.mark.parametrize(("network", "steps"), [("dcgan-mini", 10), ("dense", 30)])
def test_images_do_not(network: str, steps: int, data_root: Path) -> None:
    """Why `auto` trains images alone on a CPU: where this fails, cohorts of them have come to pay."""
    found = gain(runs_of("mnist", 4, steps, network), data_root)
    print(f"\n{network}, a cohort of 4: a run's step {found:.2f} times as fast as alone")  # noqa: T201
    assert found < 1.2
