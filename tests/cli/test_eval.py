"""`ganbench eval` as a user calls it: tables, JSON, bars, and one line for every bad input."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from ganbench.cli import main, scoring
from ganbench.cli.scoring import Bars
from ganbench.data import real_samples, ring
from ganbench.data.base import find
from ganbench.metrics import METRICS, evaluate

Called = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Called:
    """ganbench in this process and an empty folder: its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ganbench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def noise(n: int, seed: int = 0, top: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, top, (n, 8, 8), dtype=np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Images of one's own as a data set with a test set, 60 + 40."""
    np.savez(tmp_path / "data.npz", x_train=noise(60, 1), x_test=noise(40, 2))
    return tmp_path / "data.npz"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for index, image in enumerate(noise(30)):
        Image.fromarray(image).save(tmp_path / "images" / f"{index:03}.png")
    return tmp_path / "images"


EVAL = ("--device", "cpu", "--metrics", "fd,parzen", "--features", "pixels", "-n", "30")


def test_a_table_has_scores_ceilings_flags_and_each_protocol_once(call: Called, data: Path, images: Path) -> None:
    code, out, err = call("eval", "images", "--dataset", "data.npz", *EVAL)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "images (30 images) on data.npz"
    assert lines[2].split() == ["metric", "value", "real", "better"]
    fd, parzen = evaluate(images, data, "fd-pixels,parzen", n=30)
    for score in (fd, parzen):
        assert lines.count(score.protocol_text) == 1
        (row,) = [line.split() for line in lines if line.strip().startswith(score.metric + " ")]
        assert float(row[1]) == pytest.approx(score.value, rel=0.1)
        assert float(row[3]) == pytest.approx(score.stderr, rel=0.1)
        assert "±" in row[4:]  # the real column
    assert lines.count("real: 30 images of train") == 0
    assert lines.count("real: 30 train images") == 2
    assert "    ! rank-deficient: 30 generated samples for 64 features" in lines


def test_json_is_records_and_null_for_what_is_no_number(call: Called, data: Path, images: Path) -> None:
    code, out, _ = call("eval", "images", "--dataset", "data.npz", *EVAL, "--format", "json")
    assert code == 0
    records = json.loads(out)
    assert [list(each) for each in records] == [
        ["metric", "version", "value", "stderr", "protocol", "flags", "details", "real"]
    ] * 2
    direct = evaluate(images, data, "fd-pixels,parzen", n=30)
    assert [each["value"] for each in records] == [score.value for score in direct]
    assert [each["protocol"] for each in records] == [score.protocol for score in direct]
    assert records[0]["real"]["n"] == 30
    assert records[0]["real"]["split"] == "train"
    assert 0 < records[0]["real"]["value"] < 10
    np.save("far.npy", np.full((20, 2), 9.0))
    code, out, _ = call("eval", "far.npy", "--dataset", "ring", "--metrics", "kl", "-n", "20", "--format", "json",
                        "--no-real", "--device", "cpu")  # fmt: skip
    (kl,) = json.loads(out, parse_constant=pytest.fail)
    assert (kl["value"], kl["stderr"], kl["real"], kl["flags"]) == (None, None, None, ["no high-quality samples"])


def test_the_real_column_is_the_row_real_of_a_sweep(call: Called) -> None:
    np.save("points.npy", ring().sample(300, seed=5).numpy())
    arguments = ["eval", "points.npy", "--dataset", "ring", "-n", "300", "--metrics", "mode-coverage"]
    _, out, _ = call(*arguments, "--format", "json")
    samples = next(real_samples(find("ring"), 300, chunk=300))
    assert [each["real"]["value"] for each in json.loads(out)] == [
        score.value for score in evaluate(samples, "ring", "mode-coverage", n=300)
    ]
    _, table, _ = call(*arguments)
    assert "real: 300 fresh points" in table
    _, table, _ = call(*arguments, "--no-real")
    assert "real" not in table


def test_a_second_folder(call: Called, images: Path, tmp_path: Path) -> None:
    np.savez("other.npz", images=noise(50, 3))
    code, out, _ = call("eval", "other.npz", "--dataset", "images", *EVAL)
    assert code == 0
    assert "n_real=30" in out
    assert out.count("real: none, for all of images is held against") == 2
    assert "split=all" in out


def test_floats_are_quantised_as_asked(call: Called, data: Path) -> None:
    np.save("x.npy", noise(30) / 127.5 - 1)
    code, _, err = call("eval", "x.npy", "--dataset", "data.npz", *EVAL)
    assert (code, "there is the quantisation stylegan" in err) == (2, True)
    code, out, _ = call("eval", "x.npy", "--dataset", "data.npz", *EVAL, "--quantise", "stylegan")
    assert (code, out.count("quantisation=stylegan")) == (0, 2)


def test_metrics_of_ones_own(call: Called, data: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(METRICS, "_cards", {card.name: card for card in METRICS})
    Path("mine.py").write_text(
        "from ganbench.metrics.base import METRICS, Metric, Value\n"
        "class Mean:\n"
        "    def __init__(self, context): self.sums, self.n = 0.0, context.n\n"
        "    def update(self, view): self.sums += float(view.samples.double().mean((1, 2, 3)).sum())\n"
        "    def result(self): return {'brightness': Value(self.sums / self.n)}\n"
        "better = {'brightness': 'higher'}\n"
        "METRICS.add(Metric('brightness', better, '0 to 255', 'Mean', 'mine', ('images',), 30, 1, Mean))\n"
    )
    arguments = ("eval", "images", "--dataset", "data.npz", "--metrics", "brightness", "--load", "mine.py")
    code, out, err = call(*arguments, "--device", "cpu", "--format", "json")
    assert (code, err) == (0, "")
    _, table, _ = call(*arguments, "--device", "cpu")
    assert table.splitlines()[-1].split()[-1] == "higher"
    (found,) = json.loads(out)
    assert found["value"] == pytest.approx(noise(30).mean())
    assert found["stderr"] is None
    assert found["real"]["value"] == pytest.approx(127, abs=9)


@pytest.mark.parametrize("command", ["sweep", "run", "eval"])
def test_every_command_has_the_scoring_options(call: Called, command: str) -> None:
    _, out, _ = call(command, "--help")
    for option in ("--metrics", "-n, --samples", "--features", "--weights [NAME=]FILE", "--resize", "--dtype",
                   "--compile", "--split"):  # fmt: skip
        assert option in out


def test_a_sweep_scores_as_it_is_told(call: Called) -> None:
    code, _, err = call("sweep", "--variant", "ns", "--dataset", "ring", "--steps", "5", "--seeds", "1", "-q",
                        "--executor", "inline", "--device", "cpu", "--metrics", "fd", "-n", "40", "--split", "valid",
                        "--set", "width=8")  # fmt: skip
    assert (code, err) == (0, "")
    _, out, _ = call("report", "csv")
    assert out.count("split=valid") == 2
    assert "fd-identity" in out
    code, _, err = call("sweep", "--variant", "ns", "--dataset", "ring", "--split", "tset")
    assert (code, "unknown split of ring 'tset': did you mean 'test'?" in err) == (2, True)


def _truncated(folder: Path) -> None:
    image = folder / "images" / "029.png"
    image.write_bytes(image.read_bytes()[:70])


def _pickled(folder: Path) -> None:
    np.savez(folder / "x.npz", samples=np.array([{}], dtype=object))


BAD: list[tuple[str, Callable[[Path], Any], list[str], list[str]]] = [
    ("empty folder", lambda f: (f / "none").mkdir(), ["none"], ["no images in none"]),
    ("truncated image", _truncated, ["images", "-n", "30"], ["cannot read image", "029.png"]),
    ("missing", lambda f: None, ["gone"], ["no samples at gone: give an image folder"]),
    ("pickle", _pickled, ["x.npz"], ["x.npz", "holds a pickle"]),
    ("text", lambda f: (f / "x.npy").write_text("hello"), ["x.npy"], ["cannot read samples from x.npy"]),
    ("suffix", lambda f: (f / "x.csv").write_text("1,2"), ["x.csv"], ["cannot read samples from x.csv"]),
    ("size", lambda f: np.save(f / "x.npy", np.zeros((9, 9, 9), np.uint8)), ["x.npy"], ["9x9", "8x8", "resize"]),
    ("range", lambda f: np.save(f / "x.npy", np.full((9, 8, 8), 255.0)), ["x.npy"], ["in [0, 1], got 255 to 255"]),
    ("NaN", lambda f: np.save(f / "x.npy", np.full((9, 8, 8), np.nan)), ["x.npy"], ["576 values are not finite"]),
    ("type", lambda f: np.save(f / "x.npy", np.zeros((9, 8, 8), int)), ["x.npy"], ["uint8", "int64"]),
    ("nothing", lambda f: np.save(f / "x.npy", np.zeros((0, 8, 8))), ["x.npy"], ["no samples in it"]),
    ("too few", lambda f: None, ["images"], ["10,000 samples are needed, images has 30: use --samples 30"]),
    ("one", lambda f: None, ["images", "-n", "1"], ["needs at least 2 samples, got 1"]),
    ("none", lambda f: None, ["images", "-n", "0"], ["samples: input should be greater than or equal to 1 (got 0)"]),
    ("metric", lambda f: None, ["images", "--metrics", "prec"], ["unknown metric 'prec'"]),
    ("dtype", lambda f: None, ["images", "--dtype", "double"], ["unknown dtype 'double': choose from bfloat16"]),
    ("resize", lambda f: None, ["images", "--resize", "big"], ["unknown resize 'big'"]),
    ("quantise", lambda f: None, ["images", "--quantise", "trunc"], ["did you mean 'truncate'"]),
    ("weights", lambda f: None, ["images", "--weights", "w.pth"], ["weights are given (w.pth)", "leave them out"]),
    ("two", lambda f: None, ["images", "--weights", "a", "--weights", "b"], ["--weights takes [NAME=]FILE", "'b'"]),
    ("split", lambda f: None, ["images", "--split", "tset"], ["did you mean 'test'"]),
    ("load", lambda f: None, ["images", "--load", "no.py"], ["cannot load no.py"]),
]


@pytest.mark.parametrize(("spoil", "arguments", "parts"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_bad_input_is_one_line_and_exit_2(
    call: Called, data: Path, images: Path, tmp_path: Path, spoil: Callable[[Path], Any], arguments: list[str],
    parts: list[str],
) -> None:  # fmt: skip
    spoil(tmp_path)
    rest = () if "--metrics" in arguments else ("--metrics", "fd")
    code, out, err = call("eval", *arguments, *rest, "--dataset", "data.npz", "--features", "pixels", "--device", "cpu")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    for part in ("ganbench: ", *parts):
        assert part in err


def test_bars_show_what_is_done_and_how_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    out, seconds = io.StringIO(), iter([0.0, 2.0, 4.0, 5.0, 6.0, 7.0])
    monkeypatch.setattr(scoring, "monotonic", lambda: next(seconds))
    with Bars("images", Console(file=out, force_terminal=True, width=100), delay=0) as bars:
        bars("samples", 500, 2000)
        bars("samples", 1000, 2000)
        bars("real mnist, pixels", 10, 10)
        bars("computing kid", 0, 2)
        bars("computing fd", 1, 2)
        bars._timer.join()
        bars._progress.refresh()
    shown = out.getvalue()
    assert "1,000/2,000 250 images/s" in shown
    assert "real mnist, pixels" in shown
    assert "10/10       10 images/s" in shown
    assert "computing fd" in shown
    assert "computing kid" not in shown.rpartition("samples")[2]  # one bar for all computations


def test_bars_are_not_shown_for_quick_work_or_without_a_terminal() -> None:
    for console, delay in ((Console(file=io.StringIO(), force_terminal=True), 60), (Console(file=io.StringIO()), 0)):
        with Bars("images", console, delay) as bars:
            bars("samples", 1, 2)
        assert console.file.getvalue() == ""  # type: ignore[attr-defined]


@pytest.mark.slow
def test_on_a_terminal_the_bars_go_to_stderr_and_the_table_to_stdout(tmp_path: Path) -> None:
    """A sampler that is slow enough: 60,000 points and a bar after no delay, in a pseudo-terminal."""
    import pty

    np.save(tmp_path / "points.npy", ring().sample(60_000).numpy())
    code = (
        "import sys; from ganbench.cli import main, scoring\n"
        "scoring.Bars.__init__.__defaults__ = (None, 0)\n"
        "sys.argv = ['ganbench', 'eval', 'points.npy', '--dataset', 'ring', '-n', '60000', '--device', 'cpu']\nmain()\n"
    )
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the other end closes
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    out, _ = done.communicate(timeout=120)
    assert done.returncode == 0
    assert "points/s" in shown.decode()
    assert "high_quality" in out
    assert "\x1b" not in out
