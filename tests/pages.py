"""A store to make a page of: three variants on two data sets, and names that nobody should have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from ganbench.canonical import Scalar
from ganbench.spec import RunRecord, RunSpec, Score, Status
from ganbench.store import Store
from ganbench.store.artifacts import CHECKPOINT

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    SCRIPT,
    "\"'><img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "\u202egnp.live \u2028 %{x} <b>bold</b> &lt;",
    "long" * 50,
)


def spec(variant: str, dataset: str = "ring", seed: int = 0, steps: int = 100, **settings: Scalar) -> RunSpec:
    given = {"lr": 0.001, "n_dis": 2, "batch_size": 10} | settings
    versions = {"dataset": 1, "variant": 1}
    return RunSpec(
        variant=variant, dataset=dataset, network="mlp", seed=seed, steps=steps, settings=given, versions=versions
    )


def record(run: RunSpec, values: Mapping[str, float], **more: Any) -> RunRecord:
    """A completed run with these scores."""
    protocol: dict[str, Scalar] = {"n_generated": 2500, "generator": "last"} | more.pop("protocol", {})
    scores = tuple(
        Score(metric=metric, version=1, value=value, stderr=0.0123, protocol=protocol)
        for metric, value in values.items()
    )
    facts = {"status": Status.COMPLETED, "step": run.steps, "seconds": 4.0, "score_seconds": 1.0}
    facts |= {"provenance": {"torch": "2.9", "pid": run.seed, "cohort": 1}} | more
    return RunRecord(spec=run, scores=scores, **facts)


def fill(store: Store) -> None:
    """`b` is best on ring, `a` on grid; a seed of `c` diverged, another failed; the real data are scored too."""
    means = {("a", "ring"): 0.5, ("b", "ring"): 0.2, ("c", "ring"): 0.9, ("a", "grid"): 1.0, ("b", "grid"): 2.0}
    for (variant, dataset), mean in means.items():
        for seed in range(3):
            run = spec(variant, dataset, seed)
            store.finish(record(run, {"kl": mean + seed / 100, "modes": round(8 - mean) - seed % 2}))
            leave(store.folder(run.id), run.steps)
    store.finish(RunRecord(spec=spec("c", seed=3), status=Status.DIVERGED, step=17))
    store.finish(RunRecord(spec=spec("c", seed=4), status=Status.FAILED, error="ValueError: no luck"))
    store.finish(
        record(
            RunSpec(variant="real", dataset="ring", network="none", seed=0, steps=0, versions={"dataset": 1}),
            {"kl": 0.01},
        )
    )


def leave(folder: Path, steps: int, columns: tuple[str, ...] = ("step", "loss D", "loss G")) -> None:
    """A checkpoint with curves, and a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    at = np.arange(1, steps + 1, dtype=np.float32)
    table = np.stack([at, *(np.cos(at / 10) + place for place in range(1, len(columns)))], axis=1)
    checkpoint(folder, table, columns)
    picture(folder / "samples.png")


def checkpoint(folder: Path, table: np.ndarray, columns: tuple[str, ...] | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    told = {"step": 1} | ({} if columns is None else {"columns": list(columns)})
    save_file({"curves": table}, folder / CHECKPOINT, metadata={"ganbench": json.dumps(told)})


def picture(path: Path, side: int = 8) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
