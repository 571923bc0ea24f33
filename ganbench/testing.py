"""The conformance suite of variants: what every trainer must keep, checked on a small ring in seconds.

from ganbench.testing import check_variant
check_variant("my-gan")            # AssertionError names what is broken
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from ganbench.canonical import Scalar, plain
from ganbench.data import find, minibatches
from ganbench.networks import NETWORKS
from ganbench.spec import RunSpec, Status
from ganbench.training.loop import train, train_together
from ganbench.training.settings import choose_network, hypers, numbers, resolve
from ganbench.training.state import RunState, new_state
from ganbench.training.step import Turns
from ganbench.variants.base import VARIANTS, Batch, Hyper, Variant
from ganbench.variants.hypers import TRAINER

SMALL = {"width": 16, "depth": 2, "latent_dim": 4, "batch_size": 32}


def check_variant(name: str, dataset: str = "ring", **settings: Scalar) -> None:
    """Run every check on a variant by name; AssertionError on the first that fails."""
    for check in CHECKS:
        check(name, dataset, settings)


def losses_at(card: Variant, nets: Any, batch: Batch, **settings: Any) -> list[float]:
    """The values of a variant's losses, phase by phase, on nets and a batch of one's own: for cases done by hand.

    `settings` win over the variant's presets and defaults. Points are what is trained on, unless `pixels` is given.
    """
    h = settings_at(card, **settings)
    return [float(_value(phase.loss(nets, batch, h))) for phase in card.phases]


def settings_at(card: Variant, **settings: Any) -> dict[str, Any]:
    """Every setting that a variant's phases may read, by its presets and defaults, with the first values of memory."""
    known = {hyper.name: hyper.default for hyper in (*TRAINER, *card.own_hypers.values())}
    h: dict[str, Any] = {**known, **card.presets.get("", {}), "pixels": None}
    memory = {name: value for phase in card.phases for name, value in phase.memory.items()}
    return h | {name: h[value] if isinstance(value, str) else value for name, value in memory.items()} | settings


def _value(found: Any) -> Any:
    return found[0] if isinstance(found, tuple) else found


def _spec(name: str, dataset: str, settings: Mapping[str, Scalar], *, seed: int = 0, steps: int = 40) -> RunSpec:
    data = find(dataset)
    card = VARIANTS.get(name)
    known = hypers(card, choose_network(card, data))
    small = {key: value for key, value in SMALL.items() if key in known}
    return resolve(name, data, seed=seed, steps=steps, overrides={**small, **settings})


def differing(one: RunState, other: RunState) -> list[str]:
    """Names of the tensors, of all that training changes, in which two runs differ."""
    theirs = dict(other.tensors())
    return [key for key, tensor in one.tensors() if key != "curves" and not torch.equal(tensor, theirs[key])]


def same_seed_same_result(name: str, dataset: str, settings: Mapping[str, Scalar]) -> None:
    """Two runs of one spec agree bit for bit; another seed does not."""
    one, again, other = (train(_spec(name, dataset, settings, seed=seed), find(dataset))[1] for seed in (0, 0, 1))
    assert not differing(one, again), f"{name}: two runs of one seed differ in {differing(one, again)}"
    assert differing(one, other), f"{name}: the seed changes nothing"


def resumes_bit_for_bit(name: str, dataset: str, settings: Mapping[str, Scalar]) -> None:
    """A run stopped in the middle and continued equals one that was not."""

    class StopAt:
        def __init__(self, step: int) -> None:
            self.step = step

        def beat(self, step: int) -> bool:
            return step == self.step

    spec, data = _spec(name, dataset, settings), find(dataset)
    _, whole = train(spec, data)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        status, _ = train(spec, data, checkpoint=path, pulse=StopAt(17))
        assert status is Status.INTERRUPTED, f"{name}: did not stop when asked"
        status, resumed = train(spec, data, checkpoint=path)
    assert status is Status.COMPLETED, f"{name}: ended {status} after a resume"
    assert not differing(whole, resumed), f"{name}: resumed differs in {differing(whole, resumed)}"
    same = torch.allclose(whole.curves, resumed.curves, rtol=0, atol=0, equal_nan=True)
    assert same, f"{name}: curves differ after a resume"


def stays_finite(name: str, dataset: str, settings: Mapping[str, Scalar]) -> None:
    """500 steps without a non-finite value."""
    status, state = train(_spec(name, dataset, settings, steps=500), find(dataset))
    assert status is Status.COMPLETED, f"{name}: {status} at step {state.step}"


