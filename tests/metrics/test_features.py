"""Feature extractors: parity with their networks, grey images, batches, and weights that cannot be used."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch
import torch_fidelity.feature_extractor_inceptionv3 as fidelity

from ganbench.errors import WeightsError
from ganbench.metrics.features import inception
from ganbench.metrics.features.base import EXTRACTORS, Extractor, weights_hash


def _images(n: int, channels: int, size: int, seed: int = 0) -> torch.Tensor:
    shape = (n, channels, size, size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


class _Blank(fidelity.FeatureExtractorInceptionV3):  # type: ignore[misc]
    """As initialised: nothing is loaded."""

    def load_state_dict(self, *_: Any, **__: Any) -> None:
        return None


@pytest.fixture(scope="module")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random state dict whose batch norms are calibrated on images of the test size, and whose bias is not 0."""
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
        torch.manual_seed(0)
        network = _Blank("blank", ["2048"])
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    network.train()(_images(8, 3, 32, seed=1))
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32)])
def test_inception_equals_torch_fidelity(inception_weights: Path, channels: int, size: int) -> None:
    """rel 1e-4 of the largest; logits are those without bias."""
    images = _images(5, channels, size)
    network = fidelity.FeatureExtractorInceptionV3("reference", ["2048", "logits_unbiased"], str(inception_weights))
    expected, logits = network(images.expand(-1, 3, -1, -1))
    features, found = Extractor(EXTRACTORS.get("inception"), inception_weights, "cpu")(images)
    assert found is not None
    assert features.shape == (5, 2048)
    assert (features - expected).abs().max() < 1e-4 * expected.abs().max()
    assert (found - logits).abs().max() < 1e-4 * logits.abs().max()
    assert network.fc.bias.abs().max() > 0.01  # so that biased logits would be far off


@pytest.mark.slow
def test_efficientnet_features_are_pooled_before_the_classifier() -> None:
    from efficientnet_lite_pytorch import EfficientNet

    card = EXTRACTORS.get("efficientnet-lite0")
    extractor = Extractor(card, None, "cpu")
    images = _images(70, 1, 28)
    features, logits = extractor(images)
    assert features.shape == (70, extractor.dim) == (70, 1280)
    assert logits is None
    assert extractor.protocol["weights"] == weights_hash(card.find(None))
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(card.find(None), weights_only=True))
    side = int(card.resize.rpartition("-")[2])
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


def test_the_hash_follows_the_content(weights: Path) -> None:
    before = weights_hash(weights)
    weights.write_text("4.0000")
    assert weights_hash(weights) != before
    assert len(before) == 8


def test_where_nothing_can_be_downloaded_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, timeout: float, **__: Any) -> None:
        assert timeout <= 10
        raise OSError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(WeightsError, match=r"--weights.*efficientnet-lite0") as caught:
        EXTRACTORS.get("inception").find(None)
    assert "\n" not in str(caught.value)
    assert not inception.available()


def test_a_download_with_another_checksum_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forged = tmp_path / "forged"
    forged.write_bytes(b"something else")
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: forged.open("rb"))
    with pytest.raises(WeightsError, match="checksum"):
        EXTRACTORS.get("inception").find(None)
    assert list(inception.cached().parent.iterdir()) == []


@pytest.mark.parametrize("name", ["inception", "efficientnet-lite0"])
@pytest.mark.parametrize("content", ["absent", "text", "list", "other"])
def test_unusable_weights_are_one_line(
    name: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.pth"
    if content == "text":
        path.write_text("hello")
    elif content != "absent":
        torch.save({"list": [1], "other": {"layer": torch.zeros(2)}}[content], path)
    with pytest.raises(WeightsError, match=r"weights\.pth") as caught:
        Extractor(EXTRACTORS.get(name), path, "cpu")
    assert "\n" not in str(caught.value)
