"""DINOv2 against timm's model called directly, from a state dict of timm's and from one in Meta's layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from ganbench.errors import WeightsError
from ganbench.metrics.features import dinov2
from ganbench.metrics.features.base import EXTRACTORS, Extractor, Recipe, Source
from ganbench.metrics.features.resize import clean

NAME, MODEL = "dinov2-vit-s-14", "vit_small_patch14_dinov2"


def _drawn(network: Any) -> Any:
    """With weights that let every block count: as initialised, its layer scales are 1e-5."""
    generator = torch.Generator().manual_seed(0)
    for name, each in network.named_parameters():
        if name.endswith("gamma"):
            each.data = torch.rand(each.shape, generator=generator)
    return network.eval()


@pytest.fixture(scope="module")
def small() -> Any:
    """timm's small network at the size that it was trained at, with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return _drawn(timm.create_model(MODEL, pretrained=False, num_classes=0))


@pytest.fixture(scope="module")
def reference(small: Any) -> Any:
    """The same network at 224 pixels, its position embeddings resampled by timm."""
    network = timm.create_model(MODEL, pretrained=False, num_classes=0, img_size=224)
    weights = small.state_dict()
    network.load_state_dict({**weights, "pos_embed": resample_abs_pos_embed(weights["pos_embed"], [16, 16])})
    return network.eval()


def _images(n: int, side: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=generator)


def _features(path: Path, images: Tensor, way: str = "bicubic-antialias") -> Tensor:
    return Extractor(EXTRACTORS.get(NAME), Recipe(path, way, "float32", "cpu"))(images)[0]


@pytest.mark.parametrize("layout", ["timm.safetensors", "timm at 224.pth", "meta.pth"])
def test_features_equal_those_of_timm(layout: str, small: Any, reference: Any, tmp_path: Path) -> None:
    """rel 1e-5, images prepared by torchvision's own functions; Meta's state dict also has the token of masked patches,
    and its position embeddings are of 37 x 37 patches."""
    path = tmp_path / layout
    weights = {name: each.clone() for name, each in (reference if "224" in layout else small).state_dict().items()}
    if layout.startswith("meta"):
        assert weights["pos_embed"].shape == (1, 1 + 37**2, 384)
        weights["mask_token"] = torch.zeros(1, 384)
    save_file(weights, path) if path.suffix == ".safetensors" else torch.save(weights, path)
    images = _images(2, 32)
    x = transforms.resize(images.float(), [224, 224], InterpolationMode.BICUBIC, antialias=True).clamp(0, 255) / 255
    x = transforms.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = reference(x)
    found = _features(path, images)
    assert found.shape == (2, 384)
    assert (expected[0] - expected[1]).norm() > 1e-2 * expected.norm()
    assert (found - expected).norm() < 1e-5 * expected.norm()


@pytest.mark.parametrize("side", [32, 64, 300])
def test_bicubic_resize_is_pillows(side: int) -> None:
    """Within 0.01 of 255: torch's antialiased bicubic is the same filter with weights of other precision."""
    images = _images(2, side)
    assert (dinov2.bicubic(images, 224) - clean(images, 224)).abs().max() < 1e-2


def test_weights_of_another_size_are_named(tmp_path: Path) -> None:
    path = tmp_path / "tiny.pth"
    other = timm.create_model(MODEL, pretrained=False, num_classes=0, depth=1)
    torch.save(other.state_dict(), path)
    with pytest.raises(WeightsError, match=r"tiny\.pth are not those of dinov2-vit-s-14") as caught:
        _features(path, _images(1, 32))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("letter", ["s", "b", "l"])
def test_without_a_file_one_line_says_which_to_give(letter: str) -> None:
    card = EXTRACTORS.get(f"dinov2-vit-{letter}-14")
    with pytest.raises(WeightsError, match=f"dinov2_vit{letter}14_pretrain.pth.*--weights") as caught:
        card.weights(Source())
    assert "\n" not in str(caught.value)
    assert timm.is_model(card.load.args[1])  # type: ignore[attr-defined]
