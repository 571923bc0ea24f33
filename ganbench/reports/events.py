"""Training curves as TensorBoard event files."""

from __future__ import annotations

import importlib.util
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ganbench.errors import SpecError


def check() -> None:
    """SpecError where TensorBoard is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        raise SpecError("TensorBoard files need the package tensorboard: pip install 'ganbench[tensorboard]'")


def write(
    table: ArrayLike,
    columns: Sequence[str],
    scores: Mapping[str, float],
    folder: Path,
    looks: Iterable[tuple[str, int, float]] = (),
    about: str = "",
) -> None:
    """Write curves (points, columns), the first column the step, scores of looks (name, step, value) in the order of
    their steps, and scores at the last step, anew into `folder`.

    A column "loss D" becomes the scalar "loss/D" (see `tag`), a score "scores/fid"; what is NaN is left out.
    `about` is Markdown, shown as the text "about".
    """
    from torch.utils.tensorboard import SummaryWriter

    values = np.asarray(table, dtype=np.float64)
    shutil.rmtree(folder, ignore_errors=True)
    writer = SummaryWriter(str(folder))
    for name, column in zip(columns[1:], values.T[1:], strict=True):
        for step, value in zip(values[:, 0], column, strict=True):
            if math.isfinite(step) and math.isfinite(value):
                writer.add_scalar(tag(name), value, int(step))
    last = int(np.nanmax(values[:, 0], initial=0))
    for name, step, value in (*looks, *((name, last, value) for name, value in scores.items())):
        if math.isfinite(value):
            writer.add_scalar(f"scores/{name}", value, step)
    if about:
        writer.add_text("about", about, last)
    writer.close()


def tag(column: str) -> str:
    """The name of a column's chart: those that begin alike stand together."""
    return "/".join(column.rsplit(" ", 1))
