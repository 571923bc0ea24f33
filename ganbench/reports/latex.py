"""A leaderboard as LaTeX tables, to paste into a paper."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from ganbench.reports import names
from ganbench.reports.board import Row, records
from ganbench.reports.formats import number, plus_minus
from ganbench.reports.ranking import TRACK

PREAMBLE = "% needs \\usepackage{booktabs}; bold: the best, and whose 95 % interval reaches the best's"

SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "|": r"$|$",
    "±": r"$\pm$", "–": "--", "σ": r"$\sigma$", "∞": r"$\infty$", "é": r"\'e",
}  # fmt: skip

ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$"}


def to_latex(frame: pd.DataFrame) -> str:
    """A booktabs table for each data set, metric and protocol, the protocol in its caption.

    Bold: the best, and those whose 95 % interval reaches that of the best. Settings, run ids and flags are left to the
    other formats. Letters beyond ASCII are kept, for a document in UTF-8.
    """
    tables = [_table(records(rows)) for _, rows in frame.groupby(list(TRACK), sort=False)]
    return "\n".join([PREAMBLE, "", *(tables or ["% no scores", ""])])


def _table(rows: Sequence[Row]) -> str:
    first, bold = rows[0], _as_good_as_the_best(rows)
    better = names.direction(first["metric"])
    arrow = ARROWS[better] if isinstance(better, str) else rf"$\rightarrow {better:g}$"
    several = len({row["network"] for row in rows}) > 1
    head = ["Variant", *(["Network"] if several else []), "Seeds", rf"{escaped(first['metric'])} {arrow}"]
    head += [r"95\,\% interval", "IQM", "Group", "Diverged"]
    caption = f"{escaped(first['dataset'])}, {escaped(first['metric'])}. Protocol: {escaped(first['protocol'])}."
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{caption}}}",
            rf"  \begin{{tabular}}{{{'ll' if several else 'l'}rrrrlr}}",
            r"    \toprule",
            _line(head),
            r"    \midrule",
            *(_line(_cells(row, several, index in bold)) for index, row in enumerate(rows)),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _cells(row: Row, several: bool, bold: bool) -> list[str]:
    said = escaped(plus_minus(row["mean"], row["std"]))
    interval = math.isnan(row["ci_low"])
    return [
        escaped(row["variant"]),
        *([escaped(row["network"])] if several else []),
        "--" if row["source"] else str(row["seeds"]),
        rf"\textbf{{{said}}}" if bold else said,
        "--" if interval else f"[{number(row['ci_low'], row['std'])}, {number(row['ci_high'], row['std'])}]",
        escaped(number(row["iqm"], row["std"])),
        row["group"],
        str(row["diverged"] or "--"),
    ]


def _as_good_as_the_best(rows: Sequence[Row]) -> set[int]:
    """The places of the best row and of those whose interval reaches its interval."""
    ranked = [index for index, row in enumerate(rows) if not pd.isna(row["rank"])]
    best = [index for index in ranked if rows[index]["rank"] == 1]
    found = {index for index in ranked for other in best if _meet(rows[index], rows[other])}
    return found | set(best)


def _meet(row: Row, other: Row) -> bool:
    return bool(row["ci_low"] <= other["ci_high"] and other["ci_low"] <= row["ci_high"])  # of NaN never


def _line(cells: Iterable[str]) -> str:
    return "    " + " & ".join(cells) + r" \\"


def escaped(text: str) -> str:
    """`text` as LaTeX sets it, on one line."""
    return "".join(SPECIAL.get(letter, letter) for letter in " ".join(text.split()) if letter.isprintable())
