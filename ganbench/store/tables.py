"""The tables of a store, and how records become their rows and come back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Column, DateTime, Dialect, Double, ForeignKey, Index, Integer, MetaData, Row, String, Table, Text
from sqlalchemy.types import TypeDecorator

from ganbench.canonical import digest
from ganbench.spec import RunRecord, RunSpec, Score, Status

APPLICATION_ID = 0x47414E42  # "GANB", in the header of a SQLite file
SCHEMA = 2
"""Version of these tables, in the header of a SQLite file; raised when they change.

2 added `claims`."""


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


class Json(TypeDecorator[Any]):
    """JSON as text: the databases' own JSON types refuse NaN, which details may hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """To the database."""
        return _ENCODER.encode(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From the database."""
        return None if value is None else json.loads(value)


metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("variant", String(200), nullable=False, index=True),
    Column("dataset", String(500), nullable=False, index=True),
    Column("network", String(200), nullable=False, index=True),
    Column("seed", Integer, nullable=False, index=True),
    Column("steps", Integer, nullable=False, index=True),
    Column("group_id", String(12), nullable=False, index=True),
    Column("spec", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("step", Integer, nullable=False, default=0),
    Column("seconds", Double, nullable=False, default=0.0),
    Column("score_seconds", Double, nullable=False, default=0.0),
    Column("error", Text),
    Column("provenance", Json, nullable=False),
    Column("finished_at", DateTime(timezone=True)),
)

scores = Table(
    "scores",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("run_id", String(12), ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("metric", String(200), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("value", Double),
    Column("stderr", Double),
    Column("protocol", Json, nullable=False),
    Column("protocol_text", Text, nullable=False),
    Column("flags", Json, nullable=False),
    Column("details", Json, nullable=False),
    Index("ix_scores_order", "run_id", "metric"),
)

scorings = Table(
    "scorings",
    metadata,
    Column("run_id", String(12), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("scoring_key", String(200), primary_key=True),
)

claims = Table(
    "claims",
    metadata,
    Column("run_id", String(12), primary_key=True),  # of a run that may not be in `runs` yet
    Column("owner", String(16), nullable=False, index=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("expires", Double, nullable=False),  # seconds since 1970
)


RUN_COLUMNS = ("id", "variant", "dataset", "network", "seed", "steps", "group_id", "spec", "status", "seconds")
SCORE_COLUMNS = ("run_id", "metric", "version", "value", "stderr", "protocol_text", "flags")


class RunRow(NamedTuple):
    """What reports read of a run: RUN_COLUMNS, decoded."""

    id: str
    variant: str
    dataset: str
    network: str
    seed: int
    steps: int
    group: str
    spec: dict[str, Any]
    status: Status
    seconds: float  # of training


class ScoreRow(NamedTuple):
    """What reports read of a score: SCORE_COLUMNS, decoded."""

    run_id: str
    metric: str
    version: int
    value: float  # NaN where undefined
    stderr: float  # over samples; NaN where the metric has none
    protocol: str  # as one line
    flags: tuple[str, ...]


DETAIL_COLUMNS = (
    *("id", "variant", "dataset", "network", "seed", "steps", "group_id", "spec", "status"),
    *("step", "seconds", "score_seconds", "error", "provenance"),
)
SCORE_DETAIL_COLUMNS = ("run_id", "metric", "version", "value", "stderr", "protocol_text", "flags")


class RunDetails(NamedTuple):
    """All that is known of a run but its scores: DETAIL_COLUMNS.

    What is JSON is left so: many runs have the same, and a reader of thousands decodes it once.
    """

    id: str
    variant: str
    dataset: str
    network: str
    seed: int
    steps: int
    group: str
    spec: str
    status: Status
    step: int
    seconds: float  # of training
    score_seconds: float
    error: str | None
    provenance: str

    def row(self, spec: dict[str, Any]) -> RunRow:
        """What a leaderboard reads of it, with its decoded spec."""
        facts = (self.id, self.variant, self.dataset, self.network, self.seed, self.steps, self.group)
        return RunRow(*facts, spec, self.status, self.seconds)


class ScoreDetails(NamedTuple):
    """A score without its details: SCORE_DETAIL_COLUMNS, decoded."""

    run_id: str
    metric: str
    version: int
    value: float  # NaN where undefined
    stderr: float | None  # None where the metric has none
    protocol: str  # as one line
    flags: tuple[str, ...]

    @property
    def row(self) -> ScoreRow:
        """What a leaderboard reads of it."""
        stderr = _number(self.stderr)
        return ScoreRow(self.run_id, self.metric, self.version, self.value, stderr, self.protocol, self.flags)


def spec_values(spec: RunSpec) -> dict[str, Any]:
    """The columns of `runs` that the spec alone decides."""
    return {
        "id": spec.id,
        "variant": spec.variant,
        "dataset": spec.dataset,
        "network": spec.network,
        "seed": spec.seed,
        "steps": spec.steps,
        "group_id": spec.group,
        "spec": spec.text,
    }


def result_values(record: RunRecord) -> dict[str, Any]:
    """The columns of `runs` that say what came of it."""
    return {
        "status": record.status.value,
        "step": record.step,
        "seconds": record.seconds,
        "score_seconds": record.score_seconds,
        "error": record.error and printable(record.error),
        "provenance": record.provenance,
    }


def printable(text: str) -> str:
    """`text` without what UTF-8 cannot hold: messages of users' code may carry broken file names."""
    return text.encode("utf-8", "backslashreplace").decode()


def score_values(run_id: str, score: Score) -> dict[str, Any]:
    """The row of `scores`; its id is the score's identity, so that scoring again replaces and never doubles."""
    return {
        "id": digest([run_id, score.metric, score.version, score.protocol]),
        "run_id": run_id,
        "metric": score.metric,
        "version": score.version,
        "value": None if math.isnan(score.value) else score.value,
        "stderr": score.stderr,
        "protocol": score.protocol,
        "protocol_text": score.protocol_text,
        "flags": score.flags,
        "details": score.details,
    }


def to_record(run: Row[Any], run_scores: Iterable[Row[Any]]) -> RunRecord:
    """The record whose rows these are."""
    return RunRecord(
        spec=RunSpec.model_validate_json(run.spec),
        status=Status(run.status),
        step=run.step,
        seconds=run.seconds,
        score_seconds=run.score_seconds,
        error=run.error,
        scores=tuple(_to_score(score) for score in run_scores),
        provenance=run.provenance,
    )


def to_run_row(row: Any) -> RunRow:
    """From RUN_COLUMNS."""
    facts = RunRow(*row)
    return facts._replace(spec=json.loads(row.spec), status=Status(row.status))


def to_score_row(row: Any) -> ScoreRow:
    """From SCORE_COLUMNS."""
    run_id, metric, version, value, stderr, protocol, flags = row
    return ScoreRow(run_id, metric, version, _number(value), _number(stderr), protocol, tuple(flags))


def to_run_details(row: Any) -> RunDetails:
    """From DETAIL_COLUMNS, JSON as text."""
    values = list(row)
    values[_STATUS] = Status(values[_STATUS])
    return RunDetails(*values)


def to_score_details(row: Any) -> ScoreDetails:
    """From SCORE_DETAIL_COLUMNS, JSON as text."""
    run_id, metric, version, value, stderr, protocol, flags = row
    return ScoreDetails(run_id, metric, version, _number(value), stderr, protocol, _flags(flags))


_STATUS = DETAIL_COLUMNS.index("status")


@lru_cache(maxsize=4096)
def _flags(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _to_score(row: Row[Any]) -> Score:
    return Score(
        metric=row.metric,
        version=row.version,
        value=_number(row.value),
        stderr=row.stderr,
        protocol=row.protocol,
        flags=tuple(row.flags),
        details=row.details,
    )
