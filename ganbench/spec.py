"""What is asked for and what came out. Specs travel down the house, records up."""

from __future__ import annotations

import enum
import math
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from ganbench.canonical import Model, Scalar, canonical, digest, hashed, plain
from ganbench.errors import SpecError, UnknownNameError

SAMPLERS = {
    "grid": "every combination of the listed values",
    "random": "independent draws from lists and ranges",
    "qmc": "a scrambled Sobol sequence: even cover of lists and ranges, nothing learnt",
    "tpe": "tree-structured Parzen estimator, told the results of each batch; lists and ranges",
    "cmaes": "CMA-ES, told the results of each batch; two ranges or more, lists are drawn beside it",
    "gp": "Gaussian process with expected improvement, told the results of each batch; lists and ranges",
}
"""How settings are searched."""

EXECUTORS = {
    "process": "one process a CPU core, several a GPU where runs are small",
    "inline": "in this process, one run after the other",
    "ray": "a Ray cluster: this machine's cores, or many machines",
}
"""Where runs are performed."""

LEARNING = frozenset({"tpe", "cmaes", "gp"})
"""Samplers whose next configurations depend on the results of those before."""

BUDGETS = ("d_steps", "g_steps", "images")
"""What a budget may be counted in: updates of D, updates of G, real images (or points) that D sees."""


IMPORTED = "imported"
"""Among a run's versions: the content of the file that it was imported from, which is another for each of its seeds."""


class Status(enum.StrEnum):
    """How a run ended. Failures are results: each end has a name of its own, never a magic number."""

    COMPLETED = "completed"
    DIVERGED = "diverged"
    PRUNED = "pruned"  # stopped at a rung of a search; it goes on from there should it be asked for more
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def final(self) -> bool:
        """Whether the same command would not take the run up again."""
        return self in (Status.COMPLETED, Status.DIVERGED, Status.PRUNED)


class RunSpec(Model):
    """One run, with every default applied, so that its content is its identity.

    `settings` holds every hyperparameter that the variant and the network know; `versions` those of the variant,
    the network and the data set (a content hash for a data set given by path).
    """

    variant: str
    dataset: str
    network: str
    seed: int = Field(ge=0)
    steps: int = Field(ge=0, description="generator steps")
    settings: dict[str, Scalar] = Field(default_factory=dict)
    versions: dict[str, Scalar] = Field(default_factory=dict)

    @cached_property
    def text(self) -> str:
        """The canonical JSON."""
        return canonical(self.model_dump())

    @cached_property
    def id(self) -> str:
        """12 hex digits of the SHA-256 of the canonical JSON."""
        return hashed(self.text)

    @cached_property
    def group(self) -> str:
        """The id of what seeds share: the run's content without its seed, and without the file it was imported from."""
        return digest(self.model_dump(exclude={"seed": True, "versions": {IMPORTED}}))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with `update` in it, and with an id of its own: pydantic copies what is kept here too."""
        copied = super().model_copy(update=update, deep=deep)
        for kept in ("text", "id", "group"):
            copied.__dict__.pop(kept, None)
        return copied


class Range(Model):
    """A range to draw from: uniform, or log-uniform with `log`; integers where both bounds are integers."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a log range needs low > 0, got {self.low}")
        return self


class Scoring(Model):
    """What runs are scored by. None means the default of the data set or of the metric."""

    metrics: tuple[str, ...] | None = None
    samples: int | None = Field(None, ge=1, description="generated samples a metric sees; None: each metric's own")
    features: str | None = Field(None, description="feature extractor of metrics that take any")
    weights: dict[str, Path] = Field(default_factory=dict, description='weights files by extractor; "": the one in use')
    resize: str | None = Field(None, description="how images are brought to an extractor's size; None: its default")
    dtype: str = Field("float32", description="what extractors compute in")
    compile: bool = Field(False, description="whether extractors that can be are compiled first")
    split: str | None = Field(None, description="real data that scores are held against; None: each metric's own")
    looks: int = Field(0, ge=0, description="how often a run is scored before its end too, at evenly spaced steps")

    @field_validator("weights", mode="before")
    @classmethod
    def _one_file(cls, value: object) -> object:
        return {"": value} if isinstance(value, str | Path) else {} if value is None else value


