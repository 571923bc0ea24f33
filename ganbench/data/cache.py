"""Where downloads and what was computed from them are kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """$GANBENCH_CACHE, or the user's cache folder."""
    return Path(os.environ.get("GANBENCH_CACHE") or platformdirs.user_cache_dir("ganbench"))
