"""Search spaces by name: what each variant declares of itself, and the published ones of Lucic et al. 2018.

Lucic et al. 2018, Are GANs created equal? A large-scale study: ranges and defaults from the authors' code. What it does
not name keeps the value of the variant and the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ganbench.canonical import Scalar
from ganbench.errors import UnknownNameError
from ganbench.networks import Network
from ganbench.spec import Range
from ganbench.training.settings import defaults, hypers, switches_on
from ganbench.variants.base import Hyper, Variant

Choice = Scalar | list[Scalar] | Range
Choices = Mapping[str, Choice]
Configuration = dict[str, Scalar]
Setting = TypeVar("Setting")

SPACES = {
    "own": "the ranges that the settings declare, of those that the variant has on",
    "lucic-wide": "the wide ranges of Lucic et al. 2018",
    "lucic-narrow": "the narrow ranges of Lucic et al. 2018",
}
"""The spaces and what they are."""


def space(name: str, variant: Variant, network: Network) -> tuple[Choices, Configuration]:
    """The space of that name for a variant and network, and the configuration that is tried first: the defaults.

    UnknownNameError where there is no such space, or where it says nothing of the variant.
    """
    if name not in SPACES:
        raise UnknownNameError("space", name, SPACES)
    if name == "own":
        return _own(variant, network)
    if variant.name not in _FIRST:
        raise UnknownNameError(f"variant of space {name!r}", variant.name, _FIRST)
    known = hypers(variant, network)
    ranges, first = _lucic(name, variant.name), {**_ALWAYS, **_FIRST[variant.name]}
    return _of(known, ranges), _of(known, first)


def _own(variant: Variant, network: Network) -> tuple[Choices, Configuration]:
    values, on = defaults(variant, network), switches_on(variant, network)
    searched = {
        name: _choice(hyper)
        for name, hyper in hypers(variant, network).items()
        if hyper.space is not None and (not hyper.switch or name in on) and _matters(name, variant, values)
    }
    return searched, {name: values[name] for name in searched}


def _choice(hyper: Hyper) -> Choice:
    if isinstance(hyper.space, tuple):
        return list(hyper.space)
    assert hyper.space is not None
    return Range(low=hyper.space.low, high=hyper.space.high, log=hyper.space.log)


def _matters(name: str, variant: Variant, values: Mapping[str, Scalar]) -> bool:
    """Whether the setting changes anything: β1 is Adam's, and a variant without a discriminator repeats none."""
    if name == "beta1":
        return values["optimizer"] == "adam"
    return name != "n_dis" or any(phase.repeat == name for phase in variant.phases)


def _log(low: float, high: float) -> Range:
    return Range(low=low, high=high, log=True)


_ALWAYS: Configuration = {"optimizer": "adam", "beta2": 0.999}
"""The authors' code trains all variants by Adam at TensorFlow's β2, the WGAN too."""

_FIRST: Mapping[str, Configuration] = {
    "minimax": {"beta1": 0.0, "lr": 5e-5, "n_dis": 1, "norm": "batch"},
    "ns": {"beta1": 0.0, "lr": 5e-5, "n_dis": 1, "norm": "batch"},
    "lsgan": {"beta1": 0.5, "lr": 2e-4, "n_dis": 1, "norm": "batch"},
    "wgan": {"beta1": 0.5, "lr": 5e-5, "n_dis": 5, "norm": "batch", "clip": 0.01},
    "wgan-gp": {"beta1": 0.5, "lr": 1e-4, "n_dis": 5, "norm": "none", "gp": 10.0},
    "dragan": {"beta1": 0.5, "lr": 1e-4, "n_dis": 1, "norm": "batch", "dragan": 10.0},
    "began": {"beta1": 0.5, "lr": 1e-4, "n_dis": 5, "norm": "none", "began_lambda": 0.001, "began_gamma": 0.75},
    "vae": {"beta1": 0.5, "lr": 5e-5},
}
"""The defaults that the authors try first."""

_OWN_OF_WIDE: Mapping[str, Choices] = {
    "wgan": {"clip": _log(1e-3, 1.0)},
    "wgan-gp": {"gp": _log(0.1, 100.0)},
    "dragan": {"dragan": _log(0.1, 100.0)},
    "began": {"began_lambda": _log(1e-4, 1e-2), "began_gamma": Range(low=0.0, high=1.0)},
}
_OWN_OF_NARROW: Mapping[str, Choices] = {
    "wgan": {"clip": _log(1e-2, 1.0)},
    "wgan-gp": {"gp": _log(0.1, 10.0), "norm": "none"},
    "dragan": {"dragan": _log(0.1, 10.0), "norm": "none"},
    "began": {"began_lambda": 0.001, "began_gamma": Range(low=0.6, high=0.9)},
}


def _lucic(name: str, variant: str) -> Choices:
    adam: Choices = {"beta1": Range(low=0.0, high=1.0), "lr": _log(1e-5, 1e-2)}
    discriminator: Choices = {"n_dis": [1, 5], "norm": ["batch", "none"]}
    own = _OWN_OF_WIDE
    if name == "lucic-narrow":
        adam = {"beta1": 0.5, "lr": _log(1e-4, 1e-3)}
        discriminator = {"n_dis": 1, "norm": ["batch", "none"]}
        own = _OWN_OF_NARROW
    if variant == "vae":
        return {**_ALWAYS, **adam}
    return {**_ALWAYS, **adam, **discriminator, **own.get(variant, {})}


def _of(known: Mapping[str, Hyper], values: Mapping[str, Setting]) -> dict[str, Setting]:
    """Those of the settings that the variant and network have."""
    return {name: value for name, value in values.items() if name in known}
