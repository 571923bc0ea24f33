"""Runs as Weights & Biases' offline runs, for `wandb sync` to upload: nothing here uses the network."""

from __future__ import annotations

import importlib.util
import math
import shutil
from pathlib import Path
from typing import Any

from ganbench.errors import SpecError, StoreError
from ganbench.interchange.exported import curves_of, named_scores, title
from ganbench.reports.artifacts import Curves
from ganbench.reports.events import tag
from ganbench.spec import RunRecord, Status
from ganbench.store import Store

LONGEST_TAG = 64
"""Characters that W&B allows; of names and groups 128."""


def check() -> None:
    """SpecError where wandb is not installed; a folder of that name, as it leaves behind, is no package."""
    found = importlib.util.find_spec("wandb")
    if found is None or found.origin is None:
        raise SpecError("Weights & Biases runs need the package wandb: pip install 'ganbench[wandb]'")


def to_wandb(store: Store, record: RunRecord, folder: Path, project: str) -> None:
    """Write a run as an offline run of the same id into `folder`/wandb, in place of what was written of it before.

    Its config is the settings, its history the curves, its summary how it ended and its scores. OSError or StoreError
    where it cannot be written.
    """
    import wandb

    try:
        _write(wandb, store, record, folder, project)
    except wandb.Error as error:
        raise StoreError(f"wandb cannot write run {record.spec.id}: {(str(error).splitlines() or ['?'])[0]}") from None


def _write(wandb: Any, store: Store, record: RunRecord, folder: Path, project: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)  # wandb would go elsewhere without a word
    spec = record.spec
    for old in (folder / "wandb").glob(f"offline-run-*-{spec.id}"):
        shutil.rmtree(old)
    run = wandb.init(
        mode="offline",
        dir=str(folder),
        project=project,
        id=spec.id,
        name=title(record)[:128],
        group=f"{spec.variant[:100]} {spec.group}",
        tags=list(dict.fromkeys(text[-LONGEST_TAG:] for text in (spec.variant, spec.dataset, spec.network))),
        config=_config(record),
        settings=_settings(wandb),
    )
    _log(run, curves_of(store, record))
    run.summary.update(_summary(record))
    run.finish(exit_code=1 if record.status in (Status.FAILED, Status.INTERRUPTED) else 0)


def _settings(wandb: Any) -> Any:
    """Silent, and with nothing of this process in it: the run was made elsewhere and before."""
    return wandb.Settings(
        silent=True,
        console="off",
        disable_code=True,
        disable_git=True,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )


def _config(record: RunRecord) -> dict[str, Any]:
    spec = record.spec
    identity = spec.model_dump(include={"variant", "dataset", "network", "seed", "steps", "versions"})
    return {**spec.settings, **identity, "provenance": dict(record.provenance)}


def _log(run: Any, curves: Curves) -> None:
    for step, *values in curves.table.tolist():
        point = zip(curves.columns[1:], values, strict=True)
        finite = {tag(name): value for name, value in point if math.isfinite(value)}
        if finite:
            run.log(finite, step=int(step))


def _summary(record: RunRecord) -> dict[str, Any]:
    scores = named_scores(record)
    values = {f"scores/{name}": score.value for name, score in scores.items()}
    errors = {f"stderr/{name}": score.stderr for name, score in scores.items() if score.stderr is not None}
    finite = {name: value for name, value in {**values, **errors}.items() if math.isfinite(value)}
    end = {"status": record.status.value, "step": record.step, "seconds": record.seconds}
    return end | finite | ({"error": record.error} if record.error else {})
