"""What a person sees while a sweep runs: a live table on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganbench.reports.names import better, primary
from ganbench.spec import RunRecord, Status
from ganbench.sweeps.watch import Watch

if TYPE_CHECKING:
    from ganbench.sweeps.board import Board
    from ganbench.sweeps.queue import TaskQueue
    from ganbench.sweeps.task import Task

MAX_LINES = 8
"""Running runs that the live table shows."""


def watch() -> Watch:
    """The live table where stderr is a terminal, plain lines where it is not."""
    console = Console(stderr=True, markup=False, highlight=False)
    return _Live(console) if console.is_terminal else _Lines()


class _Best:
    """The best score so far, for each data set."""

    def __init__(self) -> None:
        self._best: dict[str, tuple[str, str, float]] = {}

    def see(self, record: RunRecord) -> None:
        scores = {score.metric: score.value for score in record.reported}
        metric = primary(scores)
        if metric is None or record.spec.variant == "real":
            return
        held = self._best.get(record.spec.dataset)
        if held is None or better(metric, scores[metric], held[2]):
            self._best[record.spec.dataset] = (metric, record.spec.variant, scores[metric])

    def text(self) -> str:
        return "   ".join(
            f"best on {dataset}: {variant} ({metric} {value:.4g})"
            for dataset, (metric, variant, value) in sorted(self._best.items())
        )


class _Lines:
    """A line when a run ends."""

    def __init__(self) -> None:
        self._done = 0

    def begin(self, queue: TaskQueue, board: Board, skipped: int) -> None:
        self._queue, self._done = queue, 0  # a search begins once a round
        click.echo(f"{queue.runs} runs to do, {skipped} done before", err=True)

    def finished(self, record: RunRecord) -> None:
        self._done += 1
        click.echo(f"[{self._done}/{self._queue.runs}] {_described(record)}", err=True)

    def note(self, text: str) -> None:
        click.echo(text, err=True)

    def end(self) -> None:
        return


class _Live:
    """Runs done, steps a second, time left, the running runs, and the best so far."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._best = _Best()
        self._done: list[RunRecord] = []

    def begin(self, queue: TaskQueue, board: Board, skipped: int) -> None:
        self._queue, self._board, self._skipped = queue, board, skipped
        self._done, self._ended = [], set[str]()  # a search begins once a round
        self._started = time.monotonic()
        self._first: dict[int, int] = {}  # step at which a task was first seen: it may come from a checkpoint
        # made here, not before: it renders as soon as it is made
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
        )
        self._live.start()

    def finished(self, record: RunRecord) -> None:
        self._done.append(record)
        self._ended.add(record.spec.id)
        self._best.see(record)
        if record.status not in (Status.COMPLETED, Status.PRUNED):
            self._live.console.print(Text(_described(record), style="yellow"))

    def note(self, text: str) -> None:
        self._console.print(Text(text, style="yellow"))

    def end(self) -> None:
        self._live.stop()

    def _render(self) -> Group:
        running = [
            (index, task, max(0, self._board.step(index)))
            for index, task in list(self._queue.tasks.items())
            if self._board.step(index) >= 0 and not self._over(task)
        ]
        parts = [self._summary(), self._runs(running[:MAX_LINES])]
        if self._best.text():
            parts.append(Text(self._best.text(), style="green"))
        if self._board.stopping:
            parts.append(Text("stopping: saving what runs (Ctrl-C again to leave at once)", style="yellow"))
        return Group(*parts)

    def _over(self, task: Task) -> bool:
        return all(spec.id in self._ended for spec in task.specs)

    def _summary(self) -> Text | Table:
        total = sum(task.all_steps for task in list(self._queue.tasks.values()))
        done, fresh = self._steps()
        elapsed = time.monotonic() - self._started
        rate = fresh / elapsed if elapsed > 0 else 0.0
        left = _clock((total - done) / rate) if rate > 0 else "–"
        line = Table.grid(padding=(0, 2))
        line.add_row(
            Text(f"{len(self._done)}/{self._queue.runs} runs", style="bold"),
            ProgressBar(total=max(total, 1), completed=done, width=30),
            f"{rate:,.0f} steps/s",
            f"{_clock(elapsed)} gone, {left} left",
            f"{self._skipped} done before" if self._skipped else "",
        )
        return line

    def _steps(self) -> tuple[int, int]:
        """Steps done of all tasks, and those of them done since the sweep began."""
        done = fresh = 0
        for index, task in list(self._queue.tasks.items()):
            step, runs = self._board.step(index), len(task.specs)
            if self._over(task):
                done += task.all_steps
                fresh += max(0, step - self._first.get(index, 0)) * runs
            elif step > 0:
                done += step * runs
                fresh += (step - self._first.setdefault(index, step)) * runs
        return done, fresh

    def _runs(self, running: list[tuple[int, Task, int]]) -> Table:
        table = Table.grid(padding=(0, 2))
        for _, task, step in running:
            spec = task.spec
            state = f"{step:,}/{task.steps:,} steps" if step < task.steps else "scoring"
            which = f"seed {spec.seed}" if len(task.specs) == 1 else f"{len(task.specs)} runs"
            name = f"  {spec.variant} on {spec.dataset}, {which}" if spec.steps else f"  real {spec.dataset}"
            table.add_row(name, ProgressBar(total=max(task.steps, 1), completed=step, width=20), state)
        return table


def _described(record: RunRecord) -> str:
    spec = record.spec
    name = f"{spec.dataset} {spec.variant} seed {spec.seed}: {record.status}"
    if record.status in (Status.DIVERGED, Status.PRUNED):
        return f"{name} at step {record.step}"
    if record.error:
        return f"{name}: {record.error}"
    scores = "  ".join(f"{score.metric} {score.value:.4g}" for score in record.reported)
    return f"{name} in {record.seconds + record.score_seconds:.1f} s  {scores}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
