"""The store: what has been run and what came of it, safe under several writers and any kill."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Select, Table, Text, bindparam, delete, func, insert, select, type_coerce, update
from sqlalchemy.exc import DBAPIError

from ganbench.errors import StoreError, UnknownNameError
from ganbench.spec import SELECTION, RunRecord, Status
from ganbench.store import connect
from ganbench.store.patience import patiently
from ganbench.store.tables import (
    DETAIL_COLUMNS,
    RUN_COLUMNS,
    SCORE_COLUMNS,
    SCORE_DETAIL_COLUMNS,
    Json,
    RunDetails,
    RunRow,
    ScoreDetails,
    ScoreRow,
    result_values,
    runs,
    score_values,
    scores,
    scorings,
    spec_values,
    to_record,
    to_run_details,
    to_run_row,
    to_score_details,
    to_score_row,
)

Result = TypeVar("Result")

End = tuple[RunRecord, str | None]
"""What came of a run, and the key of the scoring that is done with it."""

CHUNK = 900
"""Ids in one query: some builds of SQLite allow 999 variables."""


class Store:
    """Runs, their scores, and which scorings are done; their artifacts lie in a folder beside it.

    `where` is a SQLite file or any SQLAlchemy URL; None is $GANBENCH_STORE, or ganbench.db in the working folder. What
    is missing is made. Each process opens its own; several may write at once. StoreError, of one line, where it cannot
    be opened, read or written.
    """

    def __init__(self, where: str | Path | None = None, *, reading: bool = False) -> None:
        self._url = connect.locate(where)
        path = connect.file_of(self._url)
        self.note: Callable[[str], None] = lambda text: None  # who is told that a server is waited for
        self.name = self._url.render_as_string(hide_password=True) if path is None else str(path)
        with self._one_line("open"):
            self._engine = connect.open_engine(self._url, reading)

    @classmethod
    def open_existing(cls, where: str | Path | None = None) -> Self:
        """The store for reading; where there is none, StoreError, and none is made."""
        return cls(where, reading=True)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def artifacts(self) -> Path:
        """Where artifacts lie, a folder a run: `<stem>.artifacts` beside the file; who writes there makes it."""
        path = connect.file_of(self._url) or Path(Path(self._url.database or "ganbench").name)
        return path.with_name(f"{path.stem}.artifacts")

    def folder(self, run_id: str) -> Path:
        """Where the run's artifacts lie."""
        return self.artifacts / run_id

    def statuses(self) -> dict[str, Status]:
        """The status of every run, by id."""
        with self._reading() as connection:
            return {row.id: Status(row.status) for row in connection.execute(select(runs.c.id, runs.c.status))}

    def done(self, scoring_keys: Mapping[str, str]) -> set[str]:
        """Of the run ids given with their scoring keys, those that need nothing more.

        A completed run, or one that came to a rung, is done when it was scored under its key; a diverged one has
        nothing to score.
        """
        return self.transact(lambda connection: _done(connection, scoring_keys), writing=False)

    def finish(self, record: RunRecord, scoring_key: str | None = None) -> None:
        """Store what came of a run, with its scores; see `finish_all`."""
        self.finish_all([(record, scoring_key)])

    def finish_all(self, ends: Sequence[End]) -> None:
        """Store what came of runs, with their scores, in one transaction; doing it twice changes nothing more.

        The scoring keys name the scorings that are done with them. What ended better before is kept as it is: a
        completed run is replaced by a completed one only, a diverged one by one that ended too; one at a rung gives way
        to all but an interrupted one. What a run scored at a rung is kept in any case.
        """

        def put(connection: Connection) -> None:
            for different in _rounds(ends):
                _finish(connection, different)

        self.transact(put)

    def get(self, run_id: str) -> RunRecord:
        """The run whose id begins with `run_id`; errors as of `find`."""
        return next(self.records([self.find(run_id)]))

    def find(self, run_id: str, others: Collection[str] = ()) -> str:
        """The id that begins with `run_id`, of a run of the store or among `others`; UnknownNameError where none does,
        StoreError where several do.
        """
        start = run_id.lower()
        with self._reading() as connection:
            query = select(runs.c.id).where(runs.c.id.startswith(start, autoescape=True)).order_by(runs.c.id)
            stored: list[str] = list(connection.scalars(query.limit(5)))
            found = sorted({*stored, *(other for other in others if other.startswith(start))})
            if not found:
                raise _unknown(run_id, [*connection.scalars(select(runs.c.id)), *others])
        if len(found) > 1:
            raise StoreError(f"run id {run_id!r} is ambiguous: give more of it, as in {', '.join(found[:5])}")
        return found[0]

    def records(self, run_ids: Collection[str] | None = None) -> Iterator[RunRecord]:
        """The records of those runs, or of all, in the order of their ids."""
        for chunk in chunks(sorted(self.statuses() if run_ids is None else run_ids)):
            with self._reading() as connection:
                found = connection.execute(select(runs).where(runs.c.id.in_(chunk)).order_by(runs.c.id)).all()
                scored = _by_run(connection.execute(_scores_of(chunk)))
            yield from (to_record(run, scored.get(run.id, ())) for run in found)

    def rows(
        self, datasets: Collection[str] | None = None, metrics: Collection[str] | None = None
    ) -> tuple[list[RunRow], list[ScoreRow]]:
        """Runs (of those data sets) in the order of seeds, and their scores (by those metrics), as plain tuples.

        Scores that a search chooses by come with any metrics. The fast way to a report.
        """
        of_scores = select(*(scores.c[name] for name in SCORE_COLUMNS)).join(runs)
        if metrics is not None:
            of_scores = of_scores.where(scores.c.metric.in_(metrics) | scores.c.protocol_text.contains(_SELECTION))
        of_runs = _among(select(*(runs.c[name] for name in RUN_COLUMNS)), runs.c.dataset, datasets)
        with self._reading() as connection:
            # in this order, so that another's commit in between cannot leave a score without its run
            found = connection.execute(_among(of_scores, runs.c.dataset, datasets)).all()
            ordered = connection.execute(of_runs.order_by(runs.c.seed, runs.c.id)).all()
        return [to_run_row(row) for row in ordered], [to_score_row(row) for row in found]

    def details(self, datasets: Collection[str] | None = None) -> tuple[list[RunDetails], list[ScoreDetails]]:
        """Runs (of those data sets) by data set, variant, network and seed, and all their scores."""
        of_runs = select(*(_as_text(runs.c[name]) for name in DETAIL_COLUMNS))
        order = (runs.c.dataset, runs.c.variant, runs.c.network, runs.c.group_id, runs.c.seed, runs.c.id)
        of_scores = select(*(_as_text(scores.c[name]) for name in SCORE_DETAIL_COLUMNS)).join(runs)
        with self._reading() as connection:
            # scores first, as in `rows`
            found = connection.execute(_among(of_scores, runs.c.dataset, datasets)).all()
            ordered = connection.execute(_among(of_runs, runs.c.dataset, datasets).order_by(*order)).all()
        return [to_run_details(row) for row in ordered], [to_score_details(row) for row in found]

    def names(self) -> dict[str, set[str]]:
        """The names that the store knows: of each kind, "dataset", "variant" and "metric"."""
        columns = {"dataset": runs.c.dataset, "variant": runs.c.variant, "metric": scores.c.metric}
        with self._reading() as connection:
            return {kind: set(connection.scalars(select(column).distinct())) for kind, column in columns.items()}

    def last_finished(self) -> datetime | None:
        """When the last run came to an end; None where none has yet."""
        query = select(func.max(runs.c.finished_at)).where(runs.c.status != Status.INTERRUPTED.value)
        with self._reading() as connection:
            found: datetime | None = connection.scalar(query)
        # SQLite keeps no zone: what was written is UTC
        return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._one_line("read"), self._engine.connect() as connection:
            yield connection

    def transact(self, act: Callable[[Connection], Result], *, writing: bool = True, patient: bool = True) -> Result:
        """What `act` gives, in one transaction; it may be called again where a server was away.

        `patient` waits for such a server; a file's writers queue in any case.
        """

        def once() -> Result:
            with self._engine.connect().execution_options(writing=writing) as connection, connection.begin():
                return act(connection)

        with self._one_line("write" if writing else "read"):
            return patiently(once, self.note) if patient and connect.file_of(self._url) is None else once()

    @contextlib.contextmanager
    def _one_line(self, verb: str) -> Iterator[None]:
        """Turn what the database says into a StoreError."""
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
            raise StoreError(f"cannot {verb} store {self.name}: {reason}") from None


