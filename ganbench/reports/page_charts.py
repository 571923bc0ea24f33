"""What the charts of a page are drawn of."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import pandas as pd

from ganbench.reports import artifacts, names, statistics
from ganbench.reports.board import Row, records
from ganbench.reports.names import LOG_FROM, REAL
from ganbench.reports.page_board import Names, arrow
from ganbench.reports.page_runs import Table, brief
from ganbench.reports.ranking import TRACK
from ganbench.reports.selection import RUNG
from ganbench.store import Store
from ganbench.store.tables import RunDetails, ScoreDetails

CURVE_RUNS = 200
"""Runs whose training curves a page holds at most."""
TAUS = 200
"""Scores at which a performance profile is told at most."""
STEP_LINES = 300
"""Lines in one chart of scores by step at most."""


def profiles(frame: pd.DataFrame, of: Names) -> list[dict[str, Any]]:
    """A performance profile a track that has two runs or more: a curve a row that competes."""
    charts = []
    for track, rows in frame[frame["variant"] != REAL].groupby(list(TRACK), sort=False):
        if chart := _profile(records(rows), of[tuple(map(str, track))]):
            charts.append(chart)
    return charts


def _profile(rows: Sequence[Row], title: str) -> dict[str, Any] | None:
    better = names.direction(rows[0]["metric"])
    scores = [_with_lost(row) for row in rows]
    seen = np.unique(np.concatenate(scores))
    seen = seen[np.isfinite(seen)]
    taus = _thinned(seen if isinstance(better, str) else np.unique(np.abs(seen - better)))
    if len(taus) < 2:
        return None
    wide, taus = _wide(taus), _margins(taus)
    at = statistics.performance_profile
    lines = [
        _series(row, taus, at(values, taus, better), runs=len(values)) | _band(values, taus, better)
        for row, values in zip(rows, scores, strict=True)
    ]
    told = rows[0]["metric"] if isinstance(better, str) else f"distance of {rows[0]['metric']} to {better:g}"
    rising = better != "higher"
    return _chart(rows[0], title) | {
        "x": f"τ: {told} ({names.told(better) if isinstance(better, str) else 'lower is better'})",
        "y": "runs that score τ or better (%)",
        "percent": True,
        "log": wide,
        "shape": "hv" if rising else "vh",  # a run counts from its own score on, on the side that is worse
        "series": lines,
    }


def _band(values: statistics.Array, taus: statistics.Array, better: names.Direction) -> dict[str, Any]:
    """Ends of the band of a profile; none of one run."""
    if len(values) < 2:
        return {}
    ends = statistics.profile_band(values, taus, better)
    return {name: [brief(part) for part in end] for name, end in zip(("low", "high"), ends, strict=True)}


def _with_lost(row: Row) -> statistics.Array:
    """The scores of all runs behind a row, NaN of those that have none."""
    values = np.array([float(value) for value in row["values"].split()], dtype=np.float64)
    lost = max(len(row["run_ids"].split()) - len(values), 0)
    return np.concatenate([values, np.full(lost, np.nan)])


def _thinned(values: statistics.Array) -> statistics.Array:
    """At most TAUS of sorted values, the ends among them."""
    if len(values) <= TAUS:
        return values
    return values[np.linspace(0, len(values) - 1, TAUS).round().astype(np.int64)]


def _margins(taus: statistics.Array) -> statistics.Array:
    """A little more at both ends, where all curves are flat: a jump at the very edge cannot be read."""
    if _wide(taus):
        grown = (taus[-1] / taus[0]) ** 0.03
        return np.concatenate([[taus[0] / grown], taus, [taus[-1] * grown]])
    margin = 0.03 * (taus[-1] - taus[0])
    return np.concatenate([[taus[0] - margin], taus, [taus[-1] + margin]])


def best_of_k(frame: pd.DataFrame, of: Names) -> list[dict[str, Any]]:
    """A chart a track of a table of `budget.best_of_k`."""
    charts = []
    for _, rows in frame.groupby(list(TRACK), sort=False):
        first = records(rows.head(1))[0]
        title = of.get(tuple(str(first[column]) for column in TRACK), first["metric"])
        curves = [records(curve) for _, curve in rows.groupby(["variant", "network"], sort=False)]
        lines = [
            _series(curve[0], _column(curve, "k"), _column(curve, "mean"), lost=curve[0]["lost"])
            | {"low": _column(curve, "ci_low"), "high": _column(curve, "ci_high"), "by": curve[0]["selected_by"]}
            for curve in curves
        ]
        charts.append(
            _chart(first, title)
            | {
                "x": "configurations tried (k)",
                "y": f"{first['metric']} of the best ({names.told(names.direction(first['metric']))})",
                "log": bool(rows["k"].max() >= 20),
                "whole": bool(rows["k"].max() <= 8),
                "series": lines,
            }
        )
    return charts


def _column(rows: Sequence[Row], name: str) -> list[float | None]:
    return [brief(float(row[name])) for row in rows]


def by_step(runs: Sequence[RunDetails], scores: Sequence[ScoreDetails]) -> list[dict[str, Any]]:
    """A chart a data set, metric and protocol that was scored at several steps: a line a run."""
    by_id = {run.id: run for run in runs}
    if not any(_step(protocol)[0] is not None for protocol in {score.protocol for score in scores}):
        return []
    points: dict[tuple[str, str, str, int], dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    stepped: set[tuple[str, str, str, int]] = set()
    for score in scores:
        run = by_id.get(score.run_id)
        if run is None:
            continue
        step, protocol = _step(score.protocol)
        key = run.dataset, score.metric, protocol, score.version
        points[key][run.id][run.step if step is None else step] = score.value
        if step is not None:
            stepped.add(key)
    return [_steps(key, points[key], by_id) for key in sorted(stepped)]


@lru_cache(maxsize=4096)
def _step(protocol: str) -> tuple[int | None, str]:
    """The step of a score that was taken on the way, and the rest of its protocol."""
    start = f"{RUNG}="
    words = protocol.split()
    found = [word.removeprefix(start) for word in words if word.startswith(start)]
    rest = " ".join(word for word in words if not word.startswith(start))
    return (int(found[0]), rest) if found and found[0].isdigit() else (None, protocol)


def _steps(
    key: tuple[str, str, str, int], of_run: Mapping[str, Mapping[int, float]], by_id: Mapping[str, RunDetails]
) -> dict[str, Any]:
    dataset, metric, protocol, _ = key
    drawn = sorted(of_run, key=lambda run_id: -len(of_run[run_id]))[:STEP_LINES]
    lines = []
    for run_id in drawn:
        run, points = by_id[run_id], sorted(of_run[run_id].items())
        line = {"name": run.variant, "variant": run.variant, "run": run_id, "seed": run.seed}
        lines.append(line | {"x": [step for step, _ in points], "y": [brief(value) for _, value in points]})
    values = np.array([value for run_id in drawn for value in of_run[run_id].values()], dtype=np.float64)
    return {
        "dataset": dataset,
        "metric": metric,
        "title": metric,
        "protocol": protocol,
        "x": "generator step",
        "y": f"{metric} ({names.told(names.direction(metric))})",
        "log_y": _wide(values[np.isfinite(values)]),
        "left_out": len(of_run) - len(drawn),
        "series": lines,
    }


def _chart(row: Row, title: str) -> dict[str, Any]:
    metric = row["metric"]
    return {
        "dataset": row["dataset"],
        "metric": metric,
        "title": f"{title} {arrow(metric)}",
        "protocol": f"{row['protocol']} ({row['versions']})",
    }


def _series(row: Row, x: Any, y: Any, **facts: int) -> dict[str, Any]:
    who = {"variant": row["variant"], "network": row["network"]}
    return {**who, "x": [brief(value) for value in x], "y": [brief(value) for value in y], **facts}


def _wide(values: statistics.Array) -> bool:
    """Whether the axis of these values is better logarithmic."""
    return bool(len(values)) and bool(values.min() > 0) and bool(values.max() > LOG_FROM * values.min())


def training(store: Store, shown: Sequence[Sequence[RunDetails]]) -> dict[str, Any]:
    """The training curves of CURVE_RUNS runs at most of the configurations `shown`: of each a seed, then one more."""
    in_turn = [run for run in chain.from_iterable(zip_longest(*shown)) if run is not None]
    columns, lines, looked = Table(), [], 0
    for looked, run in enumerate(in_turn, start=1):
        if (curves := artifacts.curves(store.folder(run.id))) is not None:
            lines.append(_curve(run, curves, columns))
        if len(lines) == CURVE_RUNS or looked == 2 * CURVE_RUNS:
            break
    return {"columns": columns.values, "runs": lines, "left_out": len(in_turn) - looked}


def _curve(run: RunDetails, curves: artifacts.Curves, columns: Table) -> dict[str, Any]:
    told = [place for place in range(len(curves.columns)) if np.isfinite(curves.table[:, place]).any()]
    return {
        "run": run.id,
        "variant": run.variant,
        "network": run.network,
        "dataset": run.dataset,
        "seed": run.seed,
        "columns": [columns.place(curves.columns[place]) for place in told],
        "data": [[_four(value) for value in curves.table[:, place]] for place in told],
    }


def _four(value: float) -> float | None:
    """What a curve of a few hundred pixels needs; steps stay whole."""
    if not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(f"{value:.4g}")
