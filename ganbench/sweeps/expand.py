"""From a SweepSpec, and what is known of its runs, to its RunSpecs."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping

from ganbench.errors import SpecError
from ganbench.reports import names
from ganbench.rng import derive
from ganbench.spec import Range, RunSpec, Scalar, SweepSpec
from ganbench.sweeps.families import Family, families
from ganbench.sweeps.search import LossOf, Study
from ganbench.sweeps.spaces import Choice, Choices, Configuration
from ganbench.training.settings import real_run
from ganbench.variants.base import VARIANTS
from ganbench.variants.hypers import TRAINER

Results = Mapping[str, float | None]
"""The objective of runs that have ended, by id; None where a run has none: it diverged or failed."""


def expand(spec: SweepSpec) -> list[RunSpec]:
    """Every run of the sweep once that is known before any has ended: of a search that learns, its first batch.

    Each data set's real-data row comes first. Faults in any of them are errors now; see `families`.
    """
    return Expansion(spec).runs({})


class Expansion:
    """A sweep's runs, as far as results so far let them be known: a pure function of the spec and of the results.

    `objectives` is the metric by which configurations are compared, by data set. What was worked out for some results
    is kept, so it may be asked again with more of them, and those told once must not change.
    """

    def __init__(self, spec: SweepSpec, objectives: Mapping[str, str] | None = None) -> None:
        metrics = objectives or {}
        self._walks = [_Walk(spec, each, metrics.get(each.dataset.name, "")) for each in families(spec)]

    def runs(self, results: Results) -> list[RunSpec]:
        """Every run once, in order."""
        runs: dict[str, RunSpec] = {}
        for walk in self._walks:
            real = real_run(walk.family.dataset)
            runs.setdefault(real.id, real)
            runs |= {run_id: run for run_id, run in walk.runs(results).items() if run_id not in runs}
        return list(runs.values())

    def searched(self, results: Results) -> set[str]:
        """The ids of the runs whose family has several configurations to choose from."""
        return {run_id for walk in self._walks if walk.chooses for run_id in walk.runs(results)}


class _Walk:
    """One family's way through its space."""

    def __init__(self, spec: SweepSpec, family: Family, objective: str) -> None:
        self.family = family
        self._spec, self._direction = spec, names.direction(objective)
        self._propose = _proposals(spec, family)
        self._runs: dict[tuple[str, bool], dict[str, RunSpec]] = {}

    @property
    def chooses(self) -> bool:
        """Whether it tries several configurations."""
        return (self._spec.trials or len(self._propose(lambda _: None))) > 1

    def runs(self, results: Results) -> dict[str, RunSpec]:
        """Those of the configurations asked for so far; when all have ended, those of the best with all seeds."""

        def loss(configuration: Configuration) -> float | None:
            return self._loss(configuration, results)

        tried = self._propose(loss)
        runs = {run_id: run for each in tried for run_id, run in self._of(each, searching=True).items()}
        if self._spec.top is not None:
            losses = [loss(each) for each in tried]
            runs |= {k: v for each in self._best(tried, losses) for k, v in self._of(each, searching=False).items()}
        return runs

    def _best(self, tried: list[Configuration], losses: list[float | None]) -> list[Configuration]:
        """The `top` of them; none before all have ended. Those that are one run are one configuration."""
        if None in losses:
            return []
        ended = [(loss, each) for loss, each in zip(losses, tried, strict=True) if loss is not None and loss < math.inf]
        by_loss = [each for _, each in sorted(ended, key=lambda pair: pair[0])]
        distinct = {next(iter(self._of(each, searching=True))): each for each in by_loss}
        return list(distinct.values())[: self._spec.top]

    def _loss(self, configuration: Configuration, results: Results) -> float | None:
        """By the mean of its seeds; inf where one has no objective, None where one has not ended."""
        run_ids = self._of(configuration, searching=True)
        if not results.keys() >= run_ids.keys():
            return None
        found = [value for run_id in run_ids if (value := results[run_id]) is not None and math.isfinite(value)]
        if len(found) < len(run_ids):
            return math.inf
        return names.loss(math.fsum(found) / len(found), self._direction)

    def _of(self, configuration: Configuration, *, searching: bool) -> dict[str, RunSpec]:
        """The runs of a configuration by id, for the search's seeds or for all."""
        key = repr(sorted(configuration.items())), searching
        if key not in self._runs:
            seeds = self._spec.search_seeds if searching and self._spec.search_seeds else self._spec.seeds
            self._runs[key] = {run.id: run for run in self.family.runs(self._spec, configuration, seeds)}
        return self._runs[key]


def _proposals(spec: SweepSpec, family: Family) -> Callable[[LossOf], list[Configuration]]:
    """What gives the family's configurations, as far as losses let them be known."""
    if spec.sampler not in ("grid", "random"):
        return Study(spec, family).proposed
    drawn = configurations(spec, family.choices)
    tried = drawn if family.first is None else [family.first, *drawn[1:]]
    return lambda loss_of: tried


def configurations(spec: SweepSpec, choices: Choices) -> list[Configuration]:
    """The configurations of one variant: all combinations of the lists (grid), or `trials` random draws.

    Trial i draws from the stream (search_seed, name, i): more trials later keep the earlier ones.
    """
    if spec.sampler == "grid":
        lists = [_values(value) for value in choices.values()]
        return [dict(zip(choices, values, strict=True)) for values in itertools.product(*lists)]
    if not any(isinstance(value, Range | list) for value in choices.values()):
        raise SpecError("the random sampler has nothing to draw: give a setting a list or a range, or use 'grid'")
    return [
        {
            name: _draw(value, random.Random(derive(spec.search_seed, f"search/{name}", trial)))
            for name, value in choices.items()
        }
        for trial in range(spec.trials or 0)
    ]


def _values(value: Choice) -> list[Scalar]:
    return value if isinstance(value, list) else [value]  # type: ignore[list-item]  # no Range on a grid


def _draw(value: Choice, generator: random.Random) -> Scalar:
    if isinstance(value, list):
        return generator.choice(value)
    if not isinstance(value, Range):
        return value
    low, high = value.low, value.high
    ends = (math.log(low), math.log(high)) if value.log else (low, high)
    drawn = generator.uniform(*ends)
    drawn = min(high, max(low, math.exp(drawn) if value.log else drawn))
    whole = isinstance(low, int) and isinstance(high, int)
    return round(drawn) if whole else drawn


def cost(run: RunSpec) -> float:
    """How long a run takes, in gradient steps: what comes first where cores are to be kept busy."""
    if run.variant not in VARIANTS:
        return math.inf  # the real-data row makes the reference statistics that the others wait for
    phases = VARIANTS.get(run.variant).phases
    settings = {hyper.name: hyper.default for hyper in TRAINER} | run.settings
    repeats = (phase.repeat if isinstance(phase.repeat, int) else int(settings[phase.repeat]) for phase in phases)
    return float(run.steps * sum(repeats))
