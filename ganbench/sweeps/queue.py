"""What a round has to do, handed out as there is room for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from ganbench.sweeps.task import Task


class TaskQueue:
    """Tasks in their order, each with its line of the board.

    A task is claimed when it is taken, not before: so sweeps on one store, on one machine or many, share what there is
    to do. `claim` is given ids of runs and says which of them are this sweep's own from then on; alone, all are.

    tasks: all but what others took, by line. runs: how many they are. taken: ids of the runs that were handed out.
    """

    def __init__(self, tasks: Sequence[Task], claim: Callable[[Sequence[str]], Collection[str]] = tuple) -> None:
        self.tasks = dict(enumerate(tasks))
        self.runs = sum(len(task.specs) for task in tasks)
        self.taken: set[str] = set()
        self._claim = claim
        self._waiting = deque(self.tasks)

    def __bool__(self) -> bool:
        """Whether there may be more to take."""
        return bool(self._waiting)

    def take(self, most: int | None = None) -> dict[int, Task]:
        """So many tasks at most (None: all), by line. Those of which others have taken some runs come without them."""
        ours: dict[int, Task] = {}
        while self._waiting and (most is None or len(ours) < most):
            many = len(self._waiting) if most is None else min(most - len(ours), len(self._waiting))
            ours |= self._claimed([self._waiting.popleft() for _ in range(many)])
        return ours

    def _claimed(self, lines: Sequence[int]) -> dict[int, Task]:
        ids = [spec.id for line in lines for spec in self.tasks[line].specs]
        mine = set(self._claim(ids))
        self.taken |= mine
        self.runs -= len(ids) - len(mine)
        for line in lines:
            task = self.tasks[line]
            specs = tuple(spec for spec in task.specs if spec.id in mine)
            if not specs:
                del self.tasks[line]
            elif specs != task.specs:
                self.tasks[line] = replace(task, specs=specs)
        return {line: self.tasks[line] for line in lines if line in self.tasks}