def _rounds(ends: Iterable[End]) -> list[list[End]]:
    """The same in parts in which no run is twice: what came of it later goes into a later one."""
    parts: list[dict[str, End]] = []
    for record, key in ends:
        part = next((part for part in parts if record.spec.id not in part), None)
        if part is None:
            parts.append(part := {})
        part[record.spec.id] = record, key
    # in the order of ids: two that write at once on a server must not wait for each other
    return [[part[run_id] for run_id in sorted(part)] for part in parts]


def _finish(connection: Connection, ends: Sequence[End]) -> None:
    """Of runs that are not the same."""
    known = _known(connection, [record.spec.id for record, _ in ends])
    kept = {record.spec.id for record, _ in ends if _better(known.get(record.spec.id), record.status)}
    _put(connection, [record for record, _ in ends if record.spec.id not in kept], known)
    told = [end for end in ends if end[0].spec.id not in kept or end[0].status is Status.PRUNED]
    scored = [score_values(record.spec.id, score) for record, _ in told for score in record.scores]
    _replace(connection, scores, scored, known)
    done = [(record.spec.id, key) for record, key in told if key is not None and record.status.final]
    _replace(connection, scorings, [{"run_id": run_id, "scoring_key": key} for run_id, key in done], known)


def _done(connection: Connection, scoring_keys: Mapping[str, str]) -> set[str]:
    done: set[str] = set()
    for chunk in chunks(list(scoring_keys)):
        for row in connection.execute(_ended(chunk)):
            if row.status == Status.DIVERGED or row.scoring_key == scoring_keys[row.id]:
                done.add(row.id)
    return done


