"""Runs that are looked at on their way end as if nobody had looked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch._inductor
from torch import Tensor

from ganbench.canonical import Scalar
from ganbench.data import Dataset, find
from ganbench.spec import RunSpec, Status
from ganbench.testing import different
from ganbench.training import checkpoint, loop
from ganbench.training.loop import train_together
from ganbench.training.sampling import GeneratorSampler
from ganbench.training.settings import resolve
from ganbench.training.state import RunState
from ganbench.variants.base import VARIANTS

RING = find("ring")
SMALL = {"width": 8, "depth": 1, "latent_dim": 4, "batch_size": 16}
ON_POINTS = [card.name for card in VARIANTS if "points" in card.kinds]


class Sampling:
    """Samples all that it is shown, and spoils the global stream of random numbers."""

    def __init__(self, *steps: int, of: Dataset = RING) -> None:
        self.steps, self.of = steps, of
        self.seen: dict[tuple[str, int], Tensor] = {}

    def __call__(self, states: Sequence[RunState]) -> None:
        for state in states:
            self.seen[state.spec.id, state.step] = torch.cat(list(GeneratorSampler(state, self.of)(50)))
        torch.manual_seed(0)


def spec(variant: str = "ns", steps: int = 12, **overrides: Scalar) -> RunSpec:
    return resolve(variant, RING, steps=steps, overrides={**SMALL, **overrides})


def same(one: RunState, other: RunState) -> bool:
    """Whether all that training changes is the same, bit for bit."""
    pairs = zip(one.tensors(), other.tensors(), strict=True)
    return all(torch.equal(a.nan_to_num(), b.nan_to_num()) for (_, a), (_, b) in pairs)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("variant", ON_POINTS)
def test_a_look_changes_no_bit(variant: str, count: int) -> None:
    specs, look = different(spec(variant, ema=0.9), count), Sampling(3, 4, 11)
    plain, looked = train_together(specs, RING), train_together(specs, RING, look=look)
    assert look.seen.keys() == {(each.id, step) for each in specs for step in look.steps}
    for (status, state), (other, seen) in zip(plain, looked, strict=True):
        assert status is other
        assert same(state, seen)


@pytest.mark.parametrize(
    ("variant", "network"),
    [("ns", "dcgan"), ("sngan", "dcgan"), ("cgan", "dcgan"), ("lapgan", "pyramid"), ("dbn", "boltzmann")],
)
def test_a_look_changes_no_bit_of_runs_on_images(variant: str, network: str, tmp_path: Path) -> None:
    """Batch norms gather statistics to be sampled, Boltzmann machines run a chain, pyramids enlarge held-out images."""
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "pictures.npz", images=images, labels=np.arange(100) % 4)
    pictures = find(str(tmp_path / "pictures.npz"))
    small = {"width": 4, "latent_dim": 8, "batch_size": 16}
    specs, look = [resolve(variant, pictures, steps=4, network=network, overrides=small)], Sampling(1, 3, of=pictures)
    plain, looked = train_together(specs, pictures), train_together(specs, pictures, look=look)
    assert {step for _, step in look.seen} == {1, 3}
    assert same(plain[0][1], looked[0][1])


@pytest.mark.parametrize("count", [1, 3])
def test_a_look_changes_no_bit_of_compiled_steps(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They write in place what they keep: a look reads it and leaves it where it is. Graphs are run as traced."""
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, leaves, options: graph)
    specs, look = different(spec("wgan-gp", ema=0.9), count), Sampling(3, 4)
    plain, looked = (train_together(specs, RING, compiled=True, look=each) for each in (None, look))
    assert len(look.seen) == 2 * count
    for (_, state), (_, seen) in zip(plain, looked, strict=True):
        assert state.eager == {}
        assert same(state, seen)


@pytest.mark.parametrize("count", [1, 3])
def test_what_is_seen_is_the_run_there(count: int) -> None:
    """Its samples are those of a run that is stopped at this step."""
    specs, look = different(spec(ema=0.9), count), Sampling(5)
    train_together(specs, RING, look=look)
    for status, state in train_together(specs, RING, until=5):
        assert status is Status.PRUNED
        assert torch.equal(torch.cat(list(GeneratorSampler(state, RING)(50))), look.seen[state.spec.id, 5])


def test_looks_beyond_the_step_to_stop_at_are_not_taken() -> None:
    look = Sampling(5, 8, 9)
    train_together([spec()], RING, look=look, until=8)
    assert {step for _, step in look.seen} == {5, 8}


def test_a_look_is_no_training_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    class Slow(Sampling):
        def __call__(self, states: Sequence[RunState]) -> None:
            nonlocal now
            now += 1000

    monkeypatch.setattr(loop.time, "perf_counter", lambda: now)
    ((_, state),) = train_together([spec()], RING, look=Slow(3, 6))
    assert (now, state.seconds) == (2000, 0)


@pytest.mark.parametrize("bad", [2, 5, 6])
def test_who_has_diverged_is_not_shown_and_not_taken_out(bad: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others' numbers depend on how many are stacked, so they must not leave sooner for being looked at."""
    specs, look = different(spec(steps=20), 3), Sampling(5, 9)
    advance = loop._Course.advance
    sizes: list[int] = []

    def poisoned(course: loop._Course) -> None:
        advance(course)
        sizes.append(len(course.cohort.rows))
        if course.cohort.step == bad:
            course.cohort.players["G"].weights[1, 0] = math.nan

    monkeypatch.setattr(loop._Course, "advance", poisoned)
    plain, looked = train_together(specs, RING), train_together(specs, RING, look=look)
    assert sizes == [3] * 40
    assert {step for run_id, step in look.seen if run_id == specs[1].id} == ({5} if bad > 5 else set())
    assert {step for run_id, step in look.seen if run_id == specs[2].id} == {5, 9}
    for (status, state), (other, seen) in zip(plain, looked, strict=True):
        assert status is other
        assert state.step == seen.step
        assert same(state, seen)
    assert [status for status, _ in looked] == [Status.COMPLETED, Status.DIVERGED, Status.COMPLETED]


def test_no_checkpoint_is_beyond_a_look_that_failed(tmp_path: Path) -> None:
    class Broken(Sampling):
        def __call__(self, states: Sequence[RunState]) -> None:
            raise OSError("full")

    specs = [spec()]
    own = [tmp_path / "own.safetensors"]
    with pytest.raises(OSError, match="full"):
        train_together(specs, RING, own=own, every=3, look=Broken(6))
    left = checkpoint.facts(own[0])
    assert left is not None
    assert left["step"] == 3
    again = Sampling(6)
    train_together(specs, RING, own=own, look=again)
    assert {step for _, step in again.seen} == {6}
