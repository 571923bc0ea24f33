"""A leaderboard as csv, JSON or Parquet for programs, as Markdown for pages, as one wide table for the terminal."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

import pandas as pd
from tabulate import tabulate

from ganbench.errors import SpecError
from ganbench.reports import names
from ganbench.reports.board import TYPES, Row, records
from ganbench.reports.ranking import TRACK, led
from ganbench.reports.selection import SHOWN

NONE = "–"
"""What stands for nothing."""

NEGLIGIBLE = 1e-6
"""A deviation of this part of the mean is rounding error."""

MOST_PLACES, HUGE = 7, 1e9
"""Numbers that need more decimal places than this, and those from here on, are written with a power of ten."""

ALWAYS = (
    "rank",
    "variant",
    "network",
    "seeds",
    "mean ± std",
    "95 % interval",
    "IQM",
    "best",
    "group",
    "steps",
    "seconds",
)
SOMETIMES = ("diverged", "failed", "settings", "flags", "source", "best over training")
"""Columns of a Markdown table that are left out where they would be empty."""


def to_csv(frame: pd.DataFrame) -> str:
    """Every column at full precision, empty where there is nothing. Read `run_ids` as text: one may look a number."""
    return str(frame.to_csv(index=False, lineterminator="\n"))


def from_csv(text: str) -> pd.DataFrame:
    """A leaderboard from its csv, as it was: every value, type and empty text."""
    kinds = {name: "str" if kind == "object" else kind for name, kind in TYPES.items()}
    blank = {name: [""] for name, kind in TYPES.items() if kind != "object"}
    return pd.read_csv(StringIO(text), dtype=kinds, keep_default_na=False, na_values=blank).astype(TYPES)


def to_json(frame: pd.DataFrame) -> str:
    """`{"ganbench": version, "rows": [...]}`: a row is an object of all columns, null where there is nothing."""
    rows = [{name: _plain(value) for name, value in row.items()} for row in records(frame)]
    made = {"ganbench": importlib.metadata.version("ganbench"), "rows": rows}
    return json.dumps(made, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """As JSON has it: it has no NaN, and no infinity either, which stands as text."""
    if value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def to_parquet(frame: pd.DataFrame) -> bytes:
    """Every column with its type; SpecError where pyarrow is not installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise SpecError("Parquet needs the package pyarrow: pip install 'ganbench[parquet]'")
    made: bytes = frame.to_parquet(index=False)
    return made