def _better(old: Status | None, new: Status) -> bool:
    """Whether `old` is kept; None: there is none."""
    if old is None:
        return False
    if old is Status.COMPLETED:
        return new is not Status.COMPLETED
    if old is Status.PRUNED:
        return new is Status.INTERRUPTED
    return old.final and not new.final


def _known(connection: Connection, run_ids: Sequence[str]) -> dict[str, Status]:
    """The statuses of those of the runs that the store has; their rows are locked until the transaction ends."""
    found: dict[str, Status] = {}
    for chunk in chunks(run_ids):
        query = select(runs.c.id, runs.c.status).where(runs.c.id.in_(chunk)).order_by(runs.c.id).with_for_update()
        found |= {row.id: Status(row.status) for row in connection.execute(query)}
    return found


def _put(connection: Connection, records: Sequence[RunRecord], known: Collection[str]) -> None:
    """What came of runs, in the rows of those that are known, or in new ones."""
    now = {"finished_at": datetime.now(UTC)}
    old = [{"known": each.spec.id, **result_values(each), **now} for each in records if each.spec.id in known]
    new = [{**spec_values(each.spec), **result_values(each), **now} for each in records if each.spec.id not in known]
    if old:
        connection.execute(update(runs).where(runs.c.id == bindparam("known")), old)
    if new:
        connection.execute(insert(runs), new)


def _replace(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], known: Collection[str]) -> None:
    """Put rows where those of their keys were, if any: of runs that were not `known` there are none."""
    keys = list(table.primary_key)
    old = [{f"old_{key.name}": row[key.name] for key in keys} for row in rows if row["run_id"] in known]
    if old:
        connection.execute(delete(table).where(*(key == bindparam(f"old_{key.name}") for key in keys)), old)
    if rows:
        connection.execute(insert(table), rows)


def _ended(run_ids: Collection[str]) -> Select[Any]:
    """Id, status and each scoring key of those of the runs that have ended."""
    final = [status.value for status in Status if status.final]
    query = select(runs.c.id, runs.c.status, scorings.c.scoring_key).outerjoin_from(runs, scorings)
    return query.where(runs.c.status.in_(final), runs.c.id.in_(run_ids))


def _scores_of(run_ids: Collection[str]) -> Select[Any]:
    order = (scores.c.run_id, scores.c.metric, scores.c.version, scores.c.protocol_text)
    return select(scores).where(scores.c.run_id.in_(run_ids)).order_by(*order)


def _by_run(rows: Iterable[Any]) -> dict[str, list[Any]]:
    return {run_id: list(of_run) for run_id, of_run in groupby(rows, attrgetter("run_id"))}


_SELECTION = " ".join(f"{key}={value}" for key, value in SELECTION.items())


def _among(query: Select[Any], column: Any, allowed: Collection[str] | None) -> Select[Any]:
    return query if allowed is None else query.where(column.in_(allowed))


def _as_text(column: Any) -> Any:
    """JSON as it lies there; other columns as they are."""
    return type_coerce(column, Text).label(column.name) if isinstance(column.type, Json) else column


def _unknown(run_id: str, known: Sequence[str]) -> Exception:
    if not known:
        return StoreError(f"no run {run_id!r}: the store holds no runs yet, `ganbench sweep` makes some")
    return UnknownNameError("run", run_id, get_close_matches(run_id, known, n=5, cutoff=0.0))


def chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    """The ids in lists that one query takes."""
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
