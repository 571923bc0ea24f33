"""Runs trained as one program are what they are alone."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
import torch
from scipy import stats

from ganbench.canonical import Scalar
from ganbench.data import find
from ganbench.metrics import mode_coverage
from ganbench.spec import RunSpec, Status
from ganbench.testing import different, stacks
from ganbench.training import loop
from ganbench.training.cohort import Cohort, settings
from ganbench.training.loop import train, train_together
from ganbench.training.sampling import GeneratorSampler
from ganbench.training.settings import resolve, shape
from ganbench.training.state import RunState, new_state
from ganbench.variants.base import VARIANTS

RING = find("ring")
SMALL = {"width": 16, "depth": 2, "latent_dim": 4, "batch_size": 32}
ON_POINTS = [card.name for card in VARIANTS if "points" in card.kinds]
WITHOUT = {
    "mmdgan": {"optimizer": "sgd"},  # D's last bias has a gradient of rounding errors, which RMSProp makes a step of
    "adaptive-l2": {"d_dropout": 0.0},  # masks are drawn for all at once
}


def spec(variant: str = "ns", steps: int = 1, **overrides: Scalar) -> RunSpec:
    return resolve(variant, RING, steps=steps, overrides={**SMALL, **overrides})


def off(one: RunState, other: RunState) -> float:
    """The largest difference of two runs' players, over the norm of each."""
    pairs = ((one.players[name].weights, other.players[name].weights) for name in one.players)
    return max(float((a - b).norm() / a.norm()) for a, b in pairs)


@pytest.mark.parametrize("variant", ON_POINTS)
def test_a_step_of_sixteen_is_that_of_each(variant: str) -> None:
    specs = different(spec(variant, **WITHOUT.get(variant, {})), 16)
    assert len({each.id for each in specs}) == 16
    assert len({shape(each) for each in specs}) == 1
    for each, (status, state) in zip(specs, train_together(specs, RING), strict=True):
        assert status is Status.COMPLETED
        assert off(state, train(each, RING)[1]) < 1e-5


@pytest.mark.parametrize(
    "overrides",
    [
        {"update": "simultaneous"},
        {"update": "extragradient"},
        {"optimistic": True},
        {"ema": 0.9},
        {"historical": 0.1},
        {"consensus": 0.1, "historical": 0.1},
        {"unrolled": 2},
        {"norm": "spectral"},
        {"norm": "batch"},
        {"norm": "layer"},
        {"gp": 1.0, "r1": 0.1, "r2": 0.1, "dragan": 0.1},
        {"instance_noise": 0.1, "label_smoothing": 0.8},
        {"feature_matching": "sum"},
        {"pack": 2},
        {"conditioning": "projection"},
        {"minibatch_disc": 4},
        {"lr_decay": "exponential", "lr_decay_rate": 1.1, "lr_min": 1e-5},
        {"optimizer": "rmsprop", "n_dis": 3},
        {"momentum": 0.5, "momentum_final": 0.9, "momentum_steps": 3},
        {"l2": 1e-3, "l2_target": 0.7},
    ],
    ids=str,
)
def test_options_stack(overrides: dict[str, Scalar]) -> None:
    stacks("ns", "ring", overrides)


@pytest.mark.parametrize(("network", "dataset"), [("maxout-toy", "ring"), ("dense", "mnist"), ("dcgan-mini", "mnist")])
def test_other_networks_stack(network: str, dataset: str, data_root: Path) -> None:
    small: dict[str, Scalar] = {"width": 8, "batch_size": 16, "lr": 1e-3}
    specs = different(resolve("ns", find(dataset), network=network, steps=1, overrides=small), 3)
    for each, (_, state) in zip(specs, train_together(specs, find(dataset), root=data_root), strict=True):
        alone = train(each, find(dataset), root=data_root)[1]
        for share, own in zip(state.shares, alone.shares, strict=True):
            for trainee, expected in zip(share.trainees, own.trainees, strict=True):
                torch.testing.assert_close(trainee.state["mean"], expected.state["mean"], rtol=1e-3, atol=1e-5)


def test_settings_are_numbers_where_all_agree_and_exact_columns_where_not() -> None:
    states = [new_state(each, RING, torch.device("cpu")) for each in different(spec("wgan-gp"), 3)]
    for_losses, for_optimisers = settings([state.h for state in states], torch.device("cpu"))
    assert for_losses["batch_size"] == 32
    assert for_losses["gp"].tolist() == pytest.approx([state.h["gp"] for state in states], rel=1e-7)
    assert for_optimisers["lr"].flatten().tolist() == [state.h["lr"] for state in states]


