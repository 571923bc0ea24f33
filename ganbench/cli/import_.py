"""`ganbench import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from ganbench.data import Dataset
    from ganbench.interchange.imported import Import, Model
    from ganbench.metrics.progress import Progress
    from ganbench.spec import RunRecord

EPILOG = """\b
Examples:
  ganbench import points.npy --variant theirs-ns --dataset ring
  ganbench import samples/fake/png/ --variant studiogan-biggan --dataset cifar10 --seed 1 --metrics fid,kid
  ganbench import samples.npz --variant mimicry-sngan --dataset cifar10 --protocol generator=ema
  ganbench import fidelity.json --variant stylegan2 --dataset cifar10 --protocol split=train --protocol n_real=50000
  ganbench import log/fid_50k_50k.json --variant mimicry-sngan --dataset cifar10 --seed 0
  ganbench import logs/CIFAR10-BigGAN-train.log --variant studiogan-biggan --dataset cifar10 --steps 100000

The same file again changes nothing. docs/interchange.md says what each suite writes.
"""


@click.command("import", epilog=EPILOG, short_help="Put samples or scores made by another suite into the store.")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--variant", required=True, help="What to call the model; not a variant of ganbench's own.")
@click.option("--dataset", required=True, help="What it was trained on: a name, an image folder or an .npz file.")
@click.option("--network", default="unknown", show_default=True, help="What to call its network.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which training run of it this is.")
@click.option("--steps", type=click.IntRange(0), help="Generator steps. [default: the last in SOURCE; 0: not known]")
@click.option(
    "--protocol",
    multiple=True,
    metavar="KEY=VALUE",
    help="What you know of how it was measured, or drawn (generator, sampling_seed); may be repeated.",
)
@options.scoring_options
@click.option("--quantise", help="How float images become bytes, as `ganbench eval` has it. [default: round]")
@options.load_option
@options.device_option
@options.store_option
@options.data_root_option
def command(
    source: Path,
    variant: str,
    dataset: str,
    network: str,
    seed: int,
    steps: int | None,
    protocol: tuple[str, ...],
    load: tuple[Path, ...],
    store: str | None,
    **how: Any,
) -> None:
    """Put SOURCE into the store as a run, to stand in reports beside ours.

    Samples (an image folder, .npz, .npy or .pt file) are scored here, as `ganbench eval` does. Scores (torch-fidelity's
    or torch-mimicry's .json, StudioGAN's .log) are kept with their suite as `source` in their protocol. Neither is
    ranked with runs of ours, but samples of which you state what is not known: see docs/interchange.md.
    """
    from ganbench.cli.scoring import Bars
    from ganbench.data import find
    from ganbench.interchange.imported import Model
    from ganbench.registry import load_file

    for path in load:
        load_file(path)
    model, card = Model(variant, network, seed, steps), find(dataset)
    with Bars(card.kind) as bars:
        ready = _prepared(source, card, model, options.protocol(protocol), how, bars)
        # scored before the store is opened: what cannot be scored leaves none behind
        record = None if _is_done(ready, store) else ready.record()
    if record is None:
        click.echo(f"nothing to do: it is run {ready.spec.id} already", err=True)
    else:
        _keep(record, ready.key, store)


def _prepared(
    source: Path, card: Dataset, model: Model, stated: dict[str, Any], how: dict[str, Any], progress: Progress
) -> Import:
    from ganbench.errors import SpecError
    from ganbench.interchange import imported
    from ganbench.interchange.suites import holds_scores
    from ganbench.spec import Scoring
    from ganbench.sweeps.devices import devices

    scoring = options.scoring(how)
    if not holds_scores(source):
        device, quantise = devices(how["device"])[0], how["quantise"] or "round"
        where: Any = {"root": how["data_root"], "device": device, "progress": progress, "quantise": quantise}
        return imported.of_samples(source, card, model, stated, Scoring.parse(scoring), **where)
    unused = [*scoring, *(["quantise"] if how["quantise"] else [])]
    if unused:
        raise SpecError(f"--{unused[0]} is for samples, which are scored here: {source} holds scores")
    return imported.of_scores(source, card, model, stated)


def _keep(record: RunRecord, key: str, where: str | None) -> None:
    from ganbench.cli.show import summary
    from ganbench.interchange.imported import same_seed
    from ganbench.store import Store

    spec = record.spec
    with Store(where) as store:
        if twin := same_seed(store, record):
            click.echo(
                f"note: seed {spec.seed} of {spec.variant} was imported before, from something else, as run {twin}: "
                "both count as seeds of one row; --seed N says another seed, --variant another model",
                err=True,
            )
        store.finish(record, key)
        click.echo(summary(store, spec.id))


def _is_done(ready: Import, where: str | None) -> bool:
    from ganbench.errors import StoreError
    from ganbench.store import Store

    try:
        with Store.open_existing(where) as store:
            return bool(store.done({ready.spec.id: ready.key}))
    except StoreError:  # there is none yet, or what is wrong with it is told when it is written to
        return False
