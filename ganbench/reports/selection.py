"""Which of several configurations a leaderboard shows: where a search left held-out scores, the one they choose."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, TypeVar

from ganbench.reports import names
from ganbench.reports.names import Direction
from ganbench.spec import SELECTION, STEP

RUNG = STEP
"""In the protocol of what a run scored at a rung, before its end."""

SHOWN = "shown scores"
"""What a configuration was chosen by, where no others are there."""

_LOOK = re.compile(rf"{RUNG}=(\d+)")
_MARK = {f"{key}={value}" for key, value in SELECTION.items()}

T = TypeVar("T")


class Chosen(NamedTuple):
    """The groups of the configurations that an objective compared, the best first, and what it is."""

    groups: tuple[str, ...]
    by: str

    @property
    def group(self) -> str:
        """That of the configuration that is shown."""
        return self.groups[0]


@lru_cache(maxsize=4096)
def selects(protocol: str) -> bool:
    """Whether scores of this protocol are there to choose by: they make no rows."""
    return set(protocol.split()) >= _MARK


@lru_cache(maxsize=4096)
def at_rung(protocol: str) -> bool:
    """Whether scores of this protocol were taken on the way: they choose who goes on, and not what is shown."""
    return any(part.startswith(f"{RUNG}=") for part in protocol.split())


@lru_cache(maxsize=4096)
def looked(protocol: str) -> tuple[int, str] | None:
    """The step of a look, and the protocol of the run's end; None for a protocol that is of no look."""
    parts = protocol.split(" ")
    step = next(filter(None, map(_LOOK.fullmatch, parts)), None)
    if step is None or selects(protocol):
        return None
    return int(step[1]), " ".join(part for part in parts if part != step[0])


def named(metric: str, protocol: str) -> str:
    """`fid on valid`, where real data are held out; `kl on selection`, where the sample alone is another."""
    return f"{metric} on {'valid' if 'split=valid' in protocol.split() else 'selection'}"


def fitting(chosen: Mapping[str, T], metric: str) -> T | None:
    """Of what each objective chose, that of the metric itself, else that of the primary objective."""
    objective = metric if metric in chosen else names.primary(chosen)
    return None if objective is None else chosen[objective]


def merit(mean: float, ended: int, lost: int, better: Direction) -> tuple[int, bool, float]:
    """Sorts the best first, as a search does: of those that ran with most seeds, by the mean; those of which a run was
    `lost` (diverged or failed) last. So what was tried with one seed gives way to what was confirmed with many.
    """
    bad = lost > 0 or not math.isfinite(mean)
    return -ended, bad, math.inf if math.isnan(mean) else names.loss(mean, better)
