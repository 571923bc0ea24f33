"""Samplers against random search, and halving against whole runs, on one task, at equal budgets.

python docs/compare_samplers.py run FOLDER     searches, each in a store of its own; done ones are not done again
python docs/compare_samplers.py draw FOLDER    leaderboards/samplers.csv and docs/images/samplers.png
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import wilcoxon

import ganbench
from ganbench.reports.statistics import bootstrap_interval
from ganbench.spec import RunRecord, Status
from ganbench.store import Store

HERE = Path(__file__).parent
REPETITIONS, TRIALS, STEPS = 10, 40, 400
SPACE: dict[str, Any] = {
    "lr": {"low": 1e-5, "high": 1e-1, "log": True},
    "lr_ratio": {"low": 0.1, "high": 10.0, "log": True},
    "beta1": {"low": 0.01, "high": 0.95},
    "beta2": {"low": 0.5, "high": 0.9999},
    "r1": {"low": 1e-4, "high": 10.0, "log": True},
}
"""Of the R1-regularised GAN on the ring: rates of G and of D, momenta, weight of the penalty."""
TASK = {"variant": "r1", "dataset": "ring", "seeds": 1, "steps": STEPS, "set": SPACE}
SCORING = {"metrics": "modes,kl,w2", "samples": 1000}
ARMS: dict[str, dict[str, Any]] = {
    "random": {"sampler": "random"},
    "tpe": {"sampler": "tpe", "batch": 8},
    "cmaes": {"sampler": "cmaes", "batch": 8},
    "random, halving 3": {"sampler": "random", "halving": 3, "rungs": 2},
}
OBJECTIVE = "w2"
COLOURS = dict(zip(ARMS, ("#6b7a88", "#0f766e", "#d9682b", "#4f46e5"), strict=True))


def store(folder: Path, arm: str, repetition: int) -> Path:
    """Where a search lies."""
    return folder / f"{arm.replace(', ', '-').replace(' ', '-')}-{repetition}.db"


def search(folder: Path, job: tuple[str, int]) -> str:
    """One search, in this process; the order of its runs is kept beside its store."""
    arm, repetition = job
    path = store(folder, arm, repetition)
    outcome = ganbench.sweep(
        **TASK,
        **SCORING,
        **ARMS[arm],
        trials=TRIALS,
        objective=OBJECTIVE,
        search_seed=repetition,
        executor="inline",
        cohort=20,
        store=path,
        device="cpu",
    )
    path.with_suffix(".order").write_text("\n".join(outcome.run_ids))
    return f"{arm} {repetition}"


def run(folder: Path) -> None:
    """All searches, two at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(arm, repetition) for repetition in range(REPETITIONS) for arm in ARMS]
    left = [job for job in jobs if not store(folder, *job).with_suffix(".order").exists()]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for done in pool.map(partial(search, folder), left):
            print(done, flush=True)  # noqa: T201


def scores(record: RunRecord) -> tuple[float, float]:
    """What a run is chosen by, and what it shows; inf where it has neither."""
    ends = [each for each in record.scores if each.metric == OBJECTIVE and "step" not in each.protocol]
    chosen_by = next((each.value for each in ends if each.selects), np.inf)
    return chosen_by, next((each.value for each in ends if not each.selects), np.inf)


def curve(folder: Path, arm: str, repetition: int) -> Iterator[dict[str, Any]]:
    """After each configuration: the generator steps paid so far, and what the best by the objective shows."""
    path = store(folder, arm, repetition)
    with Store.open_existing(path) as opened:
        records = {record.spec.id: record for record in opened.records()}
    best, shown, steps = np.inf, np.inf, 0
    order = [records[run_id] for run_id in path.with_suffix(".order").read_text().split()]
    for k, record in enumerate((each for each in order if each.spec.variant != "real"), 1):
        found, value = scores(record)
        steps += STEPS if record.status in (Status.COMPLETED, Status.DIVERGED) else record.step
        if found < best:
            best, shown = found, value
        yield {"arm": arm, "repetition": repetition, "k": k, "steps": steps, "chosen_by": best, "shown": shown}


def table(folder: Path) -> pd.DataFrame:
    """Every curve, a row a configuration."""
    jobs = [(arm, repetition) for arm in ARMS for repetition in range(REPETITIONS)]
    return pd.DataFrame([row for job in jobs for row in curve(folder, *job)])


def draw(folder: Path) -> None:
    """The table, the figure, and the comparisons in words."""
    frame = table(folder)
    frame.to_csv(HERE.parent / "leaderboards" / "samplers.csv", index=False, float_format="%.6g")
    figure = Figure(figsize=(6.4, 3.8), dpi=125, layout="constrained")
    axes = figure.subplots()
    for arm, rows in frame.groupby("arm", sort=False):
        shown = rows.pivot(index="k", columns="repetition", values="shown")
        if "halving" in str(arm):
            end, paid = shown.iloc[-1], rows.groupby("repetition")["steps"].max().mean() / STEPS
            low, high = bootstrap_interval(end.to_numpy())
            spread = [[end.mean() - low], [high - end.mean()]]
            axes.errorbar(
                [paid], [end.mean()], spread, fmt="o", color=COLOURS[arm], label=f"{arm}, at its end", zorder=3
            )
            continue
        shown = shown[np.isfinite(shown).all(axis=1)]
        low, high = np.array([bootstrap_interval(row) for row in shown.to_numpy()]).T
        axes.plot(shown.index, shown.mean(axis=1), color=COLOURS[arm], label=arm)
        axes.fill_between(shown.index, low, high, color=COLOURS[arm], alpha=0.13, linewidth=0)
    axes.set(xlim=(1, TRIALS + 0.5), ylim=(0.15, 0.45), xlabel="whole runs paid for")
    axes.set_ylabel(f"{OBJECTIVE} of the best so far (lower is better)")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE / "images" / "samplers.png")
    print(words(frame))  # noqa: T201


def words(frame: pd.DataFrame) -> str:
    """At the end of each arm: mean, interval, repetitions better than random's and equal, steps paid.

    p: Wilcoxon's signed-rank test, one-sided, of the repetitions as pairs.
    """
    ends = frame.groupby(["arm", "repetition"], sort=False).last()
    random = ends.loc["random"]
    head = ("search", "w2 of the best", "95 % interval", "better than random", "the same", "p", "steps paid")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for arm in ARMS:
        found = ends.loc[arm]
        low, high = bootstrap_interval(found["shown"].to_numpy())
        difference = found["shown"] - random["shown"]
        p = f"{wilcoxon(difference, alternative='less').pvalue:.3f}" if (difference < 0).any() else ""
        cells = [arm, f"{found['shown'].mean():.4f}", f"{low:.4f} to {high:.4f}", f"{(difference < 0).sum()}"]
        cells += [f"{(difference == 0).sum()}", p, f"{found['steps'].sum() / random['steps'].sum():.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    {"run": run, "draw": draw}[sys.argv[1]](Path(sys.argv[2]))
