"""The one exception family. Every message says what was given, what is allowed, and the nearest match."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GanbenchError(Exception):
    """Root of every error that ganbench raises on purpose; `exit_code` is what the command line ends with."""

    exit_code = 2


class UnknownNameError(GanbenchError):
    """A name that no registry, setting or column has."""

    def __init__(self, kind: str, name: str, allowed: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} {name!r}: {nearest(name, allowed)}")


class SpecError(GanbenchError):
    """A sweep or run description that is malformed: wrong type, out of range, unreadable TOML."""


class DataError(GanbenchError):
    """Data that is missing, unreadable, of the wrong shape, or too little of it."""


class SampleError(DataError):
    """Samples that cannot be scored: non-finite, of the wrong shape or range, or too few."""


class WeightsError(GanbenchError):
    """Weights of a feature extractor that cannot be found, read or trusted."""


class StoreError(GanbenchError):
    """A store that cannot be opened, is not ganbench's, or cannot be written."""


class RunError(GanbenchError):
    """A run that could not be trained or scored for a reason of its own."""

    exit_code = 1


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The end of an error line: the closest allowed name if one is close, and the allowed names."""
    names = sorted(allowed)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}choose from {', '.join(names) if names else '(nothing is registered)'}"
