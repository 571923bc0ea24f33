"""Runs from specs to records: train, sample, score, and leave artifacts."""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ganbench.canonical import Scalar
from ganbench.errors import GanbenchError
from ganbench.registry import load_file
from ganbench.reports.selection import RUNG
from ganbench.spec import RunRecord, RunSpec, Score, Status
from ganbench.store.artifacts import CHECKPOINT, GRID
from ganbench.sweeps import pictures
from ganbench.sweeps.devices import peak_megabytes
from ganbench.sweeps.looks import Looks
from ganbench.sweeps.selection import SEED as SELECTION_SEED
from ganbench.sweeps.selection import Selection
from ganbench.sweeps.task import Task
from ganbench.training.settings import REAL

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.data import Dataset
    from ganbench.training.loop import Pulse
    from ganbench.training.state import RunState

CURVES = "curves.png"
EVENTS = "events"


def perform(task: Task, pulse: Pulse | None = None) -> list[RunRecord]:
    """Do the runs; every end is a record, and an error of a run's own is a failed one, with its message.

    Runs that cannot train together, because memory is short or a variant's losses cannot be stacked, do so in halves,
    and in the end alone.
    """
    if task.threads is not None:
        _limit_threads(task.threads)
    for path in task.load:
        load_file(path)
    try:
        return _perform(task, pulse)
    except Exception as error:  # noqa: BLE001 - a user's variant may raise anything, and the sweep goes on
        if len(task.specs) == 1 or not isinstance(error, RuntimeError | MemoryError):
            return [_failed(task, spec, error) for spec in task.specs]
    _make_room()
    return [record for half in task.halves() for record in perform(half, pulse)]


def _make_room() -> None:
    """Give memory back to the device before the next try."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _limit_threads(threads: int) -> None:
    """Of PyTorch, and of NumPy's BLAS, by which KID multiplies and which knows nothing of PyTorch's number."""
    import numpy  # noqa: F401 - only what is loaded can be limited
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")


def _perform(task: Task, pulse: Pulse | None) -> list[RunRecord]:
    from ganbench.data import find

    dataset = find(task.spec.dataset)
    if task.spec.variant == REAL:
        return [_score_real(task, dataset)]
    looks = Looks(task, dataset)
    return [_scored_or_failed(task, dataset, looks, *end) for end in _train(task, dataset, looks, pulse)]


def _train(task: Task, dataset: Dataset, looks: Looks, pulse: Pulse | None) -> list[tuple[Status, RunState]]:
    from ganbench.training.loop import train_together

    return train_together(
        task.specs,
        dataset,
        device=task.device,
        root=task.root,
        own=[task.folder(spec) / CHECKPOINT for spec in task.specs],
        together=task.together,
        until=task.steps,
        every=task.checkpoint_every,
        pulse=pulse,
        look=looks,
        compiled=task.compiled,
    )


def _scored_or_failed(task: Task, dataset: Dataset, looks: Looks, status: Status, state: RunState) -> RunRecord:
    """What a metric or a generator raises is that run's own failure, and not of those that it trained with."""
    try:
        return _scored(task, dataset, looks, status, state)
    except Exception as error:  # noqa: BLE001 - see perform
        return _failed(task, state.spec, error)


def _scored(task: Task, dataset: Dataset, looks: Looks, status: Status, state: RunState) -> RunRecord:
    from ganbench.training.sampling import GeneratorSampler

    scores: tuple[Score, ...] = ()
    seconds = 0.0
    folder = task.folder(state.spec)
    if status is Status.COMPLETED:
        sampler = GeneratorSampler(state, dataset, task.root)
        scores, seconds = _score(task, dataset, sampler, sampler.protocol)
        if task.pictures:
            pictures.samples(dataset, sampler, folder / GRID)
    if task.selection is not None and status in (Status.COMPLETED, Status.PRUNED):
        chosen_by, more_seconds = _score_selection(task, dataset, state, task.selection)
        scores, seconds = scores + chosen_by, seconds + more_seconds
    seen = looks.of(state, status)
    record = RunRecord(
        spec=state.spec,
        status=status,
        step=state.step,
        seconds=state.seconds,
        score_seconds=seconds + seen.seconds,
        scores=scores + seen.scores,
        provenance=provenance(task) | _computed(state) | ({"looks_missing": seen.missing} if seen.missing else {}),
    )
    if task.pictures and status is not Status.PRUNED:  # a search has many, and a figure takes longer than a short leg
        pictures.curves(state, folder / CURVES)
    if task.events:
        _write_events(folder, state, record)
    return record


