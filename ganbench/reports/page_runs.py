"""Runs and scores as a page embeds them: columns of numbers, with what repeats in tables beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from ganbench.store.tables import RunDetails, ScoreDetails

DIGITS = 6
"""Significant digits of numbers in a page: `ganbench report csv` has them all."""


class Table:
    """Values, each once, by the place at which it was first seen."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[Hashable, int] = {}

    def known(self, key: Hashable) -> int | None:
        """Where what goes by `key` is, if it is there."""
        return self._places.get(key)

    def place(self, key: Hashable, value: Any = None) -> int:
        """Where `value` (or the key itself) is, put there if it is new."""
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = len(self.values)
            self.values.append(key if value is None else value)
        return found


def brief(value: float | None) -> float | None:
    """A number to DIGITS significant ones; None for what JSON has no number for."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def compact(runs: Sequence[RunDetails], scores: Sequence[ScoreDetails]) -> dict[str, Any]:
    """Runs as columns, in their order, and their scores; names, errors, settings and provenance are kept once each."""
    texts, provenances, settings = Table(), Table(), _Settings()
    columns: dict[str, list[Any]] = {
        "id": [run.id for run in runs],
        "variant": [texts.place(run.variant) for run in runs],
        "dataset": [texts.place(run.dataset) for run in runs],
        "network": [texts.place(run.network) for run in runs],
        "seed": [run.seed for run in runs],
        "steps": [run.steps for run in runs],
        "status": [texts.place(run.status.value) for run in runs],
        "step": [run.step for run in runs],
        "seconds": [brief(run.seconds) for run in runs],
        "score_seconds": [brief(run.score_seconds) for run in runs],
        "error": [None if run.error is None else texts.place(run.error) for run in runs],
        "settings": [settings.place(run) for run in runs],
        "provenance": [provenances.place(run.provenance) for run in runs],
    }
    return {
        "texts": texts.values,
        "bases": settings.bases.values,
        "settings": settings.differences.values,
        "provenances": [json.loads(text) for text in provenances.values],
        "runs": columns,
        "scores": _scores(scores, {run.id: place for place, run in enumerate(runs)}),
    }


class _Settings:
    """A group's settings as a base, shared by its variant on its data set, and what differs from it."""

    def __init__(self) -> None:
        self.bases, self.differences = Table(), Table()

    def place(self, run: RunDetails) -> int:
        """Where those of a run are among the differences."""
        found = self.differences.known(run.group)
        return self._put(run) if found is None else found

    def _put(self, run: RunDetails) -> int:
        spec = json.loads(run.spec)
        own = {**spec["settings"], **{f"{name} version": value for name, value in spec["versions"].items()}}
        base = self.bases.place((run.dataset, run.variant, run.network), own)
        shared = self.bases.values[base]
        changed = {key: value for key, value in own.items() if key not in shared or shared[key] != value}
        return self.differences.place(run.group, [base, changed, sorted(shared.keys() - own.keys())])


def _scores(scores: Sequence[ScoreDetails], places: Mapping[str, int]) -> dict[str, Any]:
    """In the order of runs; `tracks` are [metric, version, protocol]."""
    ordered = sorted(
        ((places[score.run_id], score) for score in scores if score.run_id in places),
        key=itemgetter(0),
    )
    tracks, flags = Table(), Table()
    return {
        "run": [place for place, _ in ordered],
        "track": [
            tracks.place((score.metric, score.protocol, score.version), [score.metric, score.version, score.protocol])
            for _, score in ordered
        ],
        "value": [brief(score.value) for _, score in ordered],
        "stderr": [brief(score.stderr) for _, score in ordered],
        "flags": [flags.place(score.flags, list(score.flags)) for _, score in ordered],
        "tracks": tracks.values,
        "flag_sets": flags.values,
    }
