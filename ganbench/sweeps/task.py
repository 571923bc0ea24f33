"""What is to be done in one go: runs that train together, or one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ganbench.canonical import digest
from ganbench.spec import RunSpec, Scoring
from ganbench.sweeps.selection import Selection

COHORTS = "cohorts"
"""The folder, among the runs' own, of checkpoints of runs that train together."""


@dataclass(frozen=True)
class Task:
    """What a worker needs to do runs that train together, or one; picklable."""

    specs: tuple[RunSpec, ...]
    scoring: Scoring
    artifacts: Path  # folder of the store's artifacts: a folder a run
    root: Path | None = None  # image data
    device: str = "cpu"
    threads: int | None = None  # CPU threads; None: as many as PyTorch takes
    checkpoint_every: int = 500  # steps
    load: tuple[Path, ...] = ()  # users' files with variants and the like
    events: bool = False  # whether to write TensorBoard's files
    selection: Selection | None = None  # in a search: what configurations are chosen by
    compiled: bool = False  # whether steps are compiled
    pictures: bool = True  # whether curves and samples are drawn
    until: int | None = None  # the step of a rung at which the runs are to stop; None: they go to their ends

    @property
    def spec(self) -> RunSpec:
        """The first run, for what is the same for all."""
        return self.specs[0]

    @property
    def steps(self) -> int:
        """The generator step at which each of its runs stops."""
        return self.spec.steps if self.until is None else self.until

    @property
    def all_steps(self) -> int:
        """Generator steps of all its runs."""
        return self.steps * len(self.specs)

    @property
    def together(self) -> Path:
        """Where the runs are kept while they train together."""
        return self.artifacts / COHORTS / f"{digest([spec.id for spec in self.specs])}.safetensors"

    def folder(self, spec: RunSpec) -> Path:
        """Where a run's artifacts lie."""
        return self.artifacts / spec.id

    def halves(self) -> tuple[Task, Task]:
        """The task as two, of more than one run."""
        middle = len(self.specs) // 2
        return replace(self, specs=self.specs[:middle]), replace(self, specs=self.specs[middle:])
