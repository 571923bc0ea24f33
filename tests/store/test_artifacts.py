from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest

from ganbench.errors import StoreError
from ganbench.store.artifacts import atomic_write


def test_bytes_and_writers_are_written_and_folders_made(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a" / "b.bin", b"one")
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"one"
    atomic_write(tmp_path / "a" / "b.bin", lambda file: file.write(b"two"))
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"two"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.bin"]


def test_a_failure_midway_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")

    def breaks(file: BinaryIO) -> None:
        file.write(b"half")
        file.flush()
        assert path.read_bytes() == b"old"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic_write(path, breaks)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_takes_the_permissions_of_any_other(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", b"")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*file/x: Not a directory|cannot write .*: File exists"):
        atomic_write(tmp_path / "file" / "x", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match=r"cannot write .*folder: Is a directory"):
        atomic_write(tmp_path / "folder", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
