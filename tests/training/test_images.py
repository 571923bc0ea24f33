"""Runs on images: every variant with the convolutional nets, dropout, memory formats, and the sampler's pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ganbench import testing
from ganbench.data import find
from ganbench.spec import Status
from ganbench.training.loop import train
from ganbench.training.sampling import GeneratorSampler
from ganbench.training.settings import resolve
from ganbench.variants import VARIANTS

SMALL = {"width": 4, "latent_dim": 8, "batch_size": 16}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pictures") / "pictures.npz"
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(100) % 4)
    return str(path)


OWN_NETWORK = {"lapgan": "pyramid", "dbn": "boltzmann", "srgan": "srresnet"}
WITHOUT = ("began", "conopt", "dragan", "r1", "r3gan", "wgan-gp")
"""Variants whose penalty, second order or autoencoder wants no batch norm in D."""


@pytest.mark.parametrize("name", [card.name for card in VARIANTS])
def test_every_variant_trains_the_convolutional_nets(name: str, pictures: str) -> None:
    data, network = find(pictures), OWN_NETWORK.get(name, "dcgan")
    small = {"width": 4, "depth": 1, "batch_size": 8} if name == "srgan" else SMALL
    of = resolve(name, data, steps=3, network=network, overrides=small)
    norm = "spectral" if name in ("sngan", "hinge") else "none" if name in WITHOUT else "batch"
    assert of.settings.get("norm", "batch") == norm
    status, state = train(of, data)
    assert status is Status.COMPLETED
    images = torch.cat(list(GeneratorSampler(state, data)(20)))
    assert (images.shape, images.dtype) == ((20, 1, 28, 28), torch.uint8)


@pytest.mark.parametrize("network", ["dense", "maxout", "unpool", "resnet"])
@pytest.mark.parametrize("name", ["ns", "cgan", "infogan", "bigan", "aae", "began", "gran", "cvae"])
def test_every_role_is_made_by_every_assembled_network(name: str, network: str, pictures: str) -> None:
    data = find(pictures)
    small = {key: value for key, value in SMALL.items() if network != "maxout" or key != "width"}
    of = resolve(name, data, steps=2, network=network, overrides=small)
    status, state = train(of, data)
    assert status is Status.COMPLETED
    assert next(iter(GeneratorSampler(state)(3))).shape == (3, 1, 28, 28)


@pytest.mark.parametrize(
    ("network", "how"),
    [("dcgan", "concat"), ("dcgan", "embedding"), ("dcgan", "projection"), ("maxout-cgan", "concat")],
)
def test_classes_are_told_in_every_way(how: str, network: str, pictures: str) -> None:
    data = find(pictures)
    small = SMALL if network == "dcgan" else {"batch_size": 16, "width": 16}
    status, state = train(
        resolve("cgan", data, steps=2, network=network, overrides={**small, "conditioning": how}), data
    )
    assert status is Status.COMPLETED
    assert next(iter(GeneratorSampler(state)(3))).shape == (3, 1, 28, 28)


@pytest.mark.parametrize("settings", [{"network": "dcgan"}, {"network": "maxout"}], ids=str)
def test_runs_on_images_resume_bit_for_bit(settings: dict, pictures: str, tmp_path: Path) -> None:
    """With batch norm's absent statistics, and with dropout, whose noise is a function of the step."""

    class StopAt3:
        def beat(self, step: int) -> bool:
            return step == 3

    data = find(pictures)
    small = {key: value for key, value in SMALL.items() if key != "width"} if settings["network"] == "maxout" else SMALL
    of = resolve("ns", data, steps=6, overrides=small, **settings)
    _, whole = train(of, data)
    path = tmp_path / "c.safetensors"
    assert train(of, data, checkpoint=path, pulse=StopAt3())[0] is Status.INTERRUPTED
    _, resumed = train(of, data, checkpoint=path)
    assert testing.differing(whole, resumed) == []


def test_dropout_is_another_one_each_step(pictures: str) -> None:
    data = find(pictures)
    nets = {}
    for steps in (1, 2):
        of = resolve("ns", data, steps=steps, network="maxout", overrides={"batch_size": 16, "lr": 0.0, "lr_min": 0.0})
        nets[steps] = train(of, data)[1].shares[0].trainees[0].gradient.clone()
    assert not torch.equal(nets[1], nets[2])  # same weights, other data and other dropout


def test_channels_last_is_the_same_run_to_rounding(pictures: str) -> None:
    """By SGD: Adam makes whole steps of the rounding noise in gradients that are zero."""
    data, plainly = find(pictures), SMALL | {"optimizer": "sgd", "lr": 0.1, "norm": "none"}
    states = [
        train(resolve("ns", data, steps=2, network="dcgan", overrides=plainly | {"channels_last": on}), data)[1]
        for on in (False, True)
    ]
    plain, last = ([p.detach() for p in state.players["D"].network.parameters()] for state in states)
    assert any(p.dim() == 4 and p.is_contiguous(memory_format=torch.channels_last) for p in last)
    for one, other in zip(plain, last, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_pixels_are_rounded_not_truncated(pictures: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = find(pictures)
    _, state = train(resolve("ns", data, steps=1, network="dcgan", overrides=SMALL), data)
    sampler = GeneratorSampler(state)
    value = 2 * 99.7 / 255 - 1  # tanh's range: 99.7 of 255
    monkeypatch.setattr(sampler, "_generator", lambda z: torch.full((len(z), 1, 28, 28), value))
    assert next(iter(sampler(2))).unique().tolist() == [100]
