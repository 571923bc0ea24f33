"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ganbench.errors import SpecError
from ganbench.spec import BUDGETS

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
SCORING = ("metrics", "samples", "features", "weights", "resize", "dtype", "compile", "split")
"""The fields of a Scoring, and the options of their names, but for that of `looks_option`."""
SEARCH = ("sampler", "trials", "batch", "space", "search_seed", "objective", "halving", "rungs", "top")
"""Fields of a SweepSpec that are as their options give them."""

_RANGE = re.compile(rf"(log:)?({_NUMBER})\.\.({_NUMBER})")


def store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--store."""
    return click.option(
        "--store", metavar="FILE|URL", help="The store. [default: $GANBENCH_STORE, or ganbench.db in this folder]"
    )(command)


def data_root_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--data-root."""
    return click.option(
        "--data-root",
        type=click.Path(path_type=Path),
        envvar="GANBENCH_DATA",
        help="Folder of image data as torchvision lays it out. [default: $GANBENCH_DATA, or a cache with download]",
    )(command)


def device_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--device."""
    return click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")(command)


def load_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--load."""
    return click.option(
        "--load",
        type=click.Path(path_type=Path),
        multiple=True,
        help="A Python file with variants, metrics, extractors or the like of your own; may be repeated.",
    )(command)


def scoring_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--metrics, --samples, --features, --weights, --resize, --dtype, --compile, --split: see `scoring`."""
    for option in (
        click.option(
            "--split",
            help="Real data to hold scores against: train, valid, test, train+valid, or all of a path's. "
            "[default: each metric's own]",
        ),
        click.option("--compile", is_flag=True, default=None, help="Compile feature extractors first, where it helps."),
        click.option("--dtype", help="What feature extractors compute in: float32, tf32, bfloat16 or float16."),
        click.option("--resize", help="How images are brought to a feature extractor's size: tf1 or clean."),
        click.option(
            "--weights",
            multiple=True,
            metavar="[NAME=]FILE",
            help="Weights file of the feature extractor (of that NAME); may be repeated.",
        ),
        click.option("--features", help="Feature extractor of metrics that take any (see `ganbench list features`)."),
        click.option(
            "-n",
            "--samples",
            type=int,
            help="How many samples every metric takes. [default: each metric's own]",
        ),
        click.option("--metrics", help="Metrics or scores, separated by commas. [default: those of the data set]"),
    ):
        command = option(command)
    return command


def looks_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--looks, of commands that train."""
    return click.option(
        "--looks",
        type=int,
        metavar="N",
        help="Score runs at N evenly spaced steps before their end too, for the best over training. [default: 0]",
    )(command)


def scoring(fields: dict[str, Any]) -> dict[str, Any]:
    """What `scoring_options` and `looks_option` gave, taken out of `fields`, as a Scoring's; only what was given."""
    given = {name: fields.pop(name) for name in SCORING} | {"looks": fields.pop("looks", None)}
    given["metrics"] = names(given["metrics"])
    given["weights"] = weights(given["weights"]) or None
    return {name: value for name, value in given.items() if value is not None}


def weights(texts: tuple[str, ...]) -> dict[str, str]:
    """`[NAME=]FILE` as files by extractor; the file without a name is under ""."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals or Path(text).exists():
            name, file = "", text
        if name in found or not file:
            raise SpecError(f"--weights takes [NAME=]FILE, each network once, got {text!r}")
        found[name] = file
    return found


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--set, --checkpoint-every, --compile-step, --load."""
    for option in (
        load_option,
        click.option("--compile-step", is_flag=True, help="Compile training steps: sooner done where runs are long."),
        click.option("--checkpoint-every", type=click.IntRange(1), default=500, show_default=True, metavar="STEPS"),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting; may be repeated."),
    ):
        command = option(command)
    return command


def search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of SEARCH, --search-seeds and --budget: see `search`."""
    for option in (
        click.option(
            "--budget",
            metavar="UNIT=N",
            help=f"In place of --steps, what a run may spend: {', '.join(BUDGETS)}; its steps follow from its n_dis "
            "and batch size.",
        ),
        click.option("--top", type=int, help="After the search, train so many of the best with all --seeds."),
        click.option("--rungs", type=int, help="Rungs before the end, with --halving. [default: 2]"),
        click.option(
            "--halving", type=int, metavar="ETA", help="Successive halving: the best one in ETA goes on from each rung."
        ),
        click.option("--search-seeds", help="Seeds of the search itself, with --top. [default: --seeds]"),
        click.option("--objective", help="The score that a search is after. [default: the data set's primary one]"),
        click.option("--search-seed", type=int, help="Another one searches elsewhere. [default: 0]"),
        click.option("--space", help="Ranges to search, --set wins: own, lucic-wide or lucic-narrow."),
        click.option("--batch", type=int, help="Configurations asked at once, of tpe, cmaes and gp. [default: 5]"),
        click.option("--trials", type=int, help="Configurations a variant, for all samplers but grid."),
        click.option("--sampler", help="How settings are searched: grid, random, qmc, tpe, cmaes or gp."),
    ):
        command = option(command)
    return command


def search(fields: dict[str, Any]) -> dict[str, Any]:
    """What `search_options` gave, as fields of a SweepSpec; None where nothing was given."""
    given = {name: fields[name] for name in SEARCH}
    search_seeds = fields["search_seeds"]
    return given | {
        "search_seeds": None if search_seeds is None else seeds(search_seeds, "--search-seeds"),
        "budget": budget(fields["budget"]),
    }


def budget(text: str | None) -> dict[str, int] | None:
    """`UNIT=N` as a budget."""
    if text is None:
        return None
    unit, _, amount = text.partition("=")
    try:
        return {unit.strip(): int(amount.replace(",", "").replace("_", ""))}
    except ValueError:
        raise SpecError(f"--budget takes UNIT=N, as in d_steps=15625, got {text!r}") from None


def protocol(texts: tuple[str, ...]) -> dict[str, Any]:
    """`key=value` pairs of a protocol, each key once."""
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not value or key in found:
            raise SpecError(f"--protocol takes KEY=VALUE, each key once, got {text!r}")
        found[key] = _scalar(value)
    return found


def names(text: str | None) -> list[str] | None:
    """`a,b` as a list; None where nothing was given."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def seeds(text: str, option: str = "--seeds") -> int | list[int]:
    """`5` is a count of seeds, `0,3,7` are the seeds themselves."""
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        raise SpecError(f"{option} is a count (5) or a list (0,3,7), got {text!r}") from None
    return values if "," in text else values[0]


def assignments(texts: tuple[str, ...]) -> dict[str, Any]:
    """`key=value` pairs: a value, a list `a,b,c` to go through, a range `low..high` or `log:low..high` to draw from."""
    pairs: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise SpecError(f"--set takes KEY=VALUE, got {text!r}")
        pairs[key.strip()] = _value(value.strip())
    return pairs


def _value(text: str) -> Any:
    found = _RANGE.fullmatch(text)
    if found:
        return {"low": _scalar(found[2]), "high": _scalar(found[3]), "log": bool(found[1])}
    return [_scalar(part.strip()) for part in text.split(",") if part.strip()] if "," in text else _scalar(text)


def _scalar(text: str) -> bool | int | float | str:
    if re.fullmatch(_NUMBER, text):
        return float(text) if re.search(r"[.eE]", text) else int(text)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, bool | int | float | str) else text
