"""The leaderboard as a page shows it: a table a track with drawn intervals, and a matrix of all metrics a data set."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from ganbench.reports import looks, names
from ganbench.reports.board import TYPES, Row, records
from ganbench.reports.formats import NONE, heads, number, plus_minus, track_of
from ganbench.reports.names import LOG_FROM, REAL
from ganbench.reports.page_runs import brief
from ganbench.reports.ranking import TRACK, led
from ganbench.reports.selection import SHOWN

BAR = 170
"""Width of a drawn interval, in pixels."""
MARGIN = 7
MOST_DOTS = 30
"""Seeds that are drawn in a row at most; of more, mean and interval say enough."""

NAMED = frozenset({"improvement", "training_std", "sampling_std", "search_std", "source", *looks.COLUMNS})
DRAWN = frozenset(TYPES) - NAMED
"""Columns that have a place of their own; others are shown by their names where they say anything."""


def boards(frame: pd.DataFrame, of: Names) -> list[dict[str, Any]]:
    """A section a data set: its matrix, where it has several tracks, and its tracks.

    Rows have the places of the frame as their `key`.
    """
    frame = frame.reset_index(drop=True)
    return [_section(str(dataset), rows, of) for dataset, rows in frame.groupby("dataset", sort=False)]


Names = Mapping[tuple[str, ...], str]


def titles(frame: pd.DataFrame) -> dict[tuple[str, ...], str]:
    """A short name for each track of a data set, by the values of TRACK."""
    found: dict[tuple[str, ...], str] = {}
    for dataset, rows in frame.groupby("dataset", sort=False):
        ours = heads(records(rows[rows["source"] == ""]))
        theirs = {track: f"{track[0]} [{track[1]}]" for track in map(track_of, records(rows[rows["source"] != ""]))}
        found |= {(str(dataset), *track): head for track, head in (ours | theirs).items()}
    return found


def arrow(metric: str) -> str:
    """Which way is better, as a sign."""
    return names.arrow(names.direction(metric))


def _section(dataset: str, frame: pd.DataFrame, of: Names) -> dict[str, Any]:
    groups = [rows for _, rows in frame.groupby(list(TRACK), sort=False)]
    ours = frame[frame["source"] == ""]  # what is published has protocols of its own, and is in no matrix
    protocols = set(map(str, ours["protocol"]))
    tracks = [_track(rows, of, protocols) for rows in groups]
    matrix = _matrix(ours, of) if len(ours.groupby(list(TRACK))) > 1 else None
    networks = list(dict.fromkeys(ours["network"][ours["variant"] != REAL]))
    facts = {"dataset": dataset, "networks": networks, "protocols": len(protocols)}
    return {**facts, "tracks": tracks, "matrix": matrix}


def _track(frame: pd.DataFrame, of: Names, protocols: Collection[str]) -> dict[str, Any]:
    rows = _keyed(frame)
    first = rows[0]
    metric = str(first["metric"])
    axis = _Axis(rows)
    columns = _extra_columns(frame)
    shown = [_cells(row, axis, columns) for row in rows]
    return {
        "metric": metric,
        "title": of[_of(first)],
        "arrow": arrow(metric),
        "told": names.told(names.direction(metric)),
        "words": _words(str(first["protocol"]), protocols),
        "versions": str(first["versions"]),
        "axis": axis.told,
        "bar": BAR,
        "extra": columns,
        "real": [row for row in shown if row["real"]],
        "rows": [row for row in shown if not row["real"]],
        **{name: any(row[name] for row in shown) for name in ("lost", "settings", "flags")},
        "networks": len({row["network"] for row in shown if not row["real"]}) > 1,
    }


def _keyed(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{**row, "key": key} for key, row in zip(frame.index, records(frame), strict=True)]


def _of(row: Row) -> tuple[str, ...]:
    return (row["dataset"], *track_of(row))


def _words(protocol: str, protocols: Collection[str]) -> list[tuple[str, bool]]:
    """The parts of a protocol, and whether it is one in which the data set's protocols differ."""
    others = [other.split() for other in protocols] if protocol in protocols else []
    return [(word, not all(word in other for other in others)) for word in protocol.split()]


def _extra_columns(frame: pd.DataFrame) -> list[str]:
    return [column for column in frame.columns if column not in DRAWN and any(map(_says, frame[column]))]


def _says(value: Any) -> bool:
    return value not in ("", None) and not (pd.api.types.is_scalar(value) and pd.isna(value))


