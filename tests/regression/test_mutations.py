"""The check catches what it is there for: each mutation is made, and a baseline recorded before it falls short."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ganbench.data import ring
from ganbench.metrics import engine, manifolds, moments
from ganbench.networks.layers import SpectralNorm
from ganbench.regression.baseline import Baseline, load
from ganbench.regression.check import Checked, check, update
from ganbench.sweeps.sweep import Surroundings
from ganbench.training import optim, sampling, step
from ganbench.variants import VARIANTS

HERE = Surroundings("cpu", "inline", pictures=False)

TRAINED = """
[sweep]
variants = ["ns", "wgan-gp", "sngan"]
datasets = ["ring"]
seeds = 16
steps = 150
[sweep.set]
width = 32
depth = 3
batch_size = 64
n_dis = 5
ema = 0.99
[sweep.scoring]
metrics = ["fd", "modes"]
samples = 500
[check]
test = "equivalence"
recorded = 32
"""

KEPT = """
[[rescore]]
samples = "points.npy"
dataset = "ring"
scoring = {metrics = ["fd", "prdc"], samples = 1000}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Baseline:
    path = tmp_path_factory.mktemp("trained") / "toy.toml"
    path.write_text(TRAINED)
    baseline = load(path)
    update(baseline, HERE)
    return baseline


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Baseline:
    """Of 1,000 points of the ring, moved a little, so that neither precision nor recall is 1."""
    folder = tmp_path_factory.mktemp("kept")
    points = ring().sample(1000, 5).numpy()
    np.save(folder / "points.npy", points + np.random.default_rng(0).normal(0, 0.02, points.shape).astype("float32"))
    (folder / "metrics.toml").write_text(KEPT)
    baseline = load(folder / "metrics.toml")
    update(baseline, HERE)
    return baseline


def short(checked: Checked) -> set[str]:
    """What fell short: variants or metrics by name."""
    return {verdict.name for verdict in checked.verdicts if not verdict.passed}


@pytest.mark.slow
def test_unchanged_code_passes(trained: Baseline) -> None:
    assert short(check(trained, HERE)) == set()


def sign_of_a_loss(patch: pytest.MonkeyPatch) -> None:
    card = VARIANTS.get("ns")
    turned = [
        phase
        if phase.players != "G"
        else dataclasses.replace(phase, loss=lambda *given, loss=phase.loss: -loss(*given))
        for phase in card.phases
    ]
    patch.setitem(VARIANTS._cards, "ns", dataclasses.replace(card, phases=tuple(turned)))


def n_dis_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(step, "_repeat", lambda phase, h: 1)


def no_average(patch: pytest.MonkeyPatch) -> None:
    plain = sampling.GeneratorSampler._final

    def last(self: Any, state: Any) -> Any:
        return plain(self, dataclasses.replace(state, ema=state.players["G"].weights.clone()))

    patch.setattr(sampling.GeneratorSampler, "_final", last)


def another_beta1(patch: pytest.MonkeyPatch) -> None:
    adam = optim.OPTIMIZERS["adam"]

    def with_another(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given: function(*given[:-1], {**given[-1], "beta1": 0.9})

    other = dataclasses.replace(adam, numbers=with_another(adam.numbers), rule=with_another(adam.rule))
    patch.setitem(optim.OPTIMIZERS, "adam", other)


def no_spectral_norm(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SpectralNorm, "forward", lambda self, weight: weight)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutation", "variants"),
    [
        (sign_of_a_loss, {"ns"}),
        (n_dis_ignored, {"ns", "wgan-gp", "sngan"}),
        (no_average, {"ns", "wgan-gp", "sngan"}),
        (another_beta1, {"ns", "wgan-gp", "sngan"}),
        (no_spectral_norm, {"sngan"}),
    ],
)
def test_what_breaks_training_is_caught(
    trained: Baseline,
    monkeypatch: pytest.MonkeyPatch,
    mutation: Callable[[pytest.MonkeyPatch], None],
    variants: set[str],
) -> None:
    mutation(monkeypatch)
    found = {name.split()[1] for name in short(check(trained, HERE))}
    assert found
    assert found <= variants


def wrong_ddof(patch: pytest.MonkeyPatch) -> None:
    plain = moments.Moments.result

    def result(self: moments.Moments) -> moments.Gaussian:
        found = plain(self)
        return dataclasses.replace(found, covariance=found.covariance * (found.n - 1) / found.n)

    patch.setattr(moments.Moments, "result", result)


def swapped(patch: pytest.MonkeyPatch) -> None:
    plain = manifolds._Manifolds.values

    def values(self: manifolds._Manifolds) -> dict[str, Any]:
        found = plain(self)
        return found | {"precision": found["recall"], "recall": found["precision"]}

    patch.setattr(manifolds._Manifolds, "values", values)


def a_tenth_fewer(patch: pytest.MonkeyPatch) -> None:
    """What is said to be measured with n is measured with nine tenths of it."""
    plain = engine._View.first
    patch.setattr(engine._View, "first", lambda self, n: plain(self, min(n, len(self.samples)) * 9 // 10))


def test_unchanged_metrics_pass(kept: Baseline) -> None:
    assert short(check(kept, HERE)) == set()


@pytest.mark.parametrize(
    ("mutation", "metrics"),
    [
        (wrong_ddof, {"fd-identity"}),
        (swapped, {"precision", "recall"}),
        (a_tenth_fewer, {"fd-identity", "precision", "recall", "density", "coverage"}),
    ],
)
def test_what_breaks_metrics_is_caught(
    kept: Baseline, monkeypatch: pytest.MonkeyPatch, mutation: Callable[[pytest.MonkeyPatch], None], metrics: set[str]
) -> None:
    mutation(monkeypatch)
    found = {name.split()[-1] for name in short(check(kept, HERE))}
    assert found
    assert found <= metrics
