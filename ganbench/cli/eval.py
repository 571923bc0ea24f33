"""`ganbench eval`."""

from __future__ import annotations

import json
import math
from pathlib import Path

import click

from ganbench.cli import options

EPILOG = """\b
Examples:
  ganbench eval points.npy --dataset ring
  ganbench eval my_images/ --dataset mnist --metrics parzen --samples 5000
"""


@click.command("eval", epilog=EPILOG, short_help="Score samples that were made elsewhere.")
@click.argument("samples", metavar="SAMPLES", type=click.Path(path_type=Path))
@click.option("--dataset", required=True, help="What they are samples of: a name, an image folder or an .npz file.")
@click.option("--metrics", help="Metrics, separated by commas. [default: those of the data set]")
@click.option("--samples", "n", type=click.IntRange(1), help="Score the first N. [default: each metric's own]")
@click.option("--features", help="Feature extractor of the Fréchet distance (see `ganbench list features`).")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights file of the feature extractor.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@options.device_option
@options.data_root_option
def command(
    samples: Path,
    dataset: str,
    metrics: str | None,
    n: int | None,
    features: str | None,
    weights: Path | None,
    form: str,
    device: str,
    data_root: Path | None,
) -> None:
    """Score SAMPLES, an image folder, .npz, .npy or .pt file, on a data set.

    Points are (n, d); images are uint8, or floats in [0, 1], (n, h, w), (n, h, w, c) or (n, c, h, w).
    """
    from ganbench.metrics import evaluate
    from ganbench.sweeps.devices import devices

    scores = evaluate(
        samples, dataset, metrics, n=n, features=features, weights=weights, root=data_root, device=devices(device)[0]
    )
    if form == "json":
        rows = [score.model_dump() | {"value": _number(score.value)} for score in scores]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for score in scores:
        error = "" if score.stderr is None else f" ± {score.stderr:.2g}"
        flags = "".join(f"  [{flag}]" for flag in score.flags)
        click.echo(f"{score.metric:24}{score.value:.6g}{error}{flags}\n    {score.protocol_text}")


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
