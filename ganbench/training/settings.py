"""From names and overrides to a RunSpec with every default applied: what a run's identity is made of."""

from __future__ import annotations

from collections.abc import Mapping

from ganbench.data import Dataset
from ganbench.errors import SpecError, UnknownNameError
from ganbench.networks import NETWORKS, Network, default_for
from ganbench.spec import RunSpec, Scalar, plain
from ganbench.variants.base import VARIANTS, Hyper, Settings, Variant
from ganbench.variants.hypers import NETWORK, TRAINER

REAL = "real"
"""The pseudo-variant that trains nothing and whose samples are training data: the ceiling of every metric."""

VERSION = 1
"""Of the training loop: raised when the same spec would train to other numbers."""


def choose_network(variant: Variant, dataset: Dataset, network: str | None = None) -> Network:
    """The network asked for, else the variant's for this kind of data, else the kind's own."""
    name = network or variant.networks.get(dataset.kind)
    return NETWORKS.get(name) if name else default_for(dataset.kind, dataset.shape)


def hypers(variant: Variant, network: Network) -> dict[str, Hyper]:
    """Every hyperparameter of the pair, by name: the trainer's, the network's and the variant's own."""
    of_network = [hyper for hyper in NETWORK if hyper.name in network.defaults]
    return {hyper.name: hyper for hyper in (*TRAINER, *of_network, *variant.hypers)}


def defaults(variant: Variant, network: Network) -> dict[str, Scalar]:
    """The settings of the pair: each hyperparameter's default, the network's, the variant's presets, the tuned ones."""
    known = hypers(variant, network)
    values: dict[str, Scalar] = {name: hyper.default for name, hyper in known.items()}
    presets = (variant.presets.get(key, {}) for key in ("", network.kind, network.name))
    for layer in (network.defaults, *presets, network.tuned):
        values |= {name: value for name, value in layer.items() if name in known}
    return values


def resolve(
    variant: str,
    dataset: Dataset,
    *,
    seed: int = 0,
    network: str | None = None,
    steps: int | None = None,
    overrides: Settings | None = None,
) -> RunSpec:
    """The RunSpec of these choices; SpecError for a setting that does not exist, or is of the wrong type or range."""
    if variant == REAL:
        return real_run(dataset)
    card = VARIANTS.get(variant)
    net = choose_network(card, dataset, network)
    _check_fit(card, net, dataset)
    settings = _override(defaults(card, net), overrides or {}, hypers(card, net))
    return RunSpec(
        variant=card.name,
        dataset=dataset.name,
        network=net.name,
        seed=seed,
        steps=steps if steps is not None else int(net.defaults["steps"]),
        settings={name: plain(value) for name, value in settings.items()},
        versions={"variant": card.version, "network": net.version, "dataset": dataset.version, "training": VERSION},
    )


def real_run(dataset: Dataset) -> RunSpec:
    """The run that trains nothing: its samples are the data set's own training samples."""
    return RunSpec(
        variant=REAL, dataset=dataset.name, network="none", seed=0, steps=0, versions={"dataset": dataset.version}
    )


def _check_fit(variant: Variant, network: Network, dataset: Dataset) -> None:
    if network.kind != dataset.kind:
        fitting = ", ".join(card.name for card in NETWORKS if card.kind == dataset.kind)
        raise SpecError(
            f"network {network.name!r} is for {network.kind}, "
            f"data set {dataset.name!r} holds {dataset.kind}: use {fitting}"
        )
    network.check_shape(dataset.shape)


def _override(
    values: dict[str, Scalar], overrides: Mapping[str, Scalar], known: Mapping[str, Hyper]
) -> dict[str, Scalar]:
    for name, value in overrides.items():
        if name not in known:
            raise UnknownNameError("setting", name, known)
        values[name] = known[name].check(value)
    return values
