"""The engine: one pass over the samples feeds every metric of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.data import Dataset
from ganbench.errors import SampleError, SpecError
from ganbench.lazy import torch
from ganbench.metrics.base import Accumulator, Context, Metric, Sampler, for_kind, metric_of
from ganbench.metrics.features.base import EXTRACTORS, Extractor, loaded, weights_hash
from ganbench.spec import Scalar, Score, Scoring, digest

if TYPE_CHECKING:
    from torch import Tensor

PARZEN_DIMENSIONS = 1024
"""Above so many pixels the Parzen estimate says nothing, and is not asked for by default."""


def resolve(dataset: Dataset, scoring: Scoring) -> Scoring:
    """`scoring` with its metrics named; unknown ones, ones for other data, too few samples, are errors now."""
    names = scoring.metrics if scoring.metrics is not None else default_metrics(dataset, scoring)
    if not names:
        raise SpecError("no metrics are named: leave them out for those of the data set, or name some")
    for name in names:
        card = for_kind(metric_of(name), name, dataset.kind)
        if scoring.samples is not None and scoring.samples < card.minimum:
            raise SampleError(f"metric {name!r} needs at least {card.minimum} samples, got {scoring.samples}")
        if card.extractor:
            EXTRACTORS.get(card.extractor).find(scoring.weights)
    return scoring.model_copy(update={"metrics": tuple(names), "features": None})


def default_metrics(dataset: Dataset, scoring: Scoring) -> tuple[str, ...]:
    """The metrics of a data set, where none are named.

    Points: mode coverage. Images: Parzen where they are small and grey; FID and IS on colour where Inception's weights
    can be had, else the Fréchet distance on EfficientNet-Lite0 (or on the extractor that `features` names).
    """
    if dataset.kind == "points":
        return ("modes", "high_quality", "kl", "jsd")
    channels, height, width = dataset.shape
    grey = channels == 1
    parzen = ("parzen",) if grey and height * width <= PARZEN_DIMENSIONS else ()
    return (*parzen, *_feature_metrics(grey, scoring))


def _feature_metrics(grey: bool, scoring: Scoring) -> tuple[str, ...]:
    from ganbench.metrics.features import inception

    if scoring.features is not None:
        EXTRACTORS.get(scoring.features)
        return ("fid", "is") if scoring.features == "inception" else (f"fd-{scoring.features}",)
    # Inception on grey digits is "pretty meaningless" to its own maintainers: it is there when asked for
    if not grey and (scoring.weights is not None or inception.available()):
        return ("fid", "is")
    return ("fd-efficientnet-lite0",)


def scoring_key(dataset: Dataset, scoring: Scoring) -> str:
    """A digest of all that determines the scores of a run, given a resolved scoring."""
    names = scoring.metrics or ()
    cards = [metric_of(name) for name in names]
    weights = {
        card.extractor: weights_hash(EXTRACTORS.get(card.extractor).find(scoring.weights))
        for card in cards
        if card.extractor
    }
    versions = {name: card.version for name, card in zip(names, cards, strict=True)}
    return digest({"metrics": versions, "samples": scoring.samples or 0, "weights": weights, "data": dataset.version})


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
            self._extracted[extractor.name] = extractor(self.samples)
        return self._extracted[extractor.name]


def score(
    sampler: Sampler,
    dataset: Dataset,
    scoring: Scoring,
    *,
    root: Path | None = None,
    device: Any = "cpu",
    protocol: Mapping[str, Scalar] | None = None,
) -> tuple[Score, ...]:
    """Scores of a sampler: one pass of as many samples as the hungriest metric takes.

    `protocol` is what the caller knows of how samples were made; it becomes part of every score's protocol.
    SampleError for samples that are not finite, of another shape or type, or too few.
    """
    scoring = resolve(dataset, scoring)
    measures = _measures(dataset, scoring, root, device)
    wanted = max(measure.context.n for measure in measures)
    seen = 0
    for chunk in sampler(wanted):
        _check(chunk, dataset)
        view = _View(chunk)
        for measure in sorted(measures, key=lambda each: -each.context.n):
            if measure.context.n > seen:
                measure.accumulator.update(view.first(measure.context.n - seen))
        seen += len(chunk)
    if seen < wanted:
        raise SampleError(f"{wanted} samples are needed, the source has {seen}: use --samples {seen}")
    names = set(scoring.metrics or ())
    return tuple(each for measure in measures for each in _scores(measure, protocol or {}) if each.metric in names)


def _measures(dataset: Dataset, scoring: Scoring, root: Path | None, device: Any) -> list[_Measure]:
    cards = {card.name: card for card in map(metric_of, scoring.metrics or ())}
    measures = []
    for card in cards.values():
        extractor = loaded(card.extractor, scoring.weights, str(device)) if card.extractor else None
        context = Context(scoring.samples or card.samples, dataset, root, device, extractor)
        measures.append(_Measure(card, context, card.start(context)))
    return measures


def _scores(measure: _Measure, protocol: Mapping[str, Scalar]) -> Iterator[Score]:
    card, context = measure.card, measure.context
    full: dict[str, Scalar] = {**protocol, "n_generated": context.n, **card.protocol(context)}
    if context.dataset.kind == "images":
        full["quantisation"] = "round"
    for name, value in measure.accumulator.result().items():
        yield Score(
            metric=name,
            version=card.version,
            value=value.value,
            stderr=value.stderr,
            protocol=full,
            flags=value.flags,
            details=dict(value.details),
        )


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
