"""Compiled steps are those of the plain loop; what cannot be compiled is done by the plain loop, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._inductor

from ganbench.canonical import Scalar
from ganbench.data import find
from ganbench.spec import RunSpec, Status
from ganbench.testing import different, differing
from ganbench.training.loop import train, train_together
from ganbench.training.settings import resolve
from ganbench.training.state import RunState
from ganbench.variants.base import VARIANTS

RING = find("ring")
SMALL = {"width": 16, "depth": 2, "latent_dim": 4, "batch_size": 32, "optimizer": "sgd", "momentum": 0.5}
ON_POINTS = [card.name for card in VARIANTS if "points" in card.kinds]
OPTIONS: list[dict[str, Scalar]] = [
    {"update": "simultaneous", "ema": 0.9},
    {"update": "extragradient", "optimistic": True, "optimizer": "adam"},
    {"historical": 0.1, "n_dis": 2},
    {"consensus": 0.1, "historical": 0.1},
    {"optimizer": "rmsprop", "momentum": 0.0, "lr_decay": "linear"},
    {"momentum_final": 0.9, "momentum_steps": 3},
    {"precision": "bf16"},
    {"conditioning": "projection"},
    {"d_dropout": 0.2},
]


def spec(variant: str, steps: int = 3, **overrides: Scalar) -> RunSpec:
    return resolve(variant, RING, steps=steps, overrides={**SMALL, **overrides})


def off(ours: RunState, theirs: RunState) -> float:
    """The largest relative difference among all tensors that training changes, but for the curves."""
    expected = dict(theirs.tensors())
    pairs = [(tensor, expected[name]) for name, tensor in ours.tensors() if name != "curves"]
    return max(float((a - b).norm() / b.norm().clamp(min=1e-3)) for a, b in pairs)


def both(specs: Sequence[RunSpec]) -> list[tuple[RunState, RunState]]:
    """The same runs compiled and eager, having come to their ends."""
    ends = zip(train_together(specs, RING, compiled=True), train_together(specs, RING), strict=True)
    return [(ours, theirs) for (_, ours), (_, theirs) in ends]


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs are run as they were traced: all but the compiler, which takes seconds a graph."""
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, leaves, options: graph)


@pytest.mark.slow
@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("variant", ON_POINTS)
def test_every_variant_is_traced_as_it_is(variant: str) -> None:
    """But for a phase that foresees another's steps."""
    for ours, theirs in both([spec(variant)]) + both(different(spec(variant), 2)):
        assert ours.eager == ({"gradient of G": "it looks ahead"} if variant == "unrolled" else {})
        assert off(ours, theirs) < 1e-5


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("overrides", OPTIONS, ids=str)
def test_options_are_traced_as_they_are(overrides: dict[str, Scalar]) -> None:
    for ours, theirs in both([spec("sngan", **overrides)]) + both(different(spec("ns", **overrides), 2)):
        assert ours.eager == {}
        assert off(ours, theirs) < 1e-5


@pytest.mark.parametrize("variant", ["sngan", "adaptive-l2", "began"])
def test_what_the_compiler_refuses_is_done_eagerly_bit_for_bit(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it was traced before: spectral norm's u and the stream of dropout are where they were."""

    def refuse(*_: Any, **__: Any) -> None:
        raise NotImplementedError("not on a Tuesday\nfor reasons")

    monkeypatch.setattr(torch._inductor, "compile", refuse)
    [(ours, theirs)] = both([spec(variant)])
    assert set(ours.eager or ()) == {f"{part} of {name}" for part in ("gradient", "move") for name in ("D", "G")}
    assert set((ours.eager or {}).values()) == {"NotImplementedError: not on a Tuesday"}
    assert theirs.eager is None
    assert not differing(ours, theirs)


def moody(nets: Any, batch: Any, h: Any) -> Any:
    loss = nets.D(batch.real).mean() - nets.D(nets.G(batch.z)).mean()
    return loss if loss.item() > h["progress"] else -loss


@pytest.mark.usefixtures("traced")
def test_a_loss_that_looks_at_a_number_is_not_compiled() -> None:
    card = VARIANTS.get("sngan")
    phases = tuple(replace(phase, loss=moody) if phase.name == "D" else phase for phase in card.phases)
    VARIANTS.add(replace(card, name="sngan-moody", phases=phases))
    [(ours, theirs)] = both([spec("sngan-moody")])
    assert list(ours.eager or ()) == ["gradient of D"]
    assert off(ours, theirs) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("variant", ["ns", "wgan", "wgan-gp", "sngan"])
def test_a_compiled_step_is_the_eager_one(variant: str, n: int) -> None:
    one = spec(variant, 1, optimizer="adam", momentum=0.0)
    for ours, theirs in both(different(one, n)):
        assert ours.eager == {}
        assert off(ours, theirs) < 1e-5


class Stop:
    def beat(self, step: int) -> bool:
        return step == 17


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["sngan", "adaptive-l2"])
def test_a_compiled_run_goes_on_bit_for_bit_and_eagerly_too(variant: str, tmp_path: Path) -> None:
    run = spec(variant, 40, ema=0.9)
    whole = train(run, RING, compiled=True)[1]
    paths = [tmp_path / "compiled.safetensors", tmp_path / "eager.safetensors"]
    for path in paths:
        assert train(run, RING, checkpoint=path, pulse=Stop(), compiled=True)[0] is Status.INTERRUPTED
    resumed = train(run, RING, checkpoint=paths[0], compiled=True)[1]
    assert not differing(whole, resumed)
    status, eager = train(run, RING, checkpoint=paths[1])
    assert status is Status.COMPLETED
    assert off(eager, whole) < 1e-3
