"""All that a page says of a store, as plain values."""

from __future__ import annotations

import importlib.metadata
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ganbench.reports import artifacts, board, budget, contenders, names, page_board, page_charts
from ganbench.reports.contenders import Entry, Names
from ganbench.reports.formats import NONE, number
from ganbench.reports.names import REAL, DirectionOf
from ganbench.reports.page_runs import brief, compact
from ganbench.reports.published import beside
from ganbench.spec import Status
from ganbench.store import Store
from ganbench.store.tables import RunDetails, RunRow

PICTURE_BYTES = 6_000_000
"""Bytes of picture files in a page, which hold a third more as text."""
LINKED = 12
"""Runs that a line of failures links at most."""
ENVIRONMENTS = 30
"""Environments that are listed at most, those of most runs first."""
PEAK = "peak_memory_mb"
OWN = frozenset({"pid", "cohort", PEAK})
"""What of a run's provenance says nothing of the environment."""


def gather(
    store: Store, dataset: Names = None, metric: Names = None, variant: Names = None,
    *, published: Path | None = None, command: str | None = None, direction: DirectionOf = names.direction,
) -> dict[str, Any]:  # fmt: skip
    """What the page's template and its script take; UnknownNameError for names that the store has not, SpecError for a
    file of published scores that is none."""
    contenders.check_names(store, dataset, metric, variant)
    runs, scores = store.details(contenders.listed(dataset))
    in_order = sorted(_rows_of(runs), key=lambda run: (run.seed, run.id))
    shown = contenders.entries_of(in_order, [score.row for score in scores], metric, direction)
    frame = board.table(shown, variant, direction)
    frame = frame if published is None else beside(frame, published, dataset, metric)
    variants, metrics = contenders.listed(variant), contenders.listed(metric)
    runs = [run for run in runs if variants is None or run.variant in variants]
    scores = [score for score in scores if metrics is None or score.metric in metrics]
    of = page_board.titles(frame)
    by_id = {run.id: run for run in runs}
    configurations = _configurations(frame, by_id)
    stored = compact(runs, scores)
    stored["rows"] = _rows(frame, {run_id: place for place, run_id in enumerate(stored["runs"]["id"])})
    return {
        "head": _head(store, runs, command),
        "boards": page_board.boards(frame, of),
        "samples": _samples(store, configurations),
        "failures": _failures(runs),
        "costs": _costs(runs),
        "protocols": _protocols(frame),
        "environments": _environments(runs),
        "charts": {
            "variants": list(dict.fromkeys(run.variant for run in runs if run.variant != REAL)),
            "profiles": page_charts.profiles(frame, of),
            "best_of_k": _best_of_k(shown, variant, direction, of),
            "by_step": page_charts.by_step(runs, scores),
            "training": page_charts.training(store, [each.runs for each in configurations if each.variant != REAL]),
        },
        "stored": stored,
        "filters": {name: list(dict.fromkeys(frame[name])) for name in ("dataset", "metric")},
    }


def _rows_of(runs: Sequence[RunDetails]) -> Iterator[RunRow]:
    """What a leaderboard reads; of runs that differ in their seed alone one spec is decoded."""
    specs: dict[str, dict[str, Any]] = {}
    for run in runs:
        if run.group not in specs:
            specs[run.group] = json.loads(run.spec)
        yield run.row(specs[run.group] | {"seed": run.seed})


def _best_of_k(
    shown: Sequence[Entry], variant: Names, direction: DirectionOf, of: page_board.Names
) -> list[dict[str, Any]]:
    return page_charts.best_of_k(budget.table(shown, variant, direction), of)


class _Configuration(NamedTuple):
    """A configuration that a row of the leaderboard shows, and the runs behind it in the order of seeds."""

    dataset: str
    variant: str
    network: str
    settings: str
    runs: list[RunDetails]


def _configurations(frame: pd.DataFrame, by_id: Mapping[str, RunDetails]) -> list[_Configuration]:
    """Each once, though many metrics show it."""
    found: dict[str, _Configuration] = {}
    for row in board.records(frame):
        runs = [by_id[run_id] for run_id in row["run_ids"].split() if run_id in by_id]
        if runs:
            facts = (row["dataset"], row["variant"], row["network"], row["settings"])
            found.setdefault(runs[0].group, _Configuration(*facts, runs))
    return list(found.values())


def _rows(frame: pd.DataFrame, places: Mapping[str, int]) -> list[dict[str, Any]]:
    """What is behind each row of the leaderboard: places of runs."""
    columns = (
        "dataset",
        "metric",
        "protocol",
        "variant",
        "network",
        "versions",
        "settings",
        "selected_by",
        "source",
        "flags",
    )
    return [
        {**{column: row[column] for column in columns},
         "runs": [places[run_id] for run_id in row["run_ids"].split() if run_id in places]}
        for row in board.records(frame)
    ]  # fmt: skip


def _head(store: Store, runs: Sequence[RunDetails], command: str | None) -> dict[str, Any]:
    ends = Counter(run.status for run in runs)
    return {
        "store": store.name,
        "command": command,
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "ganbench": importlib.metadata.version("ganbench"),
        "runs": len(runs),
        "ends": [(status.value, ends[status]) for status in Status if ends[status]],
        "variants": len({run.variant for run in runs} - {REAL}),
        "datasets": len({run.dataset for run in runs}),
        "seconds": sum(run.seconds + run.score_seconds for run in runs),
    }


