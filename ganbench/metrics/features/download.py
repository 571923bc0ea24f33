"""Weights that are published: from the file that was given, else the cache, else downloaded into it."""

from __future__ import annotations

import os
import shutil
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from ganbench.data.cache import cache_folder
from ganbench.errors import WeightsError
from ganbench.metrics.features.base import Source, weights_hash

TIMEOUT = 10  # seconds without an answer


@dataclass(frozen=True)
class Published:
    """A published weights file.

    title: whose weights they are; file: its name, which ends in the first eight hex digits of its SHA-256; address:
    where it is, asked of the library that publishes it; instead: what else can be done where it cannot be had.
    """

    title: str
    file: str
    address: Callable[[], str]
    instead: str

    @property
    def cached(self) -> Path:
        """Where the file lies once it was downloaded."""
        return cache_folder() / "weights" / self.file

    def find(self, source: Source) -> Path:
        """The file that was given, the cached one, or a fresh download; WeightsError where none can be had."""
        path = source.given or self.cached
        return path if source.given or path.exists() else self._download(path)

    def available(self) -> bool:
        """Whether the file is cached, or can be downloaded now."""
        try:
            self.find(Source())
        except WeightsError:
            return False
        return True

    def _download(self, path: Path) -> Path:
        """Fetch the file, check it against the digits in its name, and only then give it that name."""
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with urllib.request.urlopen(self.address(), timeout=TIMEOUT) as answer, temporary.open("wb") as file:
                shutil.copyfileobj(answer, file)
            self._check(temporary)
            temporary.replace(path)
        except (OSError, HTTPException) as error:
            raise WeightsError(
                f"no {self.title} weights: none were given, none are at {path}, and the download failed ({error}); "
                f"give the file {self.file} with --weights, {self.instead}"
            ) from None
        finally:
            temporary.unlink(missing_ok=True)
        return path

    def _check(self, path: Path) -> None:
        expected, found = Path(self.file).stem.rpartition("-")[2], weights_hash(path)
        if found != expected:
            raise OSError(f"its checksum is {found}, not {expected}")
