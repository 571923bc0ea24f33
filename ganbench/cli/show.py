"""`ganbench show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from ganbench.spec import RunRecord
    from ganbench.store import Store


@click.command("show", short_help="One run: settings, scores, where it was made, its pictures.")
@click.argument("run_id")
@options.store_option
def command(run_id: str, store: str | None) -> None:
    """Everything the store knows of the run whose id begins with RUN_ID."""
    from ganbench.store import Store

    with Store.open_existing(store) as opened:
        click.echo(summary(opened, run_id))


def summary(store: Store, run_id: str) -> str:
    """A run as plain lines."""
    record = store.get(run_id)
    spec = record.spec
    lines = [
        f"run {spec.id}  {spec.variant} on {spec.dataset}, network {spec.network}, seed {spec.seed}",
        f"status {record.status}{_end(record)}",
        "settings " + " ".join(f"{key}={value}" for key, value in sorted(spec.settings.items())),
        "made with " + " ".join(f"{key}={value}" for key, value in sorted(record.provenance.items())),
    ]
    lines += [_score_line(record, index) for index in range(len(record.scores))]
    folder = store.folder(spec.id)
    lines += [f"file {path}" for path in sorted(folder.glob("*")) if path.is_file()]
    return "\n".join(lines)


def _end(record: RunRecord) -> str:
    steps = f" after {record.step} of {record.spec.steps} steps, {record.seconds:.1f} s of training"
    return steps + (f": {record.error}" if record.error else "")


def _score_line(record: RunRecord, index: int) -> str:
    score = record.scores[index]
    error = "" if score.stderr is None else f" ± {score.stderr:.2g}"
    flags = "".join(f" [{flag}]" for flag in score.flags)
    return f"score {score.metric} {score.value:.6g}{error}{flags}  ({score.protocol_text})"
