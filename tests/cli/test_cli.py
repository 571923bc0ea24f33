"""The command line as a subprocess: contracts, exit codes, and one clear line for every bad input."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

CONTRACT = (
    "rank,dataset,metric,protocol,variant,network,seeds,mean,std,ci_low,ci_high,iqm,best,diverged,failed,steps,"
    "seconds,run_ids"
)
SWEEP = [
    "sweep", "--variant", "ns,lsgan", "--dataset", "ring:std=0.5", "--seeds", "2", "--steps", "40",
    "--executor", "inline", "--device", "cpu", "--set", "width=8", "--samples", "200",
]  # fmt: skip


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """ganbench as a user would call it; coverage and the test's cache come along."""
    return subprocess.run(
        [sys.executable, "-m", "ganbench", *arguments],
        cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    done = run(*SWEEP, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "5 completed" in done.stdout
    assert "next: ganbench report csv" in done.stdout
    assert "[5/5]" in done.stderr
    return folder


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_report_csv_has_the_contracts_columns(swept: Path) -> None:
    done = run("report", "csv", cwd=swept)
    assert done.returncode == 0
    assert done.stdout.startswith(CONTRACT)
    table = rows(done.stdout)
    assert {row["metric"] for row in table} == {"modes", "high_quality", "kl", "jsd"}
    of_kl = [row for row in table if row["metric"] == "kl"]
    assert [row["rank"] for row in of_kl] == ["", "1", "2"]
    assert of_kl[0]["variant"] == "real"
    assert all("n_generated=200" in row["protocol"] for row in table)
    assert all(len(row["run_ids"].split()) == 2 for row in of_kl[1:])


def test_report_filters_and_files(swept: Path, tmp_path: Path) -> None:
    target = tmp_path / "board.md"
    done = run("report", "md", "-o", str(target), "--metric", "kl", "--variant", "ns", cwd=swept)
    assert (done.returncode, done.stdout) == (0, "")
    assert "### kl (lower is better)" in target.read_text()
    assert "lsgan" not in target.read_text()


def test_report_has_every_format(swept: Path, tmp_path: Path) -> None:
    done = run("report", "json", "--metric", "kl", cwd=swept)
    assert {row["variant"] for row in json.loads(done.stdout)["rows"]} == {"real", "ns", "lsgan"}
    assert r"\toprule" in run("report", "latex", cwd=swept).stdout
    assert run("report", "parquet", "-o", str(tmp_path / "b.parquet"), cwd=swept).returncode == 0
    assert len(pd.read_parquet(tmp_path / "b.parquet")) == 12
    assert run("report", "md", "--across", cwd=swept).stdout == "No metric was measured alike on several data sets.\n"
    published = str(Path(__file__).parents[2] / "leaderboards" / "published.csv")
    alone = run("report", "md", cwd=swept).stdout
    assert run("report", "md", "--published", published, cwd=swept).stdout == alone  # nobody published on this ring


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["parquet"], "say where to with -o FILE"),
        (["latex", "--across"], "LaTeX is made of the leaderboard alone"),
        (["csv", "--across", "--best-of-k"], "two tables: ask for one"),
        (["csv", "--across", "--published", "x.csv"], "--published stands beside the leaderboard alone"),
        (["csv", "--across", "--plot", "x.png"], "--plot draws the leaderboard or --best-of-k"),
        (["csv", "--published", "none.csv"], "cannot read none.csv"),
    ],
)
def test_what_report_cannot_do_is_one_line(swept: Path, options: list[str], message: str) -> None:
    done = run("report", *options, cwd=swept)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_same_sweep_again_does_nothing_and_says_so(swept: Path) -> None:
    again = run(*SWEEP, cwd=swept)
    assert again.returncode == 0
    assert "nothing to do: all 5 runs of this sweep are in" in again.stdout


def test_quiet_says_nothing(swept: Path) -> None:
    done = run(*SWEEP, "--quiet", cwd=swept)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_show_tells_all_of_a_run(swept: Path) -> None:
    run_id = rows(run("report", "csv", "--variant", "ns", cwd=swept).stdout)[0]["run_ids"].split()[0]
    done = run("show", run_id[:8], cwd=swept)
    assert f"run {run_id}  ns on ring:std=0.5, network mlp, seed 0" in done.stdout
    assert "status completed after 40 of 40 steps" in done.stdout
    assert "lr=0.002" in done.stdout
    assert "samples.png" in done.stdout
    assert "score kl" in done.stdout


