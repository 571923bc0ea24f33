"""What is to be measured: names of scores become metrics and extractors, before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ganbench.data import Dataset
from ganbench.errors import SampleError, SpecError, UnknownNameError
from ganbench.metrics.base import METRICS, Metric, check_fits, pinned
from ganbench.metrics.features.base import DTYPES, EXTRACTORS, Source, check_options, weights_hash
from ganbench.metrics.progress import Progress
from ganbench.spec import Scoring

PARZEN_DIMENSIONS = 1024
"""Above so many pixels the Parzen estimate says nothing, and is not asked for by default."""


@dataclass(frozen=True)
class Request:
    """A score that is asked for: its metric, and the extractor whose features it takes (None: it takes none)."""

    score: str
    card: Metric
    extractor: str | None

    @property
    def measured(self) -> Request:
        """What is done for it: one accumulator gives all scores of a metric."""
        return replace(self, score=self.card.name)

    def __hash__(self) -> int:
        return hash((self.score, self.card.name, self.extractor))


def resolve(dataset: Dataset, scoring: Scoring, root: Path | None = None, progress: Progress | None = None) -> Scoring:
    """`scoring` with its metrics and extractor named; unknown ones, ones for other data, too few samples, weights that
    cannot be had, are errors now. A metric's name (`prdc`) stands for all of its scores, unless one bears it too.
    `progress` is told of a classifier's training, where one must be trained first."""
    if scoring.split is not None and scoring.split not in dataset.splits:
        raise UnknownNameError(f"split of {dataset.name}", scoring.split, dataset.splits)
    if scoring.dtype not in DTYPES:
        raise UnknownNameError("dtype", scoring.dtype, DTYPES)
    names = scoring.metrics if scoring.metrics is not None else default_metrics(dataset, scoring)
    if not names:
        raise SpecError("no metrics are named: leave them out for those of the data set, or name some")
    scores = dict.fromkeys(score for name in names for score in scores_of(name))
    asked = list(dict.fromkeys(_request(score, dataset, scoring) for score in scores))
    for request in asked:
        check_fits(request.card, request.score, dataset)
        if scoring.samples is not None and scoring.samples < request.card.minimum:
            raise SampleError(
                f"metric {request.score!r} needs at least {request.card.minimum} samples, got {scoring.samples}"
            )
    extractors = _extractors(asked)
    check_options(extractors, scoring.resize, scoring.dtype)
    _check_weights(extractors, scoring)
    weights_of(asked, dataset, scoring, root, progress)
    chosen = {request.extractor for request in asked if pinned(request.score, dataset)[1] is None}
    return scoring.model_copy(
        update={"metrics": tuple(request.score for request in asked), "features": next(iter(chosen - {None}), None)}
    )


def scores_of(name: str) -> tuple[str, ...]:
    """The scores that a name stands for: itself, or those of the metric of that name."""
    cards = {card.name: card for card in METRICS}
    if name in cards and not any(name in card.directions for card in cards.values()):
        return tuple(cards[name].directions)
    return (name,)


def requests(dataset: Dataset, scoring: Scoring) -> list[Request]:
    """The scores that a resolved scoring asks for."""
    found = []
    for name in scoring.metrics or ():
        card, extractor = pinned(name, dataset)
        found.append(Request(name, card, extractor or (scoring.features if card.extractor else None)))
    return found


def narrowed(scoring: Scoring, asked: Sequence[Request], n: int | None) -> Scoring:
    """The scoring of a part of its metrics, without what those have no use for."""
    cards = [EXTRACTORS.get(request.extractor) for request in asked if request.extractor]
    used = {"", *(card.name for card in cards)}
    return scoring.model_copy(
        update={
            "metrics": tuple(request.score for request in asked),
            "samples": n,
            "weights": {name: path for name, path in scoring.weights.items() if name in used},
            "resize": scoring.resize if any(scoring.resize in card.resizes for card in cards) else None,
            "looks": 0,  # a part is what is scored apart from all: real data, or what a search chooses by
        }
    )


