"""Of several sweeps on one store each run is one's alone, until it ends, lets go or is no more."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from ganbench.errors import StoreError
from ganbench.store import Store
from ganbench.store import claims as module
from ganbench.store.claims import Claims, held
from ganbench.store.tables import claims

IDS = [f"{number:012x}" for number in range(5)]


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "s.db")
    server: Any = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def stores(where: str) -> Iterator[tuple[Store, Store]]:
    with Store(where) as one, Store(where) as other:
        yield one, other


def rows(store: Store) -> list[Any]:
    return store.transact(lambda connection: connection.execute(select(claims)).all(), writing=False)


def set_all(store: Store, **values: Any) -> None:
    store.transact(lambda connection: connection.execute(update(claims).values(**values)))


def test_each_takes_what_the_other_has_not(stores: tuple[Store, Store]) -> None:
    with Claims(stores[0]) as ours, Claims(stores[1]) as theirs:
        assert ours.take(IDS[:3]) == set(IDS[:3])
        assert theirs.take(IDS) == set(IDS[3:])
        assert ours.take(IDS) == set(IDS[:3])  # its own stay its own
        ours.release([IDS[0], IDS[4]])  # another's cannot be let go
        assert theirs.take(IDS) == {IDS[0], IDS[3], IDS[4]}
    assert rows(stores[0]) == []


def test_all_is_let_go_when_it_ends_badly(stores: tuple[Store, Store]) -> None:
    ours = Claims(stores[0])

    def interrupted() -> None:
        with ours:
            ours.take(IDS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert rows(stores[0]) == []


@pytest.mark.parametrize(
    ("values", "free"),
    [
        ({"expires": 0.0}, True),
        ({"host": "elsewhere"}, False),
        ({"host": "elsewhere", "expires": 0.0}, True),
        ({"pid": 2**22 + 1}, True),  # beyond the largest there is: no process has it
        ({"pid": 2**22 + 1, "host": "elsewhere"}, False),
        ({"pid": 2**22 + 1, "owner": "00000000another1"}, False),  # a machine of the same name
        ({"pid": 1}, False),
    ],
)
def test_a_claim_is_free_when_it_expires_or_its_process_is_gone(
    stores: tuple[Store, Store], values: dict[str, Any], free: bool
) -> None:
    with Claims(stores[0]) as ours, Claims(stores[1]) as theirs:
        ours.take(IDS)
        set_all(stores[0], **values)
        assert len(held(stores[1])) == (0 if free else len(IDS))
        assert theirs.take(IDS) == (set(IDS) if free else set())


def test_claims_are_renewed_while_they_are_held(stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEWAL", 0.01)
    with Claims(stores[0]) as ours:
        ours.take(IDS)
        set_all(stores[1], expires=0.0)
        renewed = threading.Event()
        for _ in range(3000):  # 30 s at the most
            if all(row.expires > 0 for row in rows(stores[1])):
                renewed.set()
                break
            renewed.wait(0.01)
        assert renewed.is_set()


def test_what_another_holds_is_waited_for(stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0)
    told: list[str] = []
    stores[1].note = told.append
    done: set[str] = set()
    looks = 0
    with Claims(stores[0]) as ours, Claims(stores[1]) as theirs:
        ours.take(IDS[:2])

        def left() -> list[str]:
            nonlocal looks
            looks += 1
            if looks == 4:  # finished by the other: done, then let go
                done.add(IDS[0])
                ours.release([IDS[0]])
            if looks == 7:  # interrupted at the other: let go only
                ours.release([IDS[1]])
            return [run_id for run_id in IDS if run_id not in done]

        found = []
        for free in theirs.free(left):
            found.append(free)
            done |= free
        assert found == [set(IDS[2:]), {IDS[1]}]
    assert told == [
        "waiting for 2 runs that another sweep on this store trains",
        "waiting for 1 run that another sweep on this store trains",
    ]


def test_what_another_finishes_just_before_the_claim_is_not_done_again(stores: tuple[Store, Store]) -> None:
    """Between the look and the claim the other finishes a run and lets it go, and holds one still."""
    with Claims(stores[0]) as ours, Claims(stores[1]) as theirs:
        theirs.take(IDS[4:])
        asked: list[str] = []

        def left(run_ids: Sequence[str]) -> list[str]:
            asked.extend(run_ids)
            return [run_id for run_id in run_ids if run_id != IDS[0]]

        assert ours.take_left(IDS, left) == set(IDS[1:4])
        assert asked == IDS[:4]
        assert {row.run_id for row in rows(stores[0])} == set(IDS[1:])
        assert next(theirs.free(lambda: IDS)) == {IDS[0], IDS[4]}


RACER = """
import sys
from ganbench.store import Store
from ganbench.store.claims import Claims
with Store(sys.argv[1]) as store, Claims(store) as claims:
    print("ready", flush=True)
    sys.stdin.readline()
    print(*claims.take([f"{number:012x}" for number in range(200)]), flush=True)
    sys.stdin.readline()
