"""On a GPU: 50,000 images through Inception and all feature metrics beside torch-fidelity; cohorts beside one run."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import torch_fidelity
from torch import Tensor

from ganbench.data import Dataset, find
from ganbench.metrics.engine import score
from ganbench.spec import Scoring
from ganbench.training.loop import train_together
from ganbench.training.settings import resolve

N = 50_000
METRICS = ("fid", "is", "kid", "precision", "recall", "density", "coverage", "one_nn", "authpct", "vendi")
OPTIONS = [("float32", False), ("float32", True), ("tf32", False), ("bfloat16", False), ("bfloat16", True)]


def _images(n: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=generator)


@dataclass(frozen=True)
class _Noise(Dataset):
    def images(self, split: str, root: Path | None = None) -> Tensor:
        return _images({"test": 10_000, "train": 45_000}.get(split, N), 0)


class _Fake(torch.utils.data.Dataset):  # type: ignore[type-arg]
    def __init__(self, images: Tensor) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Tensor:
        return self._images[index]


@pytest.mark.slow
@pytest.mark.speed
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_50_000_images_and_all_feature_metrics(inception_weights: Path) -> None:
    """Real features come from the cache in both: the generated side is what a sweep pays for each run."""
    fake, real = _images(N, 1), _Noise("noise", "images", (3, 32, 32), "Noise", "nowhere")
    theirs = _torch_fidelity(fake, inception_weights)
    fastest = 0.0
    for dtype, compiled in OPTIONS:
        scoring = Scoring.parse(
            {"metrics": METRICS, "features": "inception", "weights": inception_weights, "dtype": dtype}
            | {"compile": compiled}
        )
        seconds = [_ours(fake, real, scoring) for _ in range(2)][1]  # the first one compiles, and fills the cache
        print(  # noqa: T201
            f"\n{torch.cuda.get_device_name()}, {dtype}{' compiled' if compiled else ''}: {seconds:.1f} s, "
            f"{N / seconds:,.0f} images/s; torch-fidelity {theirs:.1f} s, ratio {theirs / seconds:.1f}"
        )
        fastest = max(fastest, theirs / seconds)
    assert fastest >= 8


def _ours(fake: Tensor, real: Dataset, scoring: Scoring) -> float:
    def sampler(n: int) -> Iterator[Tensor]:
        yield from fake[:n].split(1000)

    started = time.perf_counter()
    score(sampler, real, scoring, device="cuda")
    torch.cuda.synchronize()
    return time.perf_counter() - started


def _torch_fidelity(fake: Tensor, weights: Path) -> float:
    """FID, IS, KID, precision and recall, with the real side as small as it may be: its time is not counted here."""
    started = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        torch_fidelity.calculate_metrics(
            input1=_Fake(fake), input2=_Fake(_images(1_000, 0)), cuda=True, fid=True, isc=True, kid=True, prc=True,
            cache=False, verbose=False, batch_size=256, feature_extractor_weights_path=str(weights),
        )  # fmt: skip
    return time.perf_counter() - started


@pytest.mark.slow
@pytest.mark.speed
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("runs", [64, 256, 1024])
def test_a_cohort_of_ring_runs(runs: int) -> None:
    """Run-steps a second of a cohort over those of one plain eager loop on the same GPU; 200 is wanted at 1,024."""
    from test_ring_speed import SETTINGS, plain_loop

    steps, ring = 200, find("ring")
    specs = [resolve("ns", ring, seed=seed, steps=steps, overrides=SETTINGS) for seed in range(runs)]
    with torch.device("cuda"):
        plain_loop(20)
        alone = plain_loop(steps)
    started = time.perf_counter()
    train_together(specs, ring, device="cuda")
    torch.cuda.synchronize()
    ratio = runs * alone / (time.perf_counter() - started)
    print(f"\n{torch.cuda.get_device_name()}, cohort of {runs}: {ratio:.0f} times the run-steps of one loop")  # noqa: T201
    assert runs < 1024 or ratio >= 200