def _samples(store: Store, configurations: Sequence[_Configuration]) -> dict[str, Any]:
    """The pictures of one run a configuration, that of the first seed that has any: none is picked for its looks."""
    room, shown, left_out = PICTURE_BYTES, [], []
    for each in configurations:
        if (
            each.variant == REAL
            or (found := artifacts.first_with_pictures(store, [run.id for run in each.runs])) is None
        ):
            continue
        run_id, pictures = found
        facts = {"dataset": each.dataset, "variant": each.variant, "network": each.network, "settings": each.settings}
        facts |= {"run": run_id, "seed": str(next(run.seed for run in each.runs if run.id == run_id))}
        size = sum(picture.size for picture in pictures)
        if size > room:
            left_out.append(facts)
            continue
        room -= size
        shown.append(facts | {"pictures": pictures})
    megabytes = (PICTURE_BYTES - room) / 1e6
    return {"shown": shown, "left_out": left_out, "megabytes": megabytes, "budget": PICTURE_BYTES / 1e6}


def _failures(runs: Sequence[RunDetails]) -> list[dict[str, Any]]:
    """Runs that were not completed, those that ended alike as one line, the most frequent first."""
    alike: dict[tuple[str, ...], list[RunDetails]] = defaultdict(list)
    for run in runs:
        if run.status is not Status.COMPLETED:
            key = (run.status.value, run.dataset, run.variant, run.network, run.error or _reason(run.status))
            alike[key].append(run)
    lines = []
    for (status, dataset, variant, network, error), group in alike.items():
        steps = sorted(run.step for run in group)
        facts = {"status": status, "dataset": dataset, "variant": variant, "network": network, "error": error}
        where = f"{steps[0]:,}" if steps[0] == steps[-1] else f"{steps[0]:,} to {steps[-1]:,}"
        linked = [(run.id, run.seed) for run in group[:LINKED]]
        more = len(group) - len(linked)
        lines.append(facts | {"step": where, "first": steps[0], "count": len(group), "runs": linked, "more": more})
    return sorted(lines, key=lambda line: -line["count"])


def _reason(status: Status) -> str:
    """Why, where no error says it."""
    return {
        Status.DIVERGED: "a loss or a weight was not finite",
        Status.PRUNED: "stopped at a rung of a search: others were better",
        Status.INTERRUPTED: "stopped from outside; the same command goes on",
    }.get(status, "no reason was left")


def _costs(runs: Sequence[RunDetails]) -> list[dict[str, Any]]:
    """What completed runs took: a line a variant on a data set with a network, means over its runs."""
    groups: dict[tuple[str, str, str], list[RunDetails]] = defaultdict(list)
    for run in runs:
        if run.status is Status.COMPLETED:
            groups[run.dataset, run.variant, run.network].append(run)
    return [_cost(key, group) for key, group in groups.items()]


def _cost(key: tuple[str, str, str], runs: Sequence[RunDetails]) -> dict[str, Any]:
    training, scoring = sum(run.seconds for run in runs), sum(run.score_seconds for run in runs)
    figures = {
        "training": training / len(runs),
        "scoring": scoring / len(runs),
        "share": 100 * scoring / (training + scoring) if training + scoring else None,
        "rate": sum(run.step for run in runs) / training if training else None,
        "seen": seen / training if training and (seen := _seen(runs)) else None,
        "total": training + scoring,
        "peak": max((json.loads(run.provenance).get(PEAK, 0) for run in runs), default=0) or None,
    }
    told = {name: (brief(value), NONE if value is None else number(value)) for name, value in figures.items()}
    together = sorted({int(json.loads(text).get("cohort", 1)) for text in {run.provenance for run in runs}})
    cohort = str(together[0]) if len(together) == 1 else f"{together[0]} to {together[-1]}"
    dataset, variant, network = key
    who = {"dataset": dataset, "variant": variant, "network": network, "runs": len(runs)}
    return who | told | {"cohort": cohort, "real": variant == REAL}


def _seen(runs: Sequence[RunDetails]) -> int | None:
    """Real samples that the discriminators saw; None where one has no setting that says how often it is trained."""
    of_group: dict[str, int] = {}
    for run in runs:
        if run.group not in of_group:
            settings = json.loads(run.spec)["settings"]
            if "n_dis" not in settings or "batch_size" not in settings:
                return None
            of_group[run.group] = settings["n_dis"] * settings["batch_size"]
    return sum(run.step * of_group[run.group] for run in runs)


def _protocols(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Every protocol with what was measured by it."""
    found: dict[tuple[str, str, str], int] = Counter()
    for row in board.records(frame):
        found[row["dataset"], row["metric"], f"{row['protocol']} {row['versions']}"] += 1
    by_text: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for dataset, metric, text in found:
        by_text[text].append((dataset, metric))
    return [{"words": text.split(), "used": _used(used)} for text, used in by_text.items()]


def _used(used: Collection[tuple[str, str]]) -> list[dict[str, Any]]:
    of_dataset: dict[str, list[str]] = defaultdict(list)
    for dataset, metric in used:
        of_dataset[dataset].append(metric)
    return [{"dataset": dataset, "metrics": metrics} for dataset, metrics in of_dataset.items()]


def _environments(runs: Sequence[RunDetails]) -> dict[str, Any]:
    """What runs were made with and on, as a table: alike ones are one line."""
    counts: Counter[tuple[tuple[str, str], ...]] = Counter()
    for text, count in Counter(run.provenance for run in runs).items():
        counts[tuple(sorted((key, str(value)) for key, value in json.loads(text).items() if key not in OWN))] += count
    keys = list(dict.fromkeys(key for facts in counts for key, _ in facts))
    lines = [
        {"count": count, "cells": [dict(facts).get(key, "") for key in keys]}
        for facts, count in counts.most_common(ENVIRONMENTS)
    ]
    return {"keys": keys, "lines": lines, "left_out": len(counts) - len(lines)}
