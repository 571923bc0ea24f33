"""Pictures of runs and of leaderboards: png files about 800 pixels wide, written whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from ganbench.reports import names
from ganbench.reports.board import Row, records
from ganbench.reports.formats import heads, track_of
from ganbench.reports.names import LOG_FROM, arrow
from ganbench.reports.ranking import TRACK
from ganbench.store.artifacts import atomic_write

DPI = 125
WIDTH = 6.4  # inches: 800 pixels
INK, QUIET, FAINT = "#22303c", "#6b7a88", "#e4e9ee"
COLOURS = ("#0f766e", "#d9682b", "#4f46e5", "#be185d", "#65a30d")
KS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Where a curve of configurations has its ticks."""
STYLES = ("-", "--", ":")
"""Lines, once all colours are taken."""
Array = NDArray[np.float64]


def image_grid(images: NDArray[np.uint8], path: Path, columns: int = 8) -> None:
    """Draw uint8 images (n, C, H, W), C 1 or 3, in rows of `columns`; small ones are enlarged by a whole factor."""
    n, channels, height, width = images.shape
    columns = min(columns, n)
    scale, gap = max(1, 800 // (columns * width)), 2
    down, right = height * scale + gap, width * scale + gap
    canvas = np.full((math.ceil(n / columns) * down + gap, columns * right + gap, channels), 255, dtype=np.uint8)
    for index, tile in enumerate(images.repeat(scale, axis=2).repeat(scale, axis=3).transpose(0, 2, 3, 1)):
        top, left = gap + index // columns * down, gap + index % columns * right
        canvas[top : top + height * scale, left : left + width * scale] = tile
    picture = Image.fromarray(canvas[..., 0] if channels == 1 else canvas)
    atomic_write(path, lambda file: picture.save(file, format="png"))


def scatter(points: Sequence[ArrayLike] | Array, means: ArrayLike | None, std: float, path: Path) -> None:
    """Draw generated points (n, 2), one array or several, on the true modes (k, 2), rings of three deviations `std`.

    The view is that of the modes, where they are given; points outside it or not finite are counted in the caption.
    """
    given = np.vstack(tuple(points)).astype(np.float64)
    finite = given[np.isfinite(given).all(axis=1)]
    modes = np.empty((0, 2)) if means is None else np.asarray(means, dtype=np.float64)
    low, high = _view(modes if len(modes) else finite, std)
    figure, (axes,) = _figure(1, 1, WIDTH, margins=(0.5, 0.12, 0.3, 0.35))
    axes.scatter(finite[:, 0], finite[:, 1], s=9, color=COLOURS[0], alpha=0.4, linewidths=0, zorder=2)
    axes.add_collection(_rings(modes, std, axes))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    outside = len(given) - int(((finite >= low) & (finite <= high)).all(axis=1).sum())
    parts = [f"{len(given):,} points", f"{outside:,} of them outside" if outside else ""]
    parts.append(f"rings: 3σ of the {len(modes)} modes" if len(modes) else "")
    _title(axes, " · ".join(filter(None, parts)))
    _write(figure, path)


def curves(table: ArrayLike, columns: Sequence[str], path: Path) -> None:
    """Draw training curves: `table` (points, columns), the first column the step, NaN where training did not come.

    Columns whose names agree up to the last word ("loss D", "loss G") share a panel; one that says nothing at all is
    left out, as are estimates where there are no held-out data.
    """
    values = np.asarray(table, dtype=np.float64)
    told = [bool(np.isfinite(column).any()) for column in values.T]
    panels: dict[str, list[int]] = {}
    for index, name in enumerate(columns[1:], start=1):
        if told[index] or not any(told):
            panels.setdefault(name.rpartition(" ")[0] or "output of the discriminator", []).append(index)
    height = 1.9 * len(panels) + 0.3
    figure, all_axes = _figure(len(panels), 1, height, margins=(0.62, 1.15, 0.45, 0.3), sharex=True)
    for axes, (title, indices) in zip(all_axes, panels.items(), strict=True):
        for colour, index in zip(COLOURS * len(indices), indices, strict=False):
            _line(axes, values[:, 0], values[:, index], columns[index].rpartition(" ")[2], colour)
        axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="center left", bbox_to_anchor=(1.0, 0.5))
        _title(axes, title)
        if title == "gradient norm":
            _log_if_wide(axes, "y", values[:, indices])
    all_axes[-1].set_xlabel("step", color=QUIET, fontsize=8)
    _write(figure, path)