"""


@pytest.mark.slow
def test_racing_claims_never_meet(where: str) -> None:
    command = [sys.executable, "-c", RACER, where]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    taken = [run_id for racer in racers for run_id in racer.stdout.readline().split()]
    for racer in racers:
        racer.communicate("\n", timeout=60)
    assert len(taken) == len(set(taken)) == 200


def test_claimed_at_once_with_another_each_run_is_ones_alone(stores: tuple[Store, Store]) -> None:
    """The other's rows came between our look and our claim: what they leave is ours."""
    with Claims(stores[1]) as theirs:
        assert theirs.take([IDS[1], IDS[4]]) == {IDS[1], IDS[4]}
        row = {"owner": "ours", "host": platform.node(), "pid": os.getpid(), "expires": 1e12}
        wanted = [{"run_id": run_id, **row} for run_id in IDS]
        taken = stores[0].transact(lambda connection: module._insert(connection, wanted))
        assert taken == {IDS[0], IDS[2], IDS[3]}
        assert {each.run_id for each in rows(stores[1]) if each.owner == "ours"} == taken
        assert theirs.take([]) == set()


def test_a_killed_owner_leaves_what_is_free_at_once(where: str) -> None:
    racer = subprocess.Popen(
        [sys.executable, "-c", RACER, where], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    racer.stdin.write("\n")
    racer.stdin.flush()
    racer.stdout.readline()
    assert len(racer.stdout.readline().split()) == 200
    racer.kill()
    racer.communicate()
    with Store(where) as store, Claims(store) as ours:
        assert len(rows(store)) == 200
        assert ours.take(IDS) == set(IDS)


def test_a_renewal_that_fails_is_tried_again(stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEWAL", 0.001)
    failed, again = threading.Event(), threading.Event()

    def fail(connection: Any) -> None:
        (again if failed.is_set() else failed).set()
        raise StoreError("full")

    with Claims(stores[0]) as ours:
        monkeypatch.setattr(ours, "_renew_once", fail)
        assert again.wait(30)


def test_a_store_of_schema_1_is_upgraded_where_it_lies(tmp_path: Path) -> None:
    import sqlite3

    from ganbench.spec import RunRecord, RunSpec, Status

    run = RunRecord(spec=RunSpec(variant="ns", dataset="ring", network="mlp", seed=0, steps=1), status=Status.COMPLETED)
    with Store(tmp_path / "s.db") as store:
        store.finish(run, "key")
    with sqlite3.connect(tmp_path / "s.db") as raw:
        raw.execute("DROP TABLE claims")
        raw.execute("PRAGMA user_version = 1")
    raw.close()
    with Store.open_existing(tmp_path / "s.db") as reader:
        assert reader.get(run.spec.id) == run  # read as it is
        assert held(reader) == []
    with Store(tmp_path / "s.db") as store, Claims(store) as ours:
        assert store.done({run.spec.id: "key"}) == {run.spec.id}
        assert ours.take(IDS) == set(IDS)
    with sqlite3.connect(tmp_path / "s.db") as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (2,)
    raw.close()


def test_a_claim_says_who_holds_it(stores: tuple[Store, Store]) -> None:
    with Claims(stores[0]) as ours:
        ours.take(IDS[:1])
        (row,) = rows(stores[1])
        assert (row.run_id, row.host, row.pid) == (IDS[0], platform.node(), os.getpid())
        assert held(stores[1]) == [(IDS[0], platform.node(), os.getpid())]
        with pytest.raises(StoreError):  # the database itself takes no second one
            stores[1].transact(
                lambda connection: connection.execute(insert(claims).values(**row._asdict())), patient=False
            )


def test_what_an_ended_sweep_of_this_process_could_not_let_go_is_free(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: Any) -> None:
        raise StoreError("no answer")

    with Claims(stores[0]) as ours:
        ours.take(IDS)
        monkeypatch.setattr(ours, "_release_all", fail)
        ours.__exit__(ValueError, ValueError(), None)
        with Claims(stores[1]) as theirs:
            assert theirs.take(IDS) == set(IDS)
        monkeypatch.setattr(ours, "_release_all", lambda connection: None)
