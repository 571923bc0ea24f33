"""Files that a reader sees whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ganbench.errors import StoreError

CHECKPOINT = "checkpoint.safetensors"
GRID = "samples.png"
"""What a run leaves in its folder, where others look for it."""


def atomic_write(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write `content` (or what it writes to the file it is called with) to `path`; missing folders are made.

    The bytes go to a temporary name in the same folder, to the disk, and then take the name: whenever the process is
    killed, the old file or the new one is there. StoreError where it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(temporary, content)
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        _remove(temporary)


def _write(temporary: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    with temporary.open("xb") as file:
        if callable(content):
            content(file)
        else:
            file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _remove(temporary: Path) -> None:
    if temporary.exists():
        temporary.unlink()
