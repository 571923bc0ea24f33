"""The engine: one pass over the samples feeds every metric of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.canonical import Scalar, digest
from ganbench.data import Dataset
from ganbench.errors import SampleError
from ganbench.lazy import torch
from ganbench.metrics.base import Accumulator, Context, Metric, Sampler, Value
from ganbench.metrics.choice import Request, requests, resolve, source, weights_of
from ganbench.metrics.features.base import Extractor, loaded
from ganbench.metrics.progress import Progress
from ganbench.metrics.reference import Reference, count
from ganbench.spec import Score, Scoring

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["resolve", "score", "scoring_key"]


def scoring_key(dataset: Dataset, scoring: Scoring, root: Path | None = None) -> str:
    """A digest of all that determines which scores a run has and what they are, given a resolved scoring."""
    asked = requests(dataset, scoring)
    return digest(
        {
            "metrics": {request.score: request.card.version for request in asked},
            "samples": scoring.samples or 0,
            "features": scoring.features or "",
            "weights": weights_of(asked, dataset, scoring, root),
            "resize": scoring.resize or "",
            "dtype": scoring.dtype,
            "compile": scoring.compile,
            "split": scoring.split or "",
            "data": dataset.version,
            **({"looks": scoring.looks} if scoring.looks else {}),  # none: the key that it was before there were any
        }
    )


@dataclass
class _Measure:
    """A metric at work: it takes the first n samples."""

    card: Metric
    context: Context
    accumulator: Accumulator


class _View:
    """See base.View: features are extracted once a chunk, and cut to what each metric takes."""

    def __init__(self, samples: Tensor) -> None:
        self.samples = samples
        self._extracted: dict[str, tuple[Tensor, Tensor | None]] = {}

    def first(self, n: int) -> _View:
        """The first n samples; what was extracted is shared."""
        if n >= len(self.samples):
            return self
        view = _View(self.samples[:n])
        view._extracted = {
            name: (features[:n], None if logits is None else logits[:n])
            for name, (features, logits) in self._extracted.items()
        }
        return view

    def features(self, extractor: Extractor) -> Tensor:
        return self._extract(extractor)[0]

    def logits(self, extractor: Extractor) -> Tensor:
        logits = self._extract(extractor)[1]
        assert logits is not None, f"{extractor.name} has no logits"
        return logits

    def _extract(self, extractor: Extractor) -> tuple[Tensor, Tensor | None]:
        if extractor.name not in self._extracted:
            features, logits = extractor(self.samples)
            if not features.isfinite().all():
                raise SampleError(f"features {extractor.name!r} of the samples are not finite")
            self._extracted[extractor.name] = features, logits
        return self._extracted[extractor.name]


def score(
    sampler: Sampler,
    dataset: Dataset,
    scoring: Scoring,
    *,
    root: Path | None = None,
    device: Any = "cpu",
    protocol: Mapping[str, Scalar] | None = None,
    progress: Progress | None = None,
) -> tuple[Score, ...]:
    """Scores of a sampler: one pass of as many samples as the hungriest metric takes.

    `protocol` is what the caller knows of how samples were made; it becomes part of every score's protocol.
    SampleError for samples that are not finite, of another shape or type, or too few.
    """
    scoring = resolve(dataset, scoring, root, progress)
    measures = _measures(dataset, scoring, root, device, progress)
    _feed(measures, sampler, dataset, progress)
    wanted = {request.score for request in requests(dataset, scoring)}
    found: dict[str, Score] = {}
    for done, measure in enumerate(_hungriest_first(measures)):  # what it held is let go before others need room
        if progress:
            progress(f"computing {measure.card.name}", done, len(measures))
        found |= {each.metric: each for each in _scores(measure, protocol or {}) if each.metric in wanted}
    return tuple(found[request.score] for request in requests(dataset, scoring))


def _feed(measures: list[_Measure], sampler: Sampler, dataset: Dataset, progress: Progress | None) -> None:
    wanted = max(measure.context.n for measure in measures)
    seen = 0
    for chunk in sampler(wanted):
        _check(chunk, dataset)
        view = _View(chunk)
        for measure in _hungriest_first(measures):  # it extracts what the others get a part of
            if measure.context.n > seen:
                measure.accumulator.update(view.first(measure.context.n - seen))
        seen += len(chunk)
        if progress:
            progress("samples", seen, wanted)
    if seen < wanted:
        raise SampleError(f"{wanted} samples are needed, the source has {seen}: use --samples {seen}")


def _hungriest_first(measures: list[_Measure]) -> list[_Measure]:
    return sorted(measures, key=lambda each: -each.context.n)


def _measures(
    dataset: Dataset, scoring: Scoring, root: Path | None, device: Any, progress: Progress | None
) -> list[_Measure]:
    """One for each metric and extractor; those of one extractor share its real features."""
    references: dict[str, Reference] = {}
    measures = []
    for request in dict.fromkeys(request.measured for request in requests(dataset, scoring)):
        reference = None
        if request.extractor is not None:
            if request.extractor not in references:
                extractor = _extractor(request.extractor, dataset, scoring, root, device)
                references[request.extractor] = Reference(dataset, extractor, root, progress)
            reference = references[request.extractor]
        context = _context(request, dataset, scoring, root, device, reference)
        measures.append(_Measure(request.card, context, request.card.start(context)))
    return measures


def _extractor(name: str, dataset: Dataset, scoring: Scoring, root: Path | None, device: Any) -> Extractor:
    where = source(name, dataset, scoring, root)
    return loaded(name, where, resize=scoring.resize, dtype=scoring.dtype, device=str(device), compiled=scoring.compile)


def _context(
    request: Request, dataset: Dataset, scoring: Scoring, root: Path | None, device: Any, reference: Reference | None
) -> Context:
    card = request.card
    split = (scoring.split or card.split) if card.split else ""
    return Context(
        n=scoring.samples or card.samples,
        dataset=dataset,
        split=split,
        n_real=count(dataset, split, 0 if split == "all" else card.n_real, root) if split else 0,
        root=root,
        device=device,
        extractor=reference.extractor if reference else None,
        reference=reference,
    )


def _scores(measure: _Measure, protocol: Mapping[str, Scalar]) -> Iterator[Score]:
    card, context = measure.card, measure.context
    full: dict[str, Scalar] = {**protocol, "n_generated": context.n}
    if context.split:
        full |= {"split": context.split, "n_real": context.n_real}
    if context.extractor is not None:
        full |= context.extractor.protocol
    full |= card.protocol(context)
    for name, value in measure.accumulator.result().items():
        yield Score(
            metric=f"{name}-{context.features.name}" if card.per_extractor else name,
            version=card.version,
            value=value.value,
            stderr=value.stderr,
            protocol=full,
            flags=_flags(value),
            details=dict(value.details),
        )


def _flags(value: Value) -> tuple[str, ...]:
    """A number that is none never stands without a reason."""
    told = math.isfinite(value.value) or value.flags
    return value.flags if told else ("not finite: the features are too large, or too much alike",)


def check_shape(samples: Tensor, dataset: Dataset) -> None:
    """SampleError where samples (n, ...) are not of the data set's shape."""
    if tuple(samples.shape[1:]) != dataset.shape:
        raise SampleError(
            f"samples of shape {tuple(samples.shape[1:])} cannot be scored on {dataset.name}, which has {dataset.shape}"
        )


def _check(chunk: Tensor, dataset: Dataset) -> None:
    points = dataset.kind == "points"
    check_shape(chunk, dataset)
    if not points and chunk.dtype != torch.uint8:
        raise SampleError(f"images are scored as uint8, got {chunk.dtype}")
    if points and not chunk.isfinite().all():
        raise SampleError("samples hold values that are not finite (NaN or infinite)")
