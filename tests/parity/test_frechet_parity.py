"""The Fréchet distance against pytorch-fid, clean-fid and torch-fidelity, and FID end to end against the last."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity
from cleanfid.fid import frechet_distance as clean_fid
from pytorch_fid.fid_score import calculate_frechet_distance as pytorch_fid
from torch_fidelity.metric_fid import fid_statistics_to_metric

import ganbench
from ganbench.metrics import fid
from ganbench.metrics.features.base import Source, loaded

pytestmark = pytest.mark.filterwarnings("ignore:The `disp` argument:DeprecationWarning")


def _features(seed: int, n: int, d: int = 64) -> np.ndarray:
    """Correlated, off centre, of unequal scales."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / d**0.5 + rng.normal(size=d)


def _statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.mean(0), np.cov(x, rowvar=False)


@pytest.mark.parametrize("peer", [pytorch_fid, clean_fid])
def test_equals_the_peers_from_features(peer) -> None:
    """abs 1e-9 at n > d: covariances with ddof 0 would be off by 1 in 300."""
    x, y = _features(0, 300), _features(1, 400)
    assert fid(x, y) == pytest.approx(peer(*_statistics(x), *_statistics(y)), abs=1e-9)


def test_equals_torch_fidelity_from_features() -> None:
    x, y = _features(0, 300), _features(1, 400)
    with contextlib.redirect_stderr(io.StringIO()):
        statistics = [dict(zip(("mu", "sigma"), _statistics(part), strict=True)) for part in (x, y)]
        expected = fid_statistics_to_metric(*statistics, verbose=False)
    assert fid(x, y) == pytest.approx(expected["frechet_inception_distance"], abs=1e-6)


def _images(seed: int, n: int = 40) -> torch.Tensor:
    """Smooth colour images: noise alone would give features that hardly vary."""
    source = torch.Generator().manual_seed(seed)
    small = torch.rand(n, 3, 5, 5, generator=source) * (1 - 0.2 * seed)
    return (torch.nn.functional.interpolate(small, (32, 32), mode="bilinear") * 255).to(torch.uint8)


class _Images(torch.utils.data.Dataset):  # type: ignore[type-arg]
    def __init__(self, images: torch.Tensor) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self._images[index]


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_batches_do_not_show(batch: int, inception_weights: Path) -> None:
    """Features to a relative 1e-5, so FID to less than 1e-4: whole images, and batches that leave a rest."""
    extractor, images = loaded("inception", Source(inception_weights)), _images(0, 20)
    whole = extractor(images)[0]
    parts = torch.cat([extractor(part)[0] for part in images.split(batch)])
    assert float((parts - whole).norm() / whole.norm()) < 1e-5


@pytest.mark.slow
def test_fid_and_inception_score_end_to_end(inception_weights: Path, tmp_path: Path) -> None:
    """Images to scores: FID to a relative 1e-4, IS to 1e-5. Once only: theirs takes the root of a singular matrix."""
    fake, real = _images(0), _images(1)
    with contextlib.redirect_stderr(io.StringIO()):
        expected = torch_fidelity.calculate_metrics(
            input1=_Images(fake), input2=_Images(real), fid=True, isc=True, cuda=False, cache=False, verbose=False,
            samples_shuffle=False, save_cpu_ram=True, batch_size=7,
            feature_extractor_weights_path=str(inception_weights),
        )  # fmt: skip
    np.savez(tmp_path / "real.npz", images=real.numpy())
    found = ganbench.evaluate(
        fake, str(tmp_path / "real.npz"), ["fid", "is"], n=len(fake), weights=inception_weights, split="all"
    )
    scores = {score.metric: score for score in found}
    assert scores["fid"].value == pytest.approx(expected["frechet_inception_distance"], rel=1e-4)
    assert scores["is"].value == pytest.approx(expected["inception_score_mean"], rel=1e-5)
    assert any("rank-deficient" in flag for flag in scores["fid"].flags)
