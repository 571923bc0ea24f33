"""Feature extractors: what they compute, grey images, batches, and weights that cannot be had or used."""

from __future__ import annotations

import hashlib
import io
import pickle
import urllib.request
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganbench.errors import WeightsError
from ganbench.metrics.features import clip, inception, vgg
from ganbench.metrics.features.base import EXTRACTORS, Extractor, Recipe, Source, weights_hash
from ganbench.metrics.features.building import IMAGENET, standardised
from ganbench.metrics.features.download import Published

PUBLISHED = {"inception": inception.WEIGHTS, "vgg16": vgg.WEIGHTS}


def _images(n: int, channels: int, size: int, seed: int = 0) -> Tensor:
    shape = (n, channels, size, size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def _load(name: str, path: Path | None) -> Extractor:
    card = EXTRACTORS.get(name)
    return Extractor(card, Recipe(path, card.resizes[0], "float32", "cpu"))


@pytest.mark.slow
def test_efficientnet_features_are_pooled_before_the_classifier() -> None:
    from efficientnet_lite_pytorch import EfficientNet

    card = EXTRACTORS.get("efficientnet-lite0")
    path = card.weights(Source())
    assert path is not None
    extractor = _load("efficientnet-lite0", path)
    images = _images(70, 1, 28)
    features, logits = extractor(images)
    assert features.shape == (70, 1280)
    assert logits is None
    assert extractor.protocol["weights"] == weights_hash(path)
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(path, weights_only=True))
    side = int(card.resizes[0].rpartition("-")[2])
    x = torch.nn.functional.interpolate(images[64:].float(), (side, side), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = network.extract_features((x.expand(-1, 3, -1, -1) - 127) / 128).mean((2, 3))
    assert (features[64:] - expected).abs().max() < 1e-4 * expected.abs().max()


def test_batches_do_not_show(extractor: Extractor) -> None:
    images = _images(150, 1, 8)
    whole = extractor(images)[0]
    one_by_one = torch.cat([extractor(image)[0] for image in images.split(1)])
    torch.testing.assert_close(whole, one_by_one)


def test_a_grey_image_is_three_equal_channels(extractor: Extractor) -> None:
    images = _images(3, 1, 8)
    assert torch.equal(extractor(images)[0], extractor(images.repeat(1, 3, 1, 1))[0])


def test_images_are_standardised_by_channel() -> None:
    """By hand: ImageNet's mean becomes 0, one deviation above it 1."""
    mean, deviation = (torch.tensor(each)[:, None, None] for each in IMAGENET)
    images = 255 * torch.stack([mean, mean + deviation]).expand(2, 3, 4, 4)
    expected = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 3, 4, 4)
    torch.testing.assert_close(standardised(images, IMAGENET), expected, atol=1e-5, rtol=0)


def test_the_hash_follows_the_content(weights: Path) -> None:
    before = weights_hash(weights)
    weights.write_text("4.0000")
    assert weights_hash(weights) != before
    assert len(before) == 8


class TestDownloads:
    """Of weights that are published: never twice, never unchecked, and one clear line where there are none."""

    @staticmethod
    def _serve(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[str]:
        asked: list[str] = []

        def answer(address: str, timeout: float) -> io.BytesIO:
            assert timeout <= 10
            asked.append(address)
            return io.BytesIO(content)

        monkeypatch.setattr(urllib.request, "urlopen", answer)
        return asked

    def test_a_file_with_the_right_checksum_is_fetched_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        content = b"weights" * 1000
        asked = self._serve(monkeypatch, content)
        name = f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
        published = Published("a net's", name, lambda: "the address", "or do without")
        for _ in range(2):
            assert published.find(Source()) == published.cached
        assert published.available()
        assert published.cached.read_bytes() == content
        assert [path.name for path in published.cached.parent.iterdir()] == [name]
        assert asked == ["the address"]

    @pytest.mark.parametrize("name", PUBLISHED)
    def test_one_with_another_checksum_is_not_kept(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        address = PUBLISHED[name].address()
        asked = self._serve(monkeypatch, b"something else")
        with pytest.raises(WeightsError, match="checksum"):
            EXTRACTORS.get(name).weights(Source())
        assert list(PUBLISHED[name].cached.parent.iterdir()) == []
        assert asked == [address]
        assert address.endswith(PUBLISHED[name].file)

    @pytest.mark.parametrize("name", PUBLISHED)
    @pytest.mark.parametrize("error", [OSError("no route"), IncompleteRead(b"")], ids=["no network", "cut off"])
    def test_where_it_fails_one_line_says_what_to_do(
        self, name: str, error: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any, **__: Any) -> None:
            raise error

        monkeypatch.setattr(urllib.request, "urlopen", refuse)
        expected = f"{PUBLISHED[name].file} with --weights, or .*(efficientnet-lite0|--features)"
        with pytest.raises(WeightsError, match=expected) as caught:
            EXTRACTORS.get(name).weights(Source())
        assert "\n" not in str(caught.value)
        assert not PUBLISHED[name].available()
        assert list(PUBLISHED[name].cached.parent.iterdir()) == []

    def test_a_given_file_is_taken_before_a_cached_one(self, tmp_path: Path) -> None:
        given, cached = tmp_path / "given.pth", inception.WEIGHTS.cached
        cached.parent.mkdir(parents=True)
        for path in (given, cached):
            path.write_text("weights")
        assert EXTRACTORS.get("inception").weights(Source(given)) == given
        assert EXTRACTORS.get("inception").weights(Source()) == cached
        assert inception.available()


class _Trap:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


@pytest.mark.parametrize("name", ["inception", "efficientnet-lite0", vgg.CARD.name, "clip-vit-b-32"])
@pytest.mark.parametrize("content", ["absent", "text", "list", "other", "numbers", "trap", "pickle"])
def test_unusable_weights_are_one_line(name: str, content: str, tmp_path: Path) -> None:
    path, sprung = tmp_path / "weights.pth", tmp_path / "sprung"
    if content == "text":
        path.write_text("hello")
    elif content == "pickle":
        path.write_bytes(pickle.dumps(_Trap(sprung), protocol=2))
    elif content != "absent":
        values = {"list": [1], "other": {"layer": torch.zeros(2)}, "numbers": {"a": 1}, "trap": _Trap(sprung)}
        torch.save(values[content], path)
    with pytest.raises(WeightsError, match=r"weights\.pth") as caught:
        _load(name, path)
    assert "\n" not in str(caught.value)
    assert not sprung.exists()


def test_every_clip_is_one_that_torch_fidelity_knows() -> None:
    """Its checksum is what a TorchScript archive is trusted by."""
    from torch_fidelity.feature_extractor_clip import MODEL_METADATA

    cards = [card for card in EXTRACTORS if card.name.startswith("clip-")]
    assert len(cards) == len(clip.PUBLISHED) == 4
    for card in cards:
        with pytest.raises(WeightsError, match=f"give OpenAI's {MODEL_METADATA[card.name]['filename']}.pt .*--weights"):
            card.weights(Source())


def test_dinov2_names_the_extra_that_it_needs(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    import sys

    from ganbench.metrics.features import dinov2  # noqa: F401 - registers it

    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(WeightsError, match=r"pip install 'ganbench\[dinov2\]'") as caught:
        EXTRACTORS.get("dinov2-vit-s-14").weights(Source(weights))
    assert "\n" not in str(caught.value)
