"""Tables of plain text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def aligned(rows: Sequence[Mapping[str, str]], right: Collection[str] = ()) -> str:
    """Columns as wide as what they hold, headed by the keys; those named in `right` are numbers."""
    columns = list(rows[0])
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in columns}
    lines = [{column: column.upper() for column in columns}, *rows]
    return "\n".join(
        "  ".join(_cell(line[key], widths[key], key in right) for key in columns).rstrip() for line in lines
    )


def _cell(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
