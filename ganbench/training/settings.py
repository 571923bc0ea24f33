"""From names and overrides to a RunSpec with every default applied: what a run's identity is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganbench.canonical import Scalar, digest, plain
from ganbench.data import Dataset
from ganbench.errors import SpecError, UnknownNameError
from ganbench.networks import NETWORKS, Network, default_for
from ganbench.spec import RunSpec
from ganbench.variants.base import VARIANTS, Hyper, Settings, Variant
from ganbench.variants.hypers import ASSEMBLED, NEEDS, NETWORK, OPTIONAL, TRAINER

REAL = "real"
"""The pseudo-variant that trains nothing and whose samples are training data: the ceiling of every metric."""

VERSION = 1
"""Of the training loop: raised when the same spec would train to other numbers."""


def choose_network(variant: Variant, dataset: Dataset, network: str | None = None) -> Network:
    """The network asked for, else the variant's for this kind of data, else the kind's own."""
    name = network or variant.networks.get(dataset.kind)
    return NETWORKS.get(name) if name else default_for(dataset.kind, dataset.shape)


def hypers(variant: Variant, network: Network) -> dict[str, Hyper]:
    """Every hyperparameter of the pair, by name: the trainer's, the network's, its players' and the variant's own."""
    of_network = [hyper for hyper in (*NETWORK, *OPTIONAL) if hyper.name in network.defaults]
    of_roles = [hyper for role in variant.roles.values() for hyper in ASSEMBLED.get(role, ()) if network.parts]
    alone = {name for name, fitting in NEEDS.items() if not fitting.issuperset(variant.roles.values())}
    common = {hyper.name: hyper for hyper in (*TRAINER, *of_network, *of_roles) if hyper.name not in alone}
    return {**common, **variant.own_hypers}


def defaults(variant: Variant, network: Network) -> dict[str, Scalar]:
    """The settings of the pair: each hyperparameter's default, the network's, the variant's presets, the tuned ones."""
    known = hypers(variant, network)
    values: dict[str, Scalar] = {name: hyper.default for name, hyper in known.items()}
    presets = (variant.presets.get(key, {}) for key in ("", network.kind, network.name))
    for layer in (network.defaults, *presets, network.tuned):
        values |= {name: value for name, value in layer.items() if name in known}
    return values


def switches_on(variant: Variant, network: Network) -> set[str]:
    """The switches that the pair's defaults turn on."""
    known, values = hypers(variant, network), defaults(variant, network)
    return {name for name, hyper in known.items() if hyper.switch and not _is_off(hyper, values[name])}


def numbers(variant: Variant, network: Network) -> set[str]:
    """The settings in which runs that train together may differ: real numbers that no network is built by."""
    built = {hyper.name for role in variant.roles.values() for hyper in ASSEMBLED.get(role, ())}
    real = {name for name, hyper in hypers(variant, network).items() if isinstance(hyper.default, float)}
    return real - built


def shape(spec: RunSpec) -> str:
    """What runs that train together have in common: all but the seed and numbers, of which only whether they are 0."""
    card = VARIANTS.get(spec.variant)
    free = numbers(card, NETWORKS.get(spec.network))
    settings = {name: bool(value) if name in free else value for name, value in spec.settings.items()}
    return digest({**spec.model_dump(exclude={"seed"}), "settings": settings})


def full(spec: RunSpec, dataset: Dataset) -> dict[str, Any]:
    """Every setting of a run, those too that are off and so not part of its identity; and what follows from the data.

    `inputs` are the numbers G is given for a sample, `pixels` the range of its images (None for points), `classes`
    those of the data, `scale` what G enlarges images by (0: it does not).
    """
    network = NETWORKS.get(spec.network)
    known = hypers(VARIANTS.get(spec.variant), network)
    values: dict[str, Any] = {name: hyper.default for name, hyper in known.items()} | spec.settings
    facts = {
        "classes": dataset.classes,
        "scale": network.scale,
        "inputs": network.inputs(dataset.shape, values),
        "pixels": network.pixels if network.kind == "images" else None,
    }
    return values | facts


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
    known = hypers(card, net)
    settings = _override(defaults(card, net), overrides or {}, known)
    _check_settings(settings, dataset, net)
    return RunSpec(
        variant=card.name,
        dataset=dataset.name,
        network=net.name,
        seed=seed,
        steps=steps if steps is not None else int(net.defaults["steps"]),
        settings={name: plain(value) for name, value in settings.items() if not _is_off(known[name], value)},
        versions={"variant": card.version, "network": net.version, "dataset": dataset.version, "training": VERSION},
    )


def real_run(dataset: Dataset) -> RunSpec:
    """The run that trains nothing: its samples are the data set's own training samples."""
    return RunSpec(
        variant=REAL, dataset=dataset.name, network="none", seed=0, steps=0, versions={"dataset": dataset.version}
    )


_MAY_BE_LEFT_OUT = ("prior", "latent_dim")
"""Of a variant's presets: a network that has them otherwise is no other method."""


def _is_off(hyper: Hyper, value: Scalar) -> bool:
    return hyper.switch and value == hyper.default


def _check_settings(settings: Mapping[str, Scalar], dataset: Dataset, network: Network) -> None:
    """SpecError for values that do not go together."""
    conditional, pack = settings.get("conditioning", "none") != "none", int(settings.get("pack", 1))
    if conditional and not dataset.classes:
        raise SpecError(f"data set {dataset.name!r} has no classes to condition on")
    if conditional and pack > 1:
        raise SpecError("a packed discriminator cannot be told classes: use pack = 1 or conditioning = 'none'")
    if (settings.get("prior") == "low_resolution") != bool(network.scale):
        raise SpecError(f"prior {settings['prior']!r} is not for network {network.name!r}")
    if int(settings["batch_size"]) % pack:
        raise SpecError(f"batch_size {settings['batch_size']} is not a multiple of pack {pack}")


def _check_fit(variant: Variant, network: Network, dataset: Dataset) -> None:
    if network.kind != dataset.kind:
        fitting = ", ".join(card.name for card in NETWORKS if card.kind == dataset.kind)
        raise SpecError(
            f"network {network.name!r} is for {network.kind}, "
            f"data set {dataset.name!r} holds {dataset.kind}: use {fitting}"
        )
    if dataset.kind not in variant.kinds:
        raise SpecError(f"variant {variant.name!r} is for {' and '.join(variant.kinds)}, {dataset.name!r} holds points")
    network.check_shape(dataset.shape)
    network.check_roles(variant.roles)
    known = hypers(variant, network)
    for name, value in variant.presets.get("", {}).items():
        if name not in known and name not in _MAY_BE_LEFT_OUT and value != "none":
            raise SpecError(f"variant {variant.name!r} needs {name}, which network {network.name!r} does not have")


def _override(
    values: dict[str, Scalar], overrides: Mapping[str, Scalar], known: Mapping[str, Hyper]
) -> dict[str, Scalar]:
    for name, value in overrides.items():
        if name not in known:
            raise UnknownNameError("setting", name, known)
        checked = known[name].check(value)
        values[name] = _with_content(str(checked)) if known[name].file and checked else checked
    return values


def _with_content(path: str) -> str:
    """PATH@hash, 8 hex digits of the file's SHA-256, which are part of a run's identity. SpecError without a file."""
    path = path.partition("@")[0]
    try:
        with Path(path).open("rb") as file:
            return f"{path}@{hashlib.file_digest(file, 'sha256').hexdigest()[:8]}"
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from None