def started(name: str, dataset: str, settings: Mapping[str, Scalar]) -> tuple[RunState, Turns]:
    """A run before its first step."""
    spec, data = _spec(name, dataset, settings), find(dataset)
    state = new_state(spec, data, torch.device("cpu"))
    pixels = NETWORKS.get(spec.network).pixels
    return state, state.turns(minibatches(data, 0, int(state.h["batch_size"]), torch.device("cpu"), pixels=pixels))


def trains_its_players_only(name: str, dataset: str, settings: Mapping[str, Scalar]) -> None:
    """A phase changes its own players and no other, as often as it says; all else stays as it was."""
    state, turns = started(name, dataset, settings)
    for index, (share, repeat) in enumerate(zip(state.shares, turns.repeats, strict=True)):
        phase = share.phase
        before = {player: state.players[player].weights.clone() for player in state.players}
        updates = [trainee.updates for trainee in share.trainees]
        turns.play(index, 0, repeat)
        changed = [player for player in before if not torch.equal(before[player], state.players[player].weights)]
        assert set(changed) == set(phase.names), f"{name}: the phase of {phase.name} changed {changed}"
        assert [trainee.updates for trainee in share.trainees] == [count + repeat for count in updates], (
            f"{name}: {phase.name} does not honour {phase.repeat}"
        )


def learns(name: str, dataset: str, settings: Mapping[str, Scalar]) -> None:
    """The loss of the first phase falls when its players alone are trained, where it is an objective."""
    if not VARIANTS.get(name).objective:
        return
    _, turns = started(name, dataset, {**settings, "lr": 1e-3})
    losses = [float(turns.play(0, step, 1)) for step in range(200)]
    first, last = sum(losses[:20]) / 20, sum(losses[-20:]) / 20
    players = turns.shares[0].phase.name
    assert last < first, f"{name}: the loss of {players} rose from {first:.4g} to {last:.4g} while it trained alone"


def stacks(name: str, dataset: str, settings: Mapping[str, Scalar]) -> None:
    """A step of runs with different seeds and numbers, taken as one, is for each the step that it makes alone.

    Plain descent, for the first step of the others is ± lr where a gradient is 0 but for rounding; without dropout,
    which is drawn for all at once.
    """
    network = choose_network(VARIANTS.get(name), find(dataset))
    if network.alone:
        return
    known = hypers(VARIANTS.get(name), network)
    wanted: dict[str, Scalar] = {"optimizer": "sgd", "d_dropout": 0.0}
    plainly = {key: value for key, value in wanted.items() if key in known}
    specs = different(_spec(name, dataset, {**settings, **plainly}, steps=1), STACKED)
    data = find(dataset)
    players = new_state(specs[0], data, torch.device("cpu")).players.values()
    if any(isinstance(module, nn.Dropout) for player in players for module in player.network.modules()):
        return  # of the network's own
    for spec, (_, found) in zip(specs, train_together(specs, data), strict=True):
        _, alone = train(spec, data)
        theirs = dict(found.tensors())
        for key, tensor in alone.tensors():
            off = float((tensor - theirs[key]).nan_to_num().norm() / tensor.nan_to_num().norm().clamp(min=1e-3))
            assert off <= STACK_TOLERANCE, f"{name}: {key} is {off:.1e} off in a cohort"


def different(spec: RunSpec, n: int) -> list[RunSpec]:
    """`n` runs that can train together with `spec`: other seeds, and every number that is not 0 another."""
    card, network = VARIANTS.get(spec.variant), NETWORKS.get(spec.network)
    known, free = hypers(card, network), numbers(card, network)
    specs = []
    for seed in range(n):
        settings = {
            key: plain(_moved(known[key], float(value), seed / n)) if key in free and value else value
            for key, value in spec.settings.items()
        }
        specs.append(spec.model_copy(update={"seed": seed, "settings": settings}))
    return specs


def _moved(hyper: Hyper, value: float, by: float) -> float:
    """A number between this one and twice it, or the middle to its bound."""
    high = 2 * value if hyper.high is None else (value + hyper.high) / 2
    return value + by * (high - value)


STACKED = 4
STACK_TOLERANCE = 1e-5
"""Of the norm, in float32."""

CHECKS = (
    same_seed_same_result,
    resumes_bit_for_bit,
    stays_finite,
    trains_its_players_only,
    learns,
    stacks,
)
