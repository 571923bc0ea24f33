"""The live table, on a console that takes itself for a terminal."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from ganbench.cli.progress import _Live
from ganbench.spec import RunRecord, RunSpec, Score, Scoring, Status
from ganbench.sweeps.board import Board
from ganbench.sweeps.queue import TaskQueue
from ganbench.sweeps.task import Task


def test_the_live_table_shows_runs_and_the_best(tmp_path: Path) -> None:
    specs = [RunSpec(variant=name, dataset="ring", network="mlp", seed=0, steps=100) for name in ("ns", "wgan")]
    tasks = [Task((spec,), Scoring(), tmp_path) for spec in specs]
    board, out = Board(2), io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    live = _Live(console)
    live.begin(TaskQueue(tasks), board, skipped=3)
    board.set(0, 40)
    score = Score(metric="kl", version=1, value=0.25)
    live.finished(RunRecord(spec=specs[1], status=Status.COMPLETED, step=100, scores=(score,)))
    console.print(live._render())
    live.end()
    shown = out.getvalue()
    for part in ("1/2 runs", "3 done before", "ns on ring, seed 0", "40/100 steps", "best on ring: wgan (kl 0.25)"):
        assert part in shown
