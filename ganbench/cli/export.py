"""`ganbench export`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from ganbench.spec import RunRecord
    from ganbench.store import Store

    Write = Callable[[Store, RunRecord, Path], object]

TOOLS = ("tensorboard", "wandb")

EPILOG = """\b
Examples:
  ganbench export tensorboard events/ && tensorboard --logdir events
  ganbench export tensorboard events/ 3fa9c1d2e0b7 77ab
  ganbench export wandb runs/ --project gans && wandb sync runs/wandb/offline-run-*

Exporting again replaces what was exported before.
"""


@click.command("export", epilog=EPILOG, short_help="Write runs for TensorBoard, or for Weights & Biases.")
@click.argument("tool", metavar="tensorboard|wandb", type=click.Choice(TOOLS))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("run_ids", metavar="[RUN_ID]...", nargs=-1)
@click.option("--project", help="The W&B project that the runs are for. [default: ganbench]")
@options.store_option
def command(tool: str, folder: Path, run_ids: tuple[str, ...], project: str | None, store: str | None) -> None:
    """Write the runs whose ids begin with RUN_ID, or all of the store, into FOLDER: curves, settings and scores.

    For TensorBoard an event file a run; for Weights & Biases an offline run each, which `wandb sync` uploads. Nothing
    here uses the network. Curves are those in the runs' checkpoints, beside the store.
    """
    from ganbench.cli.scoring import Bars
    from ganbench.store import Store

    if project is not None and tool != "wandb":
        raise click.UsageError("--project is for wandb")
    write = _writer(tool, project or "ganbench")
    with Store.open_existing(store) as opened, Bars("runs") as bars:
        chosen = dict.fromkeys(opened.find(run_id) for run_id in run_ids) if run_ids else opened.statuses()
        for done, record in enumerate(opened.records(chosen), 1):
            try:
                write(opened, record, folder)
            except OSError as error:
                raise click.UsageError(f"cannot write {folder}: {error.strerror or error}") from None
            bars("runs", done, len(chosen))
    click.echo(f"written: {len(chosen):,} {'run' if len(chosen) == 1 else 'runs'} to {folder}", err=True)


def _writer(tool: str, project: str) -> Write:
    """What writes a run; SpecError where its package is not installed."""
    if tool == "tensorboard":
        from ganbench.interchange.exported import to_tensorboard
        from ganbench.reports import events

        events.check()
        return to_tensorboard
    from ganbench.interchange import weights_and_biases

    weights_and_biases.check()
    return partial(weights_and_biases.to_wandb, project=project)
