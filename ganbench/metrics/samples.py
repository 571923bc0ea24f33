"""Samples that were made elsewhere, scored like any run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganbench.data import Dataset, files, find
from ganbench.metrics.engine import resolve, score
from ganbench.metrics.progress import Progress
from ganbench.metrics.reading import open_samples
from ganbench.spec import Score, Scoring

__all__ = ["evaluate", "open_samples", "resolved"]


def evaluate(
    samples: Any,
    dataset: str | Path | Dataset,
    metrics: Sequence[str] | str | None = None,
    *,
    n: int | None = None,
    features: str | None = None,
    weights: str | Path | Mapping[str, str | Path] | None = None,
    resize: str | None = None,
    dtype: str = "float32",
    compile: bool = False,
    split: str | None = None,
    quantise: str = "round",
    root: str | Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> tuple[Score, ...]:
    """Score samples on a data set.

    samples: a numpy array or torch tensor, or the path of an image folder, `.npz`, `.npy` or `.pt` file; points
    (n, d), or images uint8 or float in [0, 1], (n, h, w), (n, h, w, c) or (n, c, h, w). dataset: a name, or the path
    of a second folder or `.npz`. metrics: scores or whole metrics (`prdc`). n: how many are scored, for every metric;
    None: each metric's own protocol, and fewer than that are an error. weights: a file, or files by extractor.
    resize, dtype, compile: how extractors take images and compute. split: the real data that scores are held against;
    None: each metric's own, or all of a path's data where those have no test set. quantise: how float images become
    uint8 (reading.QUANTISATIONS). progress: called with what is done, how much of it, and how much there is.
    GanbenchError (one line) for all that cannot be scored.
    """
    card = dataset if isinstance(dataset, Dataset) else find(str(dataset))
    folder = Path(root) if root else None
    names = [name.strip() for name in metrics.split(",")] if isinstance(metrics, str) else metrics
    asked = {"metrics": names, "samples": n, "features": features, "weights": weights, "resize": resize}
    asked |= {"dtype": dtype, "compile": compile, "split": split}
    scoring = resolved(card, Scoring.parse(asked), folder, progress)
    opened = open_samples(samples, card, quantise)
    return score(opened, card, scoring, root=folder, device=device, protocol=opened.protocol, progress=progress)


def resolved(dataset: Dataset, scoring: Scoring, root: Path | None = None, progress: Progress | None = None) -> Scoring:
    """`scoring` as engine.resolve has it, held against all of a path's data where no part of them is a test set."""
    whole = scoring.split is None and dataset.path is not None and not files.has_test(dataset.path)
    return resolve(dataset, scoring.model_copy(update={"split": "all"}) if whole else scoring, root, progress)
