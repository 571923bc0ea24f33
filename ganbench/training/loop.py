"""THE loop: every variant, every network, every data set goes through `train`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ganbench import rng
from ganbench.data import Dataset, Minibatches, held_out, minibatches
from ganbench.networks import NETWORKS
from ganbench.spec import RunSpec, Status
from ganbench.training import estimates
from ganbench.training.state import OUTPUTS, RunState, new_state
from ganbench.training.step import Turns

CHECK_EVERY = 100
"""Steps between two looks at whether all is finite: the only host syncs of the loop but checkpoints."""


class Pulse(Protocol):
    """How the loop tells where it is, and is told to stop."""

    def beat(self, step: int) -> bool:
        """`step` steps are done; True asks the run to save its state and end."""
        ...


def train(
    spec: RunSpec,
    dataset: Dataset,
    *,
    device: str | torch.device = "cpu",
    root: Path | None = None,  # folder of image data
    checkpoint: Path | None = None,  # file to save to, and to continue from
    every: int = 500,  # steps between two checkpoints
    pulse: Pulse | None = None,
) -> tuple[Status, RunState]:
    """Train a run to its end, from its checkpoint if there is one.

    Ends completed; diverged, with `state.step` the first step (from 1) whose loss or weights were not finite; or
    interrupted, its state saved. The numbers do not depend on how often it was stopped and continued.
    """
    device = torch.device(device)
    state = new_state(spec, dataset, device)
    if checkpoint is not None:
        state.restore(checkpoint)
    if state.complete:
        return Status.COMPLETED, state
    status = _run(state, dataset, root, checkpoint, every, pulse)
    state.complete = status is Status.COMPLETED
    if checkpoint is not None and status is not Status.DIVERGED:
        state.save(checkpoint)
    return status, state


def _run(
    state: RunState, dataset: Dataset, root: Path | None, checkpoint: Path | None, every: int, pulse: Pulse | None
) -> Status:
    spec = state.spec
    pixels = NETWORKS.get(spec.network).pixels
    data = minibatches(dataset, spec.seed, int(state.h["batch_size"]), state.device, pixels, root)
    turns = state.turns(data)
    held = held_out(dataset, spec.seed, data.batch_size, state.device, pixels, root)
    window = torch.zeros(CHECK_EVERY, len(state.shares), device=state.device)
    started = time.perf_counter() - state.seconds
    with torch.random.fork_rng(devices=[state.device] if state.device.type == "cuda" else []):
        while state.step < spec.steps:
            _advance(state, turns, held, window)
            state.seconds = time.perf_counter() - started
            stop = pulse is not None and pulse.beat(state.step)
            due = state.step % every == 0
            last = state.step == spec.steps
            if due or stop or last or state.step % CHECK_EVERY == 0:
                bad = _first_bad(state, window)
                if bad is not None:
                    state.step = bad
                    return Status.DIVERGED
            if stop and not last:
                return Status.INTERRUPTED
            if due and not last and checkpoint is not None:
                state.save(checkpoint)
    return Status.COMPLETED


def _advance(state: RunState, turns: Turns, held: Minibatches | None, window: Tensor) -> None:
    step = state.step
    losses = torch.stack(turns.turn(step))
    window[step % CHECK_EVERY] = losses
    _average(state)
    if step % state.curve_every == 0:
        _record(state, turns, held, losses)
    state.step += 1


@torch.no_grad()
def _average(state: RunState) -> None:
    """The exponential moving average of G's weights."""
    if state.ema is not None:
        state.ema.lerp_(state.players["G"].weights, 1 - float(state.h["ema"]))


def _first_bad(state: RunState, window: Tensor) -> int | None:
    """The first step (from 1) since the last look with a non-finite loss, or now if a weight is not finite.

    Rows of the window that this hundred has not reached yet are finite: they were looked at, or never written.
    """
    bad = (~window.isfinite()).any(dim=1).nonzero().flatten().tolist()
    first_of_window = (state.step - 1) // CHECK_EVERY * CHECK_EVERY
    if bad:
        return first_of_window + int(bad[0]) + 1
    finite = all(bool(player.weights.isfinite().all()) for player in state.players.values())
    return None if finite else state.step


@torch.no_grad()
def _record(state: RunState, turns: Turns, held: Minibatches | None, losses: Tensor) -> None:
    """Write a point of the curves: losses, what D says of held-out data, gradient norms. No host sync."""
    outputs = _outputs(state, turns, held) if OUTPUTS[0] in state.columns else []
    norms = [trainee.gradient.norm() for share in state.shares for trainee in share.trainees]
    step = torch.tensor(float(state.step + 1), device=state.device)
    state.curves[state.step // state.curve_every] = torch.stack([step, *losses, *outputs, *norms])


def _outputs(state: RunState, turns: Turns, held: Minibatches | None) -> list[Tensor]:
    """Means of D on a minibatch and on fresh samples, and estimates from them; NaN where there are no held-out data.

    Means are of training data there.
    """
    discriminator = state.players["D"].network
    noise = rng.stream(state.spec.seed, "curves", state.step, state.device)
    kept = [(buffer, buffer.clone()) for buffer in discriminator.buffers()]  # spectral norm's u must not move
    data = held or turns.data
    nets = turns.nets(data, state.step)
    real = nets.D(data.batch(state.step))
    fake = nets.D(nets.G(turns.latents(data, state.step, noise)))
    for buffer, value in kept:
        buffer.copy_(value)
    nothing = [real.new_full((), torch.nan) for _ in estimates.NAMES]
    return [real.mean(), fake.mean(), *(nothing if held is None else estimates.estimates(real, fake))]
