"""`ganbench run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ganbench.cli import options

EPILOG = """\b
Examples:
  ganbench run ns ring
  ganbench run wgan-gp mnist --steps 3000 --set width=32 --data-root data
"""


@click.command("run", epilog=EPILOG, short_help="Train and score one run; curves and samples as pictures.")
@click.argument("variant")
@click.argument("dataset")
@click.option("--network", help="The network. [default: that of the variant and data]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--steps", type=int, help="Generator steps. [default: the network's]")
@options.training_options
@options.scoring_options
@options.looks_option
@options.device_option
@options.store_option
@options.data_root_option
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary: only errors.")
def command(
    variant: str,
    dataset: str,
    network: str | None,
    seed: int,
    steps: int | None,
    settings: tuple[str, ...],
    checkpoint_every: int,
    compile_step: bool,
    load: tuple[Path, ...],
    device: str,
    store: str | None,
    data_root: Path | None,
    quiet: bool,
    **scoring: Any,
) -> None:
    """Train VARIANT on DATASET once, score it, and say where its curves and samples are."""
    from ganbench.cli import leaderboard, progress
    from ganbench.cli.show import summary
    from ganbench.spec import SweepSpec
    from ganbench.store import Store
    from ganbench.sweeps.sweep import Surroundings, run_sweep

    fields = {
        "variants": [variant],
        "datasets": [dataset],
        "networks": network and [network],
        "seeds": [seed],
        "steps": steps,
        "set": options.assignments(settings),
        "scoring": options.scoring(scoring),
    }
    spec = SweepSpec.parse({key: value for key, value in fields.items() if value is not None})
    where = Surroundings(device, "inline", None, data_root, load, checkpoint_every, compile_step=compile_step)
    with Store(store) as opened:
        outcome = run_sweep(spec, opened, where, None if quiet else progress.watch())
        if not quiet:
            known = opened.statuses()
            for run_id in outcome.run_ids[1:]:
                click.echo(summary(opened, run_id) if run_id in known else "interrupted before it began")
    leaderboard.leave(outcome)
