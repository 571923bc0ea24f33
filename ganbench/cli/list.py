"""`ganbench list`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli.table import aligned
from ganbench.errors import nearest
from ganbench.registry import load_file
from ganbench.spec import EXECUTORS, SAMPLERS

if TYPE_CHECKING:
    from ganbench.networks import Network
    from ganbench.variants import Variant

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


def ordered_variants() -> list[Variant]:
    """Every variant, families together, each in the order of its years."""
    from ganbench.variants import VARIANTS

    return sorted(VARIANTS, key=lambda card: (card.family, card.year, card.name))


def default_networks(card: Variant) -> dict[str, str]:
    """The network of each kind of data that the variant can be trained on, where none is asked for."""
    from ganbench.networks import DEFAULTS

    return {kind: card.networks.get(kind, DEFAULTS[kind]) for kind in card.kinds}


def short(paper: str) -> str:
    """Authors and year of the first work: "Im et al. 2016, Generating images ..." → "Im et al. 2016"."""
    found = re.match(r".*?\b\d{4}\b", paper)
    return found[0] if found else paper


def _rows(kind: str) -> list[dict[str, str]]:
    """The cards of a kind as rows of plain text. No card needs torch."""
    if kind == "variants":
        return [
            {
                "name": card.name,
                "family": card.family,
                "year": str(card.year),
                "players": " ".join(card.roles),
                "networks": ", ".join(f"{key}: {value}" for key, value in default_networks(card).items()),
                "paper": card.paper,
            }
            for card in ordered_variants()
        ]
    return _rows_of_parts(kind)


def _roles(card: Network) -> str:
    """What its players can be: parts are assembled to any role but those that no parts make."""
    from ganbench.networks.base import SPECIAL

    return f"all but {', '.join(SPECIAL)}" if card.parts else ", ".join(card.roles)


def _rows_of_parts(kind: str) -> list[dict[str, str]]:
    if kind == "datasets":
        from ganbench.data import DATASETS

        return [{"name": card.name, "kind": card.kind, "title": card.title, "source": card.source} for card in DATASETS]
    if kind == "networks":
        from ganbench.networks import NETWORKS

        return [
            {
                "name": card.name,
                "kind": card.kind,
                "roles": _roles(card),
                "paper": card.paper,
                "title": card.title,
            }
            for card in NETWORKS
        ]
    if kind == "metrics":
        from ganbench.metrics import METRICS

        return [row for card in METRICS for row in card.rows()]
    if kind == "features":
        from ganbench.metrics import EXTRACTORS

        return [{"name": card.name, "title": card.title} for card in EXTRACTORS]
    if kind == "samplers":
        return [{"name": name, "title": title} for name, title in SAMPLERS.items()]
    return [{"name": name, "title": title} for name, title in EXECUTORS.items()]


def _table(rows: list[dict[str, str]]) -> str:
    """Papers by their short names."""
    if not rows:
        return "(none)"
    return aligned([{key: short(value) if key == "paper" else value for key, value in row.items()} for row in rows])
