"""Whether scores are what they were: the decision, and what it is made of."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ganbench.errors import SpecError
from ganbench.regression.baseline import Decision
from ganbench.regression.recorded import Distribution, Key
from ganbench.reports import names, statistics
from ganbench.reports.names import DirectionOf
from ganbench.reports.statistics import Array

LOST = -math.inf
"""The merit of a run without a score: worse than any."""


class Finding(enum.StrEnum):
    """What came of one comparison."""

    SAME = "as recorded"
    WORSE = "worse"
    DIFFERENT = "different"
    NOT_COMPARABLE = "not comparable"
    MISSING = "missing"
    UNRECORDED = "not recorded"


class Verdict(NamedTuple):
    """A comparison: what it is of, what was found, and why, in a sentence. `p` is adjusted for all of a baseline's."""

    name: str
    finding: Finding
    said: str
    p: float = 1.0

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against it."""
        return self.finding is Finding.SAME


def judge(
    recorded: Sequence[Distribution],
    now: Sequence[Distribution],
    decision: Decision,
    direction: DirectionOf = names.direction,
) -> list[Verdict]:
    """A verdict for all that is recorded and for all that is there now, in that order.

    Random scores are compared by the exact one-sided rank-sum test of the recorded seeds against others, a lost run
    being worse than any score; the p-values of a baseline are adjusted by Holm, so that unchanged code, whose scores
    come of the same distribution, is called changed with at most `decision.alarm` in all. With a margin, now's scores
    are first made better by so much, and the chance is lower still. "equivalence" tests both sides at half of it.
    Scores that are not random are compared by their tolerance.
    """
    found = {each.identity: each for each in now}
    pairs = [(each, found.pop(each.identity, None)) for each in recorded]
    random = [(old, new) for old, new in pairs if new is not None and old.tolerance is None]
    _can_alarm(random, decision)
    adjusted = statistics.holm([_p_value(old, new, decision, direction) for old, new in random])
    p_values = {old.identity: p for (old, _), p in zip(random, adjusted, strict=True)}
    others = {each.key: each for each in found.values()}
    verdicts = [_verdict(old, new, p_values.get(old.identity), others, decision, direction) for old, new in pairs]
    explained = {old.key for old, new in pairs if new is None}
    return verdicts + [_unrecorded(each) for each in found.values() if each.key not in explained]


def _can_alarm(random: Sequence[tuple[Distribution, Distribution]], decision: Decision) -> None:
    """SpecError where no result at all could be called worse: so few seeds would guard nothing."""
    sides = 2 if decision.test == "equivalence" else 1
    for old, new in random:
        least = sides * len(random) / math.comb(len(old.values) + len(new.values), len(new.values))
        if least >= decision.alarm:
            raise SpecError(
                f"{len(new.values)} seeds against {len(old.values)} recorded ones cannot fall short of {old.name} at a "
                f"false-alarm rate of {decision.alarm:g} among {len(random)} comparisons: use more seeds"
            )


def _p_value(old: Distribution, new: Distribution, decision: Decision, direction: DirectionOf) -> float:
    x, y = _merits(old, direction), _merits(new, direction)
    spread = float(statistics.std(x[np.isfinite(x)]))
    allowed = decision.margin * spread if math.isfinite(spread) else 0.0
    worse = statistics.superiority_p([x], [y + allowed])
    if decision.test == "non-inferiority":
        return worse
    return min(1.0, 2 * min(worse, statistics.superiority_p([y], [x + allowed])))


def _merits(each: Distribution, direction: DirectionOf) -> Array:
    better = direction(each.metric)
    return np.array([-names.loss(value, better) if math.isfinite(value) else LOST for value in each.values])


def _verdict(
    old: Distribution,
    new: Distribution | None,
    p: float | None,
    others: dict[Key, Distribution],
    decision: Decision,
    direction: DirectionOf,
) -> Verdict:
    if new is None:
        return _not_there(old, others.get(old.key))
    if p is None:
        return _exact(old, new)
    said = f"{_summary(old)}, now {_summary(new)}"
    if p >= decision.alarm:
        return Verdict(old.name, Finding.SAME, said, p)
    chance = float(statistics.probability_of_improvement([_merits(old, direction)], [_merits(new, direction)]))
    finding = Finding.WORSE if chance > 0.5 else Finding.DIFFERENT
    return Verdict(old.name, finding, f"{said}: worse in {chance:.0%} of pairs, p = {p:.2g}", p)


def _exact(old: Distribution, new: Distribution) -> Verdict:
    (was,), (now_is,) = old.values[:1], new.values[:1]
    tolerance = old.tolerance or 0.0
    same = (math.isnan(was) and math.isnan(now_is)) or math.isclose(was, now_is, rel_tol=tolerance)
    said = f"{was:.6g}, now {now_is:.6g} (may differ by {tolerance:g} of it)"
    return Verdict(old.name, Finding.SAME if same else Finding.DIFFERENT, said)


def _not_there(old: Distribution, other: Distribution | None) -> Verdict:
    if other is None:
        return Verdict(old.name, Finding.MISSING, "was recorded, and nothing of its name is measured now")
    differing = sorted(
        name for name in old.facts.keys() | other.facts.keys() if old.facts.get(name) != other.facts.get(name)
    )
    said = "; ".join(
        f"{name} was {old.facts.get(name, 'not there')}, is {other.facts.get(name, 'not there')}" for name in differing
    )
    return Verdict(old.name, Finding.NOT_COMPARABLE, said)


def _unrecorded(new: Distribution) -> Verdict:
    return Verdict(new.name, Finding.UNRECORDED, f"{_summary(new)}: `ganbench check --update` records it")


def _summary(each: Distribution) -> str:
    values = np.array(each.finite())
    lost = len(each.values) - len(values)
    spread = float(statistics.std(values))
    if not len(values):
        return f"no score ({lost} seeds lost)"
    text = f"{float(statistics.mean(values)):.4g}" + (f" ± {spread:.2g}" if math.isfinite(spread) else "")
    return f"{text} ({len(each.values)} seeds" + (f", {lost} lost)" if lost else ")")
