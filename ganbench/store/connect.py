"""Opening the database of a store: a SQLite file that several processes write at once, or any SQLAlchemy URL."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import time
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, func, inspect, make_url, select
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import ArgumentError

from ganbench.errors import StoreError
from ganbench.store.tables import APPLICATION_ID, SCHEMA, metadata

DEFAULT = "ganbench.db"
BUSY_SECONDS = 60
SERVER_ARGUMENTS = {"postgresql": {"connect_timeout": 10, "client_encoding": "utf8"}}
_MAGIC = b"SQLite format 3\0"


def locate(where: str | Path | None) -> URL:
    """The address of a store: a file path or URL; None is $GANBENCH_STORE, or ganbench.db in the working folder."""
    text = str(where or os.environ.get("GANBENCH_STORE") or DEFAULT)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # the text may hold a password
        raise StoreError("the store's URL cannot be read: write dialect://user:password@host/database") from None
    if url.get_backend_name() == "sqlite" and (not url.database or url.database == ":memory:" or url.query):
        raise StoreError(f"{text} is not a store that lasts: name a file, such as sqlite:///{DEFAULT}, without options")
    if url.drivername == "postgresql" and importlib.util.find_spec("psycopg2") is None:
        return url.set(drivername="postgresql+psycopg")
    return url


def file_of(url: URL) -> Path | None:
    """The SQLite file, or None where the store is a server."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def open_engine(url: URL, reading: bool) -> Engine:
    """An engine on the store, made if need be; `reading` makes nothing: what is missing is a StoreError."""
    path = file_of(url)
    if path is None:
        return _open_server(url, reading)
    _check_file(path, reading)
    engine = _sqlite(path, _reading_mode(path) if reading else "mode=rwc")
    try:
        if not reading:
            _prepare(engine, path)
        with engine.connect() as connection:
            _schema(connection, path)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _open_server(url: URL, reading: bool) -> Engine:
    try:
        engine = create_engine(url, pool_pre_ping=True, connect_args=SERVER_ARGUMENTS.get(url.get_backend_name(), {}))
    except ArgumentError:
        raise StoreError(f"no database is called {url.get_backend_name()!r}: use sqlite or postgresql") from None
    except ModuleNotFoundError as error:
        how = "pip install 'ganbench[postgres]'" if url.get_backend_name() == "postgresql" else "install it"
        raise StoreError(f"a {url.get_backend_name()} store needs the package {error.name}: {how}") from None
    if not reading:
        _make_tables(engine)
    elif not inspect(engine).has_table("runs"):
        raise _missing(url.render_as_string())
    return engine


def _make_tables(engine: Engine) -> None:
    """Those that are not there; of several openers of a PostgreSQL server one makes them, all others wait."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(APPLICATION_ID)))
        metadata.create_all(connection)


def _missing(name: str) -> StoreError:
    return StoreError(f"no store at {name}: run `ganbench sweep` first, or name it with --store")


def _check_file(path: Path, reading: bool) -> None:
    """StoreError unless `path` is a store or free for one. Read as bytes: SQLite may change a file by opening it."""
    try:
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} is not a file: name a file for the store, such as {path / DEFAULT}")
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        header = b""
    except OSError as error:
        raise StoreError(f"cannot open store {path}: {error.strerror}") from None
    if header:
        _check_header(path, header)
    elif reading:
        raise _missing(str(path))
    else:
        _make_folder(path)


def _check_header(path: Path, header: bytes) -> None:
    """See https://www.sqlite.org/fileformat.html section 1.3."""
    if not header.startswith(_MAGIC):
        raise StoreError(f"{path} is not a store: not a SQLite file; name another with --store")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise StoreError(f"{path} is not a store: a SQLite file of another program; name another with --store")


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {path.parent} for the store: {error.strerror}") from None


def _reading_mode(path: Path) -> str:
    """A store at rest in a folder that cannot be written is read as it lies: SQLite can make no side files there."""
    writable = os.access(path.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    return "mode=rw" if writable or Path(f"{path}-wal").exists() else "immutable=1"


def _sqlite(path: Path, mode: str) -> Engine:
    address = f"{path.absolute().as_uri()}?{mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """A writer takes its lock at once: one that reads first and writes later would be refused, not queued."""
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _schema(connection: Connection, path: Path) -> int:
    """The version of the file's tables, 0 where it has none yet; StoreError where it is newer than ours."""
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if version > SCHEMA:
        raise StoreError(f"{path} was made by a newer ganbench (schema {version}, known {SCHEMA}): update ganbench")
    return version


def _prepare(engine: Engine, path: Path) -> None:
    """Make the tables that are not there, in one transaction: of several openers one makes them, all others wait.

    An older store's tables are ours but for those that were added since.
    """
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        if _schema(connection, path) < SCHEMA:
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    _write_ahead(engine)


def _write_ahead(engine: Engine) -> None:
    """Let readers read while one writes. SQLite does not wait for this one lock, so openers take turns here."""
    raw = engine.raw_connection()
    try:
        deadline = time.monotonic() + BUSY_SECONDS
        while not _switched(raw.cursor(), deadline):
            time.sleep(0.02)
    finally:
        raw.close()


def _switched(cursor: DBAPICursor, deadline: float) -> bool:
    try:
        cursor.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
            raise
        return False
    return True