def test_a_spec_file_and_options_over_it(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        'variants = ["ns"]\ndatasets = ["ring:std=0.5"]\nseeds = [3]\nsteps = 10\n'
        "[set]\nwidth = 8\nlr = [1e-3, 1e-2]\n[scoring]\nsamples = 100\n"
    )
    done = run("sweep", "s.toml", "--executor", "inline", "--device", "cpu", "--seeds", "5,6", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = rows(run("report", "csv", "--metric", "modes", "--variant", "ns", cwd=tmp_path).stdout)
    assert table[0]["configurations"] == "2"
    assert table[0]["seeds"] == "2"


def test_run_shows_its_run(tmp_path: Path) -> None:
    done = run("run", "ns", "ring", "--steps", "20", "--set", "width=8", "--device", "cpu", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "status completed after 20 of 20 steps" in done.stdout
    assert list((tmp_path / "ganbench.artifacts").glob("*/curves.png"))


def test_a_diverging_run_is_recorded_and_the_sweep_goes_on(tmp_path: Path) -> None:
    done = run(*SWEEP, "--set", "lr=1e30,1e-3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "diverged" in done.stdout
    assert "diverged at step" in done.stderr
    kept = rows(run("report", "csv", "--metric", "modes", "--variant", "ns", cwd=tmp_path).stdout)[0]
    assert (kept["seeds"], kept["configurations"]) == ("2", "2")


def test_a_failing_run_exits_1(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import ganbench\n"
        "def loss(nets, batch, h): raise ValueError('my own mistake')\n"
        "@ganbench.variant('mine')\n"
        "def mine(): return (ganbench.Phase('D', loss),)\n"
    )
    done = run("sweep", "--load", "mine.py", "--variant", "mine", "--dataset", "ring", "--seeds", "1", "--steps", "5",
               "--device", "cpu", "--executor", "inline", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 1
    assert "failed: ValueError: my own mistake" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["variants", "datasets", "networks", "metrics", "features", "samplers", "executors"])
def test_lists_in_both_formats(kind: str, tmp_path: Path) -> None:
    table = run("list", kind, cwd=tmp_path)
    found = json.loads(run("list", kind, "--format", "json", cwd=tmp_path).stdout)
    assert table.returncode == 0
    assert len(table.stdout.splitlines()) == len(found) + 1
    assert all(row["name"] in table.stdout for row in found)


def test_lists_say_who_plays_and_by_which_networks(tmp_path: Path) -> None:
    variants = listed("variants", tmp_path)
    assert variants["vae"] == ["likelihood", "2014", "E G", "points: mlp, images: dense", "Kingma and Welling 2014"]
    assert variants["lapgan"][3] == "images: pyramid"  # no network for the points that it cannot be trained on
    families = [row[0] for row in variants.values()]
    assert families == sorted(families)
    networks = listed("networks", tmp_path)
    assert networks["dcgan"][:3] == ["images", "all but pyramid, boltzmann, upscaler", "Radford et al. 2016"]
    assert networks["maxout-cgan"][1] == "generator, scores"
    assert networks["pyramid"][1] == "pyramid"
    whole = json.loads(run("list", "variants", "--format", "json", cwd=tmp_path).stdout)
    assert "Kingma and Welling 2014, Auto-encoding variational Bayes" in [row["paper"] for row in whole]


def listed(kind: str, folder: Path) -> dict[str, list[str]]:
    """The cells of a table that fits a wide terminal, by what stands first."""
    lines = run("list", kind, cwd=folder).stdout.splitlines()
    assert max(map(len, lines)) <= 160
    cells = [re.split(r"\s{2,}", line) for line in lines[1:]]
    return {name: others for name, *others in cells}


def test_eval_of_own_samples(tmp_path: Path) -> None:
    from ganbench.data import ring

    np.save(tmp_path / "points.npy", ring().sample(2500, seed=9).numpy())
    table = run("eval", "points.npy", "--dataset", "ring", "--device", "cpu", cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    assert "high_quality" in table.stdout
    found = json.loads(
        run("eval", "points.npy", "--dataset", "ring", "--device", "cpu", "--format", "json", cwd=tmp_path).stdout
    )
    values = {row["metric"]: row["value"] for row in found}
    assert values["modes"] == 8
    assert values["high_quality"] == pytest.approx(98.889, abs=0.84)  # 4 σ of 2,500 samples


def test_help_has_examples(tmp_path: Path) -> None:
    done = run("sweep", "--help", cwd=tmp_path)
    assert "ganbench sweep --variant ns,wgan-gp --dataset ring,grid --seeds 10" in done.stdout


def one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for part in ("ganbench: ", *parts):
        assert part in done.stderr


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["sweeep"], ["unknown command 'sweeep'", "'sweep'"]),
        (["sweep", "--variant", "wgangp"], ["unknown variant 'wgangp'", "did you mean 'wgan-gp'?"]),
        (["sweep", "--dataset", "rng"], ["unknown data set 'rng'", "did you mean 'ring'?"]),
        (["sweep", "--metrics", "mode"], ["unknown metric 'mode'", "did you mean 'modes'?"]),
        (
            ["sweep", "--metrics", "parzen", "--dataset", "ring"],
            ["'parzen' is for images, not for ring (points)"],
        ),
        (["sweep", "--set", "lrr=1"], ["unknown setting 'lrr'", "did you mean 'lr'?"]),
        (["sweep", "--set", "lr=fast"], ["lr is a number, got 'fast'"]),
        (["sweep", "--set", "n_dis=0"], ["n_dis must be at least 1, got 0"]),
        (["sweep", "--set", "lr"], ["--set takes KEY=VALUE, got 'lr'"]),
        (["sweep", "--set", "lr=1e-4..1e-2"], ["lr is a range", "use sampler 'random'"]),
        (["sweep", "--sampler", "tpee", "--trials", "3"], ["unknown sampler 'tpee'", "did you mean 'tpe'?"]),
        (["sweep", "--sampler", "gp"], ["the gp sampler needs trials"]),
        (["sweep", "--sampler", "tpe", "--trials", "3", "--space", "mine"], ["unknown space 'mine'", "lucic-wide"]),
        (["sweep", "--set", "lr=1e-4,1e-3", "--objective", "kll"], ["unknown metric 'kll'", "did you mean 'kl'?"]),
        (["sweep", "--budget", "seconds=60"], ["seconds are no budget", "d_steps, g_steps, images"]),
        (["sweep", "--budget", "d_steps=60", "--steps", "9"], ["steps and budget both say"]),
        (["sweep", "--steps", "-3"], ["steps", "greater than or equal to 1"]),
        (["sweep", "--steps", "many"], ["'many' is not a valid integer"]),
        (["sweep", "--seeds", "x"], ["--seeds is a count (5) or a list (0,3,7), got 'x'"]),
        (["sweep", "--network", "dcgan"], ["network 'dcgan' is for images"]),
        (["sweep", "--device", "gpu"], ["unknown device 'gpu'"]),
        (["sweep", "--executor", "threads"], ["unknown executor 'threads'"]),
        (["sweep", "--load", "none.py"], ["cannot load none.py"]),
        (["sweep", "none.toml"], ["cannot read none.toml"]),
        (["sweep", "--no-such-option"], ["No such option"]),
        (["report", "csv"], ["no store at", "ganbench sweep"]),
        (["report", "pdf"], ["'pdf' is not one of 'csv', 'md', 'latex', 'json', 'parquet'"]),
        (["show", "abc"], ["no store at"]),
        (["list", "variant"], ["cannot list 'variant'", "did you mean 'variants'?"]),
        (["eval", "none.npy", "--dataset", "ring"], ["no samples at none.npy"]),
        (["sweep", "--dataset", "mnist", "--data-root", "empty"], ["no mnist in empty: --data-root"]),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_bad_usage_is_one_line_and_exit_2(arguments: list[str], parts: list[str], tmp_path: Path) -> None:
    if arguments[0] == "sweep" and len(arguments) > 1:
        arguments = [*arguments, "--executor", "inline"] if "--executor" not in arguments else arguments
    one_line(run(*arguments, cwd=tmp_path), *parts)


def test_malformed_toml_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('variants = ["ns"]\n\nseeds = [1,, 2]\n')
    one_line(run("sweep", "bad.toml", cwd=tmp_path), "bad.toml is not valid TOML", "line 3")


def test_foreign_and_unwritable_stores(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database at all, but long enough to look like a header" * 20)
    one_line(run(*SWEEP, "--store", "text.db", cwd=tmp_path), "text.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("create table people (name text)")
    other.commit()
    other.close()
    before = (tmp_path / "other.db").read_bytes()
    one_line(run(*SWEEP, "--store", "other.db", cwd=tmp_path), "other.db")
    assert (tmp_path / "other.db").read_bytes() == before
    one_line(run(*SWEEP, "--store", "text.db/s.db", cwd=tmp_path), "text.db/s.db")


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda p: np.save(p, np.full((10, 2), np.nan)), ["20 values are not finite"]),
        (lambda p: np.save(p, np.zeros((10, 3))), ["samples of shape (3,) cannot be scored on ring"]),
        (lambda p: np.save(p, np.zeros((10, 2))), ["2,500 samples are needed", "has 10", "--samples 10"]),
        (lambda p: np.save(p, np.zeros((0, 2))), ["no samples in it"]),
        (lambda p: np.save(p, np.array(["a", "b"])), ["x.npy: samples are numbers"]),
        (lambda p: np.save(p, np.array([{}], dtype=object), allow_pickle=True), ["cannot read samples"]),
        (lambda p: p.write_bytes(b"\x93NUMPY"), ["cannot read samples"]),
    ],
    ids=["nan", "shape", "few", "empty", "text", "pickle", "truncated"],
)
def test_bad_samples(make, parts: list[str], tmp_path: Path) -> None:
    make(tmp_path / "x.npy")
    one_line(run("eval", "x.npy", "--dataset", "ring", "--device", "cpu", cwd=tmp_path), *parts)


def test_image_folders_name_their_broken_and_odd_files(tmp_path: Path, data_root: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(3):
        Image.fromarray(np.zeros((28, 28), np.uint8)).save(folder / f"{index}.png")
    arguments = ["eval", "images", "--dataset", "mnist", "--metrics", "parzen", "--data-root", str(data_root)]
    one_line(run(*arguments, cwd=tmp_path), "10,000 samples are needed, images has 3")
    Image.fromarray(np.zeros((20, 28), np.uint8)).save(folder / "odd.png")
    one_line(run(*arguments, "-n", "4", cwd=tmp_path), "odd.png is 28x20")
    (folder / "odd.png").write_bytes(b"oh")
    one_line(run(*arguments, "-n", "4", cwd=tmp_path), "cannot read image", "odd.png")
