"""Modes of stacked digits: cases by hand, streams, the floor of real triples, and the trained classifier itself."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ganbench.data import find, real_samples
from ganbench.errors import SampleError
from ganbench.metrics import evaluate
from ganbench.metrics.base import METRICS, Context, pinned
from ganbench.metrics.features import classifier
from ganbench.metrics.features.base import Extractor, Recipe, Source, weights_hash
from ganbench.metrics.modes import summarise
from ganbench.metrics.stacked_modes import stacked_coverage

N = 26_000
SCORES = ("modes", "kl", "jsd", "confidence")


def _sure(modes: Tensor) -> Tensor:
    """Logits (n, 30) of a classifier that is certain of these modes."""
    digits = torch.stack([modes // 100, modes // 10 % 10, modes % 10], 1)
    return 50.0 * torch.nn.functional.one_hot(digits, 10).flatten(1)


def test_every_mode_once_is_perfect() -> None:
    found = stacked_coverage(_sure(torch.arange(1000)))
    assert found.modes == 1000
    assert (found.kl, found.jsd, found.confidence) == pytest.approx((0, 0, 1), abs=1e-12)


def test_one_mode_of_a_thousand() -> None:
    """KL ln 1000; JSD by hand, with .5005 the mean of 1 and .001."""
    found = stacked_coverage(_sure(torch.full((7,), 314)))
    expected = 0.5 * math.log(1 / 0.5005) + 0.5 * (0.001 * math.log(0.001 / 0.5005) + 0.999 * math.log(2))
    assert found.modes == 1
    assert found.kl == pytest.approx(math.log(1000), abs=1e-12)
    assert found.jsd == pytest.approx(expected, abs=1e-12)


def test_confidence_is_the_mean_probability_of_the_named_triple() -> None:
    """A logit of ln 9 beside nine of 0 has probability ½: three make ⅛, two and a certain one ¼."""
    half = torch.zeros(2, 3, 10)
    half[:, :, 4] = math.log(9)
    half[1, 2, 4] = 50
    found = stacked_coverage(half.flatten(1))
    assert found.modes == 1
    assert found.confidence == pytest.approx((1 / 8 + 1 / 4) / 2, rel=1e-6)


def test_a_mode_is_its_three_digits_in_order() -> None:
    """Six orders of 1, 2 and 3 are six modes; a classifier that knows nothing names one of probability .001."""
    orders = torch.tensor([123, 132, 213, 231, 312, 321])
    assert stacked_coverage(_sure(orders)).modes == 6
    unsure = stacked_coverage(torch.zeros(5, 30))
    assert (unsure.modes, unsure.confidence) == pytest.approx((1, 0.001), rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(0, 5))
def test_neither_order_nor_shifts_of_logits_matter(n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, 30, generator=generator, dtype=torch.float64)
    shift = torch.randn(n, 3, 1, generator=generator, dtype=torch.float64).expand(-1, -1, 10).flatten(1)
    found = stacked_coverage((logits + shift)[torch.randperm(n, generator=generator)])
    expected = stacked_coverage(logits)
    assert found.modes == expected.modes
    for name in SCORES[1:]:
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9)


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (torch.zeros(5, 10), r"logits of stacked digits are \(n, 30\), got shape \(5, 10\)"),
        (torch.zeros(0, 30), r"logits are \(n, d\) with n >= 1"),
        (torch.full((2, 30), math.nan), "not finite"),
    ],
    ids=["width", "none", "nan"],
)
def test_what_cannot_be_scored_is_one_line(logits: Tensor, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        stacked_coverage(logits)


def test_real_triples_have_their_known_divergence(data_root: Path) -> None:
    """26,000 training triples, named by their labels: KL .0235 within 5 of its standard deviations of .0009.

    2n KL has the law of a χ² with 999 degrees of freedom, shifted by the digits' own unevenness: 1 false alarm in 10⁶
    over data sets, and none over runs, since the data are fixed.
    """
    labels = find("stacked_mnist").labels("train", data_root)
    assert labels is not None
    found = stacked_coverage(_sure(labels[:N]))
    assert found.modes == 1000
    assert found.kl == pytest.approx(0.0235, abs=0.0045)
    even = torch.randint(0, 1000, (N,), generator=torch.Generator().manual_seed(0))
    assert stacked_coverage(_sure(even)).kl == pytest.approx(999 / (2 * N), abs=0.0045)


def test_the_card_is_for_stacked_digits_alone() -> None:
    card = METRICS.get("stacked-modes")
    assert tuple(card.directions) == SCORES
    assert [data for data in ("mnist", "stacked_mnist", "cifar10", "ring") if card.takes(find(data))] == [
        "stacked_mnist"
    ]
    assert pinned("modes", find("stacked_mnist")) == (card, "classifier")
    assert pinned("modes", find("ring"))[0].name == "mode-coverage"


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    """A digit classifier with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = classifier.build((1, 28, 28), 10)
    path = tmp_path / "digits.safetensors"
    classifier._write(path, network, {"shape": [1, 28, 28], "classes": 10, "accuracy": 0.1})
    return path


