"""A real PostgreSQL server in a folder of its own, which tests may kill."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest


def binaries() -> Path | None:
    """Where the server's programs are; Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


class Server:
    """A PostgreSQL server; it refuses to run as root, who runs it as another."""

    def __init__(self, folder: Path) -> None:
        programs = binaries()
        if programs is None:
            pytest.skip("no PostgreSQL server here: install postgresql")
        pytest.importorskip("psycopg", reason="no psycopg here: pip install 'ganbench[postgres]'")
        self._programs, self._folder = programs, folder
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._run("initdb", "-D", str(folder / "data"), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        self.databases = 0

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(
            command, user=self._user, cwd=self._folder, check=True, timeout=120, env={"LC_ALL": "C", "PATH": ""},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self) -> None:
        """Start, and wait until it answers; the last process of a killed one may be in its way for a moment."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        deadline = time.monotonic() + 60
        while True:
            try:
                return self._run("pg_ctl", "-D", "data", "-l", "log", "-o", options, "-w", "start")
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, whose memory then goes as in a power cut."""
        pid = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in [pid, *map(int, children)]:
            try:
                os.kill(each, 9)
            except ProcessLookupError:
                continue
        while any(Path(f"/proc/{each}/exe").exists() and _alive(int(each)) for each in [pid, *children]):
            os.sched_yield()

    def stop(self) -> None:
        """Stop at once."""
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")

    def database(self) -> str:
        """The URL of a database that nobody has used."""
        import psycopg

        self.databases += 1
        name = f"team{self.databases}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return self._address(name)

    def _address(self, database: str) -> str:
        return f"postgresql://tester@127.0.0.1:{self._port}/{database}"


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
