"""The house rules of docs/design.md: who may import whom, and how fast the door opens."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ganbench"


def _allowed() -> dict[str, set[str]]:
    """The table of docs/design.md."""
    rows = re.findall(r"^\| ([a-z, ]+) \| ([a-z ,()]+) \|$", (ROOT / "docs" / "design.md").read_text(), re.MULTILINE)
    table: dict[str, set[str]] = {}
    for rooms, targets in rows:
        names = set(re.sub(r"\(.*?\)", "", targets).replace(",", " ").split())
        for room in rooms.split(", "):
            table[room] = set() if "nothing" in names else names
    return table


def _imports(path: Path) -> Iterator[str]:
    """Rooms of ganbench that a file imports, wherever in it, but not for type checking alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ganbench":
            inner = node.module.split(".")[1:] or [alias.name for alias in node.names]
            yield inner[0]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("ganbench."))


def _room(path: Path) -> str:
    inside = path.relative_to(PACKAGE)
    return inside.parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_import_only_what_the_design_allows(path: Path) -> None:
    room, table = _room(path), _allowed()
    if room in ("__init__", "__main__", "testing", "api"):
        return  # the front door
    assert room in table, f"docs/design.md says nothing of {room}"
    if "everything" in table[room]:
        return
    wrong = {target for target in _imports(path) if target not in table[room] | {room} and target in table}
    assert not wrong, f"{path.name} is in {room} and may not import {sorted(wrong)}"


def test_the_table_is_read() -> None:
    assert _allowed()["store"] == {"spec", "canonical", "errors"}
    assert _allowed()["errors"] == set()
    assert "training" not in _allowed()["metrics"]


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["list", "variants"], ["list"], ["sweep", "--help"], ["import", "--help"], ["export", "--help"]],
)
def test_the_door_opens_without_torch(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['ganbench', *{arguments}]\n"
        "from ganbench.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'torchvision', 'scipy', 'pandas', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("halving", [{}, {"halving": 3}])
def test_a_search_is_planned_without_torch(halving: dict[str, int], tmp_path: Path) -> None:
    """The driver plans, claims, stores and reports; its workers train."""
    code = (
        "import sys\n"
        "from ganbench.spec import SweepSpec\n"
        "from ganbench.store import Store\n"
        "from ganbench.sweeps.rounds import Rounds\n"
        "spec = {'variants': ['ns'], 'datasets': ['ring'], 'sampler': 'random', 'trials': 2, 'space': 'own'}\n"
        f"with Store({str(tmp_path / 's.db')!r}) as store:\n"
        f"    assert Rounds(SweepSpec.parse(spec | {halving}), store).next()\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


@pytest.mark.speed
@pytest.mark.parametrize("arguments", [["--help"], ["list", "variants"]])
def test_the_door_opens_fast(arguments: list[str]) -> None:
    """The best of seven is under 0.3 s: the machine's own noise only adds."""

    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run([Path(sys.executable).with_name("ganbench"), *arguments], check=True, capture_output=True)
        return time.perf_counter() - started

    fastest = min(seconds() for _ in range(7))
    print(f"\nganbench {' '.join(arguments)}: {fastest:.3f} s")  # noqa: T201
    assert fastest < 0.3


@pytest.mark.parametrize("room", ["data", "metrics"])
def test_no_function_has_the_name_of_a_module(room: str) -> None:
    """`from ganbench.data import minibatches` must not depend on whether a module of that name was imported before."""
    import importlib

    names = set(importlib.import_module(f"ganbench.{room}").__all__)
    assert not names & {path.stem for path in (PACKAGE / room).glob("*.py")}
