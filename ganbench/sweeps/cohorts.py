"""Which runs of a sweep train together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ganbench.data import find
from ganbench.errors import SpecError
from ganbench.networks import NETWORKS
from ganbench.spec import RunSpec
from ganbench.sweeps.halving import Leg
from ganbench.training.settings import REAL, shape

LARGEST = {("points", "cpu"): 32, ("points", "cuda"): 1024, ("images", "cpu"): 1, ("images", "cuda"): 16}
"""Runs in a cohort that `auto` makes at most, by kind of data and device. On a CPU 64 small runs gain no more than 32,
and networks for images are slower stacked than alone (docs/performance.md). On a GPU the numbers are guesses at what
memory holds; nothing was measured there. What does not fit is halved."""

SMALLEST = 4
"""With fewer runs `auto` trains each alone: stacking then gains little, and a run alone is the same everywhere."""


def size(text: str) -> int | None:
    """A `--cohort`: None for auto, 1 for off, or the largest number of runs. SpecError for anything else."""
    if text == "auto":
        return None
    if text == "off":
        return 1
    if not text.isdecimal() or int(text) < 1:
        raise SpecError(f"--cohort takes auto, off or a whole number above 0, got {text!r}")
    return int(text)


def cohorts(legs: Sequence[Leg], largest: int | None, device: str, workers: int) -> list[tuple[Leg, ...]]:
    """All runs of a round as cohorts, in their order; of the sweep alone, so that a resumed one makes the same.

    `auto` (None) spreads the runs of a shape over the workers.
    """
    alike: dict[tuple[str, int], list[Leg]] = defaultdict(list)
    for leg in legs:
        alike[leg.run.id if _alone(leg.run) else shape(leg.run), leg.until].append(leg)
    return [part for group in alike.values() for part in _parts(group, largest, device, workers)]


def _alone(run: RunSpec) -> bool:
    return run.variant == REAL or NETWORKS.get(run.network).alone


def _parts(group: Sequence[Leg], largest: int | None, device: str, workers: int) -> Iterator[tuple[Leg, ...]]:
    many = _auto(group, device, workers) if largest is None else largest
    for start in range(0, len(group), many):
        yield tuple(group[start : start + many])


def _auto(group: Sequence[Leg], device: str, workers: int) -> int:
    most = LARGEST[find(group[0].run.dataset).kind, "cuda" if device.startswith("cuda") else "cpu"]
    many = min(most, -(-len(group) // workers))
    return many if many >= SMALLEST else 1
