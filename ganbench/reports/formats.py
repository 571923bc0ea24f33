"""A leaderboard as text: csv for programs, Markdown for pages, one wide table for the terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from tabulate import tabulate

from ganbench.reports import names
from ganbench.reports.board import TRACK

NONE = "–"
"""What stands for nothing."""

DIGITS = 6
"""No mean has more significant digits than this, however small its deviation."""

ALWAYS = ("rank", "variant", "network", "seeds", "mean ± std", "95 % interval", "IQM", "best", "steps", "seconds")
SOMETIMES = ("diverged", "failed", "settings", "flags")
"""Columns of a Markdown table that are left out where they would be empty."""

_Row = Mapping[str, Any]


def to_csv(frame: pd.DataFrame) -> str:
    """Every column at full precision, empty where there is nothing. Read `run_ids` as text: one may look a number."""
    return str(frame.to_csv(index=False, lineterminator="\n"))


def to_markdown(frame: pd.DataFrame, command: str | None = None) -> str:
    """A section a data set, a table a metric under its protocol, the best in bold; `command` says what made it."""
    lines = [f"Made by `{command}`.", ""] if command else []
    if frame.empty:
        lines.append("No scores.")
    for dataset, of_dataset in frame.groupby("dataset", sort=False):
        lines += [f"## {_escaped(dataset)}", ""]
        for (metric, protocol, versions), rows in of_dataset.groupby(list(TRACK[1:]), sort=False):
            lines += [f"### {_escaped(metric)} ({names.direction(metric)} is better)", ""]
            lines += [_escaped(f"{protocol} ({versions})".strip()), "", _table(_records(rows)), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def wide(frame: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """One row a variant and network of `dataset`, one column of "mean ± std" a metric, best first by the primary one.

    All cells are text. Columns: variant, network, seeds (by the primary metric), then the metrics; one measured under
    several protocols has a column for each, headed by what tells them apart.
    """
    rows = [row for row in _records(frame) if row["dataset"] == dataset]
    heads = _heads(list(dict.fromkeys(_track(row) for row in rows)))
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:  # a leaderboard has its primary metric first, and in it the best first
        name = {"variant": row["variant"], "network": row["network"], "seeds": _seeds(row)}
        line = lines.setdefault((row["variant"], row["network"]), name)
        line[heads[_track(row)]] = plus_minus(row["mean"], row["std"])
    columns = ["variant", "network", "seeds", *heads.values()]
    return pd.DataFrame(list(lines.values()), columns=columns).fillna(NONE)


def plus_minus(mean: float, std: float) -> str:
    """`mean ± std`, both to the second significant digit of std; the mean alone where there is no std."""
    if not math.isfinite(std) or not math.isfinite(mean):
        return number(mean)
    return f"{number(mean, std)} ± {number(std, std)}"


def number(value: float, std: float = math.nan) -> str:
    """A number to the second significant digit of `std`, else to four digits; whole numbers stay whole, NaN is –."""
    if not math.isfinite(value):
        return NONE
    places = _places(value, std)
    if abs(places) > DIGITS + 1:
        return f"{value:.3g}"
    whole = float(value).is_integer() and not std > 0
    return f"{round(value, places) + 0.0:.{0 if whole else max(places, 0)}f}"  # + 0.0: no "-0"


def _places(value: float, std: float) -> int:
    """Decimal places of the last digit that means something."""
    size = math.floor(math.log10(abs(value))) if value else 0
    if not std > abs(value) * 10.0**-DIGITS:
        return 0 if std == 0 and not value else 3 - size
    return min(1 - math.floor(math.log10(float(f"{std:.1e}"))), DIGITS - 1 - size)


def _records(frame: pd.DataFrame) -> list[_Row]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _track(row: _Row) -> tuple[str, ...]:
    return tuple(row[column] for column in TRACK[1:])


def _heads(tracks: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """A column head for each (metric, protocol, versions)."""
    words = {track: " ".join(track[1:]).split() for track in tracks}
    heads = {}
    for track in tracks:
        others = [set(words[other]) for other in tracks if other[0] == track[0]]
        own = [word for word in words[track] if not all(word in other for other in others)]
        heads[track] = track[0] + (f" [{' '.join(own)}]" if len(others) > 1 else "")
    return heads


def _seeds(row: _Row) -> str:
    lost = [f"{row[name]} {name}" for name in ("diverged", "failed") if row[name]]
    return str(row["seeds"]) + (f" ({', '.join(lost)})" if lost else "")


def _table(rows: Sequence[_Row]) -> str:
    cells = [_cells(row) for row in rows]
    columns = [*ALWAYS, *(column for column in SOMETIMES if any(line[column] for line in cells))]
    return str(
        tabulate(
            [[line[column] for column in columns] for line in cells],
            headers=columns,
            tablefmt="pipe",
            disable_numparse=True,
            colalign=["left" if column in ("variant", "network", *SOMETIMES[2:]) else "right" for column in columns],
        )
    )


def _cells(row: _Row) -> dict[str, str]:
    first = not pd.isna(row["rank"]) and row["rank"] == 1
    strong = "**{}**".format if first else str
    std = row["std"]
    undefined = math.isnan(row["ci_low"])
    tried = f" (best of {row['configurations']})" if row["configurations"] > 1 else ""
    return {
        "rank": NONE if pd.isna(row["rank"]) else str(row["rank"]),
        "variant": strong(_escaped(row["variant"])),
        "network": _escaped(row["network"]),
        "seeds": str(row["seeds"]),
        "mean ± std": strong(plus_minus(row["mean"], std)),
        "95 % interval": NONE if undefined else f"[{number(row['ci_low'], std)}, {number(row['ci_high'], std)}]",
        "IQM": number(row["iqm"], std),
        "best": number(row["best"], std),
        "steps": str(row["steps"]),
        "seconds": number(row["seconds"]),
        "diverged": str(row["diverged"] or ""),
        "failed": str(row["failed"] or ""),
        "settings": _escaped(row["settings"] + tried),
        "flags": _escaped(row["flags"]),
    }


def _escaped(text: str) -> str:
    """`text` as Markdown shows it, on one line and inside one cell."""
    return re.sub(r"([\\|*<`\[\]])", r"\\\1", " ".join(text.split()))
