"""What Python code calls: the same things as the command line, with the same names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from ganbench.sweeps.sweep import Outcome, Surroundings

Names = str | Sequence[str]


def sweep(
    spec: str | Path | None = None,
    *,
    variant: Names | None = None,
    dataset: Names | None = None,
    network: Names | None = None,
    seeds: int | Sequence[int] | None = None,
    steps: int | None = None,
    sampler: str | None = None,
    trials: int | None = None,
    batch: int | None = None,
    space: str | None = None,
    search_seed: int | None = None,
    objective: str | None = None,
    search_seeds: int | Sequence[int] | None = None,
    halving: int | None = None,
    rungs: int | None = None,
    top: int | None = None,
    budget: Mapping[str, int] | None = None,
    set: dict[str, Any] | None = None,
    metrics: Names | None = None,
    samples: int | None = None,
    features: str | None = None,
    weights: str | Path | Mapping[str, str | Path] | None = None,
    resize: str | None = None,
    dtype: str | None = None,
    compile: bool | None = None,
    split: str | None = None,
    looks: int | None = None,
    device: str = "auto",
    executor: str = "process",
    address: str | None = None,
    workers: int | None = None,
    cohort: int | str = "auto",
    store: str | Path | None = None,
    data_root: str | Path | None = None,
    load: Iterable[str | Path] = (),
    checkpoint_every: int = 500,
    compile_step: bool = False,
    log: str | Path | None = None,
    tensorboard: bool = False,
) -> Outcome:
    """Run a sweep: a TOML file, keyword arguments as on the command line, or both (arguments win); neither: the
    embedded default.

    Values of `set` may be lists to go through or `{"low", "high", "log"}` ranges to draw from. sampler to budget: how
    settings are searched and how long a run is, see ganbench.spec.SweepSpec and docs/search.md. weights: a file, or
    files by extractor. metrics to looks: what is scored and when, see ganbench.spec.Scoring. Errors are
    `ganbench.errors.GanbenchError`. Where `executor` is "process", call it from under `if __name__ == "__main__":`.
    """
    given = locals()
    from ganbench.store import Store
    from ganbench.sweeps.presets import described
    from ganbench.sweeps.sweep import run_sweep
    from ganbench.sweeps.watch import JsonLines, Watches

    asked = described(Path(spec) if spec else None, _fields(given))
    watch = Watches(*([JsonLines(Path(log))] if log else []))
    with Store(store) as opened:
        return run_sweep(asked, opened, _surroundings(given), watch)


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a SweepSpec among the arguments of `sweep`; only those given."""
    from ganbench.spec import Scoring, SweepSpec

    scoring = {name: given[name] for name in Scoring.model_fields if given[name] is not None}
    scoring |= {"metrics": _names(given["metrics"])} if "metrics" in scoring else {}
    fields = {name: given[name] for name in SweepSpec.model_fields.keys() & given.keys()}
    fields |= {plural: _names(given[one]) for one, plural in PLURALS.items()}
    fields |= {name: _seeds(given[name]) for name in ("seeds", "search_seeds")} | {"scoring": scoring or None}
    return {name: value for name, value in fields.items() if value is not None}


PLURALS = {"variant": "variants", "dataset": "datasets", "network": "networks"}
"""What the command line calls the fields of a SweepSpec."""


def _surroundings(given: Mapping[str, Any]) -> Surroundings:
    from ganbench.sweeps.cohorts import size
    from ganbench.sweeps.sweep import Surroundings

    same = ("device", "executor", "workers", "checkpoint_every", "address", "compile_step")
    return Surroundings(
        **{name: given[name] for name in same},
        root=Path(given["data_root"]) if given["data_root"] else None,
        load=tuple(Path(path) for path in given["load"]),
        cohort=size(str(given["cohort"])),
        events=given["tensorboard"],
    )


def leaderboard(
    store: str | Path | None = None,
    *,
    dataset: Names | None = None,
    metric: Names | None = None,
    variant: Names | None = None,
) -> pd.DataFrame:
    """The leaderboard of a store, as `ganbench report` prints it: see ganbench.reports.board.leaderboard."""
    from ganbench.reports import board
    from ganbench.store import Store

    with Store.open_existing(store) as opened:
        return board.leaderboard(opened, dataset=_names(dataset), metric=_names(metric), variant=_names(variant))


def _seeds(given: int | Sequence[int] | None) -> int | list[int] | None:
    return given if given is None or isinstance(given, int) else list(given)


def _names(given: Names | None) -> list[str] | None:
    if isinstance(given, str):
        return [name.strip() for name in given.split(",")]
    return None if given is None else list(given)
