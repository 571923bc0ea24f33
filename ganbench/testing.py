"""The conformance suite of variants: what every trainer must keep, checked on a small ring in seconds.

from ganbench.testing import check_variant
check_variant("my-gan")            # AssertionError names what is broken
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from ganbench.data import find, minibatches
from ganbench.spec import RunSpec, Scalar, Status
from ganbench.training.loop import train
from ganbench.training.settings import choose_network, hypers, resolve
from ganbench.training.state import RunState, new_state
from ganbench.training.step import Turns
from ganbench.variants.base import VARIANTS

SMALL = {"width": 16, "depth": 2, "latent_dim": 4, "batch_size": 32}


def check_variant(name: str, dataset: str = "ring", **settings: Scalar) -> None:
    """Run every check on a variant by name; AssertionError on the first that fails."""
    for check in CHECKS:
        check(name, dataset, settings)


def _spec(name: str, dataset: str, settings: Mapping[str, Scalar], *, seed: int = 0, steps: int = 40) -> RunSpec:
    data = find(dataset)
    card = VARIANTS.get(name)
    known = hypers(card, choose_network(card, data))
    small = {key: value for key, value in SMALL.items() if key in known}
    return resolve(name, data, seed=seed, steps=steps, overrides={**small, **settings})


def _tensors(state: RunState) -> dict[str, Tensor]:
    return {f"{name}.{key}": tensor for name, player in state.players.items() for key, tensor in player.tensors()}


def differing(one: RunState, other: RunState) -> list[str]:
    """Names of the tensors, of all that training changes, in which two runs differ."""
    theirs = _tensors(other)
    return [key for key, tensor in _tensors(one).items() if not torch.equal(tensor, theirs[key])]


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
    assert torch.equal(whole.curves, resumed.curves), f"{name}: curves differ after a resume"


def stays_finite(name: str, dataset: str, settings: Mapping[str, Scalar]) -> None:
    """500 steps without a non-finite value."""
    status, state = train(_spec(name, dataset, settings, steps=500), find(dataset))
    assert status is Status.COMPLETED, f"{name}: {status} at step {state.step}"


def trains_its_players_only(name: str, dataset: str, settings: Mapping[str, Scalar]) -> None:
    """A phase changes its own player and no other; every player is changed as often as its phase says."""
    spec = _spec(name, dataset, settings)
    card = VARIANTS.get(name)
    state = new_state(spec, find(dataset), torch.device("cpu"))
    data = minibatches(find(dataset), 0, int(spec.settings["batch_size"]), torch.device("cpu"))
    turns = Turns(spec, card, state.players, data)
    for phase, repeat in zip(card.phases, turns.repeats, strict=True):
        before = {player: state.players[player].weights.clone() for player in state.players}
        updates = state.players[phase.player].updates
        turns.play(phase, 0, repeat)
        changed = [player for player in before if not torch.equal(before[player], state.players[player].weights)]
        assert changed == [phase.player], f"{name}: the phase of {phase.player} changed {changed}"
        assert state.players[phase.player].updates == updates + repeat, (
            f"{name}: {phase.player} does not honour {phase.repeat}"
        )


def learns(name: str, dataset: str, settings: Mapping[str, Scalar]) -> None:
    """The discriminator's loss falls when it alone is trained against a fixed generator."""
    spec = _spec(name, dataset, {**settings, "lr": 1e-3})
    card = VARIANTS.get(name)
    phase = card.phases[0]
    state = new_state(spec, find(dataset), torch.device("cpu"))
    data = minibatches(find(dataset), 0, int(spec.settings["batch_size"]), torch.device("cpu"))
    turns = Turns(spec, card, state.players, data)
    losses = [float(turns.play(phase, step, 1)) for step in range(200)]
    first, last = sum(losses[:20]) / 20, sum(losses[-20:]) / 20
    assert last < first, (
        f"{name}: the loss of {phase.player} rose from {first:.4g} to {last:.4g} while it trained alone"
    )


CHECKS = (same_seed_same_result, resumes_bit_for_bit, stays_finite, trains_its_players_only, learns)