class SweepSpec(Model):
    """A sweep: variants x data sets x networks x configurations x seeds."""

    variants: tuple[str, ...] = Field(min_length=1)
    datasets: tuple[str, ...] = Field(min_length=1)
    networks: tuple[str, ...] | None = None
    seeds: tuple[int, ...] = Field((0, 1, 2, 3, 4), min_length=1)
    steps: int | None = Field(None, ge=1, description="generator steps; None: the default of the network")
    budget: dict[str, int] | None = Field(None, description="in place of steps: one of BUDGETS and how much of it")
    set: dict[str, Scalar | list[Scalar] | Range] = Field(default_factory=dict)
    space: str | None = Field(None, description="declared ranges to search; what is `set` wins over them")
    sampler: str = "grid"
    trials: int | None = Field(None, ge=1, description="configurations a variant; all samplers but grid")
    batch: int = Field(5, ge=1, description="configurations asked at once, of a sampler that learns")
    objective: str | None = Field(None, description="the metric that a search is after; None: the primary one")
    halving: int | None = Field(None, ge=2, description="the best one in so many goes on from each rung")
    rungs: int | None = Field(None, ge=1, description="rungs before the end, with halving; None: 2")
    top: int | None = Field(None, ge=1, description="after the search, so many of the best run with all `seeds`")
    search_seeds: tuple[int, ...] | None = Field(None, min_length=1, description="seeds of the search itself")
    search_seed: int = Field(0, ge=0)
    scoring: Scoring = Scoring()

    @field_validator("seeds", "search_seeds", mode="before")
    @classmethod
    def _count_or_list(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            if value < 1:
                raise ValueError(f"a sweep needs at least one seed, got {value}")
            return tuple(range(value))
        return value

    @field_validator("seeds", "search_seeds")
    @classmethod
    def _seeds_in_range(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if any(seed < 0 for seed in value or ()):
            raise ValueError(f"seeds are 0 or more, got {min(value or ())}")
        return None if value is None else tuple(dict.fromkeys(value))

    @field_validator("sampler")
    @classmethod
    def _sampler_exists(cls, value: str) -> str:
        if value not in SAMPLERS:
            raise ValueError(UnknownNameError("sampler", value, SAMPLERS))
        return value

    @field_validator("budget")
    @classmethod
    def _budget_is_one(cls, value: dict[str, int] | None) -> dict[str, int] | None:
        for name, amount in (value or {}).items():
            if name == "seconds":
                raise ValueError(
                    "seconds are no budget: how far a run gets in them depends on the machine, and a run must be "
                    f"the same on any; use {', '.join(BUDGETS)}"
                )
            if name not in BUDGETS:
                raise ValueError(UnknownNameError("budget", name, BUDGETS))
            if amount < 1:
                raise ValueError(f"a budget is at least 1, got {name} = {amount}")
        if value is not None and len(value) != 1:
            raise ValueError(f"a budget is one of {', '.join(BUDGETS)}, got {len(value)} of them")
        return value

    @model_validator(mode="after")
    def _sampler_fits(self) -> Self:
        ranges = [key for key, value in self.set.items() if isinstance(value, Range)]
        if self.sampler == "grid" and ranges:
            raise ValueError(f"{ranges[0]} is a range, which the grid sampler cannot walk: use sampler 'random'")
        if self.sampler == "grid" and self.space is not None:
            raise ValueError(f"space {self.space!r} has ranges, which the grid sampler cannot walk: use 'random'")
        if self.sampler == "grid" and self.trials is not None:
            raise ValueError("trials is for the random sampler and its like: a grid has as many as its values make")
        if self.sampler != "grid" and self.trials is None:
            raise ValueError(f"the {self.sampler} sampler needs trials: how many configurations for each variant")
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.steps is not None and self.budget is not None:
            raise ValueError("steps and budget both say how long a run is: give one")
        if self.halving is None and self.rungs is not None:
            raise ValueError("rungs are those of halving: say how many share a place, as in halving = 3")
        if self.halving is not None and not self.searches:
            raise ValueError("halving compares configurations, and there is one: give a setting a list or a range")
        if (self.top is None) != (self.search_seeds is None):
            raise ValueError("top and search_seeds go together: the best `top` found with search_seeds get all seeds")
        return self

    @property
    def learns(self) -> bool:
        """Whether what is run depends on what came of runs before."""
        return self.sampler in LEARNING or self.halving is not None or self.top is not None

    @property
    def searches(self) -> bool:
        """Whether it tries several configurations of some variant."""
        lists = (value for value in self.set.values() if isinstance(value, list))
        return self.sampler != "grid" or any(len(value) > 1 for value in lists)

    @classmethod
    def from_toml(cls, path: Path, overrides: Mapping[str, Any] | None = None) -> Self:
        """Read a spec file; `overrides` are fields given on the command line, which win."""
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"cannot read {path}: {error}") from None
        except tomllib.TOMLDecodeError as error:
            raise SpecError(f"{path} is not valid TOML: {error}") from None
        overrides = dict(overrides or {})
        for one, other in (("steps", "budget"), ("budget", "steps")):  # a length given on the command line wins
            if one in overrides:
                values.pop(other, None)
        for table in ("set", "scoring"):
            if isinstance(values.get(table), dict):
                overrides[table] = values[table] | overrides.get(table, {})
        return cls.parse(values | overrides, where=str(path))


SELECTION: dict[str, Scalar] = {"use": "selection"}
"""In the protocol of scores by which a search chooses: no track of what is reported has it."""


STEP = "step"
"""In the protocol of what a run scored on its way: at a look, or, to be chosen by, at a rung of a search."""


class Score(Model):
    """One metric of one run under one protocol.

    `value` is NaN where the metric is undefined (the reason stands in `flags`); `stderr` is the standard error
    over samples, None where the metric has none. `protocol` is part of the score's identity.
    """

    metric: str
    version: int
    value: float
    stderr: float | None = None
    protocol: dict[str, Scalar] = Field(default_factory=dict)
    flags: tuple[str, ...] = ()
    details: dict[str, Scalar] = Field(default_factory=dict)

    @property
    def selects(self) -> bool:
        """Whether it is there to choose a configuration by, and not to be reported."""
        return self.protocol.get("use") == SELECTION["use"]

    @property
    def at_look(self) -> bool:
        """Whether the run was still on its way, and was scored to be reported: never in place of its end."""
        return isinstance(self.protocol.get(STEP), int) and not self.selects

    @property
    def finite(self) -> float | None:
        """The value; None where it is no finite number, for those who cannot write NaN."""
        return self.value if math.isfinite(self.value) else None

    @property
    def protocol_text(self) -> str:
        """The protocol as one line of `key=value`, sorted by key: what the leaderboard shows and groups by."""
        return " ".join(f"{key}={plain(value)}" for key, value in sorted(self.protocol.items()))


class RunRecord(Model):
    """What came of a run. `step` is the last step trained; for a diverged run, the first non-finite one."""

    spec: RunSpec
    status: Status
    step: int = 0
    seconds: float = Field(0.0, description="training time, over all attempts; of runs trained as one, a share")
    score_seconds: float = 0.0
    error: str | None = None
    scores: tuple[Score, ...] = ()
    provenance: dict[str, Scalar] = Field(default_factory=dict)

    @property
    def reported(self) -> tuple[Score, ...]:
        """The scores of its end, without those that choose a configuration."""
        return tuple(score for score in self.scores if not score.selects and not score.at_look)

    @property
    def looks(self) -> tuple[Score, ...]:
        """The scores of its looks, the earliest first."""
        found = (score for score in self.scores if score.at_look)
        return tuple(sorted(found, key=lambda score: (score.metric, score.protocol[STEP])))
