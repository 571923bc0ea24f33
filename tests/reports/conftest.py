"""Small boards: runs with given scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ganbench.canonical import Scalar
from ganbench.spec import RunRecord, RunSpec, Score, Status
from ganbench.store import Store

Add = Callable[..., list[str]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "s.db") as opened:
        yield opened


@pytest.fixture
def add(store: Store) -> Add:
    """add(variant, values, metric): a run a value; a value may be a Status instead. Gives the ids of the runs."""

    def one(spec: RunSpec, end: float | Status, metric: str, version: int, protocol: str, flags: Sequence[str]) -> None:
        if isinstance(end, Status):
            store.finish(RunRecord(spec=spec, status=end))
            return
        score = Score(metric=metric, version=version, value=end, protocol={"split": protocol}, flags=tuple(flags))
        store.finish(RunRecord(spec=spec, status=Status.COMPLETED, seconds=float(spec.seed + 1), scores=(score,)))

    def some(
        variant: str,
        ends: Sequence[float | Status],
        metric: str = "kl",
        *,
        dataset: str = "ring",
        network: str = "mlp",
        steps: int = 100,
        dataset_version: Scalar = 1,
        version: int = 1,
        protocol: str = "train",
        flags: Sequence[str] = (),
        **settings: Scalar,
    ) -> list[str]:
        ids = []
        for seed, end in enumerate(ends):
            spec = RunSpec(
                variant=variant, dataset=dataset, network=network, seed=seed, steps=steps, settings=settings,
                versions={"dataset": dataset_version, "variant": 1},
            )  # fmt: skip
            one(spec, end, metric, version, protocol, flags)
            ids.append(spec.id)
        return ids

    return some
