"""Image embeddings of CLIP (Radford et al. 2021): torch-fidelity's port of OpenAI's vision transformers."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.errors import WeightsError
from ganbench.lazy import torch
from ganbench.metrics.features.base import EXTRACTORS, Card, Network, Recipe, Source, state_dict
from ganbench.metrics.features.building import standardised

if TYPE_CHECKING:
    from torch import Tensor

MOMENTS = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Mean and deviation of the channels in CLIP's training, for images in [0, 1]."""


@dataclass(frozen=True)
class Shape:
    """A vision transformer: pixels of an image and of a patch, width, blocks, and dimensions of the embedding."""

    size: int
    patch: int
    width: int
    blocks: int
    embedding: int


def card(name: str, file: str, shape: Shape) -> Card:
    """The card of a CLIP whose weights OpenAI publishes as `file`; they are never downloaded."""
    return Card(
        name=name,
        title=f"CLIP {file.removesuffix('.pt')}, image embeddings of {shape.embedding} dimensions (OpenAI's weights)",
        resizes=("tf1", "clean"),
        find=partial(_find, name, file),
        load=partial(_load, name, shape),
        batch=(16, 256),
    )


def _find(name: str, file: str, source: Source) -> Path:
    if source.given is None:
        raise WeightsError(
            f"features {name!r} need weights that are not downloaded: give OpenAI's {file} (a TorchScript archive), "
            "or its state dict as .pt or .safetensors, with --weights"
        )
    return source.given


def _load(name: str, shape: Shape, recipe: Recipe) -> Network:
    from ganbench.metrics.features import resize

    assert recipe.weights is not None
    network = _port(recipe.weights, name, shape).visual.to(recipe.device, recipe.torch_dtype)
    enlarge = resize.WAYS[recipe.resize]

    def features(images: Tensor) -> tuple[Tensor, None]:
        x = standardised(enlarge(images, shape.size), MOMENTS)
        return network(x.to(recipe.torch_dtype)), None

    return features


def _port(path: Path, name: str, shape: Shape) -> Any:
    """The image half. Weights are rounded to float16, which is what OpenAI publishes, and computed with as asked."""
    from torch_fidelity.feature_extractor_clip import build_model

    tensors = _published(path, name) if _is_torchscript(path) else state_dict(path)
    if _shape(tensors) != shape:
        raise WeightsError(f"weights {path} are not those of {name}")
    try:
        return build_model(tensors, torch.float32)
    except (RuntimeError, KeyError):
        raise WeightsError(f"weights {path} are not those of {name}") from None


def _published(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors of OpenAI's archive, and of no other: what torch.jit.load reads can run code."""
    from torch_fidelity.feature_extractor_clip import MODEL_METADATA

    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != MODEL_METADATA[name]["hash"]:
        raise WeightsError(
            f"weights {path} are a TorchScript archive, but not OpenAI's of {name}: give the state dict in it instead"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's about TorchScript, which is the format of the file
        return dict(torch.jit.load(path, map_location="cpu").state_dict())


def _is_torchscript(path: Path) -> bool:
    """What tells it from other archives of torch's, in which pickled objects lie: its constants."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _shape(tensors: Mapping[str, Tensor]) -> Shape | None:
    """The shape that a state dict's tensors have; None where they are not those of a CLIP with a vision transformer."""
    try:
        width, _, patch, _ = tensors["visual.conv1.weight"].shape
        positions = len(tensors["visual.positional_embedding"]) - 1
        embedding = tensors["visual.proj"].shape[1]
    except (KeyError, ValueError, AttributeError, IndexError):
        return None
    blocks = sum(name.startswith("visual.") and name.endswith(".attn.in_proj_weight") for name in tensors)
    return Shape(round(positions**0.5) * patch, patch, width, blocks, embedding)


PUBLISHED = {
    "clip-vit-b-32": ("ViT-B-32.pt", Shape(224, 32, 768, 12, 512)),
    "clip-vit-b-16": ("ViT-B-16.pt", Shape(224, 16, 768, 12, 512)),
    "clip-vit-l-14": ("ViT-L-14.pt", Shape(224, 14, 1024, 24, 768)),
    "clip-vit-l-14-336px": ("ViT-L-14-336px.pt", Shape(336, 14, 1024, 24, 768)),
}
"""OpenAI's vision transformers: by torch-fidelity's names, the files and what is in them."""

for _name, _facts in PUBLISHED.items():
    EXTRACTORS.add(card(_name, *_facts))
