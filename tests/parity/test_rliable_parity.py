"""Statistics over seeds against rliable's own (Agarwal et al. 2021), to 1e-12."""

from __future__ import annotations

import numpy as np
import pytest

from ganbench.reports.statistics import interquartile_mean_of_all, mean, probability_of_improvement

metrics = pytest.importorskip("rliable.metrics")  # rliable.library needs arch, which pandas 3 breaks

SHAPES = [(1, 1), (3, 2), (5, 7), (10, 3), (12, 1)]  # runs, tasks


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("whole", [False, True])  # whole numbers tie
def test_aggregates_are_rliables(shape: tuple[int, int], whole: bool) -> None:
    scores = np.random.default_rng(0).normal(5, 3, size=shape)
    scores = scores.round() if whole else scores
    assert interquartile_mean_of_all(list(scores.T)) == pytest.approx(metrics.aggregate_iqm(scores), rel=1e-12)
    assert mean(mean(scores.T)) == pytest.approx(metrics.aggregate_mean(scores), rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("whole", [False, True])
def test_improvement_is_rliables(shape: tuple[int, int], whole: bool) -> None:
    generator = np.random.default_rng(1)
    x, y = generator.normal(5, 3, size=shape), generator.normal(6, 3, size=(shape[0] + 2, shape[1]))
    x, y = (x.round(), y.round()) if whole else (x, y)
    expected = metrics.probability_of_improvement(x, y)
    assert probability_of_improvement(list(x.T), list(y.T)) == pytest.approx(expected, rel=1e-12)
    assert probability_of_improvement(list(x.T), list(x.T)) == metrics.probability_of_improvement(x, x) == 0.5
