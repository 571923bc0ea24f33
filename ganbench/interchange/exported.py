"""Runs of a store as other tools show them: settings, curves and scores."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from ganbench.reports import artifacts, events
from ganbench.reports.artifacts import Curves
from ganbench.spec import STEP, RunRecord, Score
from ganbench.store import Store


def curves_of(store: Store, record: RunRecord) -> Curves:
    """The curves in a run's checkpoint; without one its last step alone."""
    last = Curves(np.array([[float(record.step)]]), ("step",))
    return artifacts.curves(store.folder(record.spec.id), points=None) or last


def named_scores(record: RunRecord) -> dict[str, Score]:
    """The reported scores by metric, with the protocol where a metric was measured under several."""
    times = Counter(score.metric for score in record.reported)
    return {
        score.metric if times[score.metric] == 1 else f"{score.metric} ({score.protocol_text})": score
        for score in record.reported
    }


def title(record: RunRecord) -> str:
    """A run's name for people."""
    spec = record.spec
    return f"{spec.variant} on {spec.dataset}, network {spec.network}, seed {spec.seed}"


def _about(record: RunRecord) -> str:
    """How a run ended, its settings and its provenance, as a Markdown table."""
    end = {"status": record.status.value, **({"error": record.error} if record.error else {})}
    rows = {**end, "steps": record.spec.steps, **record.spec.settings, **record.spec.versions, **record.provenance}
    cells = [f"| {key} | {str(value).replace('|', '&#124;')} |" for key, value in rows.items()]
    return "\n".join([title(record), "", "| | |", "|---|---|", *cells])


def to_tensorboard(store: Store, record: RunRecord, folder: Path) -> Path:
    """Write a run's curves, settings and scores as an event file, anew, into a folder of its own in `folder`.

    Gives that folder; OSError where it cannot be written.
    """
    spec = record.spec
    name = re.sub(r"[^\w.=-]+", "_", f"{spec.variant}-{spec.dataset}-{spec.network}-seed{spec.seed}")[-150:]
    target = folder / f"{name}-{spec.id}"
    scores = {name: score.value for name, score in named_scores(record).items()}
    looks = [(score.metric, int(score.protocol[STEP]), score.value) for score in record.looks]
    events.write(*curves_of(store, record), scores, target, looks, _about(record))
    return target
