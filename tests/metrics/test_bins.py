"""NDB against SciPy's tests of proportions, cases by hand, and what true data and dropped modes score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency
from torch import Tensor

from ganbench.data import Dataset
from ganbench.errors import SampleError
from ganbench.metrics import bins as module
from ganbench.metrics import cells as cells_module
from ganbench.metrics.bins import different, jensen_shannon, jensen_shannon_stderr, ndb
from ganbench.metrics.cells import cell_of, kmeans
from ganbench.metrics.engine import score
from ganbench.spec import Score, Scoring

COUNTS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=8)


def _histograms(pairs: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """With a cell of both, so that neither is empty."""
    one, other = torch.tensor([*pairs, (5, 7)], dtype=torch.float64).T
    return one, other


@settings(deadline=None, max_examples=60)
@given(pairs=COUNTS, level=st.sampled_from([0.01, 0.05, 0.3]))
def test_each_cell_is_scipys_test_of_two_proportions(pairs: list[tuple[int, int]], level: float) -> None:
    """z² is the chi-square of the 2 x 2 table, uncorrected; a cell that is empty on both sides cannot differ."""
    train, fake = _histograms(pairs)
    found = different(train, fake, level)
    for a, b, differs in zip(train.tolist(), fake.tolist(), found.tolist(), strict=True):
        table = [[a, b], [float(train.sum()) - a, float(fake.sum()) - b]]
        p = 1.0 if min(map(sum, table)) == 0 else chi2_contingency(table, correction=False).pvalue
        assert differs == (p < level)


@settings(deadline=None, max_examples=40)
@given(pairs=COUNTS)
def test_the_divergence_is_scipys(pairs: list[tuple[int, int]]) -> None:
    train, fake = _histograms(pairs)
    assert float(jensen_shannon(train, fake)) == pytest.approx(jensenshannon(train, fake) ** 2, abs=1e-12)
    assert 0 <= float(jensen_shannon(train, fake)) <= math.log(2) + 1e-12


@pytest.mark.parametrize(
    ("train", "fake", "nats"),
    [([1, 1], [7, 7], 0.0), ([3, 0], [0, 9], math.log(2)), ([1] * 8, [5] + [0] * 7, 0.496929)],
)
def test_divergences_by_hand(train: list[float], fake: list[float], nats: float) -> None:
    found = jensen_shannon(*(torch.tensor(each, dtype=torch.float64) for each in (train, fake)))
    assert float(found) == pytest.approx(nats, abs=5e-7)


def test_proportions_by_hand() -> None:
    """Of 100 and 100: 50 against 37 is z = 1.854, against 36 z = 1.999."""
    for fake, expected in ((37, False), (36, True)):
        found = different(torch.tensor([50.0, 50.0]), torch.tensor([float(fake), 100.0 - fake]))
        assert found.tolist() == [expected, expected]


def _modes(sizes: list[int], seed: int = 0) -> np.ndarray:
    """Tight clusters, far apart."""
    rng = np.random.default_rng(seed)
    parts = [
        rng.normal(size=(size, 2)) + 100 * np.array([math.cos(turn), math.sin(turn)])
        for size, turn in zip(sizes, np.linspace(0, 2 * math.pi, len(sizes), endpoint=False), strict=True)
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize("dropped", [0, 1, 2])
def test_dropped_modes_are_the_cells_that_differ(dropped: int) -> None:
    """The others' greater shares, 1/6 for 1/8 of 96, are within chance; none of 96 where 12 are expected is not."""
    train, kept = _modes([100] * 8), 8 - dropped
    fake = _modes([96 // kept] * kept + [0] * dropped, seed=1)
    share, divergence = ndb(train, fake, k=8)
    assert share == dropped / 8
    assert divergence == pytest.approx(jensenshannon([1] * 8, [1] * kept + [0] * dropped) ** 2, abs=1e-3)


def test_another_mode_than_the_datas_is_all_that_differs() -> None:
    train, fake = _modes([100] * 8), _modes([96, 0, 0, 0, 0, 0, 0, 0])
    assert ndb(train, fake, k=8)[0] == 1


def test_true_data_score_about_the_level() -> None:
    """Mean of 16 x 40 cells: .05 ± .0086, within 4.5 of them; a divergence of (k - 1) (1/m + 1/n) / 8 ± 6 %."""
    rng = np.random.default_rng(0)
    found = np.array([ndb(rng.uniform(size=(2000, 2)), rng.uniform(size=(1000, 2)), k=40) for _ in range(16)])
    share, divergence = found.mean(0)
    assert 0.011 < share < 0.089
    assert divergence == pytest.approx(39 * (1 / 2000 + 1 / 1000) / 8, rel=0.25)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**16), scale=st.floats(0.1, 10))
