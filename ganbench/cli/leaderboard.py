"""The end of a sweep: its leaderboard on the terminal, the next command to type, and the exit code."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from ganbench.cli import INTERRUPTED
from ganbench.spec import Status

if TYPE_CHECKING:
    from ganbench.store import Store
    from ganbench.sweeps.sweep import Outcome


def show(store: Store, outcome: Outcome, named: str | None) -> None:
    """Print what was done, the leaderboard of the sweep's data sets, and what to type next."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from ganbench.reports.board import leaderboard
    from ganbench.reports.formats import wide

    click.echo(_done(outcome, store))
    datasets = [name for name in outcome.datasets if name in store.names()["dataset"]]
    if not datasets:
        return
    frame = leaderboard(store, datasets)
    console = Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False)
    for dataset in datasets:
        rows = wide(frame, dataset)
        table = Table(title=dataset, box=box.SIMPLE_HEAD, title_justify="left")
        for column in rows.columns:
            table.add_column(str(column), justify="left" if column in ("variant", "network") else "right")
        for row in rows.itertuples(index=False):
            table.add_row(*(str(cell) for cell in row))
        console.print(table)
    click.echo(f"next: ganbench report csv{_store(named)}")


def _store(named: str | None) -> str:
    return f" --store {shlex.quote(named)}" if named else ""


def _done(outcome: Outcome, store: Store) -> str:
    total = len(outcome.run_ids)
    if not outcome.records and not outcome.interrupted:
        return f"nothing to do: all {total} runs of this sweep are in {store.name}"
    counts = ", ".join(f"{outcome.count(status)} {status}" for status in Status if outcome.count(status))
    text = f"{counts or 'no run ended'}; {outcome.skipped} of {total} were done before"
    if outcome.interrupted:
        text += "; interrupted: the same command goes on"
    return text


def leave(outcome: Outcome) -> None:
    """End with the exit code of the outcome."""
    if outcome.interrupted:
        sys.exit(INTERRUPTED)
    if outcome.count(Status.FAILED):
        sys.exit(1)
