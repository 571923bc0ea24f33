"""Heavy libraries, imported at their first use: `ganbench list` must answer before torch could be loaded.

Losses, penalties and metrics name torch at module level and are themselves named by the registries, so they take
it from here; a module that defines `nn.Module` classes imports torch directly and is loaded only when built.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any


class _Lazy(ModuleType):
    """A stand-in that imports its module when an attribute is first asked for, and then remembers the attribute."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, value)
        return value


def attach(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` for `package`: the names of `homes` are imported from their modules when asked for.

    No name may be that of a sub-module, which importing the sub-module would bind in its place.
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    return load


if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch.nn import functional as F
else:
    np = _Lazy("numpy")
    torch = _Lazy("torch")
    F = _Lazy("torch.nn.functional")

__all__ = ["F", "attach", "np", "torch"]
