"""A store as one page that needs nothing else: no server, no network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ganbench.reports import names, page_data
from ganbench.reports.contenders import Names
from ganbench.reports.formats import number
from ganbench.reports.names import DirectionOf
from ganbench.store import Store

SCRIPTS = ("page.js", "charts.js", "runs.js")
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def to_html(
    store: Store | str | Path | None, dataset: Names = None, metric: Names = None, variant: Names = None,
    *, published: Path | None = None, command: str | None = None, direction: DirectionOf = names.direction,
) -> str:  # fmt: skip
    """The report of a store, or of those data sets, metrics and variants, as the text of one HTML file.

    `published` is a file of published scores to set beside (published.beside), `command` what the page says made it.
    Errors are those of `leaderboard` and of that file.
    """
    if not isinstance(store, Store):
        with Store.open_existing(store) as opened:
            return to_html(opened, dataset, metric, variant, published=published, command=command, direction=direction)
    found = page_data.gather(store, dataset, metric, variant, published=published, command=command, direction=direction)
    return render(found)


def render(page: Mapping[str, Any]) -> str:
    """The page of what `page_data.gather` found."""
    script, plotly = "\n".join(map(_own, SCRIPTS)), plotly_js()
    data = {"charts": embedded(page["charts"]), "stored": embedded(page["stored"])}
    return _environment().get_template("page.html.jinja").render(
        page=page,
        data=data,
        style=Markup(_own("page.css")),
        script=_inline(script),
        plotly=_inline(plotly),
        policy=_policy(script, plotly),
    )  # fmt: skip


def embedded(value: Any) -> Markup:
    """JSON for inside a script element: ASCII, and nothing that could end the element or begin another."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(re.sub("[<>&]", lambda found: _ESCAPES[found[0]], text))


def plotly_js() -> str:
    """The library that draws, from the package plotly; read as a file, for importing the package takes longer."""
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _own(name: str) -> str:
    return (resources.files("ganbench.reports") / "page" / name).read_text(encoding="utf-8")


def _inline(script: str) -> Markup:
    """JavaScript for inside a script element."""
    if re.search("<!--|</script", script, re.IGNORECASE):
        raise ValueError("a script that ends its own element")
    return Markup(script)


def _policy(*scripts: str) -> str:
    """What the browser lets the page do: run these very scripts, show what is in it, and reach nothing."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("ganbench.reports", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["number"] = number
    return found
