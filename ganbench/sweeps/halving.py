"""Successive halving: configurations are compared at rungs of their length, and only the best go on from each.

Li et al. 2020, A system for massively parallel hyperparameter tuning, in the form that stops for good what is not
among the best so far. Where that decides at each arrival, this decides batch by batch: what is trained then follows
from the results alone, and not from which of them came first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from ganbench.spec import RunSpec

LossAt = Callable[[str, int], float | None]
"""The loss of a configuration, by its key, at a rung: inf where it failed, NaN where it is undefined as yet, None where
it is not known yet."""


class Leg(NamedTuple):
    """A run, and the step that it is to reach for now."""

    run: RunSpec
    until: int

    @property
    def whole(self) -> bool:
        """Whether the run ends with it."""
        return self.until >= self.run.steps


class Place(NamedTuple):
    """The rung that a configuration is to reach, and its loss there once that is known."""

    rung: int
    loss: float | None


def rung_steps(steps: int, eta: int, rungs: int) -> tuple[int, ...]:
    """Where a run of `steps` is looked at: after a part of eta^-rungs, ..., 1/eta, and at its end."""
    return tuple(math.ceil(steps / eta**left) for left in range(rungs, -1, -1))


class Ladder:
    """How far each configuration of a family has come: the best one in `eta` of all seen at a rung goes on from it.

    At least one of the first batch does, for one is the least that is kept. Of equal ones the earlier goes on; what is
    undefined comes after all that is defined, and what failed goes nowhere. With no rungs all go to their end.
    """

    def __init__(self, eta: int, rungs: int) -> None:
        self._eta, self.top = eta, rungs
        self._seen: list[list[float]] = [[] for _ in range(rungs)]  # of the batches that have ended
        self._ended: set[str] = set()
        self.places: dict[str, Place] = {}

    def climb(self, batch: Collection[str], loss_at: LossAt) -> bool:
        """Bring a batch as far as losses let it go; whether it has ended. One that has stays where it is."""
        alive, reached = list(dict.fromkeys(batch)), []
        if self.over(alive):
            return True
        self._ended.difference_update(alive)  # one may come again in a later batch
        for rung in range(self.top + 1):
            places = {key: Place(rung, loss_at(key, rung)) for key in alive}
            self.places |= places
            losses = {key: place.loss for key, place in places.items() if place.loss is not None}
            if len(losses) < len(places):
                return False
            if rung < self.top:
                reached.append(list(losses.values()))
                alive = self._best(losses, self._seen[rung])
        for seen, values in zip(self._seen, reached, strict=True):
            seen += values
        self._ended |= set(batch)
        return True

    def over(self, keys: Iterable[str]) -> bool:
        """Whether none of these goes any further."""
        return self._ended.issuperset(keys)

    def ended(self, key: str) -> float:
        """The loss of a configuration at its end; inf where it did not get there."""
        place = self.places[key]
        return place.loss if place.rung == self.top and place.loss is not None else math.inf

    def _best(self, losses: dict[str, float], before: list[float]) -> list[str]:
        """Those that are among the best one in eta of them and of what was there before."""
        everyone = [*((loss, "") for loss in before), *((loss, key) for key, loss in losses.items())]
        ordered = sorted(everyone, key=lambda pair: (math.isnan(pair[0]), pair[0]))
        ordered = [pair for pair in ordered if pair[0] != math.inf]
        best = {key for _, key in ordered[: max(1, len(everyone) // self._eta)]}
        return [key for key in losses if key in best]