def to_markdown(frame: pd.DataFrame, command: str | None = None) -> str:
    """A section a data set, a table a metric under its protocol, the best in bold; `command` says what made it."""
    lines = [f"Made by `{command}`.", ""] if command else []
    if frame.empty:
        lines.append("No scores.")
    for dataset, of_dataset in frame.groupby("dataset", sort=False):
        lines += [f"## {_escaped(str(dataset))}", ""]
        for track, rows in of_dataset.groupby(list(TRACK[1:]), sort=False):
            metric, protocol, versions = (str(part) for part in track)
            lines += [f"### {_escaped(metric)} ({names.told(names.direction(metric))})", ""]
            lines += [_escaped(f"{protocol} ({versions})" if versions else protocol), "", _table(records(rows)), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def across_to_markdown(frame: pd.DataFrame) -> str:
    """The table across data sets: one a metric and protocol, the best in bold."""
    lines = [] if len(frame) else ["No metric was measured alike on several data sets.", ""]
    for (metric, protocol, over), rows in frame.groupby(["metric", "protocol", "over"], sort=False):
        lines += [f"## {_escaped(str(metric))} over {_escaped(', '.join(str(over).split()))}", ""]
        lines += [_escaped(str(protocol)), "", _across(records(rows)), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _across(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        strong = "**" if not pd.isna(row["rank"]) and row["rank"] == 1 else ""
        lines.append(
            {
                "rank": NONE if pd.isna(row["rank"]) else str(row["rank"]),
                "variant": f"{strong}{_escaped(row['variant'])}{strong}",
                "network": _escaped(row["network"]),
                "data sets": str(row["datasets"]),
                "seeds": str(row["seeds"]),
                "mean rank": f"{row['mean_rank']:.2f}" if math.isfinite(row["mean_rank"]) else NONE,
                "95 % interval": _range(row["ci_low"], row["ci_high"]),
                "group": row["group"],
                "beaten by the best": f"{row['improvement']:.2f}" if math.isfinite(row["improvement"]) else NONE,
                "95 %": _range(row["improvement_low"], row["improvement_high"]),
            }
        )
    return str(tabulate(lines, headers="keys", tablefmt="pipe", disable_numparse=True))


def _range(low: float, high: float) -> str:
    return NONE if math.isnan(low) else f"[{low:.2f}, {high:.2f}]"


def curves_to_markdown(frame: pd.DataFrame) -> str:
    """Best-of-k curves: a table a data set, metric and protocol, a row a variant, at some of the values of k."""
    lines = [] if len(frame) else ["No variant has several configurations.", ""]
    for track, rows in frame.groupby(list(TRACK), sort=False):
        dataset, metric, protocol, versions = (str(part) for part in track)
        lines += [f"## {_escaped(dataset)}: {_escaped(metric)} ({names.told(names.direction(metric))})", ""]
        lines += [_escaped(f"{protocol} ({versions})"), "", _curves(rows), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


SHOWN_KS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Values of k in a Markdown table, beside the last."""


def _curves(rows: pd.DataFrame) -> str:
    ks = sorted({*(set(rows["k"]) & set(SHOWN_KS)), int(rows["k"].max())})
    lines = []
    for (variant, network), curve in rows.groupby(["variant", "network"], sort=False):
        at = {int(row["k"]): row for row in records(curve)}
        cells = {f"best of {k}": _with_interval(at[k]) if k in at else NONE for k in ks}
        same = curve.iloc[0]
        who = {"variant": _escaped(str(variant)), "network": _escaped(str(network))}
        lines.append({**who, **cells, "lost": same["lost"], "chosen by": same["selected_by"]})
    return str(tabulate(lines, headers="keys", tablefmt="pipe", disable_numparse=True))


def _with_interval(row: Row) -> str:
    spread = (row["ci_high"] - row["ci_low"]) / 4
    return f"{number(row['mean'], spread)} [{number(row['ci_low'], spread)}, {number(row['ci_high'], spread)}]"


def wide(frame: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """One row a variant and network of `dataset`, one column of "mean ± std" a metric, best first by the leading one.

    All cells are text. Columns: variant, network, seeds (by the first metric the row has), then the metrics, the
    leading one first (ranking.led); one measured under several protocols has a column for each, headed by what tells
    them apart.
    """
    rows = records(led(frame[frame["dataset"] == dataset]))
    columns = heads(rows)
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        name = {"variant": row["variant"], "network": row["network"], "seeds": _seeds(row)}
        line = lines.setdefault((row["variant"], row["network"]), name)
        line[columns[track_of(row)]] = plus_minus(row["mean"], row["std"])
    order = ["variant", "network", "seeds", *columns.values()]
    return pd.DataFrame(list(lines.values()), columns=order).fillna(NONE)


def plus_minus(mean: float, std: float) -> str:
    """`mean ± std`, both to the second significant digit of std; the mean alone where there is no std."""
    if not math.isfinite(std) or not math.isfinite(mean):
        return number(mean)
    return f"{number(mean, std)} ± {number(std, std) if std > abs(mean) * NEGLIGIBLE else 0}"


def number(value: float, std: float = math.nan) -> str:
    """A number to the second significant digit of `std`, else to four; whole ones stay whole, NaN and inf are –."""
    if not math.isfinite(value):
        return NONE
    if std > abs(value) * NEGLIGIBLE:
        return _fixed(value, 1 - _magnitude(std))
    if float(value).is_integer():
        return _fixed(value, 0)
    return _fixed(value, places).rstrip("0").rstrip(".") if (places := 3 - _magnitude(value)) > 0 else _fixed(value, 0)


def _magnitude(value: float) -> int:
    """The power of ten of the first of two significant digits."""
    return int(f"{value:.1e}".partition("e")[2])


def _fixed(value: float, places: int) -> str:
    if places > MOST_PLACES or abs(value) >= HUGE:
        return f"{value:.3g}"
    return f"{round(value, places) + 0.0:.{max(places, 0)}f}"  # + 0.0: no "-0"


def track_of(row: Row) -> tuple[str, ...]:
    """The metric, protocol and versions of a row."""
    return tuple(row[column] for column in TRACK[1:])


def heads(rows: Sequence[Row]) -> dict[tuple[str, ...], str]:
    """A short name for each metric, protocol and versions among the rows: the metric's, and what tells it apart."""
    tracks = list(dict.fromkeys(map(track_of, rows)))
    return {track: _head(track, [other for other in tracks if other[0] == track[0]]) for track in tracks}


def _head(track: tuple[str, ...], rivals: Sequence[tuple[str, ...]]) -> str:
    words = [" ".join(rival[1:]).split() for rival in rivals]
    own = [word for word in " ".join(track[1:]).split() if not all(word in other for other in words)]
    return f"{track[0]} [{' '.join(own)}]" if len(rivals) > 1 else track[0]


def _seeds(row: Row) -> str:
    lost = [f"{row[name]} {name}" for name in ("diverged", "failed") if row[name]]
    return str(row["seeds"]) + (f" ({', '.join(lost)})" if lost else "")


def _table(rows: Sequence[Row]) -> str:
    cells = [_cells(row) for row in rows]
    columns = [*ALWAYS, *(column for column in SOMETIMES if any(line[column] for line in cells))]
    return str(
        tabulate(
            [[line[column] for column in columns] for line in cells],
            headers=columns,
            tablefmt="pipe",
            disable_numparse=True,
            colalign=[
                "left" if column in ("variant", "network", "group", *SOMETIMES[2:]) else "right" for column in columns
            ],
        )
    )


def _cells(row: Row) -> dict[str, str]:
    ranked = not pd.isna(row["rank"])
    strong = "**" if ranked and row["rank"] == 1 else ""
    std = row["std"]
    undefined = math.isnan(row["ci_low"])
    by = "" if row["selected_by"] == SHOWN else f" by {row['selected_by']}"
    tried = f" (best of {row['configurations']}{by})" if row["configurations"] > 1 else ""
    return {
        "rank": str(row["rank"]) if ranked else NONE,
        "variant": f"{strong}{_escaped(row['variant'])}{strong}",
        "network": _escaped(row["network"]),
        "seeds": NONE if row["source"] else str(row["seeds"]),
        "mean ± std": f"{strong}{plus_minus(row['mean'], std)}{strong}",
        "95 % interval": NONE if undefined else f"[{number(row['ci_low'], std)}, {number(row['ci_high'], std)}]",
        "IQM": number(row["iqm"], std),
        "best": number(row["best"], std),
        "group": row["group"],
        "steps": NONE if row["source"] else str(row["steps"]),
        "seconds": number(row["seconds"]),
        "diverged": str(row["diverged"] or ""),
        "failed": str(row["failed"] or ""),
        "settings": _escaped(row["settings"] + tried),
        "flags": _escaped(row["flags"]),
        "source": _escaped(row["source"]),
        "best over training": _over_training(row),
    }


def _over_training(row: Row) -> str:
    best = row["best_over_training"]
    if math.isnan(best):
        return ""
    return f"{plus_minus(best, row['best_over_training_std'])} at step {number(row['best_step'])}"


def _escaped(text: str) -> str:
    """`text` as Markdown shows it, on one line and inside one cell."""
    return re.sub(r"([\\|*<`\[\]])", r"\\\1", " ".join(text.split()))
