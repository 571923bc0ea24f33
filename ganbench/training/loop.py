"""THE loop: every variant, every network, every data set goes through `train`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ganbench.data import Dataset, minibatches_of_each
from ganbench.errors import DataError
from ganbench.networks import NETWORKS
from ganbench.spec import RunSpec, Status
from ganbench.training import estimates
from ganbench.training.cohort import Cohort, resumed
from ganbench.training.draws import Draws
from ganbench.training.optim import like
from ganbench.training.state import OUTPUTS, RunState, new_state

CHECK_EVERY = 100
"""Steps between two looks at whether all is finite: the only host syncs of the loop but checkpoints."""


class Pulse(Protocol):
    """How the loop tells where it is, and is told to stop."""

    def beat(self, step: int) -> bool:
        """`step` steps are done; True asks the run to save its state and end."""
        ...


class Look(Protocol):
    """Who is shown runs on their way."""

    @property
    def steps(self) -> Collection[int]:
        """Where."""
        ...

    def __call__(self, states: Sequence[RunState]) -> None:
        """These runs are at one of the steps. Training goes on, and checkpoints beyond are written, after it."""
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
    compiled: bool = False,  # whether steps are compiled
) -> tuple[Status, RunState]:
    """Train a run to its end, from its checkpoint if there is one.

    Ends completed; diverged, with `state.step` the first step (from 1) whose loss or weights were not finite; or
    interrupted, its state saved. The numbers do not depend on how often it was stopped and continued.
    """
    own = None if checkpoint is None else [checkpoint]
    options: Any = {"device": device, "root": root, "every": every, "pulse": pulse, "compiled": compiled}
    return train_together([spec], dataset, own=own, **options)[0]


def train_together(
    specs: Sequence[RunSpec],
    dataset: Dataset,
    *,
    device: str | torch.device = "cpu",
    root: Path | None = None,  # folder of image data
    own: Sequence[Path] | None = None,  # a checkpoint file a run: what it ends with, and a lone run's at any time
    together: Path | None = None,  # file of the cohort while it trains
    until: int | None = None,  # the step to stop at; None: the last
    every: int = 500,  # steps between two checkpoints
    pulse: Pulse | None = None,
    look: Look | None = None,  # who is shown those that have not diverged, at steps up to `until`
    compiled: bool = False,  # whether steps are compiled
) -> list[tuple[Status, RunState]]:
    """Train runs that differ in seed and in numbers alone as one program; each ends as one of `train` does, or pruned
    at `until`, its state saved. Those that come from another step than others train apart.

    A run is what it is alone but for rounding, and bit for bit so among the same others. Those that have ended are
    taken out, and the rest goes on without them.
    """
    states = [new_state(spec, dataset, torch.device(device)) for spec in specs]
    until = min(until or specs[0].steps, specs[0].steps)
    files: Sequence[Path | None] = own or [None] * len(specs)
    groups: dict[int, list[_Begun]] = defaultdict(list)
    for state, path in zip(states, files, strict=True):
        if path is not None:
            state.restore(path, until)
        if not state.complete:
            groups[state.step].append((state, path))
    ended = {state.spec.id: Status.COMPLETED for state in states if state.complete}
    run = partial(_run, dataset=dataset, root=root, every=every, pulse=pulse, look=look, compiled=compiled)
    for step, group in sorted(groups.items()):
        file = together if together is None or not step else together.with_stem(f"{together.stem}-{step}")
        ended |= _group(group, file, until, run)
    if together is not None and Status.INTERRUPTED not in ended.values():
        together.unlink(missing_ok=True)  # of a kill before the runs went ways of their own
    return [(ended[state.spec.id], state) for state in states]


_Begun = tuple[RunState, Path | None]
"""A run that has come somewhere, and its own file."""


def _group(group: Sequence[_Begun], together: Path | None, until: int, run: Callable[..., None]) -> dict[str, Status]:
    """Train runs of one step to `until`; how they ended, by id."""
    states = [state for state, _ in group]
    cohort = Cohort(states) if together is None else resumed(states, together, until)
    file = group[0][1] if cohort.lone else together
    run(cohort, until, file)
    _finish(cohort, file)
    ended = {cohort.members[place].spec.id: status for place, status in cohort.ended.items()}
    _leave([(ended[state.spec.id], state, path) for state, path in group], together)
    return ended


def _leave(ends: Sequence[tuple[Status, RunState, Path | None]], together: Path | None) -> None:
    """Give each that came to the step its own checkpoint; the cohort's is needed no more where none was interrupted."""
    for status, state, path in ends:
        if status in (Status.COMPLETED, Status.PRUNED) and path is not None:
            state.save(path)
    if together is not None and all(status is not Status.INTERRUPTED for status, _, _ in ends):
        together.unlink(missing_ok=True)


