"""Scores that other suites have written: torch-fidelity's JSON, torch-mimicry's, and StudioGAN's log."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from ganbench.canonical import Scalar, plain
from ganbench.errors import DataError, SpecError
from ganbench.spec import SELECTION, Score

SUFFIXES = (".json", ".log")
"""Of files of scores; all else is read as samples."""

LARGEST = 2**26
"""Bytes of such a file: a log of millions of steps has less."""

VERSION = 0
"""Of a metric that is not ours."""

FIDELITY: dict[str, tuple[str, str | None, str]] = {
    "inception_score_mean": ("is", "inception_score_std", "std_over_splits"),
    "frechet_inception_distance": ("fid", None, ""),
    "kernel_inception_distance_mean": ("kid", "kernel_inception_distance_std", "std_over_subsets"),
    "precision": ("improved_precision", None, ""),
    "recall": ("improved_recall", None, ""),
    "f_score": ("f_score", None, ""),
    "perceptual_path_length_mean": ("ppl", "perceptual_path_length_std", "std_over_pairs"),
}
"""Keys of torch-fidelity: our name of the metric, the key of the deviation that goes with it, and what that is over.

Its precision and recall are those of Kynkäänniemi et al. 2019, which are ours under `improved_`.
"""

MIMICRY = {
    re.compile(r"fid_(?P<n_real>\d+k)_(?P<n_generated>\d+k)\.json"): "fid",
    re.compile(r"kid_(?P<n_generated>\d+k)\.json"): "kid",
    re.compile(r"inception_score_(?P<n_generated>\d+k)\.json"): "is",
}
"""Names of torch-mimicry's files, which alone say what is measured, and on how many thousands of images."""

STUDIOGAN = {
    "FID score": "fid",
    "Inception score": "is",
    "Improved Precision": "precision",
    "Improved Recall": "recall",
    "Density": "density",
    "Coverage": "coverage",
}
"""What StudioGAN's log calls them. Its precision and recall are on 5 neighbours, as Naeem et al. 2020 have them."""

_LOGGED = re.compile(
    rf"> (?P<name>{'|'.join(STUDIOGAN)}) \(Step: (?P<step>\d+), "
    r"(?:Using (?P<split>\w+) (?:moments|images)|(?P<n_generated>\d+) generated images)\): (?P<value>\S+)$"
)


class Measured(NamedTuple):
    """What a file says of a metric at one step; several values are of several samples of one model."""

    metric: str
    protocol: Mapping[str, Scalar]
    values: list[Any]  # as they were read: only those at the step that is asked for need be numbers
    details: Mapping[str, Scalar]


BySteps = dict[int | None, list[Measured]]
"""By the generator's step; None where the file does not say it."""


class Found(NamedTuple):
    """The scores of one model, and the generator's step that they are of; None where the file does not say it."""

    suite: str
    steps: int | None
    scores: tuple[Score, ...]


def holds_scores(source: Path) -> bool:
    """Whether a source is a file of scores, by its name; else it is samples."""
    return source.suffix.lower() in SUFFIXES and not source.is_dir()


def read_scores(path: Path, steps: int | None = None, stated: Mapping[str, Scalar] | None = None) -> Found:
    """The scores in a file of another suite, at the generator's step `steps`, or the last that it has (not the best).

    Each has `source` in its protocol, the suite's name, with what the file says and what is `stated` of how it was
    measured, so that none is ever ranked with ours. Where a file has several values of a metric at a step, the score is
    their mean, with its standard error. DataError (one line) where the file is none of these or has a value that is no
    finite number; SpecError for what cannot be stated.
    """
    suite, by_steps = _logged(path) if path.suffix.lower() == ".log" else _of_json(path)
    at = _chosen(path, by_steps, steps)
    scores = [_score(path, suite, measured, stated or {}) for measured in by_steps[at]]
    return Found(suite, at, tuple(sorted(scores, key=lambda score: (score.metric, score.protocol_text))))


def _chosen(path: Path, by_steps: BySteps, steps: int | None) -> int | None:
    known = [step for step in by_steps if step is not None]
    if not known:
        return None
    if steps is not None and steps not in known:
        some = ", ".join(map(str, sorted(known)[-5:]))
        raise DataError(f"{path} has no scores at step {steps}: it has {len(known)}, the last at {some}")
    return max(known) if steps is None else steps