def leaderboard_figure(frame: pd.DataFrame, path: Path) -> None:
    """Draw a leaderboard: a panel a metric (and data set, and protocol), in it means, 95 % intervals and all seeds.

    The best is on top; the real data's own score is a dashed line.
    """
    tracks = [rows for _, rows in frame.groupby(list(TRACK), sort=False)]
    columns = min(2, len(tracks)) or 1
    panels = [tracks[start : start + columns] for start in range(0, len(tracks), columns)]
    heights = [max(len(rows) for rows in panel) * 0.26 + 0.6 for panel in panels] or [1.0]
    figure, all_axes = _figure(len(heights), columns, sum(heights) + 0.3, height_ratios=heights)
    titles = heads(records(frame))
    several = frame["dataset"].nunique() > 1
    for axes, rows in zip(all_axes, map(records, tracks), strict=False):
        prefix = f"{rows[0]['dataset']}: " if several else ""
        _panel(axes, rows, prefix + titles[track_of(rows[0])])
    for axes in all_axes[len(tracks) :]:
        axes.set_axis_off()
    figure.supxlabel(
        "dot: mean   bar: 95 % interval   circle: a seed   dashed: real data   ↑ higher is better, ↓ lower",
        color=QUIET,
        fontsize=8,
    )
    _write(figure, path)


