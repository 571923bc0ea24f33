"""`ganbench list`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ganbench.errors import nearest
from ganbench.registry import load_file

KINDS = ("variants", "datasets", "networks", "metrics", "features", "samplers", "executors")


@click.command("list", short_help="What can be trained, on what, and scored by what.")
@click.argument("kind", required=False)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--load", type=click.Path(path_type=Path), multiple=True, help="A Python file with additions.")
def command(kind: str | None, form: str, load: tuple[Path, ...]) -> None:
    """List variants, datasets, networks, metrics, features, samplers or executors; all of them where none is named."""
    if kind is not None and kind not in KINDS:
        raise click.UsageError(f"cannot list {kind!r}: {nearest(kind, KINDS)}")
    for path in load:
        load_file(path)
    tables = {name: _rows(name) for name in ([kind] if kind else KINDS)}
    if form == "json":
        click.echo(json.dumps(tables[kind] if kind else tables, indent=2, ensure_ascii=False))
        return
    for name, rows in tables.items():
        if kind is None:
            click.echo(f"{name}:")
        click.echo(_table(rows) + ("" if kind else "\n"))


def _rows(kind: str) -> list[dict[str, str]]:
    """The cards of a kind as rows of plain text. No card needs torch."""
    if kind == "variants":
        from ganbench.variants import VARIANTS

        return [
            {
                "name": card.name,
                "family": card.family,
                "year": str(card.year),
                "players": " ".join(sorted(card.players)),
                "networks": ", ".join(f"{key}: {value}" for key, value in _networks(card.networks).items()),
                "paper": card.paper,
            }
            for card in VARIANTS
        ]
    return _rows_of_parts(kind)


def _networks(own: object) -> dict[str, str]:
    from ganbench.networks import DEFAULTS

    return {**DEFAULTS, **(own if isinstance(own, dict) else {})}


def _rows_of_parts(kind: str) -> list[dict[str, str]]:
    if kind == "datasets":
        from ganbench.data import DATASETS

        return [{"name": card.name, "kind": card.kind, "title": card.title, "source": card.source} for card in DATASETS]
    if kind == "networks":
        from ganbench.networks import NETWORKS

        return [{"name": card.name, "kind": card.kind, "title": card.title, "paper": card.paper} for card in NETWORKS]
    if kind == "metrics":
        from ganbench.metrics import METRICS

        return [row for card in METRICS for row in card.rows()]
    if kind == "features":
        from ganbench.metrics import EXTRACTORS

        return [{"name": card.name, "title": card.title} for card in EXTRACTORS]
    if kind == "samplers":
        return [
            {"name": "grid", "title": "every combination of the listed values"},
            {"name": "random", "title": "independent draws from lists and ranges"},
        ]
    return [
        {"name": "process", "title": "one process a CPU core, several a GPU where runs are small"},
        {"name": "inline", "title": "in this process, one run after the other"},
    ]


def _table(rows: list[dict[str, str]]) -> str:
    if not rows:
        return "(none)"
    columns = list(rows[0])
    widths = [max(len(column), *(len(row[column]) for row in rows)) for column in columns]
    lines = [[column.upper() for column in columns], *([row[column] for column in columns] for row in rows)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
