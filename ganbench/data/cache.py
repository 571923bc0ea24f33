"""Where downloads and what was computed from them are kept, and under what."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from ganbench.lazy import np

if TYPE_CHECKING:
    from torch import Tensor


def cache_folder() -> Path:
    """$GANBENCH_CACHE, or the user's cache folder."""
    return Path(os.environ.get("GANBENCH_CACHE") or platformdirs.user_cache_dir("ganbench"))


def content_hash(samples: Tensor) -> str:
    """12 hex digits of the SHA-256 of the samples' shape, type and values."""
    found = hashlib.sha256(f"{samples.dtype} {tuple(samples.shape)}".encode())
    found.update(np.ascontiguousarray(samples.cpu().numpy()).data)
    return found.hexdigest()[:12]