def best_of_k_figure(frame: pd.DataFrame, path: Path) -> None:
    """Draw a table of `budget.best_of_k` as a PNG: a panel a data set, metric and protocol, a curve a variant."""
    tracks = [rows for _, rows in frame.groupby(list(TRACK), sort=False)]
    columns = min(2, len(tracks)) or 1
    figure, all_axes = _figure(-(-len(tracks) // columns) or 1, columns, 2.6 * (-(-len(tracks) // columns) or 1) + 0.3)
    for axes, rows in zip(all_axes, tracks, strict=False):
        first, better = rows.iloc[0], names.direction(rows.iloc[0]["metric"])
        for place, (name, curve) in enumerate(rows.groupby(["variant", "network"], sort=False)):
            colour = COLOURS[place % len(COLOURS)]
            style = STYLES[place // len(COLOURS) % len(STYLES)]
            axes.plot(curve["k"], curve["mean"], style, color=colour, linewidth=1.5, label=str(name[0]))
            axes.fill_between(curve["k"], curve["ci_low"], curve["ci_high"], color=colour, alpha=0.13, linewidth=0)
        axes.set(xscale="log")
        axes.set_xticks(_ticks(int(rows["k"].max())), minor=False)
        axes.set_xticks([], minor=True)
        axes.xaxis.set_major_formatter("{x:g}")
        _title(axes, f"{first['dataset']}: {first['metric']} {arrow(better)}")
    for axes in all_axes[len(tracks) :]:
        axes.set_axis_off()
    if tracks:
        lines, labels = all_axes[0].get_legend_handles_labels()
        figure.legend(lines, labels, frameon=False, fontsize=7, labelcolor=INK, loc="outside upper center", ncols=6)
    figure.supxlabel("configurations tried (k), and 95 % interval over which they were", color=QUIET, fontsize=8)
    _write(figure, path)


def _ticks(last: int) -> list[int]:
    """Round numbers of configurations, and the last where it stands clear of them."""
    return [k for k in KS if k == last or 1.4 * k <= last] + ([last] if last not in KS else [])


def _panel(axes: Axes, rows: Sequence[Row], title: str) -> None:
    competing = [row for row in rows if row["variant"] != names.REAL]
    for row in rows:
        if row["variant"] == names.REAL:
            axes.axvline(row["mean"], color=QUIET, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    for place, row in enumerate(competing):
        colour = COLOURS[0] if row["rank"] is not pd.NA and row["rank"] == 1 else INK
        seeds = [float(value) for value in row["values"].split()]
        axes.scatter(seeds, [place] * len(seeds), s=14, facecolors="none", edgecolors=colour, alpha=0.45, zorder=2)
        axes.plot([row["ci_low"], row["ci_high"]], [place] * 2, color=colour, linewidth=2.2, alpha=0.8, zorder=3)
        axes.plot([row["mean"]], [place], "o", color=colour, markersize=4.5, zorder=4)
    axes.set_yticks(range(len(competing)), [_label(row, competing) for row in competing])
    axes.set_ylim(len(competing) - 0.4, -0.6)
    axes.grid(False, axis="y")
    _log_if_wide(axes, "x", np.array([value for row in rows for value in map(float, row["values"].split())]))
    better = names.direction(rows[0]["metric"])
    _title(axes, f"{title} {arrow(better)}")


def _label(row: Row, rows: Sequence[Row]) -> str:
    name = str(row["variant"])
    twice = sum(other["variant"] == row["variant"] for other in rows) > 1
    text = f"{name} ({row['network']})" if twice else name
    return text if row["seeds"] else f"{text} – no score"


def _view(points: Array, std: float) -> tuple[Array, Array]:
    """The corners of a square around the points, with a margin."""
    if not len(points):
        points = np.zeros((1, 2))
    low, high = points.min(axis=0), points.max(axis=0)
    half = max(float((high - low).max()) / 2 * 1.3, 6 * std, 1e-9)
    centre = (low + high) / 2
    return centre - half, centre + half


def _rings(modes: Array, std: float, axes: Axes) -> EllipseCollection:
    size = np.full(len(modes), 6 * std)
    return EllipseCollection(
        size, size, np.zeros(len(modes)), units="xy", offsets=modes, offset_transform=axes.transData,
        facecolors="none", edgecolors=COLOURS[1], linewidths=1.1, zorder=3,
    )  # fmt: skip


def _line(axes: Axes, steps: Array, values: Array, label: str, colour: str) -> None:
    seen = np.isfinite(steps) & np.isfinite(values)
    alone = "o" if seen.sum() == 1 else None
    axes.plot(steps[seen], values[seen], color=colour, linewidth=1.3, marker=alone, markersize=3, label=label)


def _log_if_wide(axes: Axes, which: str, values: Array) -> None:
    seen = values[np.isfinite(values)]
    if len(seen) and seen.min() > 0 and seen.max() > LOG_FROM * seen.min():
        axes.set(**{f"{which}scale": "log"})


def _figure(
    rows: int, columns: int, height: float, margins: tuple[float, float, float, float] | None = None, **grid: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `height` inches and its axes, row by row; no pyplot, so nothing global is touched.

    `margins` are inches left, right, below and above. Without, room is made for whatever stands there, which takes
    twice as long: too long for the pictures that every run leaves.
    """
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout=None if margins else "constrained", facecolor="white")
    FigureCanvasAgg(figure)
    if margins:
        left, right, below, above = margins
        figure.subplots_adjust(left / WIDTH, below / height, 1 - right / WIDTH, 1 - above / height, hspace=0.22)
    found = list(figure.subplots(rows, columns, squeeze=False, **grid).flat)
    for axes in found:
        axes.spines[:].set_visible(False)
        axes.grid(color=FAINT, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(which="both", colors=QUIET, labelsize=8, length=0)
    return figure, found


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9, color=INK)


def _write(figure: Figure, path: Path) -> None:
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    atomic_write(path, buffer.getvalue())
