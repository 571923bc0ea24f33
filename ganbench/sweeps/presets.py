"""The sweep that is run when nothing is asked for, and how a spec file and options come together."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ganbench.spec import SweepSpec


def described(file: Path | None, given: Mapping[str, Any]) -> SweepSpec:
    """The sweep of a spec file (or the embedded default), with the fields in `given` put over it."""
    if file is not None:
        return SweepSpec.from_toml(file, given)
    with resources.as_file(resources.files("ganbench.sweeps") / "default.toml") as default:
        return SweepSpec.from_toml(default, given)
