from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.dialects import registry

from ganbench.errors import StoreError
from ganbench.spec import RunRecord, RunSpec, Status
from ganbench.store import Store
from ganbench.store.tables import SCHEMA

RUN = RunRecord(
    spec=RunSpec(variant="ns", dataset="ring", network="mlp", seed=0, steps=1), status=Status.COMPLETED, step=1
)


def fails(where: Path | str | None, *, existing: bool = False) -> str:
    with pytest.raises(StoreError) as caught:
        Store.open_existing(where) if existing else Store(where)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300
    return message


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_a_missing_store_is_made_with_its_folder(tmp_path: Path) -> None:
    with Store(tmp_path / "results" / "a.db") as store:
        store.finish(RUN)
    with Store.open_existing(tmp_path / "results" / "a.db") as store:
        assert store.get(RUN.spec.id) == RUN


def test_the_default_is_the_environment_then_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Store().close()
    monkeypatch.setenv("GANBENCH_STORE", "other.db")
    Store().close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ganbench.db", "other.db"]


@pytest.mark.parametrize("name", ["with space.db", "what?.db", "50%#1.db", "ünï.db", "a b&mode=memory.db"])
def test_any_file_name_is_itself(tmp_path: Path, name: str) -> None:
    with Store(tmp_path / name) as store:
        store.finish(RUN)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_is_a_url_too(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/u.db") as store:
        store.finish(RUN)
        assert store.folder("x") == tmp_path / "u.artifacts" / "x"
    with Store.open_existing(tmp_path / "u.db") as store:
        assert store.get(RUN.spec.id) == RUN


def test_the_file_carries_its_name_and_schema(tmp_path: Path) -> None:
    Store(tmp_path / "s.db").close()
    with sqlite3.connect(tmp_path / "s.db") as raw:
        pragmas = [raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        assert pragmas == [int.from_bytes(b"GANB", "big"), SCHEMA]
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_reader_makes_nothing(tmp_path: Path) -> None:
    message = fails(tmp_path / "sub" / "none.db", existing=True)
    assert message.startswith(f"no store at {tmp_path}/sub/none.db: run `ganbench sweep` first")
    assert contents(tmp_path) == {}


def test_an_empty_file_is_free_for_a_store_but_is_none(tmp_path: Path) -> None:
    (tmp_path / "e.db").touch()
    assert "no store at" in fails(tmp_path / "e.db", existing=True)
    with Store(tmp_path / "e.db") as store:
        store.finish(RUN)
        assert store.statuses() == {RUN.spec.id: Status.COMPLETED}


def make_foreign(path: Path, journal: str = "delete", application: int = 0) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute(f"PRAGMA journal_mode = {journal}")
        raw.execute(f"PRAGMA application_id = {application}")
        raw.execute("CREATE TABLE runs (id TEXT)")
    raw.close()


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize(
    ("journal", "application"), [("delete", 0), ("wal", 0), ("delete", 0x47504B47)], ids=["plain", "wal", "geopackage"]
)
def test_a_database_of_another_program_is_left_alone(
    tmp_path: Path, existing: bool, journal: str, application: int
) -> None:
    make_foreign(tmp_path / "f.db", journal, application)
    before = contents(tmp_path)
    assert "another program" in fails(tmp_path / "f.db", existing=existing)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("content", [b"variant,seed\nns,0\n", b"\0" * 4096, b"SQLite", b"\x80\x04pickle"])
def test_a_file_that_is_not_sqlite_is_left_alone(tmp_path: Path, existing: bool, content: bytes) -> None:
    (tmp_path / "notes.txt").write_bytes(content)
    assert "not a SQLite file; name another with --store" in fails(tmp_path / "notes.txt", existing=existing)
    assert contents(tmp_path) == {tmp_path / "notes.txt": content}


@pytest.mark.parametrize("existing", [False, True])
def test_a_store_of_a_newer_schema_is_left_alone(tmp_path: Path, existing: bool) -> None:
    Store(tmp_path / "s.db").close()
    with sqlite3.connect(tmp_path / "s.db") as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    before = contents(tmp_path)
    assert fails(tmp_path / "s.db", existing=existing).endswith(f"(schema 99, known {SCHEMA}): update ganbench")
    assert contents(tmp_path) == before


def test_a_broken_store_is_one_line(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        store.finish(RUN)
    whole = (tmp_path / "s.db").read_bytes()
    (tmp_path / "s.db").write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    message = ""
    try:
        with Store.open_existing(tmp_path / "s.db") as store:
            store.get(RUN.spec.id)
    except StoreError as error:
        message = str(error)
    assert message.endswith("database disk image is malformed")


@pytest.mark.parametrize("existing", [False, True])
def test_a_folder_is_not_a_store(tmp_path: Path, existing: bool) -> None:
    assert "is not a file: name a file" in fails(tmp_path, existing=existing)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "Not a directory" in fails(tmp_path / "file" / "s.db")


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder in which this process may not write: root gives its rights away for the test."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        with Store(folder / "s.db") as store:
            store.finish(RUN)
        (folder / "s.db").chmod(0o444)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        yield folder
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_folder_that_cannot_be_written(locked: Path) -> None:
    assert "cannot open store" in fails(locked / "new.db")
    assert "Permission denied" in fails(locked / "sub" / "new.db")


def test_a_store_that_cannot_be_written_is_refused_before_any_training(locked: Path) -> None:
    assert fails(locked / "s.db").startswith(f"cannot open store {locked / 's.db'}: ")


def test_a_store_that_cannot_be_written_is_read(locked: Path) -> None:
    with Store.open_existing(locked / "s.db") as store:
        assert store.get(RUN.spec.id) == RUN


def test_a_reader_writes_nothing_where_it_cannot(locked: Path) -> None:
    with Store.open_existing(locked / "s.db") as store, pytest.raises(StoreError, match="cannot write store"):
        store.finish(RUN)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite:///x.db?timeout=1", "without options"),
        ("nosuch://host/db", "no database is called 'nosuch'"),
        ("oracle+oracledb://u:hush@host/db", "needs the package oracledb"),
        ("://", "dialect://user:password@host/database"),
        ("postgresql://u:hush@:x/y", "dialect://user:password@host/database"),
    ],
)
def test_a_url_that_is_none(url: str, says: str) -> None:
    message = fails(url)
    assert says in message
    assert "hush" not in message


@pytest.fixture
def server(tmp_path: Path) -> str:
    """A URL that is not SQLite's by name: what a server would be, played by SQLite's dialect."""
    registry.register("pretend", "sqlalchemy.dialects.sqlite", "dialect")
    return f"pretend:///{tmp_path}/team.db"


def test_a_server_is_a_store(server: str) -> None:
    with Store(server) as store:
        store.finish(RUN, "key")
        assert store.done({RUN.spec.id: "key"}) == {RUN.spec.id}
        assert store.folder("x") == Path("team.artifacts") / "x"
    with Store.open_existing(server) as store:
        assert store.get(RUN.spec.id) == RUN


def test_a_server_without_a_store(server: str) -> None:
    assert fails(server, existing=True).startswith(f"no store at {server}: run `ganbench sweep` first")


def test_a_server_that_does_not_answer(server: str) -> None:
    message = fails("pretend:////no/such/folder/team.db")
    assert message == "cannot open store pretend:////no/such/folder/team.db: unable to open database file"
