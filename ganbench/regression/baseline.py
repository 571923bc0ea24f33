"""What a baseline is: a TOML file that says what is retrained or scored again, and how it is decided."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ganbench.canonical import Model
from ganbench.errors import SpecError
from ganbench.spec import Scoring, SweepSpec

RECORDED = ".json"
"""What is recorded of `x.toml` lies in `x.json` beside it."""


class Decision(Model):
    """How a baseline is decided.

    `alarm` is the chance that unchanged code is called changed, for the whole baseline. `test`: "non-inferiority" asks
    whether scores are worse, "equivalence" whether they are different either way. `margin`, in standard deviations of
    the recorded scores, is how much worse (or different) they may be all the same. `recorded` is how many seeds
    `--update` records; a check trains those of the sweep.
    """

    alarm: float = Field(0.01, gt=0, lt=0.5)
    test: Literal["non-inferiority", "equivalence"] = "non-inferiority"
    margin: float = Field(0.0, ge=0)
    recorded: int = Field(24, ge=2)


class Rescore(Model):
    """Samples that are kept, to be scored again: an array file beside the baseline. `tolerance` is relative."""

    samples: str
    dataset: str
    scoring: Scoring = Scoring()
    tolerance: float = Field(1e-4, gt=0)


class Baseline(Model):
    """A baseline, and where its files lie."""

    path: Path
    sweep: SweepSpec | None = None
    check: Decision = Decision()
    rescore: tuple[Rescore, ...] = ()

    @model_validator(mode="after")
    def _there_is_something(self) -> Self:
        if self.sweep is None and not self.rescore:
            raise ValueError("a baseline retrains a [sweep], scores kept samples again ([[rescore]]), or both")
        if self.sweep is not None and self.sweep.learns:
            raise ValueError("a baseline's sweep may not search: what it trains would hang on its scores")
        return self

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def recorded(self) -> Path:
        """Where the recorded scores lie."""
        return self.path.with_suffix(RECORDED)

    def seeds(self) -> tuple[int, ...]:
        """Those that a check trains."""
        return self.sweep.seeds if self.sweep else ()

    def recorded_seeds(self) -> tuple[int, ...]:
        """Those that are recorded: none of a check's, for a test takes the two for independent."""
        first = max(self.seeds(), default=-1) + 1001
        return tuple(range(first, first + self.check.recorded))


def is_baseline(path: Path) -> bool:
    """Whether a TOML file is one: it has a table of [check], [sweep] or [[rescore]]."""
    try:
        return bool({"check", "sweep", "rescore"} & tomllib.loads(path.read_text(encoding="utf-8")).keys())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False


def load(path: Path) -> Baseline:
    """Read one; SpecError of one line for what is none."""
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot read {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path} is not valid TOML: {error}") from None
    if "sweep" in values:
        values["sweep"] = SweepSpec.parse(values["sweep"], where=f"{path}: sweep")
    return Baseline.parse({"path": path, **values}, where=str(path))


def all_of(paths: Iterable[Path]) -> list[Baseline]:
    """Those of files and of folders; without any, of `baselines`."""
    files = [file for path in paths or [Path("baselines")] for file in _files(path)]
    if not files:
        raise SpecError("no baselines: name TOML files, or folders that hold some")
    return [load(file) for file in files]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in sorted(path.glob("*.toml")) if is_baseline(file)]
    if not path.exists():
        raise SpecError(f"no baseline at {path}")
    return [path]
