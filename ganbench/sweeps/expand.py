"""From a SweepSpec to its RunSpecs."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping

from ganbench.data import Dataset, find
from ganbench.errors import SpecError, UnknownNameError
from ganbench.networks import NETWORKS
from ganbench.rng import derive
from ganbench.spec import Range, RunSpec, Scalar, SweepSpec
from ganbench.training.settings import choose_network, hypers, real_run, resolve, switches_on
from ganbench.variants.base import VARIANTS, Variant
from ganbench.variants.hypers import TRAINER

Configuration = dict[str, Scalar]
Choices = Mapping[str, Scalar | list[Scalar] | Range]


def expand(spec: SweepSpec) -> list[RunSpec]:
    """Every run of the sweep once, each data set's real-data row first; faults in any of them are errors now.

    A setting applies to the variants and networks that have it; one that none has is an UnknownNameError. A switch that
    some of the variants have on by themselves (the penalty of WGAN-GP) applies to those alone.
    """
    runs: dict[str, RunSpec] = {}
    unused = set(spec.set)
    for dataset in [find(name) for name in spec.datasets]:
        runs.setdefault(real_run(dataset).id, real_run(dataset))
        on = {network: _switches_on(spec, dataset, network) for network in spec.networks or (None,)}
        for variant, network in itertools.product(map(VARIANTS.get, spec.variants), spec.networks or (None,)):
            chosen = choose_network(variant, dataset, network).name
            known = hypers(variant, NETWORKS.get(chosen))
            unused -= known.keys()
            theirs = set().union(*on[network].values()) - on[network][variant.name]
            choices = {key: value for key, value in spec.set.items() if key in known.keys() - theirs}
            for run in _runs(spec, variant, dataset, chosen, choices):
                runs.setdefault(run.id, run)
    if unused:
        raise UnknownNameError("setting", sorted(unused)[0], _all_settings(spec))
    return list(runs.values())


def _switches_on(spec: SweepSpec, dataset: Dataset, network: str | None) -> dict[str, set[str]]:
    """The switches that each of the sweep's variants has on by itself."""
    cards = [VARIANTS.get(name) for name in spec.variants]
    return {card.name: switches_on(card, choose_network(card, dataset, network)) for card in cards}


def _runs(spec: SweepSpec, variant: Variant, dataset: Dataset, network: str, choices: Choices) -> Iterator[RunSpec]:
    for configuration in configurations(spec, choices):
        for seed in spec.seeds:
            yield resolve(variant.name, dataset, seed=seed, network=network, steps=spec.steps, overrides=configuration)


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


def _values(value: Scalar | list[Scalar] | Range) -> list[Scalar]:
    return value if isinstance(value, list) else [value]  # type: ignore[list-item]  # no Range on a grid


def _draw(value: Scalar | list[Scalar] | Range, generator: random.Random) -> Scalar:
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


def _all_settings(spec: SweepSpec) -> set[str]:
    names: set[str] = set()
    for dataset, variant in itertools.product(map(find, spec.datasets), map(VARIANTS.get, spec.variants)):
        for network in spec.networks or (None,):
            names |= hypers(variant, choose_network(variant, dataset, network)).keys()
    return names


def cost(run: RunSpec) -> float:
    """How long a run takes, in gradient steps: what comes first where cores are to be kept busy."""
    if run.variant not in VARIANTS:
        return math.inf  # the real-data row makes the reference statistics that the others wait for
    phases = VARIANTS.get(run.variant).phases
    settings = {hyper.name: hyper.default for hyper in TRAINER} | run.settings
    repeats = (phase.repeat if isinstance(phase.repeat, int) else int(settings[phase.repeat]) for phase in phases)
    return float(run.steps * sum(repeats))
