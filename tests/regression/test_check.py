"""Baselines through the door: recorded, checked, changed, broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ganbench.data import ring
from ganbench.errors import SpecError
from ganbench.regression import check
from ganbench.regression.baseline import Decision, all_of, load
from ganbench.regression.check import Checked
from ganbench.regression.judge import Finding, Verdict
from ganbench.regression.junit import to_junit
from ganbench.regression.recorded import read
from ganbench.sweeps.sweep import Surroundings
from ganbench.variants import VARIANTS

SMALL = """
[sweep]
variants = ["ns"]
datasets = ["ring"]
seeds = 8
steps = 60
[sweep.set]
width = 8
depth = 1
batch_size = 16
[sweep.scoring]
metrics = ["fd"]
samples = 200
[check]
recorded = 16
"""
KEPT = """
[[rescore]]
samples = "points.npy"
dataset = "ring"
scoring = {metrics = ["fd", "modes"], samples = 500}
"""
BROKEN = """
import dataclasses
from ganbench.sweeps.sweep import Surroundings
from ganbench.variants import VARIANTS
card = VARIANTS.get("ns")
def turned(phase):
    return dataclasses.replace(phase, loss=lambda *given: -phase.loss(*given)) if phase.players == "G" else phase
VARIANTS._cards["ns"] = dataclasses.replace(card, phases=tuple(map(turned, card.phases)))
"""
"""The sign of the generator's loss."""
ON_IMAGES = {"dcgan", "virtual-bn"}
"""Variants that are others with convolutions or batch norm: on points they are no variants."""


