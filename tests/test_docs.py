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
README, YOUR_OWN = ROOT / "README.md", ROOT / "docs" / "your_own.md"
PAGES = (
    README,
    *(ROOT / "docs" / f"{name}.md" for name in ("metrics", "search", "scale", "interchange", "reports", "check")),
    YOUR_OWN,
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    return [block for block in BLOCK.findall(page.read_text(encoding="utf-8")) if block[0] in languages]


@pytest.fixture
def page() -> Path:
    """The page whose files are saved; a test may be given others."""
    return README


@pytest.fixture
def home(page: Path, tmp_path: Path) -> Path:
    """An empty folder but for a page's files and what its reader has: photographs, samples and scores of a model."""
    from ganbench.data import ring

    noise = np.random.default_rng(0)
    for folder in ("photos", "other_photos"):
        (tmp_path / folder).mkdir()
        for index in range(700):
            pixels = noise.integers(0, 256, (28, 28, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{index}.png")
    np.save(tmp_path / "points.npy", ring().sample(2500, seed=1).numpy())
    (tmp_path / "fidelity.json").write_text('{"frechet_inception_distance": 12.5, "inception_score_mean": 8.1}')
    for language, body in blocks(page, "python", "toml"):
        named = re.match(r"# (\S+)\n", body)
        assert named, f"a {language} block of {page.name} does not begin with its file's name"
        (tmp_path / named[1]).write_text(body)
    return tmp_path


def run(command: list[str], home: Path) -> None:
    alone = os.environ | {"OMP_NUM_THREADS": "1"}  # as in all tests: small networks on several busy cores take minutes
    done = subprocess.run(command, cwd=home, env=alone, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_pages_commands_and_files_work(page: Path, home: Path) -> None:
    commands = [line[2:] for _, body in blocks(page, "console") for line in body.splitlines() if line.startswith("$ ")]
    assert commands
    for command in commands:
        run([sys.executable, "-m", *shlex.split(command)], home)
    for plot in re.findall(r"--plot (\S+)", "\n".join(commands)):
        assert (home / plot).exists(), plot


@pytest.mark.slow
def test_the_readmes_script_works(home: Path) -> None:
    run([sys.executable, "score.py"], home)


def test_the_readmes_spec_file_is_one(home: Path) -> None:
    from ganbench.spec import SweepSpec
    from ganbench.sweeps.expand import expand

    spec = SweepSpec.from_toml(home / "sweep.toml")
    assert spec.set == tomllib.loads((home / "sweep.toml").read_text())["set"]
    assert len(expand(spec)) == 2 * (1 + 2 * 2 * 3)


@pytest.mark.parametrize("page", [README, YOUR_OWN], ids=lambda page: page.name)
def test_a_variant_of_ones_own_is_under_20_lines(page: Path, home: Path) -> None:
    assert len([line for line in (home / "my_gan.py").read_text().splitlines() if line.strip()]) < 20


def test_the_readmes_variant_conforms(home: Path) -> None:
    from ganbench.registry import load_file
    from ganbench.testing import check_variant

    load_file(home / "my_gan.py")
    check_variant("my-gan")


@pytest.mark.parametrize("page", [README, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
