"""`ganbench report`."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from ganbench.cli import options

FORMATS = ("csv", "md", "html")

EPILOG = """\b
Examples:
  ganbench report csv -o leaderboard.csv
  ganbench report md --dataset ring --metric kl
  ganbench report md --plot leaderboard.png
  ganbench report csv --best-of-k -o curves.csv --plot curves.png
  ganbench report html -o report.html
"""


@click.command("report", epilog=EPILOG, short_help="Report a store: its leaderboard as csv or md, everything as html.")
@click.argument("form", metavar="csv|md|html", type=click.Choice(FORMATS))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of stdout.")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw it, seeds and intervals, as this PNG.")
@click.option("--best-of-k", is_flag=True, help="What a search of k configurations is expected to find, for each k.")
@click.option("--dataset", help="Only these data sets, separated by commas.")
@click.option("--metric", help="Only these metrics, separated by commas.")
@click.option("--variant", help="Only these variants, separated by commas.")
@options.store_option
def command(
    form: str,
    output: Path | None,
    plot: Path | None,
    best_of_k: bool,
    dataset: str | None,
    metric: str | None,
    variant: str | None,
    store: str | None,
) -> None:
    """The leaderboard: one row for each data set, protocol, metric, variant and network.

    Mean, standard deviation, 95 % bootstrap interval and interquartile mean are over seeds. Rows of different
    protocols are never ranked together; the row `real` is the data set itself, scored the same way.

    html is one page of everything, which needs no network: leaderboards, charts, samples, failures, cost and each run.
    """
    if form == "html":
        _page(
            output,
            {"dataset": dataset, "metric": metric, "variant": variant},
            store,
            beside=best_of_k or plot is not None,
        )
        return
    from ganbench.reports import formats, plots
    from ganbench.reports.board import leaderboard
    from ganbench.reports.budget import best_of_k as curves
    from ganbench.store import Store

    wanted = (options.names(dataset), options.names(metric), options.names(variant))
    with Store.open_existing(store) as opened:
        frame = curves(opened, *wanted) if best_of_k else leaderboard(opened, *wanted)
    to_markdown = formats.curves_to_markdown if best_of_k else formats.to_markdown
    text = formats.to_csv(frame) if form == "csv" else to_markdown(frame)
    if plot is not None:
        with _writing(plot):
            (plots.best_of_k_figure if best_of_k else plots.leaderboard_figure)(frame, plot)
    if output is None:
        click.echo(text, nl=False)
        return
    with _writing(output):
        output.write_text(text, encoding="utf-8")


def _page(output: Path | None, only: Mapping[str, str | None], store: str | None, *, beside: bool) -> None:
    """Write the HTML report; `beside` is whether another form's options were given too."""
    from ganbench.reports.html import to_html
    from ganbench.store import Store

    if output is None:
        raise click.UsageError("an html report is a file: give its name, as in -o report.html")
    if beside:
        raise click.UsageError("--plot and --best-of-k are for csv and md: an html report has all charts in it")
    with Store.open_existing(store) as opened:
        chosen = {"-o": str(output), "--store": opened.name if store else None}  # its name tells no password
        chosen |= {f"--{kind}": names for kind, names in only.items()}
        given = [word for option, value in chosen.items() if value is not None for word in (option, value)]
        wanted = [options.names(names) for names in only.values()]
        text = to_html(opened, *wanted, command=shlex.join(["ganbench", "report", "html", *given]))
    with _writing(output):
        output.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say which file was written; one that cannot be is one line."""
    try:
        yield
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from None
    click.echo(f"written: {path}", err=True)
