"""Sweeps that end in seconds, and what of their results must not depend on how they were run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganbench.spec import RunRecord, SweepSpec
from ganbench.store import Store

SMALL = {"width": 8, "depth": 1, "batch_size": 16}


def small_sweep(**fields: Any) -> SweepSpec:
    """Two seeds of tiny nets for 20 steps on the ring, scored by 200 samples, unless `fields` say otherwise."""
    given = {"variants": ["ns"], "datasets": ["ring"], "seeds": 2, "steps": 20, "set": SMALL}
    return SweepSpec.parse(given | {"scoring": {"metrics": ["modes", "kl"], "samples": 200}} | fields)


def outcome(record: RunRecord) -> tuple:
    """How a run ended, and its scores bit for bit."""
    scores = sorted((each.metric, float(each.value).hex(), each.protocol_text) for each in record.scores)
    return record.status, record.step, tuple(scores)


def outcomes(where: str | Path) -> dict[str, tuple]:
    """The outcome of every run of a store, by id."""
    with Store.open_existing(where) as store:
        return {record.spec.id: outcome(record) for record in store.records()}
