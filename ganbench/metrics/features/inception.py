"""Inception of 2015-12-05, the network of IS and FID: torch-fidelity's port, and its weights."""

from __future__ import annotations

import os
import urllib.request
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.data.cache import cache_folder
from ganbench.errors import WeightsError
from ganbench.metrics.features.base import EXTRACTORS, Card, Network, state_dict, weights_hash

if TYPE_CHECKING:
    from torch import Tensor

FILE = "weights-inception-2015-12-05-6726825d.pth"
TIMEOUT = 10  # seconds


def cached() -> Path:
    """Where the weights lie once they were downloaded."""
    return cache_folder() / "weights" / FILE


def _find(given: Path | None) -> Path:
    if given is not None:
        weights_hash(given)  # readable, or one clear line
        return given
    path = cached()
    return path if path.exists() else _download(path)


@lru_cache(maxsize=1)
def _download(path: Path) -> Path:
    """Fetch the weights, check them against the hash in their name, and only then give them it."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(URL_INCEPTION_V3, timeout=TIMEOUT) as answer:
            temporary.write_bytes(answer.read())
        _check(temporary)
        temporary.replace(path)
    except OSError as error:
        raise WeightsError(
            f"no Inception weights: none were given, none are at {path}, and the download failed ({error}); "
            f"give the file {FILE} with --weights, or use the metric fd-efficientnet-lite0"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _check(path: Path) -> None:
    expected, found = Path(FILE).stem.rpartition("-")[2], weights_hash(path)
    if found != expected:
        raise OSError(f"its checksum is {found}, not {expected}")


def available() -> bool:
    """Whether the weights are cached, or can be downloaded now."""
    try:
        _find(None)
    except WeightsError:
        return False
    return True


def _load(path: Path, device: Any) -> Network:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    state_dict(path)  # torch-fidelity unpickles whatever is in the file: let only tensors reach it
    try:
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
        )
    except RuntimeError:
        raise WeightsError(f"weights {path} are not those of torch-fidelity's Inception") from None
    network = network.to(device)

    def features(images: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = network(images)
        return found

    return features


EXTRACTORS.add(
    Card(
        name="inception",
        title="Inception 2015-12-05, 2048 pooled features and logits without bias (torch-fidelity's port)",
        dim=2048,
        resize="tf1-299",
        find=_find,
        load=_load,
    )
)
