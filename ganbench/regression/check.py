"""A baseline made again: its sweep trained, its kept samples scored."""

from __future__ import annotations

import contextlib
import platform
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from importlib.metadata import version
from pathlib import Path

from ganbench.canonical import Scalar
from ganbench.metrics.samples import evaluate
from ganbench.regression.baseline import Baseline, Rescore
from ganbench.regression.judge import Verdict, judge
from ganbench.regression.recorded import Distribution, of_runs, of_scores, read, write
from ganbench.store import Store
from ganbench.store.artifacts import atomic_write
from ganbench.sweeps.sweep import Surroundings, run_sweep
from ganbench.sweeps.watch import Watch


class Interrupted(Exception):  # noqa: N818 - it is no error
    """The training of a baseline was asked to stop."""


@dataclass(frozen=True)
class Checked:
    """What came of a baseline."""

    baseline: Baseline
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Whether all is as recorded."""
        return all(verdict.passed for verdict in self.verdicts)


def check(baseline: Baseline, where: Surroundings, watch: Watch | None = None, store: str | None = None) -> Checked:
    """Make a baseline again and hold it against what is recorded.

    The runs are kept in `store`, where another check finds those that are done, or else nowhere. SpecError where
    nothing is recorded; Interrupted where training was stopped.
    """
    recorded = read(baseline.recorded)
    now = measure(baseline, baseline.seeds(), where, watch, store)
    return Checked(baseline, tuple(judge(recorded, now, baseline.check)))


def update(baseline: Baseline, where: Surroundings, watch: Watch | None = None, store: str | None = None) -> str:
    """Record a baseline anew; what changed, as a diff to read, empty where nothing did."""
    now = measure(baseline, baseline.recorded_seeds(), where, watch, store)
    text = write(now, _made())
    path = baseline.recorded
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    atomic_write(path, text.encode())
    lines = unified_diff(before.splitlines(True), text.splitlines(True), f"{path} before", str(path), n=0)
    return "".join(lines)


def measure(
    baseline: Baseline, seeds: Sequence[int], where: Surroundings, watch: Watch | None, store: str | None
) -> list[Distribution]:
    """The distributions of a baseline's sweep with these seeds, and of its kept samples."""
    trained = _train(baseline, tuple(seeds), where, watch, store) if baseline.sweep else []
    return trained + [each for kept in baseline.rescore for each in _score_again(baseline, kept, where)]


def _train(
    baseline: Baseline, seeds: tuple[int, ...], where: Surroundings, watch: Watch | None, store: str | None
) -> list[Distribution]:
    assert baseline.sweep is not None
    spec = baseline.sweep.model_copy(update={"seeds": seeds})
    with _opened(store) as opened:
        outcome = run_sweep(spec, opened, where, watch)
        if outcome.interrupted:
            raise Interrupted(baseline.name)
        return of_runs(opened.records(outcome.run_ids))


@contextlib.contextmanager
def _opened(store: str | None) -> Iterator[Store]:
    """The store, or one that is gone afterwards."""
    with contextlib.ExitStack() as stack:
        if store is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ganbench-check-"))
            store = str(Path(folder) / "check.db")
        yield stack.enter_context(Store(store))


def _score_again(baseline: Baseline, kept: Rescore, where: Surroundings) -> list[Distribution]:
    how = kept.scoring.model_dump(exclude={"metrics", "samples", "looks"})
    scores = evaluate(
        baseline.path.parent / kept.samples,
        kept.dataset,
        kept.scoring.metrics,
        n=kept.scoring.samples,
        root=where.root,
        device="cpu" if where.device == "auto" else where.device,  # exact: not on whatever is at hand
        **how,
    )
    return of_scores(kept.samples, kept.dataset, scores, kept.tolerance)


def _made() -> dict[str, Scalar]:
    """Where scores were recorded: they hang on it as far as rounding does."""
    return {"ganbench": version("ganbench"), "torch": version("torch"), "machine": platform.machine()}
