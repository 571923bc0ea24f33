"""What others have published, as rows beside a leaderboard's own: with source and status, and never ranked."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from ganbench.errors import SpecError
from ganbench.reports.board import TYPES
from ganbench.reports.contenders import Names, listed
from ganbench.reports.ranking import ORDER, ordered

COLUMNS = ("dataset", "protocol", "method", "metric", "value", "spread", "spread_kind", "better", "source", "status")
"""Of a file of published scores."""

DATASETS = {"ring8": "ring", "grid25": "grid"}
METRICS = {"parzen_ll": "parzen"}
"""What published files call data sets and metrics that have other names here."""


def beside(frame: pd.DataFrame, path: Path, dataset: Names = None, metric: Names = None) -> pd.DataFrame:
    """A leaderboard with the published scores of `path` on its data sets and metrics, or those named.

    A published row has no rank, no seeds and no runs; its `protocol` is `published` with the name that the paper's
    protocol has in the file, so that it is in a track of its own whatever else agrees; `std` is its spread where that
    is a deviation over seeds, else `flags` says what the spread is; `source` and the status (verified against the
    source's text, or not) come along. SpecError of one line for a file that is none.
    """
    rows = read(path)
    wanted = listed(dataset) or set(frame["dataset"]), listed(metric) or set(frame["metric"])
    shown = rows[rows["dataset"].isin(wanted[0]) & rows["metric"].isin(wanted[1])]
    return ordered(pd.concat([frame, shown], ignore_index=True).astype(TYPES), ORDER) if len(shown) else frame


def read(path: Path) -> pd.DataFrame:
    """All published scores of a file, as rows of a leaderboard."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise SpecError(f"cannot read {path}: {str(error).splitlines()[0]}") from None
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise SpecError(f"{path} holds no published scores: it has no column {', '.join(missing)}")
    lines = [_row({str(key): str(value) for key, value in row.items()}, path) for row in table.to_dict("records")]
    return pd.DataFrame(lines, columns=list(TYPES)).astype(TYPES)


def _row(line: dict[str, str], path: Path) -> dict[str, Any]:
    deviates = line["spread_kind"].startswith("std")
    spread = _number(line["spread"], path)
    other = f"± {line['spread']} {line['spread_kind']}" if not deviates and line["spread"] else line["spread_kind"]
    blank = {name: {"object": "", "int64": 0}.get(kind, math.nan) for name, kind in TYPES.items() if kind != "Int64"}
    return blank | {
        "rank": pd.NA,
        "dataset": DATASETS.get(line["dataset"], line["dataset"]),
        "metric": METRICS.get(line["metric"], line["metric"]),
        "protocol": f"published {line['protocol']}",
        "variant": line["method"],
        "mean": _number(line["value"], path),
        "std": spread if deviates else math.nan,
        "flags": "; ".join(filter(None, [line["status"], other])),
        "source": line["source"],
        "configurations": 1,
    }


def _number(text: str, path: Path) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        raise SpecError(f"{path}: {text!r} is no number") from None