def source(
    extractor: str, dataset: Dataset, scoring: Scoring, root: Path | None, progress: Progress | None = None
) -> Source:
    """Where the weights of an extractor may come from; a file without a name is for the one that has weights."""
    unnamed = scoring.weights.get("") if EXTRACTORS.get(extractor).find else None
    return Source(scoring.weights.get(extractor, unnamed), dataset, root, progress)


def weights_of(
    asked: Sequence[Request],
    dataset: Dataset,
    scoring: Scoring,
    root: Path | None,
    progress: Progress | None = None,
) -> dict[str, str]:
    """The hash of each extractor's weights; WeightsError where they cannot be had."""
    found = {}
    for name in _extractors(asked):
        path = EXTRACTORS.get(name).weights(source(name, dataset, scoring, root, progress))
        found[name] = weights_hash(path) if path else ""
    return found


def default_metrics(dataset: Dataset, scoring: Scoring) -> tuple[str, ...]:
    """The metrics of a data set, where none are named.

    Mixtures and stacked digits: mode coverage. Images: Parzen where they are small and grey; FID and IS on colour
    where Inception's weights can be had, else the Fréchet distance on EfficientNet-Lite0 (or on the extractor that
    `features` names).
    """
    if dataset.kind == "points":
        return ("modes", "high_quality", "kl", "jsd")
    if dataset.name == "stacked_mnist":
        return ("modes", "kl", "jsd", "confidence")
    channels, height, width = dataset.shape
    grey = channels == 1
    parzen = ("parzen",) if grey and height * width <= PARZEN_DIMENSIONS else ()
    features = default_features(dataset, scoring)
    return (*parzen, *(("fid", "is") if features == "inception" else (f"fd-{features}",)))


def default_features(dataset: Dataset, scoring: Scoring) -> str:
    """The extractor of metrics that take any, where none is named."""
    from ganbench.metrics.features import inception

    if scoring.features is not None:
        return EXTRACTORS.get(scoring.features).name
    if dataset.kind == "points":
        return "identity"
    # Inception on grey digits is "pretty meaningless" to its own maintainers: it is there when asked for
    given = scoring.weights.keys() & {"", "inception"}
    if dataset.shape[0] == 3 and (given or inception.available()):
        return "inception"
    return "efficientnet-lite0"


def _request(name: str, dataset: Dataset, scoring: Scoring) -> Request:
    """`fd` alone is the distance on whichever extractor is in use: `fd-efficientnet-lite0`."""
    card, extractor = pinned(name, dataset)
    if card.extractor is None:
        return Request(name, card, None)
    extractor = EXTRACTORS.get(extractor or default_features(dataset, scoring)).name
    if EXTRACTORS.get(extractor).kind != dataset.kind:
        fitting = sorted(each.name for each in EXTRACTORS if each.kind == dataset.kind)
        raise SpecError(
            f"features {extractor!r} are not for {dataset.kind}, which {dataset.name} holds: "
            f"choose from {', '.join(fitting)}"
        )
    return Request(f"{name}-{extractor}" if card.per_extractor and name in card.directions else name, card, extractor)


def _extractors(asked: Sequence[Request]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(request.extractor for request in asked if request.extractor))


def _check_weights(extractors: tuple[str, ...], scoring: Scoring) -> None:
    """One file cannot be the weights of two networks, and a file for one that is not used is a mistake."""
    with_weights = [name for name in extractors if EXTRACTORS.get(name).find]
    unused = scoring.weights.keys() - {"", *extractors}
    if unused:
        raise SpecError(f"weights are given for {min(unused)!r}, which no metric here uses: {_uses(with_weights)}")
    if "" in scoring.weights and extractors and not with_weights:
        raise SpecError(f"weights are given ({scoring.weights['']}), which no metric here uses: leave them out")
    if "" in scoring.weights and len(with_weights) > 1:
        raise SpecError(f"which network are the weights of? Say NAME=FILE: {_uses(with_weights)}")


def _uses(names: Sequence[str]) -> str:
    return f"in use: {', '.join(names) or 'none with weights'}"
