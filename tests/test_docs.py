"""The documents' code is run as a new user would run it: files are saved, commands are typed, in an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "metrics.md")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(*languages: str) -> list[tuple[str, str]]:
    found = [block for page in PAGES for block in BLOCK.findall(page.read_text(encoding="utf-8"))]
    return [(language, body) for language, body in found if language in languages]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder but for what the README's reader has: photographs, and samples of a model."""
    from ganbench.data import ring

    noise = np.random.default_rng(0)
    for folder in ("photos", "other_photos"):
        (tmp_path / folder).mkdir()
        for index in range(700):
            pixels = noise.integers(0, 256, (28, 28, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{index}.png")
    np.save(tmp_path / "points.npy", ring().sample(2500, seed=1).numpy())
    for language, body in blocks("python", "toml"):
        named = re.match(r"# (\S+)\n", body)
        assert named, f"a {language} block of the README does not begin with its file's name"
        (tmp_path / named[1]).write_text(body)
    return tmp_path


def run(command: list[str], home: Path) -> None:
    done = subprocess.run(command, cwd=home, env=os.environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"


@pytest.mark.slow
def test_the_documents_commands_and_files_work(home: Path) -> None:
    commands = [line[2:] for _, body in blocks("console") for line in body.splitlines() if line.startswith("$ ")]
    assert len(commands) >= 5
    for command in commands:
        run([sys.executable, "-m", *shlex.split(command)], home)
    run([sys.executable, "score.py"], home)
    assert (home / "ring.png").exists()


def test_the_readmes_spec_file_is_one(home: Path) -> None:
    from ganbench.spec import SweepSpec
    from ganbench.sweeps.expand import expand

    spec = SweepSpec.from_toml(home / "sweep.toml")
    assert spec.set == tomllib.loads((home / "sweep.toml").read_text())["set"]
    assert len(expand(spec)) == 2 * (1 + 2 * 2 * 3)


def test_a_variant_of_ones_own_is_under_20_lines_and_conforms(home: Path) -> None:
    from ganbench.registry import load_file
    from ganbench.testing import check_variant

    source = (home / "my_gan.py").read_text()
    assert len([line for line in source.splitlines() if line.strip()]) < 20
    load_file(home / "my_gan.py")
    check_variant("my-gan")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
