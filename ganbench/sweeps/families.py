"""The families of a sweep: each variant on each data set with each network, and what of it is searched."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ganbench.data import Dataset, find
from ganbench.errors import SpecError, UnknownNameError
from ganbench.networks import NETWORKS
from ganbench.spec import Range, RunSpec, SweepSpec
from ganbench.sweeps.spaces import Choices, Configuration, space
from ganbench.training.settings import choose_network, full, hypers, resolve, switches_on
from ganbench.variants.base import VARIANTS, Variant


@dataclass(frozen=True)
class Family:
    """A variant, data set and network, whose configurations are compared.

    `choices` are the settings that the sweep says something of; `first` is the configuration that a search space has
    tried before all others, None where there is no space.
    """

    variant: Variant
    dataset: Dataset
    network: str
    choices: Choices
    first: Configuration | None = None

    @property
    def name(self) -> str:
        """DATASET/VARIANT/NETWORK: part of the name of its stream of random numbers."""
        return f"{self.dataset.name}/{self.variant.name}/{self.network}"

    @property
    def ranges(self) -> list[str]:
        """The settings that are drawn from a range."""
        return [name for name, value in self.choices.items() if isinstance(value, Range)]

    @property
    def drawn(self) -> list[str]:
        """The settings that are drawn, from a range or a list."""
        return [name for name, value in self.choices.items() if isinstance(value, Range | list)]

    def runs(self, spec: SweepSpec, configuration: Configuration, seeds: Iterable[int]) -> list[RunSpec]:
        """The configuration's runs."""
        run = resolve(self.variant.name, self.dataset, network=self.network, steps=spec.steps, overrides=configuration)
        if spec.budget is not None:
            run = run.model_copy(update={"steps": self._steps(run, spec.budget)})
        return [run.model_copy(update={"seed": seed}) for seed in seeds]

    def _steps(self, run: RunSpec, budget: dict[str, int]) -> int:
        """Turns of all players that the budget pays for; a variant without a discriminator pays one D step a turn."""
        settings = full(run, self.dataset)
        repeats = {phase.repeat for phase in self.variant.phases}
        d_steps = int(settings["n_dis"]) if "n_dis" in repeats else 1
        g_steps = int(settings.get("n_gen", 1)) if "n_gen" in repeats else 1
        price = {"d_steps": d_steps, "g_steps": g_steps, "images": d_steps * int(settings["batch_size"])}
        ((unit, amount),) = budget.items()
        if amount < price[unit]:
            raise SpecError(f"a budget of {unit} = {amount} is less than one step of {self.name}: {price[unit]}")
        return amount // price[unit]


def families(spec: SweepSpec) -> list[Family]:
    """Those of the sweep, data set by data set.

    A setting applies to the variants and networks that have it; one that none has is an UnknownNameError. A switch that
    some of the variants have on by themselves (the penalty of WGAN-GP) applies to those alone. What is set wins over
    the space.
    """
    found = list(_families(spec))
    for name in sorted(spec.set):
        if not any(name in hypers(family.variant, NETWORKS.get(family.network)) for family in found):
            known = (hypers(family.variant, NETWORKS.get(family.network)) for family in found)
            raise UnknownNameError("setting", name, set().union(*known))
    return found


def _families(spec: SweepSpec) -> Iterator[Family]:
    cards, networks = [VARIANTS.get(name) for name in spec.variants], spec.networks or (None,)
    for dataset in map(find, spec.datasets):
        on = {network: _switches_on(cards, dataset, network) for network in networks}
        for variant, network in itertools.product(cards, networks):
            theirs = set().union(*on[network].values()) - on[network][variant.name]
            yield _family(spec, variant, dataset, choose_network(variant, dataset, network).name, theirs)


def _switches_on(cards: Iterable[Variant], dataset: Dataset, network: str | None) -> dict[str, set[str]]:
    """The switches that each of the sweep's variants has on by itself."""
    return {card.name: switches_on(card, choose_network(card, dataset, network)) for card in cards}


def _family(spec: SweepSpec, variant: Variant, dataset: Dataset, network: str, theirs: set[str]) -> Family:
    card = NETWORKS.get(network)
    known = hypers(variant, card).keys() - theirs
    given = {name: value for name, value in spec.set.items() if name in known}
    if spec.space is None:
        return Family(variant, dataset, network, given)
    searched, first = space(spec.space, variant, card)
    constants = {name: value for name, value in given.items() if not isinstance(value, Range | list)}
    return Family(variant, dataset, network, {**searched, **given}, {**first, **constants})