def _extractor(path: Path) -> Extractor:
    return Extractor(classifier.CARD, Recipe(path, classifier.CARD.resizes[0], "float32", "cpu"))


def test_the_engine_streams_what_the_function_computes(untrained: Path) -> None:
    """1,200 images come in three chunks; the standard error of confidence is over samples."""
    images = torch.randint(0, 256, (1200, 3, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = {each.metric: each for each in evaluate(images, "stacked_mnist", n=1200, weights=untrained)}
    logits = _extractor(untrained)(images)[1]
    assert logits is not None
    expected = stacked_coverage(logits)
    assert tuple(found) == SCORES
    for name in SCORES:
        assert found[name].value == pytest.approx(getattr(expected, name), rel=1e-9)
        assert found[name].protocol["weights"] == weights_hash(untrained)
        assert found[name].protocol["features"] == "classifier"
        assert "split" not in found[name].protocol
    confidence = logits.double().view(-1, 3, 10).softmax(2).amax(2).prod(1)
    assert found["confidence"].stderr == pytest.approx(float(confidence.std(correction=0)) / 1200**0.5, rel=1e-6)
    assert found["kl"].details["of_uniform_samples"] == pytest.approx(999 / 2400)


def test_standard_errors_are_those_of_fresh_samples(untrained: Path) -> None:
    """On uneven modes, of which each is .99 of the one before: deviations over 200 draws, within 30 %.

    Both sides are deviations of 200 values, known within 5 % each: 30 % are more than four of their joint deviations.
    """
    odds = 0.99 ** np.arange(1000)
    draws = np.random.default_rng(0).multinomial(N, odds / odds.sum(), 201)
    fresh = [summarise(torch.from_numpy(draw), N) for draw in draws[1:]]
    one = _sure(torch.arange(1000).repeat_interleave(torch.from_numpy(draws[0])))

    class View:
        def logits(self, _: Extractor) -> Tensor:
            return one

    context = Context(n=N, dataset=find("stacked_mnist"), extractor=_extractor(untrained))
    accumulator = METRICS.get("stacked-modes").start(context)
    accumulator.update(View())  # type: ignore[arg-type]
    for name in ("kl", "jsd"):
        expected = float(np.std([getattr(each, name) for each in fresh]))
        assert accumulator.result()[name].stderr == pytest.approx(expected, rel=0.3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    """MNIST's classifier, found through the stacked digits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        path = classifier.CARD.weights(Source(dataset=find("stacked_mnist"), root=data_root))
    assert path is not None
    return path


@pytest.mark.slow
def test_the_classifier_knows_digits(trained: Path, data_root: Path) -> None:
    """At least 98.5 % of held-out digits, and of the test set's, which it never saw."""
    assert classifier.facts(trained)["accuracy"] > 0.985
    mnist = find("mnist")
    logits = _extractor(trained)(mnist.images("test", data_root))[1]
    assert logits is not None
    assert (logits.argmax(1) == mnist.labels("test", data_root)).double().mean() > 0.985


@pytest.mark.slow
def test_real_triples_cover_all_modes_with_confidence(trained: Path, data_root: Path) -> None:
    """Through the classifier, which errs on 3 to 4 % of triples; KL as by labels. Noise is named too, less surely."""
    images = torch.cat(list(real_samples(find("stacked_mnist"), N, root=data_root)))
    found = {each.metric: each.value for each in evaluate(images, "stacked_mnist", weights=trained, root=data_root)}
    assert found["modes"] == 1000
    assert found["kl"] == pytest.approx(0.0235, abs=0.0045)
    assert found["confidence"] > 0.9
    dots = torch.rand(2000, 3, 28, 28, generator=torch.Generator().manual_seed(0)).gt(0.8).to(torch.uint8) * 255
    noise = {each.metric: each.value for each in evaluate(dots, "stacked_mnist", n=2000, weights=trained)}
    assert noise["modes"] > 1
    assert noise["confidence"] < found["confidence"] - 0.1
