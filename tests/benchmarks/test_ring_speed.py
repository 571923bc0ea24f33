"""A ring run and a ring sweep against a hand-written plain PyTorch loop of the same nets: both sides in one run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ganbench.data import find
from ganbench.training.loop import train
from ganbench.training.settings import resolve

WIDTH, BATCH, LATENT, LR, STEPS = 64, 128, 2, 2e-3, 1500  # the default ring run
SETTINGS = {"width": WIDTH, "batch_size": BATCH, "latent_dim": LATENT, "lr": LR}


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    hidden = [nn.Linear(inputs, WIDTH), nn.ReLU()]
    hidden += [layer for _ in range(2) for layer in (nn.Linear(WIDTH, WIDTH), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(WIDTH, outputs))


def plain_loop(steps: int) -> float:
    """What a careful person writes: Adam, zero_grad, backward, step. Seconds."""
    generator, discriminator = mlp(LATENT, 2), mlp(2, 1)
    g_optimizer = torch.optim.Adam(generator.parameters(), LR, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), LR, betas=(0.5, 0.999))
    angles = torch.arange(8) * torch.pi / 4
    means = torch.stack([angles.cos(), angles.sin()], 1)
    started = time.perf_counter()
    for _ in range(steps):
        real = means[torch.randint(8, (BATCH,))] + 0.01 * torch.randn(BATCH, 2)
        fake = generator(torch.randn(BATCH, LATENT)).detach()
        d_loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        g_loss = F.softplus(-discriminator(generator(torch.randn(BATCH, LATENT)))).mean()
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
    return time.perf_counter() - started


def our_run(steps: int) -> float:
    """The same nets, data and optimiser, with all that a run keeps: curves, divergence checks, random streams.

    A run keeps about as many points of its curves whatever its length, so what a step costs depends on the length.
    """
    ring = find("ring")
    spec = resolve("ns", ring, steps=steps, overrides=SETTINGS)
    started = time.perf_counter()
    train(spec, ring)
    return time.perf_counter() - started


def paired(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> list[float]:
    """Ratios ours / theirs, round by round, so that a drift of the machine's speed cancels."""
    ours(), theirs()
    return [ours() / theirs() for _ in range(rounds)]


@pytest.mark.speed
def test_a_run_costs_no_more_per_step_than_a_plain_loop(benchmark) -> None:
    torch.set_num_threads(1)
    ratios = paired(lambda: our_run(STEPS), lambda: plain_loop(STEPS), rounds=7)
    ratio = statistics.median(ratios)
    benchmark.extra_info["ratio_to_plain_loop"] = ratio
    print(f"\nring step: {ratio:.2f} of the plain loop's")  # noqa: T201
    benchmark.pedantic(our_run, (STEPS,), rounds=1)
    assert ratio <= 1.1, ratios


PLAIN = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_ring_speed import plain_loop
for _ in range(int(sys.argv[2])):
    plain_loop(int(sys.argv[1]))
"""


def wall(command: list[str], cwd: Path) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - started


@pytest.mark.speed
@pytest.mark.parametrize(("runs", "bound"), [(16, 1.7), (64, 3.5)])
def test_a_sweep_beats_plain_loops_in_sequence(runs: int, bound: float, benchmark, tmp_path: Path) -> None:
    """Whole processes, start-up, scoring and storing included; the plain loop with PyTorch's default threads.

    16 loops are timed and count for as many as there are runs: they are all alike.
    """
    steps = "3000"
    settings = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    sweep = [sys.executable, "-m", "ganbench", "sweep", "--quiet", "--variant", "ns", "--dataset", "ring",
             "--seeds", str(runs), "--steps", steps, "--device", "cpu", *settings]  # fmt: skip
    theirs = wall([sys.executable, "-c", PLAIN, steps, "16"], tmp_path) * runs / 16
    ours = benchmark.pedantic(wall, (sweep, tmp_path), rounds=1)
    benchmark.extra_info["speed_up"] = theirs / ours
    print(f"\n{runs} ring runs: loops {theirs:.0f} s, sweep {ours:.0f} s, ratio {theirs / ours:.2f}")  # noqa: T201
    assert theirs / ours >= bound, (theirs, ours)
