"""The engine: one pass, each metric its first N, protocols, defaults, identity, and refusals."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganbench.data import find
from ganbench.errors import GanbenchError, SampleError, SpecError, UnknownNameError
from ganbench.metrics import fid, mode_coverage, parzen_log_likelihood
from ganbench.metrics.choice import default_metrics
from ganbench.metrics.engine import resolve, score, scoring_key
from ganbench.metrics.features.base import Card, Extractor
from ganbench.spec import Scoring


class Fixed:
    """A sampler over fixed samples, in uneven chunks; remembers what it was asked for."""

    def __init__(self, samples: Tensor) -> None:
        self.samples, self.asked = samples, []

    def __call__(self, n: int) -> Iterator[Tensor]:
        self.asked.append(n)
        yield from self.samples[:n].split(37)


def _scoring(**values: Any) -> Scoring:
    return Scoring.parse(values)


def test_points_equal_the_direct_functions() -> None:
    ring = find("ring")
    sampler = Fixed(ring.mixture().sample(2600, seed=1))
    scores = {each.metric: each for each in score(sampler, ring, Scoring(), protocol={"generator": "ema"})}
    direct = mode_coverage(sampler.samples[:2500], ring.mixture())
    assert {name: each.value for name, each in scores.items()} == pytest.approx(
        {"modes": direct.modes, "high_quality": direct.high_quality, "kl": direct.kl, "jsd": direct.jsd}, abs=1e-12
    )
    assert sampler.asked == [2500]
    assert scores["kl"].protocol.items() >= {"n_generated": 2500, "generator": "ema"}.items()
    share = direct.high_quality / 100
    assert scores["high_quality"].stderr == pytest.approx(100 * (share * (1 - share) / 2500) ** 0.5)


def test_only_what_is_asked_for_comes_back() -> None:
    ring = find("ring")
    found = score(Fixed(ring.mixture().sample(300)), ring, _scoring(metrics=["kl"], samples=200))
    assert [(each.metric, each.protocol["n_generated"]) for each in found] == [("kl", 200)]


def test_no_high_quality_sample_is_a_flag() -> None:
    ring = find("ring")
    (kl,) = score(Fixed(torch.full((20, 2), 9.0)), ring, _scoring(metrics=["kl"], samples=20))
    assert kl.value != kl.value
    assert kl.flags == ("no high-quality samples",)


@pytest.mark.usefixtures("stand_in")
def test_one_pass_over_images_feeds_metrics_of_different_n(grey, extractor: Extractor, monkeypatch: Any) -> None:
    from dataclasses import replace

    from ganbench.metrics.base import METRICS

    for name, n in (("parzen", 110), ("fd", 250)):
        monkeypatch.setitem(METRICS._cards, name, replace(METRICS.get(name), samples=n))
    sampler = Fixed(grey.images("train"))
    found = {each.metric: each for each in score(sampler, grey, Scoring())}
    assert sampler.asked == [250]
    parzen = parzen_log_likelihood(
        *(x.double() / 255 for x in (sampler.samples[:110], grey.images("valid"), grey.images("test")))
    )
    assert found["parzen"].value == pytest.approx(parzen.mean, abs=1e-9)
    assert found["parzen"].stderr == pytest.approx(parzen.stderr, abs=1e-12)
    assert found["parzen"].details["sigma"] == parzen.sigma
    features = [extractor(images)[0] for images in (grey.images("test"), sampler.samples[:250])]
    assert found["fd-efficientnet-lite0"].value == pytest.approx(fid(*features), rel=1e-9)
    assert {name: each.protocol["n_generated"] for name, each in found.items()} == {
        "parzen": 110,
        "fd-efficientnet-lite0": 250,
    }


@pytest.mark.usefixtures("stand_in")
def test_the_protocol_says_all_and_nothing_of_the_machine(grey, extractor: Extractor) -> None:
    sampler = Fixed(grey.images("train"))
    (found,) = score(
        sampler, grey, _scoring(metrics=["fd-efficientnet-lite0"], samples=3), protocol={"sampling_seed": 0}
    )
    assert set(found.protocol) == {
        "n_generated",
        "n_real",
        "split",
        "features",
        "weights",
        "resize",
        "dtype",
        "sampling_seed",
    }
    assert found.protocol["split"] == "test"
    assert any("rank-deficient" in flag for flag in found.flags)
    assert found.stderr is not None


def test_defaults_by_kind_of_data(grey, colour, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganbench.metrics.features import inception

    monkeypatch.setattr(inception, "available", lambda: False)
    assert default_metrics(find("grid"), Scoring()) == ("modes", "high_quality", "kl", "jsd")
    assert default_metrics(grey, Scoring()) == ("parzen", "fd-efficientnet-lite0")
    assert default_metrics(colour, Scoring()) == ("fd-efficientnet-lite0",)
    monkeypatch.setattr(inception, "available", lambda: True)
    assert default_metrics(colour, Scoring()) == ("fid", "is")
    assert default_metrics(colour, _scoring(features="efficientnet-lite0")) == ("fd-efficientnet-lite0",)


def test_resolving_twice_changes_nothing(grey, stand_in: Card) -> None:
    once = resolve(grey, _scoring(samples=50))
    assert resolve(grey, once) == once
    assert once.metrics == ("parzen", "fd-efficientnet-lite0")


def test_the_key_follows_what_determines_the_scores(grey, stand_in: Card, weights: Path) -> None:
    keys = [
        scoring_key(grey, resolve(grey, _scoring(**values)))
        for values in ({}, {"samples": 50}, {"metrics": ["parzen"]}, {"metrics": ["fd-efficientnet-lite0"]})
    ]
    assert keys[0] == scoring_key(grey, resolve(grey, Scoring()))
    weights.write_text("8.00")
    keys.append(scoring_key(grey, resolve(grey, Scoring())))
    assert len(set(keys)) == len(keys)


def test_the_sweeps_driver_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from ganbench.data import find\nfrom ganbench.metrics import METRICS, engine\n"
        "from ganbench.spec import Scoring\n"
        "ring = find('ring')\nengine.scoring_key(ring, engine.resolve(ring, Scoring()))\n"
        "assert [row for card in METRICS for row in card.rows()]\n"
        "heavy = {'torch', 'numpy', 'scipy', 'pandas', 'torchvision'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (torch.zeros(300, 3), r"\(3,\)"),
        (torch.full((300, 2), float("nan")), "not finite"),
        (torch.zeros(120, 2), "120"),
    ],
)
def test_bad_points_are_refused(samples: Tensor, message: str) -> None:
    with pytest.raises(SampleError, match=message) as caught:
        score(Fixed(samples), find("ring"), _scoring(samples=200))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("samples", "message"),
    [(torch.zeros(60, 1, 8, 8), "float32"), (torch.zeros(60, 3, 8, 8, dtype=torch.uint8), r"\(3, 8, 8\)")],
)
def test_bad_images_are_refused(grey, samples: Tensor, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        score(Fixed(samples), grey, _scoring(metrics=["parzen"], samples=50))


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"metrics": ["mode"]}, UnknownNameError, "did you mean 'modes'"),
        ({"metrics": ["parzen"]}, SpecError, "choose from .*modes"),
    ],
)
def test_a_metric_that_is_not_for_the_data_is_refused(
    values: dict[str, Any], error: type[GanbenchError], message: str
) -> None:
    with pytest.raises(error, match=message):
        resolve(find("ring"), _scoring(**values))


@pytest.mark.usefixtures("stand_in")
def test_fewer_samples_than_a_metric_is_defined_for_are_refused(grey) -> None:
    with pytest.raises(SampleError, match="at least 2 samples, got 1"):
        resolve(grey, _scoring(metrics=["fd-efficientnet-lite0"], samples=1))