def _score(path: Path, suite: str, measured: Measured, stated: Mapping[str, Scalar]) -> Score:
    values = [_number(path, measured.metric, value) for value in measured.values]
    repeated = len(values) > 1
    return Score(
        metric=measured.metric,
        version=VERSION,
        value=fmean(values),
        stderr=stdev(values) / len(values) ** 0.5 if repeated else None,
        protocol=joined({"source": suite, **measured.protocol}, stated),
        details={**measured.details, **({"repeats": len(values)} if repeated else {})},
    )


def joined(known: Mapping[str, Scalar], stated: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """A protocol, with what is stated beside it; SpecError for what is known already, or would be misread."""
    for key, value in stated.items():
        if key in known:
            raise SpecError(f"--protocol {key}={value}: the source itself says {key}={known[key]}")
        if key in ("step", *SELECTION):
            raise SpecError(
                f"--protocol {key}={value}: {key!r} marks the scores that a search chooses by, name another"
            )
        # a protocol is shown as one line of key=value, in which these must not look like two
        if not re.fullmatch(r"[a-z][a-z0-9_]*", key) or not re.fullmatch(r"[\w.+:/-]+", str(value)):
            raise SpecError(
                f"--protocol takes KEY=VALUE of letters, digits and _, as in split=train, got {key}={value}"
            )
    return {**known, **{key: plain(value) for key, value in stated.items()}}


def _of_json(path: Path) -> tuple[str, BySteps]:
    found = _parsed(path)
    if isinstance(found, dict) and found.keys() & FIDELITY.keys():
        return "torch-fidelity", {None: _fidelity(path, found)}
    if isinstance(found, dict) and found and all(re.fullmatch(r"\d{1,12}", key) for key in found):
        return "torch-mimicry", _mimicry(path, found)
    raise DataError(
        f"{path} holds no scores that are known: torch-fidelity's JSON has keys such as {', '.join([*FIDELITY][:2])}, "
        "torch-mimicry's has a list of values for each step"
    )


def _parsed(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise DataError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > LARGEST:
        raise DataError(f"{path} is no file of scores: it has more than {LARGEST:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text: {error.reason} at byte {error.start}") from None


def _fidelity(path: Path, found: Mapping[str, Any]) -> list[Measured]:
    measured = []
    for key, (metric, deviation, name) in FIDELITY.items():
        if key in found:
            details = {name: _number(path, deviation, found[deviation])} if deviation and deviation in found else {}
            measured.append(Measured(metric, {}, [found[key]], details))
    return measured


def _mimicry(path: Path, found: Mapping[str, Any]) -> BySteps:
    """A list of values a step, one for each seed of the sample."""
    metric, protocol = _named(path)
    by_steps: BySteps = {}
    for step, values in found.items():
        if not isinstance(values, list) or not values:
            raise DataError(f"{path}: step {step} has no list of values, got {_clipped(values)}")
        by_steps[int(step)] = [Measured(metric, protocol, values, {})]
    return by_steps


def _named(path: Path) -> tuple[str, Mapping[str, Scalar]]:
    for pattern, metric in MIMICRY.items():
        if match := pattern.fullmatch(path.name):
            return metric, match.groupdict()
    raise DataError(
        f"{path} has values by step, as torch-mimicry writes them, but its name does not say of what: leave it as "
        "fid_50k_50k.json, kid_50k.json or inception_score_50k.json"
    )


def _logged(path: Path) -> tuple[str, BySteps]:
    """Of all lines; a metric's values at one step are of several evaluations, each on a sample of its own."""
    found: dict[int, dict[tuple[str, str], Measured]] = defaultdict(dict)
    for line in _text(path).splitlines():
        if match := _LOGGED.search(line.rstrip()):
            protocol = {key: match[key] for key in ("split", "n_generated") if match[key]}
            metric = STUDIOGAN[match["name"]]
            at, key = found[int(match["step"])], (metric, str(protocol))
            measured = at.setdefault(key, Measured(metric, _plain(protocol), [], {}))
            measured.values.append(_float(match["value"]))
    if not found:
        raise DataError(f"{path} has no line of scores as StudioGAN writes them: '> FID score (Step: 1000, Using ...'")
    return "studiogan", {step: list(by_name.values()) for step, by_name in found.items()}


def _plain(protocol: Mapping[str, str]) -> dict[str, Scalar]:
    return {key: int(value) if key == "n_generated" else value for key, value in protocol.items()}


def _float(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # it is told if it is asked for


def _number(path: Path, what: str | None, value: Any) -> float:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:  # an integer beyond all floats
        pass
    raise DataError(f"{path}: {what} is no finite number, got {_clipped(value)}")


def _clipped(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
