"""Inception on the CPU beside torch-fidelity's own, on the same images in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from ganbench.metrics.features.base import Extractor, Source, loaded

SHIPPED, BEST = 64, 8
"""torch-fidelity's default batch, and the one at which it was fastest on the machines that were tried."""

N, ROUNDS = 64, 3
BOUNDS = {"float32": 1.8, "bfloat16": 5.0}
WITHOUT_AMX = {"float32": 1.8, "bfloat16": 3.5}
"""Without matrix units a processor multiplies bfloat16 twice as fast as float32 at most: the ceiling of any code."""


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randint(0, 256, (N, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def theirs(inception_weights: Path) -> Any:
    return FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(inception_weights)
    )


def _rate(extract: Callable[[torch.Tensor], Any], batches: tuple[torch.Tensor, ...]) -> float:
    """Images a second."""
    started = time.perf_counter()
    with torch.inference_mode():
        for batch in batches:
            extract(batch)
    return sum(map(len, batches)) / (time.perf_counter() - started)


def _has(*instructions: str) -> bool:
    """Whether the processor has any of these."""
    facts = Path("/proc/cpuinfo")
    return facts.exists() and any(each in facts.read_text() for each in instructions)


def _ours(weights: Path, dtype: str, compiled: bool, images: torch.Tensor) -> tuple[Extractor, float]:
    """The extractor, and the seconds until its first features were there."""
    started = time.perf_counter()
    extractor = loaded("inception", Source(weights), dtype=dtype, compiled=compiled)
    extractor(images[:BEST])
    return extractor, time.perf_counter() - started


@pytest.mark.slow
@pytest.mark.speed
@pytest.mark.usefixtures("all_cores")
@pytest.mark.parametrize(
    ("dtype", "compiled"), [("float32", False), ("float32", True), ("bfloat16", False), ("bfloat16", True)]
)
def test_inception_beside_torch_fidelity(
    dtype: str, compiled: bool, images: torch.Tensor, theirs: Any, inception_weights: Path
) -> None:
    """The median of paired rounds against torch-fidelity as shipped; the compiled ones say what compiling costs."""
    if dtype == "bfloat16" and not _has("amx_bf16", "avx512_bf16"):
        pytest.skip("this processor has no bfloat16 instructions: it is slower than float32 here")
    ours, first = _ours(inception_weights, dtype, compiled, images)
    rates = {"ours": [], "shipped": [], "best": []}
    _rate(theirs, images.split(SHIPPED)[:1])
    for _ in range(ROUNDS):
        rates["ours"].append(_rate(ours, (images,)))
        rates["shipped"].append(_rate(theirs, images.split(SHIPPED)))
        rates["best"].append(_rate(theirs, images.split(BEST)))
    ratio = statistics.median(a / b for a, b in zip(rates["ours"], rates["shipped"], strict=True))
    middle = {name: statistics.median(values) for name, values in rates.items()}
    with torch.inference_mode():
        expected, found = theirs(images[:16])[0], ours(images[:16])[0]
    error = float((found - expected).norm() / expected.norm())
    print(  # noqa: T201
        f"\n{dtype}{' compiled' if compiled else ''}: {middle['ours']:.1f} images/s, "
        f"torch-fidelity {middle['shipped']:.1f} (batch {SHIPPED}) "
        f"and {middle['best']:.1f} (batch {BEST}), ratio {ratio:.2f}, error {error:.1e}, "
        f"first batch after {first:.1f} s"
    )
    assert error <= (1e-5 if dtype == "float32" else 0.05)
    assert ratio >= (BOUNDS if _has("amx_bf16") else WITHOUT_AMX)[dtype]