def _cells(row: Row, axis: _Axis, extra: Sequence[str]) -> dict[str, Any]:
    ranked = not pd.isna(row["rank"])
    std = row["std"]
    lost = [f"{row[name]} {name}" for name in ("diverged", "failed") if row[name]]
    return {
        "key": row["key"],
        "real": row["variant"] == REAL,
        "rank": int(row["rank"]) if ranked else None,
        "best": ranked and row["rank"] == 1,
        "group": row["group"],
        "variant": row["variant"],
        "network": row["network"],
        "mean": brief(row["mean"]),
        "mean_text": plus_minus(row["mean"], std),
        "low": brief(row["ci_low"]),
        "interval": NONE if math.isnan(row["ci_low"]) else _range(row, std),
        "drawn": axis.drawn(row),
        "iqm": brief(row["iqm"]),
        "iqm_text": number(row["iqm"], std),
        "top": brief(row["best"]),
        "top_text": number(row["best"], std),
        "seeds": NONE if row["source"] else row["seeds"],
        "lost": ", ".join(lost),
        "lost_count": row["diverged"] + row["failed"],
        "steps": None if row["source"] else row["steps"],
        "seconds": brief(row["seconds"]),
        "seconds_text": number(row["seconds"]),
        "settings": " ".join(filter(None, [row["settings"], _tried(row)])),
        "flags": row["flags"],
        "extra": [(_text(row[column]), _sortable(row[column])) for column in extra],
    }  # fmt: skip


def _range(row: Row, std: float) -> str:
    return f"{number(row['ci_low'], std)} … {number(row['ci_high'], std)}"


def _tried(row: Row) -> str:
    """How many configurations stood for choice, and by what this one was chosen."""
    if row["configurations"] == 1:
        return ""
    by = "" if row["selected_by"] == SHOWN else f" by {row['selected_by']}"
    return f"(best of {row['configurations']}{by})"


def _text(value: Any) -> str:
    if not _says(value):
        return NONE
    return number(value) if isinstance(value, float) else str(value)


def _sortable(value: Any) -> Any:
    return brief(float(value)) if isinstance(value, int | float) else _text(value)


class _Axis:
    """Where a track's numbers stand in the width of a drawn interval."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._real = [float(row["mean"]) for row in rows if row["variant"] == REAL and math.isfinite(row["mean"])]
        seen = [value for row in rows for value in _numbers(row)]
        self.low, self.high = (min(seen), max(seen)) if seen else (0.0, 1.0)
        self._logarithmic = self.low > 0 and self.high > LOG_FROM * self.low
        scale = ", logarithmic" if self._logarithmic else ""
        self.told = f"{self.low:.3g} to {self.high:.3g}{scale}" if seen else ""

    def place(self, value: float) -> float:
        """In pixels."""
        scaled: Callable[[float], float] = math.log if self._logarithmic else float
        span = scaled(self.high) - scaled(self.low)
        part = (scaled(value) - scaled(self.low)) / span if span > 0 else 0.5
        return round(MARGIN + part * (BAR - 2 * MARGIN), 1)

    def drawn(self, row: Row) -> dict[str, Any] | None:
        """What is drawn of a row; None of one without a score."""
        if not math.isfinite(row["mean"]):
            return None
        values = _dots(row)
        low, high = (self.place(row[name]) if math.isfinite(row[name]) else None for name in ("ci_low", "ci_high"))
        return {
            "mean": self.place(row["mean"]),
            "low": low,
            "high": high,
            "seeds": [self.place(value) for value in values] if len(values) > 1 else [],
            "real": [self.place(value) for value in self._real],
        }


def _dots(row: Row) -> list[float]:
    """The seeds' scores, where they are drawn."""
    values = [float(value) for value in row["values"].split()]
    return values if len(values) <= MOST_DOTS else []


def _numbers(row: Row) -> list[float]:
    return [value for value in (*_dots(row), row["mean"], row["ci_low"], row["ci_high"]) if math.isfinite(value)]


def _matrix(frame: pd.DataFrame, of: Names) -> dict[str, Any]:
    """A row a variant and network, a column a track; the rows as the leading track ranks them."""
    columns: dict[tuple[str, ...], dict[str, str]] = {}
    lines: dict[tuple[str, str], dict[tuple[str, ...], dict[str, Any]]] = {}
    for row in _keyed(led(frame)):
        metric = row["metric"]
        columns.setdefault(_of(row), {"metric": metric, "title": of[_of(row)], "arrow": arrow(metric)})
        cell = {
            "key": row["key"],
            "text": plus_minus(row["mean"], row["std"]),
            "mean": brief(row["mean"]),
            "best": not pd.isna(row["rank"]) and row["rank"] == 1,
        }
        lines.setdefault((row["variant"], row["network"]), {})[_of(row)] = cell
    shown = [
        {"variant": variant, "network": network, "real": variant == REAL, "cells": [cells.get(key) for key in columns]}
        for (variant, network), cells in lines.items()
    ]
    return {
        "columns": list(columns.values()),
        "networks": len({row["network"] for row in shown if not row["real"]}) > 1,
        "real": [row for row in shown if row["real"]],
        "rows": [row for row in shown if not row["real"]],
    }
