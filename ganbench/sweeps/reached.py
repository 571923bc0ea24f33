"""How far runs have come that are not stored yet: what checkpoints say, their own and those of cohorts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ganbench.store.artifacts import CHECKPOINT
from ganbench.sweeps.task import COHORTS
from ganbench.training import checkpoint


class Reached(NamedTuple):
    """The step of a run's last checkpoint, and with how many others it was trained there."""

    step: int
    seconds: float  # of training
    complete: bool  # trained to its end
    together: int = 1


def reached(artifacts: Path, run_ids: Collection[str]) -> dict[str, Reached]:
    """Those of the runs that have a checkpoint, by id; where a run has several, the one that is furthest."""
    found: dict[str, Reached] = {}
    for run_id, each in _all(artifacts, run_ids):
        if run_id not in found or found[run_id].step < each.step:
            found[run_id] = each
    return found


def _all(artifacts: Path, run_ids: Collection[str]) -> Iterator[tuple[str, Reached]]:
    for run_id in run_ids:
        path = artifacts / run_id / CHECKPOINT
        facts = checkpoint.facts(path) if path.is_file() else None
        if facts is not None and facts.get("run") == run_id:
            yield run_id, _of(facts)
    wanted = set(run_ids)
    for path in sorted((artifacts / COHORTS).glob("*.safetensors")):
        members: dict[str, Any] = (checkpoint.facts(path) or {}).get("members", {})
        yield from ((run_id, _of(members[run_id], len(members))) for run_id in members.keys() & wanted)


def _of(facts: dict[str, Any], together: int = 1) -> Reached:
    return Reached(facts["step"], facts["seconds"], facts["complete"], together)
