"""Scores as they are recorded: a distribution for each thing that is measured in one way."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ganbench.canonical import Scalar, canonical, plain
from ganbench.errors import SpecError
from ganbench.spec import RunRecord, Score

Key = tuple[str, str, str, str]
"""Data set, variant (or kept samples), network and metric: what a person would call the same thing."""


class Distribution(NamedTuple):
    """The scores of runs that differ in their seed alone, by one metric under one protocol.

    `values` has NaN for a run that has no score: it diverged, failed, or its metric is undefined. `tolerance` is None
    for what is random; what is not may differ by this part of it.
    """

    dataset: str
    variant: str
    network: str
    metric: str
    facts: dict[str, Scalar]  # all that must be the same: steps, settings, versions, protocol
    values: tuple[float, ...]
    tolerance: float | None = None

    @property
    def key(self) -> Key:
        """What it is of, without how it was measured."""
        return self.dataset, self.variant, self.network, self.metric

    @property
    def identity(self) -> str:
        """The same for what may be compared."""
        return canonical([self.key, self.facts])

    @property
    def name(self) -> str:
        """For people."""
        return " ".join(self.key)

    def finite(self) -> list[float]:
        """The scores that there are."""
        return [value for value in self.values if math.isfinite(value)]


REAL = "real"
ROUNDING = 1e-3
"""What the scores of real data may differ by: their draw is the same, sums on another machine are not."""


def of_runs(records: Iterable[RunRecord]) -> list[Distribution]:
    """The distributions of runs that have ended."""
    groups: dict[str, list[RunRecord]] = {}
    for record in sorted(records, key=lambda record: record.spec.seed):
        groups.setdefault(record.spec.group, []).append(record)
    return [each for runs in groups.values() for each in _of_group(runs)]


def _of_group(runs: Sequence[RunRecord]) -> list[Distribution]:
    spec = runs[0].spec
    run_facts = {f"set {name}": plain(value) for name, value in spec.settings.items()}
    run_facts |= {f"{name} version": value for name, value in spec.versions.items()} | {"steps": spec.steps}
    tracks = dict.fromkeys(_track(score) for run in runs for score in run.reported)
    found = []
    for metric, facts in tracks:
        values = tuple(_value(run, metric, facts) for run in runs)
        tolerance = ROUNDING if spec.variant == REAL else None
        all_facts = run_facts | json.loads(facts)
        found.append(Distribution(spec.dataset, spec.variant, spec.network, metric, all_facts, values, tolerance))
    return found


def of_scores(name: str, dataset: str, scores: Iterable[Score], tolerance: float) -> list[Distribution]:
    """What kept samples score: exact but for rounding."""
    return [
        Distribution(
            dataset, name, "kept samples", score.metric, json.loads(_track(score)[1]), (score.value,), tolerance
        )
        for score in scores
    ]


def _track(score: Score) -> tuple[str, str]:
    facts = {f"protocol {name}": value for name, value in score.protocol.items()}
    return score.metric, canonical(facts | {"metric version": score.version})


def _value(run: RunRecord, metric: str, facts: str) -> float:
    return next((score.value for score in run.reported if _track(score) == (metric, facts)), math.nan)


def write(distributions: Sequence[Distribution], made: Mapping[str, Scalar]) -> str:
    """As text: JSON, a line for each distribution, so that a diff of two can be read."""
    lines = [json.dumps(_plain(each), ensure_ascii=False, allow_nan=False) for each in distributions]
    return '{"made": ' + json.dumps(dict(made)) + ',\n"scores": [\n' + ",\n".join(lines) + "\n]}\n"


def read(path: Path) -> list[Distribution]:
    """What was recorded; SpecError of one line where there is nothing, or nothing that can be read."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        return [_from_plain(each) for each in given["scores"]]
    except FileNotFoundError:
        raise SpecError(f"nothing is recorded at {path}: `ganbench check --update` does it") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpecError(f"cannot read what is recorded at {path}: {type(error).__name__}: {error}") from None


def _plain(each: Distribution) -> dict[str, Any]:
    values = [value if math.isfinite(value) else None for value in each.values]
    return {**each._asdict(), "values": values}


def _from_plain(given: Mapping[str, Any]) -> Distribution:
    values = tuple(math.nan if value is None else float(value) for value in given["values"])
    return Distribution(**{**given, "values": values})