def run(
    *arguments: str, cwd: Path, code: Sequence[str] = ("-m", "ganbench", "check")
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    given = {"capture_output": True, "text": True, "timeout": 300, "cwd": cwd, "env": environment}
    return subprocess.run([sys.executable, *code, *arguments], **given)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a baseline that trains and scores kept samples again, recorded."""
    folder = tmp_path_factory.mktemp("checked")
    (folder / "baselines").mkdir()
    np.save(folder / "baselines" / "points.npy", ring().sample(500, 9).numpy())
    (folder / "baselines" / "small.toml").write_text(SMALL + KEPT)
    (folder / "baselines" / "other.toml").write_text('variants = ["ns"]\n')  # a sweep: no baseline
    done = run("--update", "-q", "--executor", "inline", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert '+{"dataset": "ring", "variant": "ns"' in done.stdout
    return folder


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    (tmp_path / "baselines").mkdir()
    for path in (recorded / "baselines").iterdir():
        (tmp_path / "baselines" / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_what_is_recorded(recorded: Path) -> None:
    found = {each.key: each for each in read(recorded / "baselines" / "small.json")}
    assert set(found) == {
        ("ring", "real", "none", "fd-identity"), ("ring", "ns", "mlp", "fd-identity"),
        ("ring", "points.npy", "kept samples", "fd-identity"), ("ring", "points.npy", "kept samples", "modes"),
    }  # fmt: skip
    random = found["ring", "ns", "mlp", "fd-identity"]
    assert len(set(random.values)) == 16
    assert random.facts["set width"] == 8
    assert found["ring", "points.npy", "kept samples", "modes"].values == (8.0,)


@pytest.mark.slow
def test_unchanged_code_passes_and_says_by_what(recorded: Path, tmp_path: Path) -> None:
    done = run("--executor", "inline", "--junit", str(tmp_path / "c.xml"), cwd=recorded)
    assert done.returncode == 0, done.stdout + done.stderr
    rate = "non-inferiority, false alarms in 0.01 of checks at most"
    assert done.stdout == f"baselines/small.toml: 4 comparisons, all as recorded ({rate})\n"
    assert "9 runs to do" in done.stderr  # progress
    suite = ElementTree.parse(tmp_path / "c.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("small", "4", "0")
    assert not (recorded / "ganbench.db").exists()


@pytest.mark.slow
def test_a_broken_loss_fails_and_says_by_how_much(folder: Path) -> None:
    (folder / "broken.py").write_text(BROKEN)
    done = run("-q", "--executor", "inline", "--load", "broken.py", "--junit", "c.xml", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    head, line = done.stdout.splitlines()
    assert "1 not as recorded" in head
    assert line.startswith("  ring ns mlp fd-identity: worse: ")
    failure = ElementTree.parse(folder / "c.xml").getroot().find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("type") == "worse"
    assert line.strip().endswith(failure.get("message", "").removeprefix("worse: "))


def test_another_setting_is_not_compared(folder: Path) -> None:
    path = folder / "baselines" / "small.toml"
    path.write_text(path.read_text().replace("width = 8", "width = 9"))
    done = run("-q", "--executor", "inline", cwd=folder)
    assert done.returncode == 1
    assert "ring ns mlp fd-identity: not comparable: set width was 8, is 9" in done.stdout


def test_update_prints_what_changed(folder: Path) -> None:
    (folder / "baselines" / "small.toml").write_text(KEPT)
    done = run("-q", "--update", cwd=folder)
    changed = [line for line in done.stdout.splitlines() if line[0] in "+-" and not line.startswith(("+++", "---"))]
    assert [line for line in changed if line.startswith("+")] == []
    assert {json.loads(line[1:].rstrip(","))["variant"] for line in changed} == {"real", "ns"}
    assert run("-q", "--update", cwd=folder).stdout == "baselines/small.toml: nothing changed\n"


@pytest.mark.slow
def test_runs_may_be_kept_and_are_not_trained_twice(folder: Path) -> None:
    assert run("-q", "--executor", "inline", "--store", "kept.db", cwd=folder).returncode == 0
    again = run("--executor", "inline", "--store", "kept.db", cwd=folder)
    assert again.returncode == 0
    assert "0 runs to do" in again.stderr or "runs to do" not in again.stderr


@pytest.mark.slow
def test_pytest_has_each_comparison_as_a_test(folder: Path) -> None:
    pytest_there = ("-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA")
    passed = run("--ganbench", "baselines", cwd=folder, code=pytest_there)
    assert "5 passed" in passed.stdout, passed.stdout + passed.stderr
    assert "baselines/small.toml::ring ns mlp fd-identity" in passed.stdout
    alone = run("baselines", cwd=folder, code=pytest_there)
    assert "no tests ran" in alone.stdout
    recorded = folder / "baselines" / "small.json"
    recorded.write_text(recorded.read_text().replace('"values": [8.0]', '"values": [7.0]'))
    failed = run("--ganbench", "baselines", cwd=folder, code=pytest_there)
    assert "1 failed, 4 passed" in failed.stdout
    assert "ring points.npy kept samples modes: different: 7, now 8 (may differ by 0.0001 of it)" in failed.stdout
    assert "Traceback" not in failed.stdout
    recorded.unlink()
    assert "nothing is recorded at" in run("--ganbench", "baselines", cwd=folder, code=pytest_there).stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a baseline retrains a [sweep]"),
        ("[sweep\n", "is not valid TOML"),
        (
            "[check]\nalarm = 0.7\n[[rescore]]\nsamples = 'x'\ndataset = 'ring'\n",
            "check.alarm: input should be less than 0.5",
        ),
        ("[sweep]\nvariants = ['ns']\ndatasets = ['ring']\nsampler = 'tpe'\ntrials = 5\n", "may not search"),
        (
            "[sweep]\nvariants = ['ns']\ndatasets = ['ring']\nsteeps = 3\n",
            "sweep: steeps: no such field, did you mean 'steps'?",
        ),
        ("[chek]\nalarm = 0.1\n", "no such field"),
        (SMALL, "nothing is recorded at bad.json: `ganbench check --update` does it"),
        ("[[rescore]]\nsamples = 'none.npy'\ndataset = 'ring'\n", "nothing is recorded"),
    ],
)
def test_bad_baselines_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    done = run("bad.toml", "-q", cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_projects_own_baselines_are_recorded_whole() -> None:
    """Every variant of the toy family on ring and grid, with the seeds that the file says."""
    found = {baseline.name: baseline for baseline in all_of([Path(__file__).parents[2] / "baselines"])}
    assert {"ring", "grid", "images", "metrics"} <= set(found)
    toys = {card.name for card in VARIANTS if not {"pyramid", "boltzmann", "upscaler"} & set(card.roles.values())}
    for name in ("ring", "grid"):
        assert found[name].sweep is not None
        assert set(found[name].sweep.variants) == toys - ON_IMAGES
    for baseline in found.values():
        recorded = read(baseline.recorded)
        if baseline.sweep:
            random = [each for each in recorded if each.tolerance is None]
            assert {each.variant for each in random} == set(baseline.sweep.variants)
            assert {len(each.values) for each in random} == {baseline.check.recorded}
        assert {kept.samples for kept in baseline.rescore} <= {each.variant for each in recorded}


def test_no_baselines_are_one_line(tmp_path: Path) -> None:
    for arguments, message in (([], "no baseline at baselines"), (["."], "no baselines: name TOML files")):
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, message in done.stderr) == (2, True)
    both = run("--update", "--junit", "x.xml", cwd=tmp_path)
    assert (both.returncode, "there is no --junit of it" in both.stderr) == (2, True)


@pytest.mark.parametrize("text", ["", "{", '{"scores": [{}]}', '{"scores": 3}', "[]"])
def test_a_broken_record_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(SpecError, match="cannot read what is recorded at"):
        read(tmp_path / "r.json")


def test_recorded_and_checked_seeds_have_none_in_common(recorded: Path) -> None:
    (baseline,) = all_of([recorded / "baselines"])
    assert baseline.seeds() == tuple(range(8))
    assert len(baseline.recorded_seeds()) == 16
    assert not set(baseline.seeds()) & set(baseline.recorded_seeds())


def test_junit_holds_any_text(recorded: Path) -> None:
    baseline = load(recorded / "baselines" / "small.toml")
    hostile = Verdict("<a>&\x00\x1b\ud800", Finding.WORSE, '"]]>\ufffe')
    made = ElementTree.fromstring(to_junit([Checked(baseline, (hostile,))]))
    case = made.find("testsuite/testcase")
    assert case is not None
    assert case.get("name") == "<a>&\ufffd\ufffd\ufffd"
    assert Decision().alarm == 0.01


def test_kept_samples_are_scored_as_the_baseline_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of a scoring is dropped on the way."""
    given: list[dict[str, object]] = []
    monkeypatch.setattr(check, "evaluate", lambda *_, **how: given.append(how) or ())
    said = '{samples = 7, features = "vgg16", weights = {vgg16 = "w.pth"}, resize = "clean", dtype = "float16", '
    said += 'compile = true, split = "valid"}'
    (tmp_path / "b.toml").write_text(f'[[rescore]]\nsamples = "x.npy"\ndataset = "ring"\nscoring = {said}\n')
    check.measure(load(tmp_path / "b.toml"), (), Surroundings("cpu"), None, None)
    (how,) = given
    assert how.pop("device") == "cpu"
    assert how == {
        "n": 7, "root": None, "features": "vgg16", "weights": {"vgg16": Path("w.pth")}, "resize": "clean",
        "dtype": "float16", "compile": True, "split": "valid",
    }  # fmt: skip
