"""One run from spec to record: train, sample, score, and leave its artifacts."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.errors import GanbenchError
from ganbench.registry import load_file
from ganbench.spec import RunRecord, RunSpec, Scalar, Score, Scoring, Status
from ganbench.training.settings import REAL

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.data import Dataset
    from ganbench.training.loop import Pulse
    from ganbench.training.state import RunState

CHECKPOINT = "checkpoint.safetensors"
GRID = "samples.png"
CURVES = "curves.png"
GRID_SAMPLES = 64
SCATTER_SAMPLES = 2500


@dataclass(frozen=True)
class Task:
    """What a worker needs to do a run; picklable."""

    spec: RunSpec
    scoring: Scoring
    folder: Path  # artifacts of the run
    root: Path | None = None  # image data
    device: str = "cpu"
    threads: int | None = None  # CPU threads; None: as many as PyTorch takes
    checkpoint_every: int = 500  # steps
    load: tuple[Path, ...] = ()  # users' files with variants and the like


def perform(task: Task, pulse: Pulse | None = None) -> RunRecord:
    """Do the run; every end is a record, and an error of the run's own is a failed one, with its message."""
    if task.threads is not None:
        _limit_threads(task.threads)
    for path in task.load:
        load_file(path)
    try:
        return _perform(task, pulse)
    except Exception as error:  # noqa: BLE001 - a user's variant may raise anything, and the sweep goes on
        _leave_traceback(task)
        return RunRecord(spec=task.spec, status=Status.FAILED, error=_message(error), provenance=provenance(task))


def _limit_threads(threads: int) -> None:
    """Of PyTorch, and of NumPy's BLAS, by which KID multiplies and which knows nothing of PyTorch's number."""
    import numpy  # noqa: F401 - only what is loaded can be limited
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")


def _perform(task: Task, pulse: Pulse | None) -> RunRecord:
    from ganbench.data import find

    dataset = find(task.spec.dataset)
    if task.spec.variant == REAL:
        return _score_real(task, dataset)
    return _train_and_score(task, dataset, pulse)


def _train_and_score(task: Task, dataset: Dataset, pulse: Pulse | None) -> RunRecord:
    from ganbench.training.loop import train
    from ganbench.training.sampling import GeneratorSampler

    status, state = train(
        task.spec,
        dataset,
        device=task.device,
        root=task.root,
        checkpoint=task.folder / CHECKPOINT,
        every=task.checkpoint_every,
        pulse=pulse,
    )
    scores: tuple[Score, ...] = ()
    seconds = 0.0
    if status is Status.COMPLETED:
        sampler = GeneratorSampler(state, dataset, task.root)
        scores, seconds = _score(task, dataset, sampler, sampler.protocol)
        _draw_samples(task, dataset, sampler)
    _draw_curves(task, state)
    return RunRecord(
        spec=task.spec,
        status=status,
        step=state.step,
        seconds=state.seconds,
        score_seconds=seconds,
        scores=scores,
        provenance=provenance(task),
    )


def _score(
    task: Task, dataset: Dataset, sampler: Callable[[int], Iterator[Tensor]], protocol: dict[str, Scalar]
) -> tuple[tuple[Score, ...], float]:
    from ganbench.metrics.engine import score

    started = time.perf_counter()
    scores = score(sampler, dataset, task.scoring, root=task.root, device=task.device, protocol=protocol)
    return scores, time.perf_counter() - started


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


def _draw_samples(task: Task, dataset: Dataset, sampler: Callable[[int], Iterator[Tensor]]) -> None:
    from ganbench.reports import plots

    if dataset.kind == "images":
        images = next(iter(sampler(GRID_SAMPLES))).cpu().numpy()
        plots.image_grid(images, task.folder / GRID)
    elif dataset.shape == (2,):
        points: Any = [chunk.cpu().numpy() for chunk in sampler(SCATTER_SAMPLES)]
        mixture = dataset.mixture()
        plots.scatter(points, mixture.means.numpy(), mixture.std, task.folder / GRID)


def _draw_curves(task: Task, state: RunState) -> None:
    from ganbench.reports import plots

    table = state.curves.cpu().numpy()
    plots.curves(table, state.columns, task.folder / CURVES)


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
        "host": platform.node(),
        "pid": os.getpid(),
    }


def _message(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, GanbenchError) else f"{type(error).__name__}: {lines[0]}"


def _leave_traceback(task: Task) -> None:
    """A failed run's full traceback, beside its other artifacts: the record holds one line."""
    with contextlib.suppress(OSError):  # a full disk may be the very failure
        task.folder.mkdir(parents=True, exist_ok=True)
        (task.folder / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