class Stop:
    """Asks to stop at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def beat(self, step: int) -> bool:
        return step == self.step


def files(folder: Path, specs: list[RunSpec]) -> dict:
    return {"own": [folder / f"{each.id}.safetensors" for each in specs], "together": folder / "cohort.safetensors"}


@pytest.mark.parametrize("variant", ["sngan", "began", "historical-avg"])
def test_a_cohort_that_was_stopped_goes_on_bit_for_bit(variant: str, tmp_path: Path) -> None:
    specs = different(spec(variant, steps=40, ema=0.9), 3)
    whole = train_together(specs, RING)
    where = files(tmp_path, specs)
    first = train_together(specs, RING, **where, every=10, pulse=Stop(17))
    assert [status for status, _ in first] == [Status.INTERRUPTED] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["cohort.safetensors"]
    again = train_together(specs, RING, **where, every=10)
    assert not where["together"].exists()
    for (_, expected), (status, state), path in zip(whole, again, where["own"], strict=True):
        assert status is Status.COMPLETED
        assert path.exists()
        theirs = dict(state.tensors())
        for name, tensor in expected.tensors():
            torch.testing.assert_close(theirs[name], tensor, rtol=0, atol=0, equal_nan=True)


def test_nothing_is_trained_again_after_a_kill_among_the_last_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs, save = different(spec(steps=12), 3), RunState.save
    expected = train_together(specs, RING)
    where = files(tmp_path, specs)

    def killed(state: RunState, path: Path) -> None:
        if path == where["own"][1]:
            raise KeyboardInterrupt
        save(state, path)

    monkeypatch.setattr(RunState, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        train_together(specs, RING, **where)
    monkeypatch.setattr(RunState, "save", save)
    monkeypatch.setattr(loop._Course, "advance", lambda *_: pytest.fail("trained again"))
    again = train_together(specs, RING, **where)
    for (status, state), (_, whole) in zip(again, expected, strict=True):
        assert status is Status.COMPLETED
        assert off(state, whole) == 0


def test_a_lone_run_that_was_interrupted_goes_on_from_where_it_is(tmp_path: Path) -> None:
    """Its own checkpoint is at another step than the others are, so it trains apart from them."""
    specs = different(spec(steps=30), 3)
    where = files(tmp_path, specs)
    train(specs[0], RING, checkpoint=where["own"][0], pulse=Stop(7))
    apart = [train(specs[0], RING), *train_together(specs[1:], RING)]
    for (_, expected), (_, state) in zip(apart, train_together(specs, RING, **where), strict=True):
        assert off(expected, state) == 0


def test_those_at_a_rung_go_on_in_other_company(tmp_path: Path) -> None:
    """Half of one cohort and half of another, stopped at step 12, are what they had been without a stop."""
    specs = different(spec(steps=30), 6)
    where = files(tmp_path, specs)
    for half in (slice(0, 3), slice(3, 6)):
        ends = train_together(specs[half], RING, own=where["own"][half], together=where["together"], until=12)
        assert {status for status, _ in ends} == {Status.PRUNED}
        assert {state.step for _, state in ends} == {12}
        assert not where["together"].exists()
    chosen = [1, 2, 4]
    own = [where["own"][index] for index in chosen]
    ends = train_together([specs[index] for index in chosen], RING, own=own, together=where["together"])
    for index, (status, state) in zip(chosen, ends, strict=True):
        assert status is Status.COMPLETED
        assert off(train(specs[index], RING)[1], state) < 1e-5


def test_a_state_beyond_the_rung_is_of_no_use_there(tmp_path: Path) -> None:
    specs = different(spec(steps=30), 2)
    where = files(tmp_path, specs)
    expected = train_together(specs, RING, until=6)
    train_together(specs, RING, **where, until=12)
    for (status, state), (_, other) in zip(train_together(specs, RING, **where, until=6), expected, strict=True):
        assert (status, state.step) == (Status.PRUNED, 6)
        assert off(other, state) == 0


def test_a_run_that_diverges_leaves_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    specs = [spec(steps=250, lr=lr) for lr in (1e-3, 2e-3, 3e-3)]
    alone = [train(each, RING)[1] for each in specs]
    advance = loop._Course.advance

    def poisoned(course: loop._Course) -> None:
        advance(course)
        if course.cohort.step == 123:
            course.cohort.players["G"].weights[1, 0] = math.nan

    monkeypatch.setattr(loop._Course, "advance", poisoned)
    where = files(tmp_path, specs)
    stopped = train_together(specs, RING, **where, pulse=Stop(230))
    assert [status for status, _ in stopped] == [Status.INTERRUPTED, Status.DIVERGED, Status.INTERRUPTED]
    ends = train_together(specs, RING, **where)
    assert [status for status, _ in ends] == [Status.COMPLETED, Status.DIVERGED, Status.COMPLETED]
    assert ends[1][1].step == 124  # the first step with a loss of NaN
    assert [path.exists() for path in where["own"]] == [True, False, True]
    for index in (0, 2):
        assert ends[index][1].step == 250
        assert ends[index][1].curves.isfinite().all()
        assert off(ends[index][1], alone[index]) < 1e-2  # of rounding, after 250 steps


def test_seconds_are_shared_out() -> None:
    began = time.perf_counter()
    ends = train_together(different(spec(steps=50), 4), RING)
    assert len({state.seconds for _, state in ends}) == 1
    assert 0 < sum(state.seconds for _, state in ends) <= time.perf_counter() - began


def test_one_run_is_not_stacked() -> None:
    cohort = Cohort([new_state(spec(), RING, torch.device("cpu"))])
    assert cohort.players is cohort.first.players


@pytest.mark.slow
def test_modes_found_together_and_alone_have_one_distribution() -> None:
    """64 runs of 2,000 steps each way, other seeds: Kolmogorov-Smirnov on the share of high-quality samples and on the
    modes found, false alarms .01 in all (Bonferroni)."""
    settings = {"width": 32, "depth": 2, "batch_size": 64, "lr": 1e-3}
    seeds = [resolve("ns", RING, seed=seed, steps=2000, overrides=settings) for seed in range(128)]
    together = [_covered(state) for _, state in train_together(seeds[:64], RING)]
    alone = [_covered(train(each, RING)[1]) for each in seeds[64:]]
    assert len({modes for modes, _ in alone}) > 2  # or the test could not tell anything
    for measured in range(2):
        sides = [[each[measured] for each in side] for side in (together, alone)]
        assert stats.ks_2samp(*sides).pvalue > 0.005


def _covered(state: RunState) -> tuple[int, float]:
    found = mode_coverage(torch.cat(list(GeneratorSampler(state)(1000))), RING.mixture())
    return found.modes, found.high_quality
