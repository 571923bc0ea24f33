"""Which devices a machine has, and how many processes they take."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ganbench.errors import SpecError

RUNS_PER_GPU = 4
"""Runs that share a GPU where they are small (2-D points): one alone leaves it idle between launches."""


def devices(name: str) -> list[str]:
    """The devices that `name` stands for: auto, cpu, cuda (all of them) or cuda:N; SpecError where it is not here."""
    if name == "cpu":
        return ["cpu"]
    import torch

    here = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if name == "auto":
        return here or ["cpu"]
    if name.split(":")[0] != "cuda":
        raise SpecError(f"unknown device {name!r}: choose from auto, cpu, cuda, cuda:N")
    chosen = here if name == "cuda" else [each for each in here if each == name]
    if not chosen:
        raise SpecError(f"device {name!r} is not here ({len(here)} CUDA devices found): use --device cpu")
    return chosen


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_megabytes(device: str) -> int:
    """The most memory that there was of the device (what PyTorch took of a GPU, else of this process) so far, in MB.

    A worker does one task after the other, so it is that of the largest of those that it did.
    """
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device) / 1e6)
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")  # ru_maxrss begins with that of the parent
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 // 10**6
    except (OSError, IndexError):
        import resource

        taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return taken // 10**6 if sys.platform == "darwin" else taken * 1024 // 10**6
