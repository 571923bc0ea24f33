"""Features and resizes against those of torch-fidelity, pytorch-fid and clean-fid, on random weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch_fidelity.feature_extractor_clip as fidelity_clip
import torch_fidelity.feature_extractor_inceptionv3 as fidelity
from torch import Tensor, nn
from torch.nn import functional as F
from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16

from ganbench.errors import WeightsError
from ganbench.metrics.features import clip, inception, resize, vgg
from ganbench.metrics.features.base import EXTRACTORS, Card, Extractor, Recipe, Source

SIZES = [(28,), (32,), (64,), (299,), (40, 90), (512, 300)]
"""Of images that are resized to 299 pixels: square ones, and others."""


def noise(n: int, channels: int, *sides: int) -> Tensor:
    """uint8 images (n, channels, ...) of independent pixels."""
    shape = (n, channels, *sides, *sides[: 2 - len(sides)])
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(5))


def extractor(card: Card | str, path: Path, way: str = "tf1") -> Extractor:
    """The extractor of a card on these weights."""
    card = EXTRACTORS.get(card) if isinstance(card, str) else card
    return Extractor(card, Recipe(path, way, "float32", "cpu"))


def far(found: Tensor | None, expected: Tensor) -> float:
    """The relative distance of two sets of features."""
    assert found is not None
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


@pytest.fixture(scope="module")
def reference(inception_weights: Path) -> Any:
    """torch-fidelity's own extractor."""
    return fidelity.FeatureExtractorInceptionV3("reference", ["2048", "logits_unbiased"], str(inception_weights))


@pytest.fixture(scope="module")
def ours(inception_weights: Path) -> Extractor:
    """Ours on the same weights, as it is used: folded and channels last."""
    return extractor("inception", inception_weights)


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32), (3, 64), (3, 299)])
def test_inception_equals_torch_fidelity(reference: Any, ours: Extractor, channels: int, side: int) -> None:
    """rel 1e-4; logits are those without bias, and a grey image is three equal channels."""
    images = noise(3, channels, side)
    expected, logits = reference(images.expand(-1, 3, -1, -1))
    found = ours(images)
    assert far(found[0], expected) < 1e-4
    assert far(found[1], logits) < 1e-4
    assert far(logits + reference.fc.bias, logits) > 1e-3  # so that biased ones would be far off
    assert far(expected[:1], expected[1:2]) > 1e-2  # features do depend on the image


def test_the_port_before_it_is_folded_equals_torch_fidelity(reference: Any, inception_weights: Path) -> None:
    """rel 1e-6 on one and the same enlarged image: the order of the layers, and no more."""
    images = noise(3, 3, 64)
    enlarged = fidelity.interpolate_bilinear_2d_like_tensorflow1x(images.float(), (299, 299), align_corners=False)
    with torch.inference_mode():
        maps = inception._trunk(inception._port(inception_weights), (enlarged - 128) / 128)
    assert far(maps.mean((2, 3)), reference(images)[0]) < 1e-6


