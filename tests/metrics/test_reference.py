"""Reference statistics: computed once, under a key of all that they depend on, and again where the file is broken."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganbench.data import Dataset, ring
from ganbench.metrics.features.base import Card, Extractor, Recipe, Source, loaded
from ganbench.metrics.moments import Gaussian
from ganbench.metrics.reference import POINTS, Reference, real_split

Load = Callable[..., Extractor]


@pytest.fixture
def load() -> Load:
    """Loads a card by default, or in another way."""

    def extractor(card: Card, resize: str = "none", dtype: str = "float32") -> Extractor:
        assert card.find is not None
        return Extractor(card, Recipe(card.find(Source()), resize, dtype, "cpu"))

    return extractor


def real_moments(dataset: Dataset, split: str, n: int, extractor: Extractor) -> Gaussian:
    return Reference(dataset, extractor).moments(split, n)


@pytest.fixture
def looks(extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each call of any extractor saw."""
    seen: list[int] = []
    original: Callable[..., object] = Extractor.__call__
    monkeypatch.setattr(Extractor, "__call__", lambda self, x: (seen.append(len(x)), original(self, x))[1])
    return seen


def _files() -> list[Path]:
    return sorted(Path(os.environ["GANBENCH_CACHE"]).rglob("*.safetensors"))


def test_equals_numpy_and_is_computed_once(grey, extractor: Extractor, looks: list[int]) -> None:
    first = real_moments(grey, "test", 150, extractor)
    again = real_moments(grey, "test", 150, extractor)
    features = extractor(real_split(grey, "test", 150, None))[0].double()
    torch.testing.assert_close(first.covariance, torch.cov(features.T), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(again.covariance, first.covariance, rtol=0, atol=0)
    assert (first.n, again.n) == (150, 150)
    assert sum(looks) == 150 + 150  # once for the moments, once for this test


@pytest.mark.usefixtures("stand_in")
def test_other_weights_at_the_same_path_are_other_statistics(grey, weights: Path) -> None:
    """The mutation of torch-fidelity's cache: a second weights file returns the first one's numbers."""
    first = real_moments(grey, "test", 0, loaded("efficientnet-lite0"))
    weights.write_text("4.00")
    second = real_moments(grey, "test", 0, loaded("efficientnet-lite0"))
    torch.testing.assert_close(second.mean, 2 * first.mean)


def test_features_are_kept_too(grey, extractor: Extractor, looks: list[int]) -> None:
    first = Reference(grey, extractor).features("test", 70)
    again = Reference(grey, extractor).features("test", 70)
    torch.testing.assert_close(first, extractor(real_split(grey, "test", 70, None))[0])
    torch.testing.assert_close(again, first, rtol=0, atol=0)
    assert sum(looks) == 70 + 70


def test_each_split_of_a_mixture_has_points_of_its_own() -> None:
    from ganbench.data import find

    data = find("ring")
    test, train = (real_split(data, split, 0, None) for split in ("test", "train"))
    assert len(test) == POINTS
    assert not torch.equal(test, train)
    assert torch.equal(test[:10], real_split(data, "test", 10, None))
    assert ring().log_prob(test).isfinite().all()


def test_progress_is_told(grey, extractor: Extractor) -> None:
    told: list[tuple[str, int, int]] = []
    Reference(grey, extractor, progress=lambda *facts: told.append(facts)).moments("test", 150)
    assert told[-1] == ("real noise, efficientnet-lite0", 150, 150)


def test_the_same_images_are_the_same_statistics_whatever_they_are_called(grey, extractor: Extractor) -> None:
    real_moments(grey, "test", 100, extractor)
    real_moments(replace(grey, name="other"), "test", 100, extractor)
    assert len(_files()) == 1


def test_every_part_of_the_key_counts(grey, card: Card, extractor: Extractor, load: Load) -> None:
    real_moments(grey, "test", 100, extractor)
    for dataset, split, n, other in (
        (grey, "valid", 100, extractor),
        (grey, "test", 50, extractor),
        (grey, "test", 100, load(card, resize="twice")),
        (grey, "test", 100, load(card, dtype="bfloat16")),
    ):
        before = len(_files())
        real_moments(dataset, split, n, other)
        assert len(_files()) == before + 1


@pytest.mark.parametrize("content", [b"", b"not a safetensors file"])
def test_a_broken_file_is_computed_again(grey, extractor: Extractor, content: bytes) -> None:
    first = real_moments(grey, "test", 0, extractor)
    (path,) = _files()
    path.write_bytes(content)
    torch.testing.assert_close(real_moments(grey, "test", 0, extractor).mean, first.mean)
    assert path.stat().st_size > len(content)


def test_no_temporary_file_is_left(grey, extractor: Extractor) -> None:
    real_moments(grey, "test", 0, extractor)
    left = {path.suffix for path in _files()[0].parent.iterdir()}
    assert left <= {".safetensors", ".lock"}


def test_fewer_images_than_there_are_are_drawn_from_all_of_them(grey) -> None:
    """A folder is sorted by class: its first tenth would be one class."""
    images = grey.images("test")
    drawn = real_split(grey, "test", 50, None)
    place = {tuple(image.flatten().tolist()): index for index, image in enumerate(images)}
    rows = [place[tuple(image.flatten().tolist())] for image in drawn]
    assert len(set(rows)) == 50
    assert max(rows) > 150
    assert torch.equal(drawn, real_split(grey, "test", 50, None))


def test_moments_and_features_of_few_samples_are_extracted_once(grey, extractor: Extractor, looks: list[int]) -> None:
    reference = Reference(grey, extractor)
    moments = reference.moments("test")
    torch.testing.assert_close(moments.mean, reference.features("test").double().mean(0))
    assert sum(looks) == len(grey.images("test"))


def test_moments_of_many_samples_are_streamed_and_the_same(
    grey, extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = real_moments(grey, "test", 150, extractor)
    monkeypatch.setattr("ganbench.metrics.reference.FEW", 149)
    many = real_moments(grey, "test", 150, extractor)
    again = real_moments(grey, "test", 150, extractor)
    assert len(_files()) == 2
    for name in ("mean", "covariance"):
        torch.testing.assert_close(getattr(many, name), getattr(few, name))
        torch.testing.assert_close(getattr(again, name), getattr(many, name), rtol=0, atol=0)


def test_the_real_row_of_a_metric_that_sees_train_and_test_is_of_valid(grey) -> None:
    """C_T of the very test images that it compares with would be 0 by construction."""
    from ganbench.metrics.choice import resolve
    from ganbench.metrics.real import real_scores
    from ganbench.spec import Scoring

    scoring = resolve(grey, Scoring.parse({"metrics": ["ct", "authpct"], "features": "pixels", "samples": 50}))
    found = real_scores(grey, scoring)
    assert {name: score.protocol["real"] for name, score in found.items()} == {"ct": "valid", "authpct": "test"}
