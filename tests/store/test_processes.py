"""Several writers at once, and writers that are killed: real processes on a real file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganbench.errors import StoreError
from ganbench.spec import RunRecord, RunSpec, Status
from ganbench.store import Store, connect

WRITER = """
import sys
from ganbench.spec import RunRecord, RunSpec, Score, Status
from ganbench.store import Store

where, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
with Store(where) as store:
    for seed in range(first, first + count):
        spec = RunSpec(variant="ns", dataset="ring", network="mlp", seed=seed, steps=10)
        scores = tuple(Score(metric=name, version=1, value=seed) for name in ("kl", "jsd", "modes"))
        store.finish(RunRecord(spec=spec, status=Status.COMPLETED, step=10, scores=scores), "key")
        print(spec.id, flush=True)
"""


def writer(where: Path, first: int, count: int) -> subprocess.Popen[str]:
    """A process that stands ready to write `count` runs: it begins at a line on its stdin."""
    command = [sys.executable, "-c", WRITER, str(where), str(first), str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.slow
def test_four_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    processes = [writer(tmp_path / "s.db", 50 * index, 50) for index in range(4)]
    for process in processes:
        go(process)
    ids = {line for process in processes for line in process.communicate(timeout=120)[0].split()}
    assert [process.returncode for process in processes] == [0] * 4
    with Store.open_existing(tmp_path / "s.db") as store:
        assert len(ids) == 200
        assert store.done(dict.fromkeys(ids, "key")) == ids == store.statuses().keys()
        runs, scores = store.rows()
        assert [row.seed for row in runs] == list(range(200))
        assert len(scores) == 600


def test_a_killed_writer_leaves_all_that_it_committed(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    finished: set[str] = set()
    for lines in (0, 1, 7):
        process = writer(path, 1000 * lines, 10_000)
        go(process)
        finished |= {process.stdout.readline().strip() for _ in range(lines)}
        process.kill()
        finished |= set(process.communicate()[0].split())
    with Store(path) as store:
        statuses = store.statuses()
        assert {run_id for run_id, status in statuses.items() if status is Status.COMPLETED} >= finished
        assert all(len(record.scores) == 3 for record in store.records() if record.status is Status.COMPLETED)
        assert store.done(dict.fromkeys(finished, "key")) == finished
        assert len(finished) >= 8
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_reader_reads_while_a_writer_holds_its_lock(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        raw = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        assert store.statuses() == {}
        with Store.open_existing(tmp_path / "s.db") as reader:
            assert reader.rows() == ([], [])
        raw.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another opener of the same file, which has not come to write-ahead mode and holds the writer's lock."""
    raw = sqlite3.connect(tmp_path / "s.db", isolation_level=None, check_same_thread=False)
    raw.execute("BEGIN IMMEDIATE")
    yield raw
    raw.close()


def test_openers_take_turns(tmp_path: Path, other: sqlite3.Connection) -> None:
    """SQLite refuses this switch at once, whatever the timeout: of six openers at once, one in eighty failed."""
    threading.Timer(0.2, other.execute, ["ROLLBACK"]).start()
    engine = connect._sqlite(tmp_path / "s.db", "mode=rwc")
    connect._write_ahead(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    engine.dispose()


def test_an_opener_does_not_wait_for_ever(
    tmp_path: Path, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.1)
    with pytest.raises(StoreError, match=r"cannot open store .*s\.db: database is locked"):
        Store(tmp_path / "s.db")
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        connect._write_ahead(connect._sqlite(tmp_path / "s.db", "mode=rwc"))


def test_a_writer_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.1)
    run = RunRecord(spec=RunSpec(variant="ns", dataset="ring", network="mlp", seed=0, steps=1), status=Status.COMPLETED)
    with Store(tmp_path / "s.db") as store:
        raw = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"cannot write store .*s\.db: database is locked"):
            store.finish(run)
        raw.close()
        store.finish(run)
        assert store.statuses() == {run.spec.id: Status.COMPLETED}
