"""Who trains what: sweeps on one store at one time leave each other's runs alone.

A claim is a row that its owner renews while it lives. It is free again when it is released, when it was not renewed
for EXPIRY seconds, or at once when its owner was on this machine and is no more. An owner's name begins with what its
machine goes by, for hosts may share a name.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, bindparam, delete, func, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError

from ganbench.errors import StoreError
from ganbench.store.store import Store, chunks
from ganbench.store.tables import claims

EXPIRY = 120.0
"""Seconds after its last renewal at which a claim is free."""
RENEWAL = 20.0
"""Seconds between two renewals: six may fail before a claim is lost."""
LOOK = 1.0
"""Seconds between two looks at what others train."""
_HERE: set[str] = set()
"""Owners in this process that have not ended."""


class Held(NamedTuple):
    """A run that a living sweep trains, or is to train, and where that sweep is."""

    run_id: str
    host: str
    pid: int


def held(store: Store) -> list[Held]:
    """All that is claimed now, by id."""

    def read(connection: Connection) -> list[Held]:
        if not inspect(connection).has_table(claims.name):  # a store of schema 1, which is read as it is
            return []
        now = _now(connection)
        rows = connection.execute(select(claims).order_by(claims.c.run_id)).all()
        return [Held(row.run_id, row.host, row.pid) for row in rows if not _free(row, now)]

    return store.transact(read, writing=False)


class Claims:
    """The claims of one sweep, renewed by a thread until the block ends, and released then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._owner = _machine() + secrets.token_hex(4)
        self._ended = threading.Event()
        self._renewing = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> Self:
        _HERE.add(self._owner)
        self._renewing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._renewing.join()
        _HERE.discard(self._owner)
        try:
            self._store.transact(self._release_all, patient=error is None)
        except StoreError:
            if error is None:
                raise  # else what went wrong before says more

    def free(self, left: Callable[[], Sequence[str]]) -> Iterator[set[str]]:
        """What no other trains of `left` (what is to be done still), again and again until nothing is left.

        Where others train all of it, wait for them.
        """
        awaited = 0
        while wanted := left():
            if free := set(wanted) - self._store.transact(self._others, writing=False):
                yield free
                continue
            if len(wanted) != awaited:
                awaited = len(wanted)
                runs = "1 run" if awaited == 1 else f"{awaited} runs"
                self._store.note(f"waiting for {runs} that another sweep on this store trains")
            time.sleep(LOOK)

    def take_left(self, run_ids: Sequence[str], left: Callable[[Sequence[str]], Collection[str]]) -> set[str]:
        """Claim what is free of the runs, and keep what is `left` of it: another may just have finished the rest."""
        taken = self.take(run_ids)
        ours = taken.intersection(left(sorted(taken)))
        self.release(taken - ours)
        return ours

    def take(self, run_ids: Sequence[str]) -> set[str]:
        """Claim what is free of the runs; the ids that are ours now."""
        return self._store.transact(lambda connection: self._take(connection, sorted(run_ids)))

    def release(self, run_ids: Collection[str]) -> None:
        """Let go of those runs."""
        if run_ids:
            self._store.transact(lambda connection: self._release(connection, run_ids))

    def _others(self, connection: Connection) -> set[str]:
        now = _now(connection)
        rows = connection.execute(select(claims).where(claims.c.owner != self._owner))
        return {row.run_id for row in rows if not _free(row, now)}

    def _take(self, connection: Connection, run_ids: Sequence[str]) -> set[str]:
        """In the order of ids: two that claim at once on a server must not wait for each other."""
        now = _now(connection)
        among = [select(claims).where(claims.c.run_id.in_(chunk)) for chunk in chunks(run_ids)]
        held = {row.run_id: row for query in among for row in connection.execute(query)}
        ours = {row.run_id for row in held.values() if row.owner == self._owner}
        left = {row.run_id: row for row in held.values() if row.run_id not in ours and _free(row, now)}
        _remove(connection, list(left.values()))
        free = [run_id for run_id in run_ids if run_id not in held or run_id in left]
        mine = {"owner": self._owner, "host": platform.node(), "pid": os.getpid(), "expires": now + EXPIRY}
        return ours | _insert(connection, [{"run_id": run_id, **mine} for run_id in free])

    def _renew(self) -> None:
        while not self._ended.wait(RENEWAL):
            try:
                self._store.transact(self._renew_once, patient=False)
            except StoreError:
                continue  # EXPIRY leaves time to try again

    def _renew_once(self, connection: Connection) -> None:
        expires = _now(connection) + EXPIRY
        connection.execute(update(claims).where(claims.c.owner == self._owner).values(expires=expires))

    def _release(self, connection: Connection, run_ids: Collection[str]) -> None:
        for chunk in chunks(sorted(run_ids)):
            connection.execute(delete(claims).where(claims.c.owner == self._owner, claims.c.run_id.in_(chunk)))

    def _release_all(self, connection: Connection) -> None:
        connection.execute(delete(claims).where(claims.c.owner == self._owner))


def _remove(connection: Connection, rows: Sequence[Any]) -> None:
    """Take the claims away that owners left behind, where they are theirs still."""
    if rows:
        of_owner = delete(claims).where(claims.c.run_id == bindparam("run"), claims.c.owner == bindparam("left_by"))
        connection.execute(of_owner, [{"run": row.run_id, "left_by": row.owner} for row in rows])


def _insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """The runs whose rows the database took: of two that claim one at once, it takes one's.

    All at once, and by halves where another was there before.
    """
    if not rows:
        return set()
    try:
        with connection.begin_nested():
            connection.execute(insert(claims), rows)
    except IntegrityError:
        middle = len(rows) // 2
        return _insert(connection, rows[:middle]) | _insert(connection, rows[middle:]) if middle else set()
    return {row["run_id"] for row in rows}


def _free(held: Any, now: float) -> bool:
    here = held.host == platform.node() and held.owner.startswith(_machine())
    return bool(held.expires < now or (here and not _lives(held.owner, held.pid)))


@functools.cache
def _machine() -> str:
    """Eight hexadecimal digits of what tells machines of one name apart, and containers of one machine."""
    told = []
    with contextlib.suppress(OSError):
        told.append(Path("/etc/machine-id").read_text(encoding="utf-8").strip())
    with contextlib.suppress(OSError):
        told.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256(" ".join(told).encode()).hexdigest()[:8]


def _lives(owner: str, pid: int) -> bool:
    if pid == os.getpid():
        return owner in _HERE
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def _now(connection: Connection) -> float:
    """Seconds since 1970 by a clock that all sweeps on the store share: the server's, or a file's machine's."""
    if connection.dialect.name == "sqlite":
        return time.time()
    stamp = connection.scalar(select(func.current_timestamp()))
    return float(stamp.timestamp()) if stamp is not None else time.time()