def test_inception_equals_pytorch_fid(inception_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """rel 1e-4 under pytorch-fid's preprocessing: half-pixel bilinear, and 2x / 255 - 1."""
    import pytorch_fid.inception as peer

    def enlarge(images: Tensor, size: int) -> Tensor:
        x = F.interpolate(images.float() / 255, (size, size), mode="bilinear", align_corners=False)
        return 128 * (2 * x - 1) + 128  # what becomes 2x - 1 by our (x - 128) / 128

    weights = torch.load(inception_weights, weights_only=True)
    monkeypatch.setattr(peer, "load_state_dict_from_url", lambda *_, **__: weights)
    monkeypatch.setitem(resize.WAYS, "pytorch-fid", enlarge)
    network, found = peer.InceptionV3().eval(), extractor("inception", inception_weights, "pytorch-fid")
    for side in (32, 299):
        images = noise(3, 3, side)
        with torch.no_grad():
            expected = network(images.float() / 255)[0].flatten(1)
        assert far(found(images)[0], expected) < 1e-4


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_tf1_resize_equals_torch_fidelity(size: tuple[int, ...]) -> None:
    """Within 1e-4 on 0 to 255, enlarging and reducing."""
    images = noise(2, 3, *size)
    expected = fidelity.interpolate_bilinear_2d_like_tensorflow1x(images.float(), (299, 299), align_corners=False)
    assert (resize.tf1(images, 299) - expected).abs().max() <= 1e-4


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_clean_resize_equals_clean_fid(size: tuple[int, ...]) -> None:
    """To the bit."""
    from cleanfid.resize import make_resizer

    images = noise(3, 3, *size)
    resizer = make_resizer("PIL", False, "bicubic", (299, 299))
    expected = np.stack([resizer(image.permute(1, 2, 0).numpy()) for image in images])
    assert torch.equal(resize.clean(images, 299), torch.from_numpy(expected).permute(0, 3, 1, 2))


@pytest.fixture(scope="module")
def vgg_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random state dict of torchvision's VGG16, in float16 to spare the disk."""
    from torchvision.models import vgg16

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = vgg16()
    path = tmp_path_factory.mktemp("weights") / "vgg16.pth"
    torch.save({name: each.half() for name, each in network.state_dict().items()}, path)
    return path


@pytest.mark.slow
def test_vgg16_equals_torch_fidelity(vgg_weights: Path) -> None:
    """rel 1e-5, on small images and on images of its own size."""
    network = FeatureExtractorVGG16("reference", ["fc2_relu"], str(vgg_weights))
    found = extractor(vgg.CARD, vgg_weights)
    for side in (32, 224):
        images = noise(2, 3, side)
        (expected,) = network(images)
        assert expected.shape == (2, 4096)
        assert far(expected[:1], expected[1:]) > 1e-3
        assert far(found(images)[0], expected) < 1e-5


SHAPE = clip.Shape(size=32, patch=8, width=128, blocks=2, embedding=64)
"""Of a CLIP that is small, but built like OpenAI's."""


@pytest.fixture(scope="module")
def clip_tensors() -> dict[str, Tensor]:
    """A random state dict with the names of OpenAI's, text half included as far as torch-fidelity looks at it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        visual = fidelity_clip.CLIPVisual(SHAPE.embedding, SHAPE.size, SHAPE.blocks, SHAPE.width, SHAPE.patch)
    return {**visual.state_dict(), "text_projection": torch.zeros(3, SHAPE.embedding), "logit_scale": torch.ones(())}


def _archive(tensors: Mapping[str, Tensor], path: Path) -> Path:
    """A TorchScript archive that holds these tensors, as OpenAI's files do."""
    root = nn.Module()
    for name, each in tensors.items():
        *parents, leaf = name.split(".")
        module = root
        for parent in parents:
            if parent not in dict(module.named_children()):
                module.add_module(parent, nn.Module())
            module = module.get_submodule(parent)
        module.register_parameter(leaf, nn.Parameter(each))
    torch.jit.script(root).save(str(path))
    return path


@pytest.fixture(scope="module")
def clip_archive(clip_tensors: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.warns((FutureWarning, DeprecationWarning), match=r"torch\.jit"):
        return _archive(clip_tensors, tmp_path_factory.mktemp("weights") / "ViT.pt")


@pytest.fixture
def published(clip_archive: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive, as though OpenAI had published it."""
    digest = hashlib.sha256(clip_archive.read_bytes()).hexdigest()
    monkeypatch.setitem(fidelity_clip.MODEL_METADATA["clip-vit-b-32"], "hash", digest)
    return clip_archive


CLIP = clip.card("clip-vit-b-32", "ViT-B-32.pt", SHAPE)


@pytest.mark.filterwarnings(r"ignore:`torch\.jit:FutureWarning")
@pytest.mark.filterwarnings(r"ignore:`torch\.jit:DeprecationWarning")
@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_clip_equals_torch_fidelity(
    suffix: str, published: Path, clip_tensors: dict[str, Tensor], tmp_path: Path
) -> None:
    """rel 1e-5, from OpenAI's archive and from a state dict; the state dict has more layers than are looked at."""
    path = published if suffix == ".pt" else tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(clip_tensors, path)
    elif suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(clip_tensors, path)
    network = fidelity_clip.FeatureExtractorCLIP("clip-vit-b-32", ["clip"], str(published))
    for side in (28, 32):
        images = noise(3, 3, side)
        (expected,) = network(images)
        assert expected.shape == (3, SHAPE.embedding)
        assert far(expected[:1], expected[1:2]) > 1e-2
        assert far(extractor(CLIP, path)(images)[0], expected) < 1e-5


def test_an_archive_that_openai_did_not_publish_is_not_run(clip_archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.jit, "load")
    with pytest.raises(WeightsError, match="a TorchScript archive, but not OpenAI's of clip-vit-b-32") as caught:
        extractor(CLIP, clip_archive)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [{"patch": 16}, {"width": 64}, {"blocks": 3}, {"size": 40}, {"embedding": 65}],
    ids=lambda change: next(iter(change)),
)
def test_weights_of_another_clip_are_named(change: dict[str, int], clip_tensors: dict, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(clip_tensors, path)
    other = clip.card("clip-vit-b-32", "ViT-B-32.pt", replace(SHAPE, **change))
    with pytest.raises(WeightsError, match=r"weights\.pth are not those of clip-vit-b-32"):
        extractor(other, path)


def test_without_a_file_one_line_says_which_to_give() -> None:
    for name, file in (("clip-vit-b-32", "ViT-B-32.pt"), ("clip-vit-l-14", "ViT-L-14.pt")):
        with pytest.raises(WeightsError, match=f"{file}.*state dict.*--weights") as caught:
            EXTRACTORS.get(name).weights(Source())
        assert "\n" not in str(caught.value)
