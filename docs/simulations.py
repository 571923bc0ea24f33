"""The rates that docs/reports.md, docs/check.md and docs/design.md state of statistics over seeds, simulated anew.

    python docs/simulations.py

Half a minute. Values are normal; the numbers are the part of the repetitions in which an interval held the true mean,
equal rows were told apart, or a change was seen.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from ganbench.reports import statistics


def coverage(n: int, repetitions: int = 2000) -> tuple[float, float]:
    """Of 95 % intervals of n values: plain percentiles, and those of ganbench."""
    generator = np.random.default_rng(n)
    samples = generator.normal(size=(repetitions, n))
    drawn = samples[:, generator.integers(n, size=(2000, n))].mean(axis=-1)
    plain = np.quantile(drawn, [0.025, 0.975], axis=1)
    ours = np.array([statistics.bootstrap_interval(sample) for sample in samples]).T
    return tuple(float(np.mean((low <= 0) & (high >= 0))) for low, high in (plain, ours))  # type: ignore[return-value]


def band_coverage(n: int) -> float:
    """Of bands of performance profiles of n seeds, exactly: over parts of runs that reach tau, all alike likely."""
    chances = np.linspace(0.0005, 0.9995, 1000)
    reach = np.arange(n + 1)
    rows = [np.r_[np.ones(k), np.zeros(n - k)] for k in reach]
    low, high = np.array([statistics.profile_band(row, np.array([0.5]), "higher") for row in rows])[..., 0].T
    held = (low <= chances[:, None]) & (chances[:, None] <= high)
    return float((binom.pmf(reach, n, chances[:, None]) * held).sum(axis=1).mean())


def told_apart(repetitions: int = 400) -> tuple[float, float]:
    """Of tables of ten equal rows, six seeds each: by Holm for the best against each other row, and by groups."""
    holm = groups = 0
    for table in np.random.default_rng(3).normal(size=(repetitions, 10, 6)):
        first, *others = sorted(table, key=lambda row: -row.mean())
        holm += min(statistics.holm([statistics.superiority_p([first], [other]) for other in others])) < 0.05
        groups += max(statistics.significance_groups([[row] for row in (first, *others)])) > 0
    return holm / repetitions, groups / repetitions


def power(shift: float, comparisons: int, repetitions: int = 500) -> float:
    """Of changes for the worse by `shift` standard deviations: 24 seeds recorded, eight checked, alarm .01."""
    generator = np.random.default_rng(0)
    pairs = ((generator.normal(size=24), generator.normal(-shift, size=8)) for _ in range(repetitions))
    return float(np.mean([statistics.superiority_p([x], [y]) * comparisons < 0.01 for x, y in pairs]))


def main() -> None:
    for n in (3, 5, 8, 10):
        print("coverage of %d seeds: plain percentiles %.3f, ganbench %.3f" % (n, *coverage(n)))  # noqa: T201, UP031
    for n in (3, 5, 10, 20, 50):
        print(f"coverage of the band of a profile of {n} seeds: {band_coverage(n):.3f}")  # noqa: T201
    print("ten equal rows told apart: Holm %.3f, groups %.3f" % told_apart())  # noqa: T201, UP031
    for comparisons in (6, 64):
        seen = ", ".join(f"{power(shift, comparisons):.3f} of {shift} sd" for shift in (0.5, 1, 1.5, 2, 3))
        print(f"seen among {comparisons} comparisons: {seen}")  # noqa: T201


if __name__ == "__main__":
    main()
