"""Runs made elsewhere, as records like ours."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ganbench.canonical import Scalar, digest
from ganbench.data import Dataset, files
from ganbench.errors import DataError, SpecError
from ganbench.interchange.suites import joined, read_scores
from ganbench.metrics.engine import score, scoring_key
from ganbench.metrics.progress import Progress
from ganbench.metrics.samples import open_samples, resolved
from ganbench.reports.names import REAL
from ganbench.spec import IMPORTED, RunRecord, RunSpec, Score, Scoring, Status
from ganbench.store import Store
from ganbench.variants.base import VARIANTS

UNKNOWN = "unknown"
"""What is not known of samples, in their protocol; and the network where none is named."""

_NAME = re.compile(r"[^\W_][\w.+-]{0,99}")


@dataclass(frozen=True)
class Model:
    """Who made what is imported. `steps` are the generator's; None: as many as the source says, else 0.

    SpecError for a name that is no plain word, or is that of a variant of ours.
    """

    variant: str
    network: str = UNKNOWN
    seed: int = 0
    steps: int | None = None

    def __post_init__(self) -> None:
        for kind, name in (("variant", self.variant), ("network", self.network)):
            if not _NAME.fullmatch(name):
                raise SpecError(f"--{kind} is up to 100 letters, digits, '.', '_', '+' and '-', got {name!r}")
        if self.variant.casefold() in {REAL, *(card.name.casefold() for card in VARIANTS)}:
            raise SpecError(
                f"variant {self.variant!r} is ganbench's own: say whose it is, as in --variant studiogan-{self.variant}"
            )


class Import(NamedTuple):
    """What is to be stored: `record` reads and scores, which may take long; `key` says which scoring that is."""

    spec: RunSpec
    key: str
    record: Callable[[], RunRecord]


def of_scores(source: Path, dataset: Dataset, model: Model, stated: Mapping[str, Scalar]) -> Import:
    """The scores in a file of another suite; errors as of read_scores."""
    found = read_scores(source, model.steps, stated)
    spec = _spec(source, dataset, model, found.steps)
    provenance = _origin(source, found.suite, stated)
    key = digest([each.model_dump() for each in found.scores])
    return Import(spec, key, lambda: _record(spec, found.scores, provenance))


def of_samples(
    source: Path,
    dataset: Dataset,
    model: Model,
    stated: Mapping[str, Scalar],
    scoring: Scoring,
    *,
    quantise: str = "round",
    root: Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Import:
    """Samples, as open_samples reads them, to be scored here.

    How they were drawn is not known: `generator` (the last weights, or their moving average) and `sampling_seed` are
    "unknown" in their protocol, so they are on tracks of their own, unless both are `stated`, and of images that come
    as bytes their `quantisation`. GanbenchError (one line) for all that cannot be scored.
    """
    samples = open_samples(source, dataset, quantise)
    protocol = _protocol(samples.protocol, stated)
    asked = resolved(dataset, scoring, root, progress)
    spec = _spec(source, dataset, model, None)
    provenance = {**_origin(source, "samples", stated), **_computed(device)}

    def record() -> RunRecord:
        started = time.perf_counter()
        scores = score(samples, dataset, asked, root=root, device=device, protocol=protocol, progress=progress)
        flagged = tuple(_flagged(each, stated) for each in scores)
        return _record(spec, flagged, provenance, time.perf_counter() - started)

    return Import(spec, digest([scoring_key(dataset, asked, root), protocol]), record)


def same_seed(store: Store, record: RunRecord) -> str | None:
    """A run of the same model and seed that has a score of the same metric and protocol, from another file."""
    spec = record.spec
    runs, scores = store.rows([spec.dataset])
    others = {run.id for run in runs if run.group == spec.group and run.seed == spec.seed and run.id != spec.id}
    ours = {(each.metric, each.protocol_text, each.version) for each in record.scores}
    twins = (each for each in scores if (each.metric, each.protocol, each.version) in ours)
    return min((each.run_id for each in twins if each.run_id in others), default=None)


def _protocol(read: Mapping[str, Scalar], stated: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Bytes may have been rounded or truncated, which only who made them knows."""
    open_to = {"generator": UNKNOWN, "sampling_seed": UNKNOWN}
    open_to |= {key: "uint8" for key, value in read.items() if value == "uint8"}
    unheard = stated.keys() - open_to.keys()
    if unheard:
        raise SpecError(f"--protocol of these samples may say {', '.join(open_to)}, got {min(unheard)!r}")
    return joined({key: value for key, value in {**read, **open_to}.items() if key not in stated}, stated)


def _flagged(score: Score, stated: Mapping[str, Scalar]) -> Score:
    """A score that stands beside ours on somebody's word says so itself, in every report."""
    if not stated:
        return score
    return score.model_copy(update={"flags": (*score.flags, f"stated, not measured: {_told(stated)}")})


def _told(stated: Mapping[str, Scalar]) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(stated.items()))


def _spec(source: Path, dataset: Dataset, model: Model, steps: int | None) -> RunSpec:
    return RunSpec(
        variant=model.variant,
        dataset=dataset.name,
        network=model.network,
        seed=model.seed,
        steps=steps if steps is not None else model.steps or 0,
        versions={"dataset": dataset.version, IMPORTED: content(source)},
    )


def content(source: Path) -> str:
    """12 hex digits of the SHA-256 of a file, or of the names and contents of the images in a folder."""
    if source.is_dir():
        return files.inspect(source)[1]
    try:
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror or error}") from None


def _record(
    spec: RunSpec, scores: tuple[Score, ...], provenance: dict[str, Scalar], score_seconds: float = 0.0
) -> RunRecord:
    return RunRecord(
        spec=spec,
        status=Status.COMPLETED,
        step=spec.steps,
        scores=scores,
        score_seconds=score_seconds,
        provenance=provenance,
    )


def _origin(source: Path, suite: str, stated: Mapping[str, Scalar]) -> dict[str, Scalar]:
    name = source.resolve().name
    return {
        "ganbench": importlib.metadata.version("ganbench"),
        "imported_from": name if name.isprintable() else ascii(name)[1:-1],  # it is shown on terminals
        "suite": suite,
        **({"stated": _told(stated)} if stated else {}),
    }


def _computed(device: Any) -> dict[str, Scalar]:
    import torch

    return {"torch": str(torch.__version__), "python": platform.python_version(), "device": str(device)}
