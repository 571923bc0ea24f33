"""What compiled steps gain on a CPU, and what compiling costs: both sides in one process, run after run."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest
import torch
from test_dcgan_speed import Clock

from ganbench.data import find
from ganbench.spec import RunSpec
from ganbench.training.loop import train_together
from ganbench.training.settings import resolve

CHUNKS, ROUNDS = 5, 3


def timed(specs: list[RunSpec], chunk: int, root: Path, *, compiled: bool) -> tuple[float, float]:
    """Seconds a step, and seconds from the call to the end of the first chunk."""
    clock, started = Clock(chunk), time.perf_counter()
    train_together(specs, find(specs[0].dataset), root=root, pulse=clock, compiled=compiled)
    return clock.seconds, clock.times[0] - started


@pytest.mark.slow
@pytest.mark.speed
@pytest.mark.parametrize(
    ("variant", "dataset", "network", "runs", "chunk", "bound"),
    [
        ("ns", "ring", None, 1, 200, 1.5),
        ("wgan-gp", "ring", None, 1, 30, 1.7),
        ("sngan", "ring", None, 1, 60, 1.5),
        ("ns", "ring", None, 32, 20, 1),
    ],
)
def test_a_compiled_step_on_a_cpu(
    variant: str, dataset: str, network: str | None, runs: int, chunk: int, bound: float,
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """One thread; the compiler's cache is empty in the first round and not in the others."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.set_num_threads(1)
    steps = chunk * (CHUNKS + 1)
    specs = [resolve(variant, find(dataset), network=network, seed=seed, steps=steps) for seed in range(runs)]
    rounds = [[timed(specs, chunk, data_root, compiled=compiled) for compiled in (False, True)] for _ in range(ROUNDS)]
    ratio = statistics.median(eager[0] / ours[0] for eager, ours in rounds)
    eager, ours = (statistics.median(each[side][0] for each in rounds) for side in (0, 1))
    begun = [ours[1] - eager[1] for eager, ours in rounds]
    print(  # noqa: T201
        f"\n{variant} {network or dataset} x {runs}: eager {eager * 1e3:.2f} ms, compiled {ours * 1e3:.2f} ms, ratio "
        f"{ratio:.2f}; compiling {begun[0]:.0f} s, from the cache {statistics.median(begun[1:]):.0f} s"
    )
    assert ratio >= bound
