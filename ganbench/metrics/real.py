"""What real data score: the ceiling that stands beside every score, from the same engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganbench.canonical import Scalar
from ganbench.data import Dataset, real_samples
from ganbench.metrics.choice import Request, narrowed, requests
from ganbench.metrics.engine import score
from ganbench.metrics.progress import Progress
from ganbench.spec import Score, Scoring

SEED = 0
"""Of the order of real images, and of real points: those of the row `real` of a sweep."""

FRESH = "fresh"
"""Where real points come from: a mixture has no end of them."""


def real_scores(
    dataset: Dataset,
    scoring: Scoring,
    *,
    root: Path | None = None,
    device: Any = "cpu",
    protocol: Mapping[str, Scalar] | None = None,
    progress: Progress | None = None,
) -> dict[str, Score]:
    """The scores of real data by name, under a resolved scoring; `protocol` is that of the samples they stand beside,
    else its `real` says where they come from.

    They are of images that the metric does not see: `train`, or `test` for a metric held against training data, or
    `valid` where it sees both; of points, fresh ones. As many as samples are scored where the split has them, else all
    of it: n_generated says so. Metrics held against all of the data, or defined on more than there are, have none.
    """
    groups: dict[tuple[str, int], list[Request]] = {}
    for request in requests(dataset, scoring):
        split = _split(request, scoring)
        n = _count(request, dataset, scoring, split, root)
        if n >= request.card.minimum:
            groups.setdefault((split, n), []).append(request)
    found = {}
    for (split, n), asked in groups.items():

        def sampler(count: int, split: str = split) -> Any:
            return real_samples(dataset, count, SEED, root, split=split)

        part, told = narrowed(scoring, asked, n), _told(progress)
        made = protocol or {"real": FRESH if dataset.kind == "points" else split}
        scores = score(sampler, dataset, part, root=root, device=device, protocol=made, progress=told)
        found.update({each.metric: each for each in scores})
    return found


def _split(request: Request, scoring: Scoring) -> str:
    """Where real samples come from; empty where no split is left."""
    held = (scoring.split or request.card.split) if request.card.split else ""
    if held == "all":
        return ""
    seen = {*held.split("+"), *request.card.looks_at}
    fresh = ("test", "valid") if held.startswith("train") else ("train", "valid")
    return next((split for split in fresh if split not in seen), "")


def _count(request: Request, dataset: Dataset, scoring: Scoring, split: str, root: Path | None) -> int:
    wanted = scoring.samples or request.card.samples
    if dataset.kind == "points":
        return wanted
    return min(wanted, len(dataset.images(split, root))) if split else 0


def _told(progress: Progress | None) -> Progress | None:
    """Real samples are told apart from those that are scored."""
    if progress is None:
        return None
    tell = progress

    def told(what: str, done: int, total: int) -> None:
        tell(f"real {what}" if what == "samples" else what, done, total)

    return told
