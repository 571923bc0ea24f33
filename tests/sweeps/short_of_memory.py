"""Run by test_faults.py in a process of its own: eight runs as one cohort, in less memory than that takes.

    python short_of_memory.py FOLDER TIMES

What the process may take beyond what it has once everything is loaded is drawn anew each time; the first time it may
take all there is. Prints, for each time, with how many each run was trained in the end, as JSON.
"""

from __future__ import annotations

import json
import random
import resource
import sys
from pathlib import Path

import torch
from small_sweeps import small_sweep

from ganbench.spec import SweepSpec
from ganbench.store import Store
from ganbench.sweeps.sweep import Surroundings, run_sweep

LARGE = {"width": 1000, "depth": 3, "batch_size": 16}
LEAST, MOST = 150, 500  # megabytes: of one run more than enough, of eight together too few


def cohorts(where: Path, spec: SweepSpec) -> list[int]:
    with Store(where) as store:
        done = run_sweep(spec, store, Surroundings("cpu", "inline", cohort=8, pictures=False))
    return [int(record.provenance["cohort"]) for record in done.records if record.spec.variant == "ns"]


def allow(megabytes: int | None) -> None:
    size = int(Path("/proc/self/status").read_text().partition("VmSize:")[2].split()[0]) * 1024
    soft = resource.RLIM_INFINITY if megabytes is None else size + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (soft, resource.RLIM_INFINITY))


def main(folder: Path, times: int) -> None:
    torch.set_num_threads(1)
    amounts = random.Random(5)
    spec = small_sweep(variants=["ns"], seeds=8, steps=2, set=LARGE)
    found = [cohorts(folder / "undisturbed.db", spec)]  # what is loaded at first use is loaded
    for number in range(times):
        allow(amounts.randrange(LEAST, MOST))
        found.append(cohorts(folder / f"{number}.db", spec))
        allow(None)
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
