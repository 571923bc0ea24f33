"""Heavy libraries, imported at their first use: `ganbench list` must answer before torch could be loaded.

Losses, penalties and metrics name torch at module level and are themselves named by the registries, so they take
it from here; a module that defines `nn.Module` classes imports torch directly and is loaded only when built.
"""

from __future__ import annotations

import importlib
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


if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch.nn import functional as F
else:
    np = _Lazy("numpy")
    torch = _Lazy("torch")
    F = _Lazy("torch.nn.functional")

__all__ = ["F", "np", "torch"]