def test_order_a_rotation_a_shift_and_a_scale_change_nothing(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    train, fake = _modes([60] * 5), _modes([40, 20, 20, 5, 15], seed)
    turn = scale * np.linalg.qr(rng.normal(size=(2, 2)))[0]
    found = ndb(train, fake, k=5)
    assert found[0] > 0
    assert ndb(train @ turn - 7, rng.permutation(fake) @ turn - 7, k=5) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.9, 1.5), (0.5, 0.85, 1.15)])
def test_the_divergences_error_is_its_deviation_over_draws(shift: float, low: float, high: float) -> None:
    """400 draws know it to 3.5 %: within 4 of these, after a bias of up to 30 % where the two are one (1 in 10,000)."""
    rng, k = np.random.default_rng(0), 20
    train = torch.from_numpy(rng.multinomial(5000, np.full(k, 1 / k))).double()
    tilted = np.linspace(1 - shift, 1 + shift, k) / k
    draws = torch.from_numpy(rng.multinomial(1500, tilted, 400)).double()
    errors = np.array([jensen_shannon_stderr(train, draw) for draw in draws])
    spread = np.std([float(jensen_shannon(train, draw)) for draw in draws])
    assert low < math.sqrt((errors**2).mean()) / spread < high


def test_a_cell_that_no_sample_fell_into_adds_nothing_to_the_error() -> None:
    train, fake = torch.tensor([10.0, 10.0, 10.0]), torch.tensor([30.0, 0.0, 0.0])
    assert jensen_shannon_stderr(train, fake) == 0


@pytest.mark.parametrize("whole", [10_000, 100])
@pytest.mark.parametrize("offset", [0, 1e6])
def test_kmeans_finds_clusters(whole: int, offset: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """By all samples or by batches of them, in float32, on features whose squares have no digits left for them."""
    monkeypatch.setattr(cells_module, "WHOLE", whole)
    train = torch.from_numpy(_modes([50] * 6) + offset).float()
    centres = kmeans(train, 6, 0)
    assert centres.dtype == torch.float32
    assert torch.equal(centres, kmeans(train, 6, 0))
    counts = torch.bincount(cell_of(train, centres), minlength=6)
    assert counts.tolist() == [50] * 6
    assert (centres - offset).norm(dim=1).sub(100).abs().max() < 2


X = np.random.default_rng(0).normal(size=(50, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ndb(X, X), "1 to 50 cells on as many samples, got 100"),
        (lambda: ndb(X, X, k=0), "got 0"),
        (lambda: ndb(X, X, k=5, level=0), "between 0 and 1, got 0"),
        (lambda: ndb(X, X, k=5, level=1), "between 0 and 1, got 1"),
        (lambda: ndb(X, X[:, :1], k=5), "differ in width"),
        (lambda: ndb(X, X * math.inf, k=5), "not finite"),
    ],
)
def test_bad_input_is_one_line(call: Callable[[], object], message: str) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def _scored(samples: Tensor, dataset: Dataset) -> dict[str, Score]:
    def sampler(n: int) -> Iterator[Tensor]:
        yield from samples[:n].split(37)

    scoring = Scoring.parse({"metrics": ["ndb", "ndb_jsd"], "samples": len(samples), "features": "pixels"})
    return {each.metric: each for each in score(sampler, dataset, scoring)}


def test_the_card_gives_what_the_function_gives(grey: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "K", 10)
    images = grey.images("test").clone()
    images[150:] //= 4
    found = _scored(images, grey)
    share, divergence = ndb(*(each.flatten(1).float() / 255 for each in (grey.images("train"), images)), k=10)
    assert 0 < share < 1
    assert (found["ndb"].value, found["ndb_jsd"].value) == pytest.approx((share, divergence))
    assert found["ndb"].stderr == pytest.approx(math.sqrt(share * (1 - share) / 10))
    assert found["ndb"].details == {"different": round(10 * share), "of": 10}
    assert found["ndb_jsd"].stderr is not None
    assert found["ndb"].flags == ()
    protocol = {"n_generated": 200, "n_real": 300, "split": "train", "level": 0.05, "kmeans_seed": 0}
    assert found["ndb"].protocol.items() >= protocol.items()


def test_few_samples_a_cell_are_flagged(grey: Dataset) -> None:
    found = _scored(grey.images("test"), grey)
    assert found["ndb"].protocol["k"] == 100
    assert found["ndb"].flags == found["ndb_jsd"].flags == ("few samples: 2 a cell, the test wants 10",)
