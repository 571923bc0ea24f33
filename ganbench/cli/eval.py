"""`ganbench eval`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from ganbench.data import Dataset
    from ganbench.metrics.reading import Samples
    from ganbench.spec import Score

EPILOG = """\b
Examples:
  ganbench eval points.npy --dataset ring
  ganbench eval my_images/ --dataset mnist --metrics parzen,prdc -n 5000
  ganbench eval my_images/ --dataset their_images/ --features pixels --metrics fd,kid -n 1000
  ganbench eval images.npz --dataset cifar10 --metrics fid,is --weights inception=weights.pth --format json
"""


@click.command("eval", epilog=EPILOG, short_help="Score samples that were made elsewhere.")
@click.argument("source", metavar="SAMPLES", type=click.Path(path_type=Path))
@click.option("--dataset", required=True, help="What they are samples of: a name, an image folder or an .npz file.")
@options.scoring_options
@click.option(
    "--quantise",
    default="round",
    show_default=True,
    help="How float images become bytes: round or truncate, from 0..1; stylegan, from -1..1.",
)
@click.option("--real/--no-real", default=True, show_default=True, help="Score real data too, to stand beside them.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@options.load_option
@options.device_option
@options.data_root_option
def command(
    source: Path,
    dataset: str,
    quantise: str,
    real: bool,
    form: str,
    load: tuple[Path, ...],
    device: str,
    data_root: Path | None,
    **scoring: Any,
) -> None:
    """Score SAMPLES, an image folder, .npz, .npy or .pt file, on a data set.

    Points are (n, d); images are uint8, or floats in [0, 1], (n, h, w), (n, h, w, c) or (n, c, h, w). A folder or
    file as data set is held against in full where it has no test set of its own.
    """
    from ganbench.cli.scoring import Bars
    from ganbench.data import find
    from ganbench.metrics.engine import score
    from ganbench.metrics.real import real_scores
    from ganbench.metrics.samples import open_samples, resolved
    from ganbench.registry import load_file
    from ganbench.spec import Scoring
    from ganbench.sweeps.devices import devices

    for path in load:
        load_file(path)
    card = find(dataset)
    asked = resolved(card, Scoring.parse(options.scoring(scoring)), data_root)
    samples = open_samples(source, card, quantise)
    where: Any = {"root": data_root, "device": devices(device)[0]}
    with Bars(card.kind) as bars:
        scores = score(samples, card, asked, protocol=samples.protocol, progress=bars, **where)
        ceilings = real_scores(card, asked, progress=bars, **where) if real else {}
    shown = _json(scores, ceilings) if form == "json" else _table(samples, card, scores, ceilings)
    click.echo(shown)


def _json(scores: Sequence[Score], ceilings: Mapping[str, Score]) -> str:
    """A list of records; `real` is the score of real data, null where there is none."""
    records = [
        score.model_dump() | {"real": _real(ceilings[score.metric]) if score.metric in ceilings else None}
        for score in scores
    ]
    return json.dumps(_finite(records), indent=2, ensure_ascii=False, allow_nan=False)


def _real(score: Score) -> dict[str, Any]:
    return {
        "value": score.value,
        "stderr": score.stderr,
        "split": score.protocol["real"],
        "n": score.protocol["n_generated"],
        "flags": score.flags,
    }


def _finite(tree: Any) -> Any:
    """JSON has no NaN and no infinity: null stands for what is not a finite number."""
    if isinstance(tree, dict):
        return {key: _finite(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_finite(value) for value in tree]
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree


def _table(samples: Samples, dataset: Dataset, scores: Sequence[Score], ceilings: Mapping[str, Score]) -> str:
    """A block of rows for each protocol, under it; flags under their row."""
    from ganbench.reports import names

    by_protocol: dict[str, list[Score]] = {}
    for score in scores:
        by_protocol.setdefault(score.protocol_text, []).append(score)
    head = ("metric", "value", "real", "better")
    rows = {
        score.metric: (
            score.metric,
            _cell(score),
            _cell(ceilings[score.metric]) if score.metric in ceilings else "–",
            names.told(names.direction(score.metric)).removesuffix(" is better"),
        )
        for score in scores
    }
    widths = [max(map(len, column)) for column in zip(head, *rows.values(), strict=True)]
    lines = [f"{samples.name} ({samples.count:,} {dataset.kind}) on {dataset.name}", "", _line(head, widths)]
    for protocol, block in by_protocol.items():
        lines += ["", protocol, *_sources(block, ceilings, dataset)]
        for score in block:
            lines.append(_line(rows[score.metric], widths))
            lines += [f"    ! {flag}" for flag in score.flags]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers, last = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    padded = [cell.strip().rjust(len(cell)) for cell in numbers]
    return "  " + "   ".join([name, *padded, last]).rstrip()


def _cell(score: Score) -> str:
    from ganbench.reports.formats import plus_minus

    return plus_minus(score.value, math.nan if score.stderr is None else score.stderr)


def _sources(block: Sequence[Score], ceilings: Mapping[str, Score], dataset: Dataset) -> list[str]:
    """What the real column of a block was made of."""
    protocols = [ceilings[score.metric].protocol for score in block if score.metric in ceilings]
    return sorted({f"real: {each['n_generated']:,} {each['real']} {dataset.kind}" for each in protocols})
