"""`ganbench report`."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import options

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "md", "latex", "json", "parquet", "html")

EPILOG = """\b
Examples:
  ganbench report csv -o leaderboard.csv
  ganbench report md --dataset ring --metric kl
  ganbench report latex --metric fid -o table.tex
  ganbench report md --plot leaderboard.png
  ganbench report md --across
  ganbench report csv --best-of-k -o curves.csv --plot curves.png
  ganbench report md --dataset mnist --published leaderboards/published.csv
  ganbench report html -o report.html --published leaderboards/published.csv
"""


@click.command(
    "report",
    epilog=EPILOG,
    short_help="Report a store: its leaderboard in many formats, or an html page of everything.",
)
@click.argument("form", metavar="|".join(FORMATS), type=click.Choice(FORMATS))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of stdout.")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw it, seeds and intervals, as this PNG.")
@click.option("--best-of-k", is_flag=True, help="What a search of k configurations is expected to find, for each k.")
@click.option("--across", is_flag=True, help="Mean ranks over data sets, and who is told apart from whom.")
@click.option("--published", type=click.Path(path_type=Path), help="A csv of published scores to set beside, unranked.")
@click.option("--dataset", help="Only these data sets, separated by commas.")
@click.option("--metric", help="Only these metrics, separated by commas.")
@click.option("--variant", help="Only these variants, separated by commas.")
@options.store_option
def command(
    form: str,
    output: Path | None,
    plot: Path | None,
    best_of_k: bool,
    across: bool,
    published: Path | None,
    dataset: str | None,
    metric: str | None,
    variant: str | None,
    store: str | None,
) -> None:
    """The leaderboard: one row for each data set, protocol, metric, variant and network.

    Mean, standard deviation, 95 % bootstrap interval and interquartile mean are over seeds. Rows of different
    protocols are never ranked together; rows of one group are not told apart by their seeds; the row `real` is the
    data set itself, scored the same way.

    html is one page of everything, which needs no network: leaderboards, charts, samples, failures, cost and each run.
    """
    if form == "html":
        others = best_of_k or across or plot is not None
        _page(output, {"dataset": dataset, "metric": metric, "variant": variant}, store, published, others=others)
        return
    table = _one_table(best_of_k, across, published is not None, plot is not None)
    if form == "latex" and table != "leaderboard":
        raise click.UsageError("LaTeX is made of the leaderboard alone: leave --best-of-k and --across, or use md")
    if form == "parquet" and output is None:
        raise click.UsageError("parquet is no text: say where to with -o FILE")
    wanted = (options.names(dataset), options.names(metric), options.names(variant))
    frame = _frame(table, store, wanted)
    if published is not None:
        from ganbench.reports.published import beside

        frame = beside(frame, published, *wanted[:2])
    made = _written(table, form, frame)
    if plot is not None:
        from ganbench.reports import plots

        with writing(plot):
            (plots.best_of_k_figure if best_of_k else plots.leaderboard_figure)(frame, plot)
    if output is None:
        click.echo(made, nl=False)
        return
    with writing(output):
        output.write_bytes(made if isinstance(made, bytes) else made.encode())


def _one_table(best_of_k: bool, across: bool, published: bool, plot: bool) -> str:
    """Which table is asked for; a UsageError where options do not go together."""
    if best_of_k and across:
        raise click.UsageError("--best-of-k and --across are two tables: ask for one")
    if published and (best_of_k or across):
        raise click.UsageError("--published stands beside the leaderboard alone")
    if plot and across:
        raise click.UsageError("--plot draws the leaderboard or --best-of-k, not --across")
    return "best_of_k" if best_of_k else "across" if across else "leaderboard"


def _frame(table: str, store: str | None, wanted: tuple[list[str] | None, ...]) -> pd.DataFrame:
    from ganbench.reports.across import across
    from ganbench.reports.board import leaderboard
    from ganbench.reports.budget import best_of_k
    from ganbench.store import Store

    with Store.open_existing(store) as opened:
        if table == "best_of_k":
            return best_of_k(opened, *wanted)
        frame = leaderboard(opened, *wanted)
        return across(frame) if table == "across" else frame


def _written(table: str, form: str, frame: pd.DataFrame) -> str | bytes:
    from ganbench.reports import formats
    from ganbench.reports.latex import to_latex

    to_markdown: dict[str, Callable[[pd.DataFrame], str]] = {
        "leaderboard": formats.to_markdown,
        "best_of_k": formats.curves_to_markdown,
        "across": formats.across_to_markdown,
    }
    written: dict[str, Callable[[pd.DataFrame], str | bytes]] = {
        "csv": formats.to_csv,
        "md": to_markdown[table],
        "latex": to_latex,
        "json": formats.to_json,
        "parquet": formats.to_parquet,
    }
    return written[form](frame)


def _page(
    output: Path | None, only: Mapping[str, str | None], store: str | None, published: Path | None, *, others: bool
) -> None:
    """Write the HTML report; `others` is whether another form's options were given too."""
    from ganbench.reports.html import to_html
    from ganbench.store import Store

    if output is None:
        raise click.UsageError("an html report is a file: give its name, as in -o report.html")
    if others:
        raise click.UsageError("--plot, --best-of-k and --across are not for html, which has all charts in it")
    with Store.open_existing(store) as opened:
        chosen = {"-o": str(output), "--store": opened.name if store else None}  # its name tells no password
        chosen |= {f"--{kind}": names for kind, names in only.items()}
        chosen |= {"--published": str(published) if published else None}
        given = [word for option, value in chosen.items() if value is not None for word in (option, value)]
        wanted = [options.names(names) for names in only.values()]
        made_by = shlex.join(["ganbench", "report", "html", *given])
        text = to_html(opened, *wanted, published=published, command=made_by)
    with writing(output):
        output.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say which file was written; one that cannot be is one line."""
    try:
        yield
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from None
    click.echo(f"written: {path}", err=True)
