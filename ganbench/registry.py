"""Named plug-ins: the built-in ones, those of entry points, and those of a file given with `--load`."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ganbench.errors import SpecError, UnknownNameError


class Named(Protocol):
    """What a registry holds: anything with a name."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)

_loaded: set[Path] = set()


class Registry(Generic[T]):
    """Cards by name, in the order of registration.

    `modules` are imported at the first look-up and register their cards as they load; entry points of group
    `ganbench.<kind>s` are loaded when a name is asked for that the built-ins do not have, or when all are listed.
    """

    def __init__(self, kind: str, modules: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self._modules = modules
        self._cards: dict[str, T] = {}
        self._entry_points_loaded = False

    def add(self, card: T) -> T:
        """Register `card`; a name taken by something else is an error, since results are stored under names."""
        known = self._cards.get(card.name)
        if known is not None and known != card:
            raise SpecError(f"{self.kind} {card.name!r} is already registered: give yours another name")
        self._cards[card.name] = card
        return card

    def get(self, name: str) -> T:
        """The card of that name, or UnknownNameError with the nearest match."""
        self._load_builtins()
        if name not in self._cards:
            self._load_entry_points()
        try:
            return self._cards[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._cards) from None

    def __contains__(self, name: str) -> bool:
        try:
            self.get(name)
        except UnknownNameError:
            return False
        return True

    def __iter__(self) -> Iterator[T]:
        self._load_builtins()
        self._load_entry_points()
        return iter(list(self._cards.values()))

    def _load_builtins(self) -> None:
        modules, self._modules = self._modules, ()
        for module in modules:
            importlib.import_module(module)

    def _load_entry_points(self) -> None:
        if self._entry_points_loaded:
            return
        self._entry_points_loaded = True
        for point in importlib.metadata.entry_points(group=f"ganbench.{self.kind.replace(' ', '_')}s"):
            point.load()


def load_file(path: Path) -> None:
    """Run a user's Python file once, so that the variants, networks and the like that it declares are registered."""
    if path.resolve() in _loaded:
        return
    if not path.is_file():
        raise SpecError(f"cannot load {path}: no such file")
    spec = importlib.util.spec_from_file_location(f"ganbench_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SpecError(f"cannot load {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    try:
        spec.loader.exec_module(module)
    except SpecError:
        raise
    except Exception as error:
        raise SpecError(f"cannot load {path}: {type(error).__name__}: {error}") from error
    _loaded.add(path.resolve())
