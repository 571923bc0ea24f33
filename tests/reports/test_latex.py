"""LaTeX tables, and that they compile."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ganbench.reports.board import leaderboard
from ganbench.reports.latex import escaped, to_latex
from ganbench.spec import Status
from ganbench.store import Store

HOSTILE = r"a_b&c%d$e#f{g}h~i^j\k|l<m>n"


def bold(text: str) -> list[str]:
    return [line.split("&")[0].strip() for line in text.splitlines() if r"\textbf" in line]


def test_the_best_and_its_ties_by_interval_are_bold(store: Store, add) -> None:
    add("real", [0.1])
    add("best", [1.0, 1.2, 1.4])
    add("near", [1.3, 1.5, 1.7])
    add("far", [2.0, 2.1, 2.2])
    add("alone", [1.25])
    add("lost", [Status.DIVERGED])
    text = to_latex(leaderboard(store))
    assert bold(text) == ["best", "near"]
    assert r"lost & 0 & -- & -- & -- &  & 1 \\" in text
    assert r"kl $\downarrow$" in text


def test_one_seed_each_leaves_the_best_bold(store: Store, add) -> None:
    add("low", [2.0], "modes")
    add("high", [8.0], "modes")
    text = to_latex(leaderboard(store))
    assert bold(text) == ["high"]
    assert r"modes $\uparrow$" in text


def test_nothing_is_said(store: Store) -> None:
    assert "% no scores" in to_latex(leaderboard(store))


@pytest.mark.slow
def test_tables_compile(store: Store, add, tmp_path: Path) -> None:
    """Of hostile names, several networks, data sets and metrics, with lost runs; a warning of LaTeX is an error."""
    if shutil.which("pdflatex") is None:
        pytest.skip("needs pdflatex")
    for dataset in ("ring", "my_set"):
        add(HOSTILE, [0.5, 0.7, Status.DIVERGED], dataset=dataset)
        add("ns", [1e-9, 1e12], dataset=dataset, network="m_l_p")
        add("ns", [0.5], "one_nn", dataset=dataset)
        add("lost", [Status.FAILED], dataset=dataset)
    body = to_latex(leaderboard(store))
    document = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n" + body + "\\end{document}\n"
    (tmp_path / "table.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in done.stdout
    assert (tmp_path / "table.pdf").stat().st_size > 1000


def test_escaping() -> None:
    assert escaped("50 % of a_b & c\nd") == r"50 \% of a\_b \& c d"
    assert escaped("\x00\x1b") == ""
    assert escaped("é ± ü") == r"\'e $\pm$ ü"
