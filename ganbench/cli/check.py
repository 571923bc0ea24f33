"""`ganbench check`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import INTERRUPTED, options

if TYPE_CHECKING:
    from ganbench.regression.baseline import Baseline
    from ganbench.regression.check import Checked
    from ganbench.sweeps.sweep import Surroundings
    from ganbench.sweeps.watch import Watch

EPILOG = """\b
Examples:
  ganbench check
  ganbench check baselines/ring.toml --junit check.xml
  ganbench check --update baselines/ring.toml

With no BASELINE: all of the folder baselines. Exit code 1 where one fell short.
"""


@click.command("check", epilog=EPILOG, short_help="Hold metrics against recorded baselines; exit 1 if they fell short.")
@click.argument("baselines", nargs=-1, metavar="[BASELINE.toml|FOLDER]...", type=click.Path(path_type=Path))
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="Write what came of it as JUnit XML.")
@click.option("--update", is_flag=True, help="Record the scores anew, and print what changed as a diff.")
@options.device_option
@click.option("--executor", default="process", show_default=True, help="process, inline or ray.")
@click.option("--workers", type=click.IntRange(1), help="Runs at once. [default: one a core, or what GPUs or Ray take]")
@click.option("--store", metavar="FILE|URL", help="Keep the runs in this store. [default: nowhere]")
@options.data_root_option
@options.load_option
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    baselines: tuple[Path, ...],
    junit: Path | None,
    update: bool,
    device: str,
    executor: str,
    workers: int | None,
    store: str | None,
    data_root: Path | None,
    load: tuple[Path, ...],
    quiet: bool,
) -> None:
    """Train what baselines say is to be trained, score what they kept, and hold it against what was recorded.

    A baseline is decided by a test with a stated chance of a false alarm; see docs/check.md.
    """
    from ganbench.cli import progress
    from ganbench.regression.baseline import all_of
    from ganbench.regression.check import Interrupted
    from ganbench.sweeps.sweep import Surroundings

    if update and junit:
        raise click.UsageError("--update records and judges nothing: there is no --junit of it")
    asked = all_of(baselines)
    where = Surroundings(device, executor, workers, data_root, load, pictures=False)
    watch = None if quiet else progress.watch()
    try:
        passed = _update(asked, where, watch, store) if update else _check(asked, where, watch, store, junit)
    except Interrupted:
        click.echo("ganbench: interrupted", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(0 if passed else 1)


def _update(asked: Sequence[Baseline], where: Surroundings, watch: Watch | None, store: str | None) -> bool:
    from ganbench.regression.check import update

    for baseline in asked:
        changed = update(baseline, where, watch, store)
        click.echo(changed or f"{baseline.path}: nothing changed", nl=not changed)
    return True


def _check(
    asked: Sequence[Baseline], where: Surroundings, watch: Watch | None, store: str | None, junit: Path | None
) -> bool:
    from ganbench.cli.report import writing
    from ganbench.regression.check import check
    from ganbench.regression.junit import to_junit

    checks = []
    for baseline in asked:
        checks.append(check(baseline, where, watch, store))
        click.echo(_told(checks[-1]))
    if junit is not None:
        with writing(junit):
            junit.write_bytes(to_junit(checks))
    return all(checked.passed for checked in checks)


def _told(checked: Checked) -> str:
    """A line for the baseline, and one for each that is not as it was."""
    short = [verdict for verdict in checked.verdicts if not verdict.passed]
    decision = checked.baseline.check
    state = f"{len(short)} not as recorded" if short else "all as recorded"
    rule = f"{decision.test}, false alarms in {decision.alarm:.2g} of checks at most"
    rule = rule if checked.baseline.sweep else "kept samples, by their tolerance"
    head = f"{checked.baseline.path}: {len(checked.verdicts)} comparisons, {state} ({rule})"
    return "\n".join([head, *(f"  {verdict.name}: {verdict.finding}: {verdict.said}" for verdict in short)])
