"""`ganbench sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ganbench.cli import options

EPILOG = """\b
Examples:
  ganbench sweep
  ganbench sweep --variant ns,wgan-gp --dataset ring,grid --seeds 10
  ganbench sweep --variant wgan-gp --dataset ring --set gp=0.1,1,10 --set lr=1e-4,1e-3
  ganbench sweep --variant ns --dataset ring --sampler random --trials 20 --set lr=log:1e-5..1e-2
  ganbench sweep --variant wgan-gp --dataset ring --sampler tpe --trials 30 --space own --objective kl
  ganbench sweep --variant ns --dataset ring --sampler random --trials 81 --space own --halving 3
  ganbench sweep --variant ns,wgan --dataset mnist --sampler random --trials 100 --space lucic-wide \
    --budget d_steps=15625 --search-seeds 1 --top 1 --seeds 50
  ganbench sweep --variant ns,wgan --dataset ring --looks 9
  ganbench sweep --variant dcgan --dataset path/to/images --steps 5000
  ganbench sweep spec.toml

Whatever stopped it, the same command goes on where it was.
"""


@click.command("sweep", epilog=EPILOG, short_help="Train and score variants x data sets x configurations x seeds.")
@click.argument("spec", required=False, type=click.Path(path_type=Path))
@click.option("--variant", help="Variants, separated by commas (see `ganbench list variants`).")
@click.option("--dataset", help="Data sets, separated by commas: names, image folders or .npz files.")
@click.option("--network", help="Networks, separated by commas. [default: that of the variant and data]")
@click.option("--seeds", help="How many seeds (5), or which (0,3,7).")
@click.option("--steps", type=int, help="Generator steps. [default: 1500; with a SPEC its own, or the network's]")
@options.search_options
@options.training_options
@options.scoring_options
@options.looks_option
@options.device_option
@click.option("--executor", default="process", show_default=True, help="process, inline or ray.")
@click.option("--address", metavar="HOST:PORT", help="A running Ray cluster. [default: one on this machine]")
@click.option("--workers", type=click.IntRange(1), help="Runs at once. [default: one a core, or what GPUs or Ray take]")
@click.option("--cohort", default="auto", show_default=True, help="Runs trained as one program: auto, off or how many.")
@options.store_option
@options.data_root_option
@click.option("--log", type=click.Path(path_type=Path), metavar="FILE", help="Add each event to this file as JSON.")
@click.option("--tensorboard", is_flag=True, help="Leave each run's curves as TensorBoard files too.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, no leaderboard: only errors.")
def command(
    spec: Path | None,
    settings: tuple[str, ...],
    checkpoint_every: int,
    compile_step: bool,
    load: tuple[Path, ...],
    device: str,
    executor: str,
    address: str | None,
    workers: int | None,
    cohort: str,
    store: str | None,
    data_root: Path | None,
    log: Path | None,
    tensorboard: bool,
    quiet: bool,
    **fields: Any,
) -> None:
    """Train and score every variant on every data set with every configuration and seed, and rank them.

    With no SPEC and no options: the embedded default, variants on mixtures of Gaussians in a minute or two. Options
    given beside a SPEC win over it. Everything finished is kept in the store and is never trained twice.
    """
    from ganbench.cli import leaderboard, progress
    from ganbench.store import Store
    from ganbench.sweeps.cohorts import size
    from ganbench.sweeps.presets import described
    from ganbench.sweeps.sweep import Surroundings, run_sweep
    from ganbench.sweeps.watch import JsonLines, Watches

    sweep = described(spec, _given(fields, settings))
    together = size(cohort)
    where = Surroundings(
        device, executor, workers, data_root, load, checkpoint_every, together, tensorboard, address, compile_step
    )
    with Store(store) as opened:
        watches = [*([] if quiet else [progress.watch()]), *([JsonLines(log)] if log else [])]
        outcome = run_sweep(sweep, opened, where, Watches(*watches))
        if not quiet:
            leaderboard.show(opened, outcome, store)
    leaderboard.leave(outcome)


def _given(fields: dict[str, Any], settings: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a SweepSpec that the command line gives."""
    given = {
        "variants": options.names(fields["variant"]),
        "datasets": options.names(fields["dataset"]),
        "networks": options.names(fields["network"]),
        "seeds": None if fields["seeds"] is None else options.seeds(fields["seeds"]),
        "steps": fields["steps"],
        **options.search(fields),
        "set": options.assignments(settings) or None,
        "scoring": options.scoring(fields) or None,
    }
    return {key: value for key, value in given.items() if value is not None}