def _score(
    task: Task, dataset: Dataset, sampler: Callable[[int], Iterator[Tensor]], protocol: dict[str, Scalar]
) -> tuple[tuple[Score, ...], float]:
    from ganbench.metrics.engine import score

    started = time.perf_counter()
    scores = score(sampler, dataset, task.scoring, root=task.root, device=task.device, protocol=protocol)
    return scores, time.perf_counter() - started


def _score_selection(
    task: Task, dataset: Dataset, state: RunState, selection: Selection
) -> tuple[tuple[Score, ...], float]:
    """The objective on a sample of its own."""
    from ganbench.training.sampling import GeneratorSampler

    sampler = GeneratorSampler(state, dataset, task.root, SELECTION_SEED)
    part = replace(task, scoring=selection.scoring)
    rung: dict[str, Scalar] = {} if state.complete else {RUNG: state.step}
    return _score(part, dataset, sampler, sampler.protocol | selection.protocol | rung)


def _score_real(task: Task, dataset: Dataset) -> RunRecord:
    from ganbench.metrics.real import real_scores

    started = time.perf_counter()
    scores = real_scores(dataset, task.scoring, root=task.root, device=task.device, protocol=_real_protocol(dataset))
    return RunRecord(
        spec=task.spec,
        status=Status.COMPLETED,
        scores=tuple(scores.values()),
        score_seconds=time.perf_counter() - started,
        provenance=provenance(task),
    )


def _real_protocol(dataset: Dataset) -> dict[str, Scalar]:
    """That of the samples of a run that keeps no moving average, so that the row stands beside them."""
    quantisation: dict[str, Scalar] = {"quantisation": "round"} if dataset.kind == "images" else {}
    return {"generator": "last", "sampling_seed": 0, **quantisation}


def _write_events(folder: Path, state: RunState, record: RunRecord) -> None:
    from ganbench.reports import events

    shown = {score.metric: score.value for score in record.reported}
    looks = [(score.metric, int(score.protocol[RUNG]), score.value) for score in record.looks]
    events.write(state.curves.cpu().numpy(), state.columns, shown, folder / EVENTS, looks)


def provenance(task: Task) -> dict[str, Scalar]:
    """Where and with what a run was made: not part of its identity."""
    import torch

    device = torch.device(task.device)
    return {
        "ganbench": importlib.metadata.version("ganbench"),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "cpu": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "cohort": len(task.specs),
        "peak_memory_mb": peak_megabytes(task.device),
        "host": platform.node(),
        "pid": os.getpid(),
    }


def _computed(state: RunState) -> dict[str, Scalar]:
    """Whether the whole step was compiled, and what was done eagerly where it was to be."""
    eager = "; ".join(f"{part}: {why}" for part, why in (state.eager or {}).items())
    return {"compiled": state.eager is not None and not eager, **({"eager": eager} if eager else {})}


def _message(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, GanbenchError) else f"{type(error).__name__}: {lines[0]}"


def _failed(task: Task, spec: RunSpec, error: BaseException) -> RunRecord:
    """The record of a failed run; its full traceback lies beside its other artifacts, for the record holds one line."""
    with contextlib.suppress(OSError):  # a full disk may be the very failure
        task.folder(spec).mkdir(parents=True, exist_ok=True)
        (task.folder(spec) / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
    return RunRecord(spec=spec, status=Status.FAILED, error=_message(error), provenance=provenance(task))
