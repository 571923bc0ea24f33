"""The leaderboard: a store's runs and scores as one row for each data set, metric, protocol, variant and network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ganbench.reports import looks, names, statistics
from ganbench.reports.contenders import Configuration, Entry, Names, entries, listed
from ganbench.reports.names import Direction, DirectionOf
from ganbench.reports.ranking import compared, ordered, ranked
from ganbench.spec import Status
from ganbench.store import Store

TYPES = {
    "rank": "Int64",
    "dataset": "object",
    "metric": "object",
    "protocol": "object",
    "variant": "object",
    "network": "object",
    "seeds": "int64",
    "mean": "float64",
    "std": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "iqm": "float64",
    "best": "float64",
    "diverged": "int64",
    "failed": "int64",
    "steps": "int64",
    "seconds": "float64",
    "run_ids": "object",
    "configurations": "int64",
    "settings": "object",
    "selected_by": "object",
    "flags": "object",
    "versions": "object",
    "group": "object",
    "improvement": "float64",
    "training_std": "float64",
    "sampling_std": "float64",
    "search_std": "float64",
    "diverged_share": "float64",
    "source": "object",
    **dict.fromkeys(looks.COLUMNS, "float64"),
    "values": "object",
}
"""The columns of a leaderboard, in order."""

Row = Mapping[str, Any]


def leaderboard(
    store: Store | str | Path | None,
    dataset: Names = None,
    metric: Names = None,
    variant: Names = None,
    *,
    direction: DirectionOf = names.direction,
) -> pd.DataFrame:
    """One row for each (dataset, protocol, metric, variant, network), with the columns TYPES; only those named, if any.

    seeds: how many seeds have a finite score; mean, std (ddof 1, NaN with one seed), the 95 % bootstrap interval of the
    mean (NaN with one), iqm and best are over them, and `values` lists them. Undefined scores are left out and counted
    in `flags`. diverged, failed: runs of the row's configuration that ended so; they are never numbers. seconds: mean
    training time of its completed runs. run_ids: all runs behind the row; read them as text.

    Where the spread comes from: sampling_std is what the draw of its samples does to a score (the scores' standard
    errors, NaN where the metric has none), training_std what is left of std without it, search_std the standard
    deviation of the means of all configurations tried (NaN of one).

    Where several hyperparameter configurations of a variant were tried (`configurations`), the row is one of them, and
    `settings` says in what it differs. selected_by: what it was chosen by. A search scores its runs once more, on a
    sample and a split held out for choosing ("fid on valid", "kl on selection"), and the best by those is shown,
    whatever it scores here. Without them it is the best mean of the row itself ("shown
    scores"), which flatters, and the more so the more were tried.

    source: empty, for the runs are here; published scores have theirs (published.beside).

    best_over_training: the mean over the row's runs of each one's best score, at its looks or its end; its std, and
    best_step, the median step of these bests; NaN where no run was looked at (docs/search.md). Nothing is ranked or
    chosen by them, and scores of looks make no rows.

    rank: 1 is the best mean in the metric's direction among rows of one data set, metric, protocol and version of
    both, whatever `variant` leaves in sight; ties share the smaller. Blank for `real` and for rows without a mean.
    group: rows of a track with the same letter are not told apart by their seeds (statistics.significance_groups);
    "a" is the best with its like. improvement: the chance that a run of the best row beats one of this row, .5 where
    they are alike, NaN for the best itself.

    Names that the store does not have are UnknownNameErrors.
    """
    return table(entries(store, dataset, metric, variant, direction), variant, direction)


def table(shown: Sequence[Entry], variant: Names = None, direction: DirectionOf = names.direction) -> pd.DataFrame:
    """The leaderboard of entries that are at hand; ranks are among all of them, rows those of `variant`."""
    frame = pd.DataFrame([_row(entry, direction) for entry in shown], columns=list(TYPES)).astype(TYPES)
    frame = ordered(compared(ranked(frame, direction), direction))
    return frame if variant is None else frame[frame["variant"].isin(listed(variant) or ())].reset_index(drop=True)


def records(frame: pd.DataFrame) -> list[Row]:
    """The rows of a leaderboard, by column."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _row(entry: Entry, direction: DirectionOf) -> dict[str, Any]:
    better = direction(entry.track.metric)
    chosen, selected_by = entry.shown(better)
    return {
        "dataset": entry.family.dataset,
        "metric": entry.track.metric,
        "protocol": entry.track.protocol,
        "variant": entry.family.variant,
        "network": entry.family.network,
        "diverged": chosen.count(Status.DIVERGED),
        "failed": chosen.count(Status.FAILED),
        "diverged_share": chosen.count(Status.DIVERGED) / len(chosen.behind),
        "steps": chosen.runs[0].steps,
        "seconds": _mean_seconds(chosen),
        "run_ids": " ".join(run.id for run in chosen.behind),
        "configurations": len(entry.configurations),
        "settings": _differences(chosen, entry.configurations),
        "selected_by": selected_by,
        "source": "",
        "flags": "; ".join(_flags(chosen)),
        "versions": f"dataset={entry.family.dataset_version} metric={entry.track.version}",
        **entry.looks.best(chosen.behind, chosen.scores, entry.track, better),
        **_summary(chosen, better),
        **_spread(chosen, entry.configurations),
    }


def _summary(configuration: Configuration, better: Direction) -> dict[str, Any]:
    values = configuration.values
    low, high = statistics.bootstrap_interval(values)
    return {
        "seeds": len(values),
        "mean": configuration.mean,
        "ci_low": low,
        "ci_high": high,
        "iqm": float(statistics.interquartile_mean(values)),
        "best": min(map(float, values), key=lambda value: names.loss(value, better), default=math.nan),
        "values": " ".join(repr(float(value)) for value in values),
    }


def _spread(chosen: Configuration, tried: Sequence[Configuration]) -> dict[str, float]:
    """The standard deviation over seeds, its parts, and that over the configurations tried."""
    over_seeds = float(statistics.std(chosen.values))
    errors = [score.stderr for score in chosen.scores.values() if math.isfinite(score.value)]
    by_samples = math.sqrt(float(statistics.mean(np.square(np.array(errors, dtype=np.float64)))))
    means = np.array([each.mean for each in tried])
    return {
        "std": over_seeds,
        "sampling_std": by_samples,
        "training_std": math.sqrt(left) if not (left := over_seeds**2 - by_samples**2) < 0 else 0.0,
        "search_std": float(statistics.std(means[np.isfinite(means)])),
    }


def _mean_seconds(configuration: Configuration) -> float:
    seconds = [run.seconds for run in configuration.behind if run.status is Status.COMPLETED]
    return float(statistics.mean(np.array(seconds, dtype=np.float64)))


def _differences(chosen: Configuration, tried: Sequence[Configuration]) -> str:
    """`key=value` of what was not the same in all configurations tried, as the chosen one has it."""
    mine, all_facts = _facts(chosen), [_facts(each) for each in tried]
    varying = [key for key in sorted(mine) if any(facts.get(key) != mine[key] for facts in all_facts)]
    return " ".join(f"{key}={mine[key]}" for key in varying)


def _facts(configuration: Configuration) -> Mapping[str, Any]:
    run = configuration.runs[0]
    versions = {f"{name}_version": value for name, value in run.spec["versions"].items()}
    return {**run.spec["settings"], **versions, "steps": run.steps}


def _flags(configuration: Configuration) -> list[str]:
    scored, undefined = len(configuration.scores), len(configuration.scores) - len(configuration.values)
    flags = {flag for score in configuration.scores.values() for flag in score.flags}
    return sorted(flags) + ([f"undefined in {undefined} of {scored} seeds"] if undefined else [])
