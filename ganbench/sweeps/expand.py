"""From a SweepSpec, and what is known of its runs, to its RunSpecs."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from ganbench.canonical import Scalar
from ganbench.errors import SpecError
from ganbench.reports import names
from ganbench.rng import derive
from ganbench.spec import Range, RunSpec, SweepSpec
from ganbench.sweeps.families import Family, families
from ganbench.sweeps.halving import Ladder, Leg, rung_steps
from ganbench.sweeps.search import Study, TellOf, Told
from ganbench.sweeps.spaces import Choice, Choices, Configuration
from ganbench.training.settings import real_run
from ganbench.variants.base import VARIANTS
from ganbench.variants.hypers import TRAINER

Results = Mapping[tuple[str, int], float | None]
"""The objective of runs, by id and step: at their end, or at a rung. None where there is none: it diverged or failed.
"""

RUNGS = 2
"""Rungs before the end, where halving does not say."""


def expand(spec: SweepSpec) -> list[RunSpec]:
    """Every run of the sweep once that is known before any has ended: of a search that learns, its first batch.

    Each data set's real-data row comes first. Faults in any of them are errors now; see `families`.
    """
    return [leg.run for leg in Expansion(spec).legs({})]


class Expansion:
    """A sweep's runs, as far as results so far let them be known: a pure function of the spec and of the results.

    `objectives` is the metric by which configurations are compared, by data set; it is looked into when some are. What
    was worked out for some results is kept, so it may be asked again with more of them, and those told once must not
    change.
    """

    def __init__(self, spec: SweepSpec, objectives: Mapping[str, str] | None = None) -> None:
        metrics = {} if objectives is None else objectives
        self._walks = [_Walk(spec, each, metrics) for each in families(spec)]

    def legs(self, results: Results) -> list[Leg]:
        """Every run once, in order, with how far it is to go."""
        legs: dict[str, Leg] = {}
        for walk in self._walks:
            real = real_run(walk.family.dataset)
            for run_id, leg in {real.id: Leg(real, real.steps), **walk.legs(results)}.items():
                if run_id not in legs or legs[run_id].until < leg.until:
                    legs[run_id] = leg
        return list(legs.values())

    def searched(self) -> set[str]:
        """The ids of the runs so far whose family has several configurations to choose from."""
        return {run.id for walk in self._walks if walk.chooses for run in walk.made}


class _Walk:
    """One family's way through its space."""

    def __init__(self, spec: SweepSpec, family: Family, objectives: Mapping[str, str]) -> None:
        self.family = family
        self._spec, self._objectives = spec, objectives
        self._propose = _proposals(spec, family)
        self._eta, rungs = (spec.halving, spec.rungs or RUNGS) if spec.halving else (1, 0)
        self._ladder = Ladder(self._eta, rungs)
        self._runs: dict[tuple[str, bool], list[RunSpec]] = {}

    @property
    def chooses(self) -> bool:
        """Whether it tries several configurations."""
        return (self._spec.trials or len(self._propose(lambda _: None))) > 1

    @property
    def made(self) -> Iterator[RunSpec]:
        """The runs of all configurations so far."""
        return itertools.chain.from_iterable(self._runs.values())

    def legs(self, results: Results) -> dict[str, Leg]:
        """Those of the configurations asked for so far; when all have ended, those of the best with all seeds."""
        tried = self._propose(lambda batch: self._told(batch, results))
        legs = {leg.run.id: leg for each in tried for leg in self._legs(each)}
        if self._spec.top is not None and self._ladder.over(map(_key, tried)):
            runs = (run for each in self._best(tried) for run in self._of(each, searching=False))
            legs |= {run.id: Leg(run, run.steps) for run in runs}
        return legs

    def _legs(self, configuration: Configuration) -> list[Leg]:
        """A configuration's runs, and how far they are to go."""
        rung = self._ladder.places[_key(configuration)].rung
        return [Leg(run, self._rung_steps(run)[rung]) for run in self._of(configuration, searching=True)]

    def _rung_steps(self, run: RunSpec) -> tuple[int, ...]:
        return rung_steps(run.steps, self._eta, self._ladder.top)

    def _told(self, batch: Sequence[Configuration], results: Results) -> list[Told] | None:
        """What came of a batch; None where some of it has not ended."""
        by_key = {_key(each): each for each in batch}
        if not self._ladder.climb(by_key, lambda key, rung: self._loss(by_key[key], rung, results)):
            return None
        places = [self._ladder.places[_key(each)] for each in batch]
        return [Told(loss, None if rung == self._ladder.top else rung) for rung, loss in places if loss is not None]

    def _best(self, tried: Sequence[Configuration]) -> list[Configuration]:
        """The `top` of them. Those that are one run are one configuration."""
        ended = [(loss, each) for each in tried if (loss := self._ladder.ended(_key(each))) < math.inf]
        by_loss = [each for _, each in sorted(ended, key=lambda pair: pair[0])]
        distinct = {self._of(each, searching=True)[0].id: each for each in by_loss}
        return list(distinct.values())[: self._spec.top]

    def _loss(self, configuration: Configuration, rung: int, results: Results) -> float | None:
        """By the mean of its seeds; inf where one has no objective, None where one has not come so far.

        At a rung it is NaN where all go on and one's is undefined: divergences of modes are, until a sample is good.
        """
        wanted = [(run.id, self._rung_steps(run)[rung]) for run in self._of(configuration, searching=True)]
        if any(each not in results for each in wanted):
            return None
        found = [value for each in wanted if (value := results[each]) is not None]
        if len(found) < len(wanted):
            return math.inf
        if not all(map(math.isfinite, found)):
            return math.nan if rung < self._ladder.top else math.inf
        direction = names.direction(self._objectives.get(self.family.dataset.name, ""))
        return names.loss(math.fsum(found) / len(found), direction)

    def _of(self, configuration: Configuration, *, searching: bool) -> list[RunSpec]:
        """The runs of a configuration, for the search's seeds or for all."""
        key = _key(configuration), searching
        if key not in self._runs:
            seeds = self._spec.search_seeds if searching and self._spec.search_seeds else self._spec.seeds
            self._runs[key] = self.family.runs(self._spec, configuration, seeds)
        return self._runs[key]


def _key(configuration: Configuration) -> str:
    return repr(sorted(configuration.items()))


def _proposals(spec: SweepSpec, family: Family) -> Callable[[TellOf], list[Configuration]]:
    """What gives the family's configurations, as far as what came of those before lets them be known."""
    if spec.sampler not in ("grid", "random"):
        return Study(spec, family).proposed
    drawn = configurations(spec, family.choices)
    tried = drawn if family.first is None else [family.first, *drawn[1:]]

    def proposed(tell_of: TellOf) -> list[Configuration]:
        tell_of(tried)
        return tried

    return proposed


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


def cost(leg: Leg) -> float:
    """How long a run takes, in gradient steps: what comes first where cores are to be kept busy."""
    run = leg.run
    if run.variant not in VARIANTS:
        return math.inf  # the real-data row makes the reference statistics that the others wait for
    phases = VARIANTS.get(run.variant).phases
    settings = {hyper.name: hyper.default for hyper in TRAINER} | run.settings
    repeats = (phase.repeat if isinstance(phase.repeat, int) else int(settings[phase.repeat]) for phase in phases)
    return float(leg.until * sum(repeats))
