"""The leaderboard: from a store's runs and scores to one row for each data set, metric, protocol, variant and network."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ganbench.errors import UnknownNameError
from ganbench.reports import names, statistics
from ganbench.spec import Status
from ganbench.store import Store
from ganbench.store.tables import RunRow, ScoreRow

REAL = "real"
"""The reserved variant whose samples are training data: listed first, never ranked."""

ENDED = (Status.COMPLETED, Status.DIVERGED, Status.FAILED)

TYPES = {
    "rank": "Int64",
    "dataset": "object",
    "metric": "object",
    "protocol": "object",
    "variant": "object",
    "network": "object",
    "seeds": "int64",
    "mean": "float64",
    "std": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "iqm": "float64",
    "best": "float64",
    "diverged": "int64",
    "failed": "int64",
    "steps": "int64",
    "seconds": "float64",
    "run_ids": "object",
    "configurations": "int64",
    "settings": "object",
    "flags": "object",
    "versions": "object",
    "values": "object",
}
TRACK = ["dataset", "metric", "protocol", "versions"]
"""What rows that are ranked together share."""

Names = str | Sequence[str] | None
