"""SRGAN: its loss by hand, its small images, and a file of VGG19 weights."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ganbench.data import find
from ganbench.errors import DataError, SpecError, WeightsError
from ganbench.networks.srresnet import VGG_SCALE, Upscaler, _vgg
from ganbench.spec import Status
from ganbench.testing import losses_at
from ganbench.training.latents import small_images
from ganbench.training.loop import train
from ganbench.training.sampling import GeneratorSampler
from ganbench.training.settings import resolve
from ganbench.variants import VARIANTS, Batch

SMALL = {"width": 4, "depth": 1, "batch_size": 8}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pictures") / "pictures.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8))
    return str(path)


def test_the_loss_by_hand() -> None:
    """Pixels ½ off: .25; D(G(z)) = .2: 1e-3 x 1.609438."""
    nets = SimpleNamespace(G=lambda z: z, D=lambda x: torch.full((2,), math.log(0.25)))
    batch = Batch(real=torch.ones(2, 1, 2, 2), z=torch.full((2, 1, 2, 2), 0.5))
    assert losses_at(VARIANTS.get("srgan"), nets, batch)[1] == pytest.approx(0.25 + 1.609438e-3, abs=1e-7)
    nets.V = lambda x: 10 * x
    assert losses_at(VARIANTS.get("srgan"), nets, batch, vgg_weights="a file")[1] == pytest.approx(25 + 1.609438e-3)


def test_small_images_are_means() -> None:
    images = torch.arange(64.0).view(1, 1, 8, 8)
    expected = [images[0, 0, i : i + 4, j : j + 4].mean().item() for i in (0, 4) for j in (0, 4)]
    assert small_images(images, 4)[0].tolist() == expected


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_the_upscaler_makes_four_times_the_size(shape: tuple[int, ...]) -> None:
    made = Upscaler(shape, 4, 2)(torch.randn(3, shape[0] * (shape[1] // 4) ** 2))
    assert made.shape == (3, *shape)
    assert made.abs().max() <= 1


def test_samples_are_of_held_out_images(pictures: str) -> None:
    """Ten of a hundred: the eleventh sample is the first again."""
    data = find(pictures)
    _, state = train(resolve("srgan", data, steps=2, overrides=SMALL), data)
    samples = torch.cat(list(GeneratorSampler(state, data)(30)))
    assert torch.equal(samples[:10], samples[10:20])
    assert not torch.equal(samples[0], samples[1])
    with pytest.raises(DataError, match="its sampler needs the data set"):
        GeneratorSampler(state)


def test_priors_go_with_their_networks(pictures: str) -> None:
    for name, network, prior in (("ns", "dcgan", "low_resolution"), ("srgan", "srresnet", "normal")):
        with pytest.raises(SpecError, match=f"prior '{prior}' is not for network '{network}'"):
            resolve(name, find(pictures), network=network, overrides={"prior": prior})


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights: the published ones are not at hand. 575 MB, of zeros but for what is read."""
    from torchvision.models import vgg19

    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    network = vgg19(weights=None, init_weights=False)
    for name, weight in network.state_dict().items():
        if name.startswith("classifier"):
            weight.zero_()
    torch.save(network.state_dict(), path)
    return path


def test_a_file_of_vgg_weights_is_read_frozen_and_part_of_the_run(
    pictures: str, vgg_file: Path, tmp_path: Path
) -> None:
    data = find(pictures)
    of = resolve("srgan", data, steps=2, overrides={**SMALL, "vgg_weights": str(vgg_file)})
    assert of.settings["vgg_weights"].startswith(f"{vgg_file}@")
    checkpoint = tmp_path / "c.safetensors"
    status, state = train(of, data, checkpoint=checkpoint)
    assert status is Status.COMPLETED
    fresh = torch.cat([weight.flatten() for weight in _vgg(vgg_file).parameters()])
    kept = torch.cat([weight.flatten() for weight in state.players["V"].parameters])
    assert torch.equal(kept, fresh)  # no phase trains it
    assert checkpoint.stat().st_size < 2**20  # nor is it kept
    images = torch.rand(2, 1, 28, 28) * 2 - 1
    coloured = ((images + 1) / 2).expand(-1, 3, -1, -1)
    normal = (coloured - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        3, 1, 1
    )
    expected = _vgg(vgg_file)(normal) * VGG_SCALE
    torch.testing.assert_close(state.players["V"].network(images), expected)


def test_what_are_no_vgg_weights_is_one_line(pictures: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot read nowhere\.pth: No such file"):
        resolve("srgan", find(pictures), overrides={"vgg_weights": "nowhere.pth"})
    (tmp_path / "odd.pth").write_bytes(b"oh")
    with pytest.raises(WeightsError, match="are not those of torchvision's VGG19"):
        _vgg(tmp_path / "odd.pth")
