"""What runs left in their folders, for a report: training curves and pictures."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ganbench.store import Store
from ganbench.store.artifacts import CHECKPOINT, GRID

POINTS = 200
"""Points of a curve at most."""


class Curves(NamedTuple):
    """Training curves: a table (points, columns), NaN where there is nothing, and what the columns are."""

    table: NDArray[np.float64]
    columns: tuple[str, ...]


def curves(folder: Path, points: int | None = POINTS) -> Curves | None:
    """The curves in a run's checkpoint, without torch; None where there are none that can be read.

    The first column is the step; points that training did not come to are left out, and at most `points` are kept.
    A checkpoint of before the columns' names were kept has them numbered.
    """
    try:
        with safe_open(folder / CHECKPOINT, framework="numpy") as file:
            told = json.loads((file.metadata() or {})["ganbench"])
            table = np.asarray(file.get_tensor("curves"), dtype=np.float64)
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    if table.ndim != 2 or table.shape[1] < 2:
        return None
    table = table[np.isfinite(table[:, 0])]
    table = table[:: max(1, -(-len(table) // points)) if points else 1]
    return Curves(table, _columns(told, table.shape[1])) if len(table) else None


def _columns(told: Any, count: int) -> tuple[str, ...]:
    names = told.get("columns") if isinstance(told, dict) else None
    if isinstance(names, list) and len(names) == count:
        return tuple(map(str, names))
    return ("step", *(f"curve {place}" for place in range(1, count)))


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, and its place among those that the run left over training, if there are several."""

    uri: str
    name: str
    size: int  # bytes of the file


def pictures(folder: Path) -> Iterator[Picture]:
    """The sample grids of a run, in the order of the numbers in their names, the last one (of the end) last."""
    stem = Path(GRID).stem
    for path in sorted(_listed(folder, f"{stem}*.png"), key=lambda path: (path.name == GRID, _numbers(path.stem))):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if content.startswith(b"\x89PNG"):
            uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
            yield Picture(uri, path.stem.removeprefix(stem).strip("-_. "), len(content))


def _listed(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern)) if folder.is_dir() else []


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", name)]


def first_with_pictures(store: Store, run_ids: Iterable[str]) -> tuple[str, list[Picture]] | None:
    """The first of the runs that left a picture, with its pictures."""
    for run_id in run_ids:
        if found := list(pictures(store.folder(run_id))):
            return run_id, found
    return None
