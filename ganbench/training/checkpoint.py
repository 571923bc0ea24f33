"""Checkpoints: one safetensors file of all that training changes, with its JSON in the header; never a pickle."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from ganbench.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor


def save(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write to a temporary name, flush to the disk, rename: a reader sees the old file or the new one, never a half.

    RunError where it cannot be written (a full disk).
    """
    from safetensors.torch import save_file

    temporary = path.with_suffix(f".{secrets.token_hex(4)}.tmp")  # two machines may write to one folder
    plain = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(plain, temporary, metadata={"ganbench": json.dumps(dict(facts))})
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"cannot write checkpoint {path}: {error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors (on the CPU) and facts of a checkpoint, or None where there is none that can be read.

    An unreadable file is as good as none: the run starts over and comes to the same numbers.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told = _told(file)
            return {name: file.get_tensor(name) for name in file.keys()}, told  # noqa: SIM118 - not a mapping
    except _UNREADABLE:
        return None


def facts(path: Path) -> dict[str, Any] | None:
    """The facts of a checkpoint alone, without torch; None where there is none that can be read."""
    try:
        with safe_open(path, framework="numpy") as file:
            return _told(file)
    except _UNREADABLE:
        return None


_UNREADABLE = (OSError, SafetensorError, KeyError, ValueError)


def _told(file: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((file.metadata() or {})["ganbench"])
    return found
