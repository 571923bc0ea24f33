"""`ganbench show`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from ganbench.reports.glance import Standing
    from ganbench.reports.names import Track
    from ganbench.spec import RunRecord, Score, Status
    from ganbench.store import Store
    from ganbench.store.claims import Held
    from ganbench.sweeps.reached import Reached

EPILOG = """\b
Examples:
  ganbench show
  ganbench show 3fa9c1d2e0b7
  ganbench show 3fa9 --store postgresql://user@host/database
  watch ganbench show

It only reads, while a sweep runs too.
"""


@click.command("show", epilog=EPILOG, short_help="The store at a glance, or one run: settings, scores, pictures.")
@click.argument("run_id", required=False)
@options.store_option
def command(run_id: str | None, store: str | None) -> None:
    """Everything that is known of the run whose id begins with RUN_ID; of one in training, where it stands.

    With no RUN_ID: how the runs of each variant have ended, the best so far, and what is being trained now.
    """
    from ganbench.store import Store

    with Store.open_existing(store) as opened:
        click.echo(glance(opened) if run_id is None else one(opened, run_id))


def one(store: Store, run_id: str) -> str:
    """A run, finished or in training, as plain lines."""
    from ganbench.store.claims import held
    from ganbench.sweeps.reached import reached

    claimed = {claim.run_id: claim for claim in held(store)}
    run_id = store.find(run_id, claimed)
    if run_id not in claimed:
        return summary(store, run_id)
    now = _claimed(claimed[run_id], reached(store.artifacts, [run_id]).get(run_id))
    if run_id not in store.statuses():
        unknown = "its variant, settings and seed are not in the store before it ends"
        return "\n".join([f"run {run_id}", *now, unknown])
    first, status, *others = summary(store, run_id).splitlines()
    return "\n".join([first, *now, f"before that: {status}", *others])


def _claimed(claim: Held, stands: Reached | None) -> list[str]:
    """Who trains a run, and how far it has come."""
    who = f"in training, or waiting for its turn, by process {claim.pid} on {claim.host}"
    if stands is None:
        return [who, "no checkpoint yet"]
    among = f", one of {stands.together} that train together" if stands.together > 1 else ""
    end = "; trained to its end, its scores are to come" if stands.complete else ""
    return [who, f"checkpoint at step {stands.step:,}, after {stands.seconds:.1f} s of training{among}{end}"]


def glance(store: Store) -> str:
    """The store as plain lines."""
    from ganbench.reports.glance import standings
    from ganbench.store.claims import held

    claims = held(store)  # before the runs, lest one that ends in between is in neither
    rows, tracks = standings(store)
    runs = sum(row.ends.total() for row in rows)
    parts = [f"{store.name}: {_runs(runs)}{_last(store)}" if runs else f"{store.name}: no run has ended yet"]
    if rows:
        parts.append(_table(rows))
        parts += [line for dataset in tracks if (line := _best(dataset, rows, tracks[dataset]))]
    return "\n".join([*parts, *_at_work(store, claims)])


def _last(store: Store) -> str:
    last = store.last_finished()
    return f", the last finished {last.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if last else ""


def _table(rows: Sequence[Standing]) -> str:
    """A line a variant on a data set; columns that would be empty, or the same in all lines, are left out."""
    from ganbench.cli.table import aligned
    from ganbench.spec import Status

    ends = [status for status in Status if any(row.ends[status] for row in rows)]
    several = len({(row.dataset, row.variant) for row in rows}) < len(rows)
    lines = [_line(row, ends, several) for row in rows]
    if not any(row.best for row in rows):
        lines = [{key: text for key, text in line.items() if key not in ("best", "run")} for line in lines]
    return aligned(lines, right=[status.value for status in ends])


def _line(row: Standing, ends: Sequence[Status], several: bool) -> Mapping[str, str]:
    line = {"dataset": row.dataset, "variant": row.variant} | ({"network": row.network} if several else {})
    line |= {end: f"{row.ends[end]:,}" if row.ends[end] else "" for end in ends}
    best = {"best": f"{row.best.metric} {row.best.value:.4g}", "run": row.best.run_id} if row.best else {}
    return line | {"best": "", "run": ""} | best


def _best(dataset: str, rows: Sequence[Standing], track: Track) -> str:
    """The best so far on a data set, and by what; nothing where real data alone were scored."""
    from ganbench.reports.glance import best_of
    from ganbench.reports.names import direction, told

    winner = best_of([row for row in rows if row.dataset == dataset])
    if winner is None or winner.best is None:
        return ""
    found = f"best on {dataset}: {winner.variant}, {track.metric} {winner.best.value:.4g}, run {winner.best.run_id}"
    return f"{found} ({told(direction(track.metric))}; {track.protocol})"


def _at_work(store: Store, claims: Sequence[Held]) -> list[str]:
    """A line for each process that trains, with how many runs are its own."""
    from ganbench.sweeps.reached import reached

    of_process: dict[tuple[str, int], list[str]] = defaultdict(list)
    for claim in claims:
        of_process[claim.host, claim.pid].append(claim.run_id)
    stands = reached(store.artifacts, [claim.run_id for claim in claims])
    lines = []
    for (host, pid), run_ids in sorted(of_process.items()):
        steps = sorted(stands[run_id].step for run_id in run_ids if run_id in stands)
        lines.append(
            f"in training, or to be trained, by process {pid} on {host}: {_runs(len(run_ids))}{_spread(steps)}"
        )
    return lines or ["in training: none"]


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number:,} runs"


def _spread(steps: Sequence[int]) -> str:
    """What is known of those that have begun: what has no checkpoint yet may have, too."""
    if not steps:
        return ""
    where = f"step {steps[0]:,}" if steps[0] == steps[-1] else f"steps {steps[0]:,} to {steps[-1]:,}"
    return f", {len(steps):,} with checkpoints at {where}"


def summary(store: Store, run_id: str) -> str:
    """A stored run as plain lines."""
    record = store.get(run_id)
    spec = record.spec
    lines = [
        f"run {spec.id}  {spec.variant} on {spec.dataset}, network {spec.network}, seed {spec.seed}",
        f"status {record.status}{_end(record)}",
        "settings " + " ".join(f"{key}={value}" for key, value in sorted(spec.settings.items())),
        "made with " + " ".join(f"{key}={value}" for key, value in sorted(record.provenance.items())),
    ]
    lines += [_score_line(score) for score in record.scores if not score.at_look]
    lines += _look_lines(record)
    folder = store.folder(spec.id)
    lines += [f"file {path}" for path in sorted(folder.glob("*")) if path.is_file()]
    return "\n".join(lines)


def _end(record: RunRecord) -> str:
    steps = f" after {record.step} of {record.spec.steps} steps, {record.seconds:.1f} s of training"
    return steps + (f": {record.error}" if record.error else "")


def _look_lines(record: RunRecord) -> list[str]:
    """What the run scored on its way: a line for each metric and protocol."""
    from ganbench.spec import STEP

    lines: dict[tuple[str, str], list[str]] = defaultdict(list)
    for score in record.looks:
        kept = {key: value for key, value in score.protocol.items() if key != STEP}
        at_end = score.model_copy(update={"protocol": kept})
        lines[score.metric, at_end.protocol_text].append(f"{score.value:.4g} at {score.protocol[STEP]}")
    return [f"over training {metric} {', '.join(found)}  ({text})" for (metric, text), found in lines.items()]


def _score_line(score: Score) -> str:
    error = "" if score.stderr is None else f" ± {score.stderr:.2g}"
    flags = "".join(f" [{flag}]" for flag in score.flags)
    return f"score {score.metric} {score.value:.6g}{error}{flags}  ({score.protocol_text})"
