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
    where: Any = {"root": data_root, "device": devices(device)[0]}
    samples = open_samples(source, card, quantise)
    with Bars(card.kind) as bars:
        asked = resolved(card, Scoring.parse(options.scoring(scoring)), data_root, bars)
        scores = score(samples, card, asked, protocol=samples.protocol, progress=bars, **where)
        ceilings = real_scores(card, asked, progress=bars, **where) if real else None
    click.echo(_json(scores, ceilings or {}) if form == "json" else _table(samples, card, scores, ceilings))


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


def _table(samples: Samples, dataset: Dataset, scores: Sequence[Score], ceilings: Mapping[str, Score] | None) -> str:
    """A block of rows for each protocol, under it; flags under their row. No column of real data where `ceilings` is
    None."""
    blocks: dict[str, list[Score]] = {}
    for score in scores:
        blocks.setdefault(score.protocol_text, []).append(score)
    head = ["metric", "value", *([] if ceilings is None else ["real"]), "better"]
    rows = {score.metric: _cells(score, ceilings, dataset) for score in scores}
    widths = [max(map(len, column)) for column in zip(head, *rows.values(), strict=True)]
    lines = [f"{samples.name} ({samples.count:,} {dataset.kind}) on {dataset.name}", "", _line(head, widths)]
    for protocol, block in blocks.items():
        lines += ["", protocol, *([] if ceilings is None else [_real_source(block, ceilings, dataset)])]
        for score in block:
            lines += [_line(rows[score.metric], widths), *(f"    ! {flag}" for flag in score.flags)]
    return "\n".join(lines)


def _cells(score: Score, ceilings: Mapping[str, Score] | None, dataset: Dataset) -> list[str]:
    real = [] if ceilings is None else [_number(ceilings.get(score.metric))]
    return [score.metric, _number(score), *real, _better(score.metric, dataset)]


def _number(score: Score | None) -> str:
    from ganbench.reports.formats import NONE, plus_minus

    if score is None:
        return NONE
    return plus_minus(score.value, math.nan if score.stderr is None else score.stderr)


def _better(name: str, dataset: Dataset) -> str:
    """As `ganbench list metrics` says it; a score on an extractor's features has its name at the end."""
    from ganbench.metrics.base import pinned

    directions = pinned(name, dataset)[0].directions
    direction = directions[name if name in directions else name.partition("-")[0]]
    return direction if isinstance(direction, str) else f"near {direction:g}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The name and the last cell to the left, numbers to the right."""
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:-1], widths[1:-1], strict=True)]
    return "  " + "   ".join([cells[0].ljust(widths[0]), *numbers, cells[-1]])


def _real_source(block: Sequence[Score], ceilings: Mapping[str, Score], dataset: Dataset) -> str:
    """What the real column of a block was made of: it is the same for scores of one protocol."""
    protocol = next((ceilings[score.metric].protocol for score in block if score.metric in ceilings), None)
    if protocol is None:
        return f"real: none, for all of {dataset.name} is held against, or what is left of it is too little"
    return f"real: {protocol['n_generated']:,} {protocol['real']} {dataset.kind}"
