"""A user's own variant, declared by a decorator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ganbench.variants.base import VARIANTS, Phase, Variant

Phases = tuple[Phase, ...]


def variant(name: str, **card: Any) -> Callable[[Callable[[], Phases]], Variant]:
    """Register a variant: the decorated function returns its phases, its docstring says what it is.

    `card` are further fields of `Variant`: presets, hypers, roles, networks, paper, year, family, title, version.
    Raise `version` when the losses change, or old results will be taken for new ones.

        @ganbench.variant("my-gan", presets={"points": {"lr": 1e-3}})
        def my_gan():
            "The hinge loss for D, the non-saturating one for G."
            return ganbench.discriminator(losses.hinge_d), ganbench.generator(losses.non_saturating_g)
    """

    def register(phases: Callable[[], Phases]) -> Variant:
        doc = (phases.__doc__ or "").strip()
        facts: dict[str, Any] = {"title": name, "family": "own", "paper": "", "year": 0, "doc": doc} | card
        return VARIANTS.add(Variant(name=name, phases=tuple(phases()), **facts))

    return register