def _finish(cohort: Cohort, file: Path | None) -> None:
    """Mark what is complete, and save what is not, with all that was trained together.

    A cohort is saved when complete too, lest a kill among its runs' own files leaves some of them behind.
    """
    for place, status in cohort.ended.items():
        cohort.members[place].complete = status is Status.COMPLETED
    if file is not None and (not cohort.lone or Status.INTERRUPTED in cohort.ended.values()):
        cohort.save(file)


def _run(
    cohort: Cohort,
    until: int,
    file: Path | None,
    *,
    dataset: Dataset,
    root: Path | None,
    every: int,
    pulse: Pulse | None,
    look: Look | None,
    compiled: bool,
) -> None:
    """Train until all have ended."""
    reached = Status.COMPLETED if until == cohort.first.spec.steps else Status.PRUNED
    with torch.random.fork_rng(devices=[cohort.first.device] if cohort.first.device.type == "cuda" else []):
        while cohort.rows:
            stop = cohort.step < until and _Course(cohort, dataset, root, until, compiled).run(file, every, pulse, look)
            if cohort.step == until or stop:
                status = reached if cohort.step == until else Status.INTERRUPTED
                cohort.end(dict.fromkeys(range(len(cohort.rows)), status))


class _Course:
    """Training of those that are in a cohort now, until some are not to go on."""

    def __init__(self, cohort: Cohort, dataset: Dataset, root: Path | None, until: int, compiled: bool) -> None:
        self.cohort, self.until = cohort, until
        runs, first = cohort.training, cohort.first
        seeds, size = [run.spec.seed for run in runs], int(first.h["batch_size"])
        pixels = NETWORKS.get(first.spec.network).pixels
        data = partial(minibatches_of_each, dataset, seeds, size, first.device, pixels=pixels, root=root)
        self.data = cohort.draws(data())
        try:
            self.held: Draws | None = cohort.draws(data(held_out=True))
        except DataError:  # too few images for a split of their own, or for a minibatch of it
            self.held = None
        self.turns = cohort.turns(self.data, compiled=compiled)
        self.window = torch.zeros(CHECK_EVERY, len(cohort.shares), len(runs), device=first.device)

    def run(self, file: Path | None, every: int, pulse: Pulse | None, look: Look | None) -> bool:
        """Go on to the step to stop at, until the pulse says stop (then True), or until a run has diverged."""
        cohort = self.cohort
        begun = time.perf_counter()
        while cohort.step < self.until:
            self.advance()
            cohort.seconds, begun = cohort.seconds + time.perf_counter() - begun, time.perf_counter()
            if look is not None and cohort.step in look.steps:
                self.show(look)
                begun = time.perf_counter()
            stop = pulse is not None and pulse.beat(cohort.step)
            due, last = cohort.step % every == 0, cohort.step == self.until
            if (due or stop or last or cohort.step % CHECK_EVERY == 0) and self.part_with_diverged():
                return stop and not last
            if stop and not last:
                return True
            if due and not last and file is not None:
                cohort.save(file)
        return False

    def advance(self) -> None:
        """One step of all."""
        step = self.cohort.step
        losses = torch.stack(self.turns.turn(step))
        self.window[step % CHECK_EVERY] = losses.view(len(losses), -1)
        self.average()
        if step % self.cohort.first.curve_every == 0:
            self.record(losses)
        self.cohort.step += 1

    def show(self, look: Look) -> None:
        """Show those that have not diverged. None is taken out, for the others' numbers must not depend on a look."""
        diverged = self.first_bad()
        self.cohort.hand_back()
        look([run for row, run in enumerate(self.cohort.training) if row not in diverged])

    @torch.no_grad()
    def average(self) -> None:
        """The exponential moving average of G's weights."""
        if self.cohort.ema is not None:
            self.cohort.ema.lerp_(self.cohort.players["G"].weights, like(1 - self.cohort.rates["ema"], self.cohort.ema))

    def part_with_diverged(self) -> bool:
        """Take out those of which a loss since the last look, or a weight now, is not finite; whether there are any."""
        firsts = self.first_bad()
        if firsts:
            members = self.cohort.training
            self.cohort.end(dict.fromkeys(firsts, Status.DIVERGED))
            for row, step in firsts.items():
                members[row].step = step
        return bool(firsts)

    def first_bad(self) -> dict[int, int]:
        """The first step (from 1) with a non-finite loss, or now where a weight is not finite, by row.

        Rows of the window that this hundred has not reached yet are finite: they were looked at, or never written.
        """
        runs = self.window.shape[2]
        finite = torch.stack(
            [player.weights.view(runs, -1).isfinite().all(1) for player in self.cohort.players.values()]
        ).all(0)
        bad = (~self.window.isfinite()).any(1)  # (CHECK_EVERY, runs)
        never = torch.full_like(bad[:1], True)
        steps = torch.cat([bad, never]).float().argmax(0)  # CHECK_EVERY: no loss is bad
        if bool((finite & (steps == CHECK_EVERY)).all()):
            return {}
        start = (self.cohort.step - 1) // CHECK_EVERY * CHECK_EVERY
        found = zip(steps.tolist(), finite.tolist(), strict=True)
        ends = [start + step + 1 if step < CHECK_EVERY else None if fine else self.cohort.step for step, fine in found]
        return {row: step for row, step in enumerate(ends) if step is not None}

    @torch.no_grad()
    def record(self, losses: Tensor) -> None:
        """Write a point of the curves: losses, what D says of held-out data, gradient norms. No host sync."""
        cohort = self.cohort
        outputs = self.outputs() if OUTPUTS[0] in cohort.first.columns else []
        norms = [trainee.gradient.norm(dim=-1) for share in cohort.shares for trainee in share.trainees]
        step = torch.full_like(losses[0], float(cohort.step + 1))
        point = torch.stack([step, *losses, *outputs, *norms], -1)
        cohort.curves[..., cohort.step // cohort.first.curve_every, :] = point

    def outputs(self) -> list[Tensor]:
        """Means of D on a minibatch and on fresh samples, and estimates from them.

        Where there are no held-out data means are of training data, and estimates NaN.
        """
        kept = [(buffer, buffer.clone()) for buffer in self.cohort.players["D"].buffers.values()]
        draws, step = self.held or self.data, self.cohort.step
        draws.begin(step, "curves")
        batch = draws.batch(("real", "z"), step)
        nets = self.turns.game.nets if batch.y is None else self.turns.game.told(batch.y)
        real, fake = nets.D(batch.real), nets.D(nets.G(batch.z))
        for buffer, value in kept:  # spectral norm's u must not move
            buffer.copy_(value)
        nothing = [torch.full_like(real.mean(-1), torch.nan) for _ in estimates.NAMES]
        return [real.mean(-1), fake.mean(-1), *(nothing if self.held is None else estimates.estimates(real, fake))]
