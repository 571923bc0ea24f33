"""`ganbench import` as a user calls it: foreign rows in the store, none of them ranked with ours unasked."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_sweeps import outcomes, small_sweep

from ganbench.cli import main
from ganbench.data import ring
from ganbench.metrics import evaluate
from ganbench.spec import IMPORTED, RunRecord, Status
from ganbench.store import Store
from ganbench.sweeps.sweep import Surroundings, run_sweep

Called = Callable[..., tuple[int, str, str]]

POINTS = ("points.npy", "--variant", "theirs", "--dataset", "ring", "-n", "200", "--device", "cpu")
SCORES = ("fidelity.json", "--variant", "theirs", "--dataset", "ring")
IMAGES = ("--variant", "theirs", "--dataset", "data.npz", "--device", "cpu", "--metrics", "fd", "--features", "pixels",
          "-n", "30")  # fmt: skip


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Called:
    """ganbench in this process and a folder of samples and scores: its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    np.save("points.npy", ring().sample(300, seed=5).numpy())
    write_scores()

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ganbench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def write_scores(fid: float = 12.5, name: str = "fidelity.json") -> None:
    Path(name).write_text(json.dumps({"frechet_inception_distance": fid, "f_score": 0.5}))


def records() -> list[RunRecord]:
    with Store.open_existing("ganbench.db") as store:
        return list(store.records())


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 8, 8), dtype=np.uint8)


@pytest.fixture
def data(call: Called) -> Path:
    """Images of one's own as a data set with a test set."""
    np.savez("data.npz", x_train=noise(60, 1), x_test=noise(40, 2))
    return Path("data.npz")


def test_samples_are_scored_as_eval_does_under_a_protocol_that_says_what_is_not_known(call: Called) -> None:
    code, out, err = call("import", *POINTS, "--network", "deep", "--steps", "70")
    assert (code, err) == (0, "")
    (record,) = records()
    spec = record.spec
    assert (spec.variant, spec.network, spec.seed, spec.steps, spec.settings) == ("theirs", "deep", 0, 70, {})
    assert (record.status, record.step, record.seconds) == (Status.COMPLETED, 70, 0.0)
    assert set(spec.versions) == {"dataset", IMPORTED}
    assert (record.provenance["imported_from"], record.provenance["suite"]) == ("points.npy", "samples")
    expected = {score.metric: score for score in evaluate("points.npy", "ring", n=200)}
    assert {score.metric: score.value for score in record.scores} == {n: each.value for n, each in expected.items()}
    for score in record.scores:
        unknown = {"generator": "unknown", "sampling_seed": "unknown"}
        assert score.protocol == expected[score.metric].protocol | unknown
    assert f"run {spec.id}  theirs on ring, network deep, seed 0" in out
    assert "imported_from=points.npy" in call("show", spec.id[:6])[1]


def test_the_same_again_changes_nothing_and_another_file_is_another_run(call: Called) -> None:
    call("import", *POINTS)
    (first,) = records()
    code, out, err = call("import", *POINTS)
    assert (code, out) == (0, "")
    assert err == f"nothing to do: it is run {first.spec.id} already\n"
    assert records() == [first]
    Path("points.npy").rename("renamed.npy")
    assert call("import", "renamed.npy", *POINTS[1:])[2] == err  # content counts, not the name
    np.save("points.npy", ring().sample(300, seed=6).numpy())
    code, _, err = call("import", *POINTS)
    assert code == 0
    assert f"seed 0 of theirs was imported before, from something else, as run {first.spec.id}" in err
    assert len({record.spec.id for record in records()}) == 2
    code, _, err = call("import", *POINTS, "--metrics", "modes", "-n", "300")  # another scoring of the same run
    assert (code, err, len(records())) == (0, "", 2)


def test_seeds_of_one_model_are_one_row(call: Called) -> None:
    for seed, fid in enumerate((10.0, 14.0)):
        write_scores(fid)
        assert call("import", *SCORES, "--seed", str(seed))[2] == ""
    (row,) = table(call("report", "csv", "--metric", "fid")[1])
    assert (row["seeds"], row["mean"], row["configurations"]) == ("2", "12.0", "1")
    assert row["protocol"] == "source=torch-fidelity"
    code, out, _ = call("report", "md")
    assert code == 0
    assert "### f_score (higher is better)" in out
    assert "**12.0 ± 2.8**" in out


def test_what_is_not_known_is_never_ranked_with_ours_unless_it_is_stated(call: Called) -> None:
    spec = small_sweep(seeds=1)
    with Store("ganbench.db") as store:
        run_sweep(spec, store, Surroundings("cpu", "inline"))
    before = outcomes("ganbench.db")
    call("import", *POINTS, "--metrics", "modes,kl")
    known = ("--protocol", "generator=last", "--protocol", "sampling_seed=0")
    call("import", *POINTS[:2], "stated", *POINTS[3:], "--metrics", "modes,kl", *known)
    rows = table(call("report", "csv", "--metric", "modes")[1])
    tracks = {row["variant"]: row["protocol"] for row in rows}
    assert tracks["theirs"] != tracks["ns"] == tracks["stated"] == tracks["real"]
    ranks = {row["variant"]: row["rank"] for row in rows}
    assert ranks == {"real": "", "stated": "1", "ns": "2", "theirs": "1"}
    (stated,) = [each for each in records() if each.spec.variant == "stated"]
    assert stated.provenance["stated"] == "generator=last sampling_seed=0"
    flags = {row["variant"]: row["flags"] for row in rows}
    assert flags["stated"] == "stated, not measured: generator=last sampling_seed=0"
    assert flags["theirs"] == flags["ns"] == ""
    with Store("ganbench.db") as store:  # a sweep on the same store does nothing again, and leaves what was imported
        assert run_sweep(spec, store, Surroundings("cpu", "inline")).records == ()
    after = outcomes("ganbench.db")
    assert {run_id: after[run_id] for run_id in before} == before
    assert len(after) == len(before) + 2


def test_images_of_a_folder_with_classes_and_arrays_as_other_suites_write_them(call: Called, data: Path) -> None:
    images = noise(30, 3)
    for index, image in enumerate(images):
        path = Path("samples", "fake", str(index % 3), f"{index}.png")  # as StudioGAN does
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    np.savez("studio.npz", x=images[:, None], y=np.arange(30))
    np.savez("plain.npz", images[..., None])
    found = []
    for seed, source in enumerate(("samples/fake", "studio.npz", "plain.npz")):
        code, _, err = call("import", source, *IMAGES, "--seed", str(seed))
        assert (code, err) == (0, "")
    for record in sorted(records(), key=lambda each: each.spec.seed):
        (score,) = record.scores
        assert score.protocol["quantisation"] == "uint8"
        found.append(score.value)
    assert found[1] == found[2] == pytest.approx(found[0])  # the same images, and the order is nothing to a distance
    image = Path("samples/fake/0/0.png")
    image.write_bytes(Path("samples/fake/1/1.png").read_bytes())
    call("import", "samples/fake", *IMAGES)
    assert len(records()) == 4  # another picture in the folder makes another run
    call("import", "studio.npz", *IMAGES, "--seed", "1", "--protocol", "quantisation=truncate")
    told = [score.protocol["quantisation"] for record in records() for score in record.scores]
    assert sorted(told) == ["truncate", *["uint8"] * 4]


def test_floats_are_quantised_here_and_say_so(call: Called, data: Path) -> None:
    np.save("x.npy", noise(30) / 255)
    assert call("import", "x.npy", *IMAGES, "--quantise", "truncate")[0] == 0
    assert records()[0].scores[0].protocol["quantisation"] == "truncate"
    code, _, err = call("import", "x.npy", *IMAGES, "--protocol", "quantisation=round")
    assert (code, "may say generator, sampling_seed, got 'quantisation'" in err) == (2, True)


def test_variants_of_ones_own_are_not_to_be_had_either(call: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganbench.variants.base import VARIANTS

    monkeypatch.setattr(VARIANTS, "_cards", {card.name: card for card in VARIANTS})
    Path("mine.py").write_text(
        "import ganbench\n"
        "@ganbench.variant('own-one')\n"
        "def mine(): return (ganbench.Phase('D', lambda nets, batch, h: nets.D(batch.real).mean()),)\n"
    )
    code, _, err = call("import", *SCORES[:2], "own-one", *SCORES[3:], "--load", "mine.py")
    assert (code, "as in --variant studiogan-own-one" in err) == (2, True)


BAD: list[tuple[str, Callable[[], object], tuple[str, ...], str]] = [
    ("a variant of ours", lambda: None, (*SCORES[:2], "wgan", *SCORES[3:]), "as in --variant studiogan-wgan"),
    ("in capitals", lambda: None, (*SCORES[:2], "WGAN", *SCORES[3:]), "is ganbench's own"),
    ("real", lambda: None, (*SCORES[:2], "real", *SCORES[3:]), "is ganbench's own"),
    ("a list", lambda: None, (*SCORES[:2], "a,b", *SCORES[3:]), "is up to 100 letters"),
    ("control characters", lambda: None, (*SCORES[:2], "a\x1b[31m\n", *SCORES[3:]), "'a\\x1b[31m\\n'"),
    ("empty", lambda: None, (*SCORES[:2], "", *SCORES[3:]), "got ''"),
    ("endless", lambda: None, (*SCORES[:2], "a" * 101, *SCORES[3:]), "is up to 100 letters"),
    ("a network", lambda: None, (*SCORES, "--network", "|"), "--network is up to"),
    ("a data set", lambda: None, (*SCORES[:4], "rign"), "did you mean 'ring'"),
    ("a seed", lambda: None, (*SCORES, "--seed", "-1"), "-1 is not in the range x>=0"),
    ("missing samples", lambda: None, ("none.npy", *POINTS[1:]), "no samples at none.npy"),
    ("missing scores", lambda: None, ("none.json", *SCORES[1:]), "cannot read none.json: No such file"),
    ("not scores", lambda: Path("fidelity.json").write_text("{}"), SCORES, "holds no scores that are known"),
    ("metrics of scores", lambda: None, (*SCORES, "--metrics", "fid"), "--metrics is for samples"),
    ("bytes of scores", lambda: None, (*SCORES, "--quantise", "round"), "--quantise is for samples"),
    ("no value", lambda: None, (*SCORES, "--protocol", "split"), "--protocol takes KEY=VALUE, each key once"),
    ("twice", lambda: None, (*SCORES, "--protocol", "a=1", "--protocol", "a=2"), "each key once, got 'a=2'"),
    ("measured here", lambda: None, (*POINTS, "--protocol", "n_generated=5"), "got 'n_generated'"),
    ("too few", lambda: None, (*POINTS[:5], "--device", "cpu"), "has 300: use --samples 300"),
    ("NaN", lambda: np.save("points.npy", np.full((300, 2), np.nan)), POINTS, "600 values are not finite"),
    ("a pickle", lambda: np.save("points.npy", {"FID": [1]}, allow_pickle=True), POINTS, "could run code"),
    ("images for points", lambda: np.save("points.npy", noise(300)), POINTS, "points are (n, d)"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "arguments", "part"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_bad_input_is_one_line_and_exit_2_and_leaves_no_store(
    call: Called, spoil: Callable[[], Any], arguments: tuple[str, ...], part: str
) -> None:
    spoil()
    code, out, err = call("import", *arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert part in err
    assert not Path("ganbench.db").exists()


def test_an_image_that_is_broken_or_of_another_size_leaves_no_store(call: Called, data: Path) -> None:
    Path("fake").mkdir()
    for index, image in enumerate(noise(30)):
        Image.fromarray(image).save(f"fake/{index:02}.png")
    for spoil, part in (
        (lambda: Path("fake/07.png").write_bytes(b"no image"), "cannot read image fake/07.png"),
        (lambda: Image.new("L", (9, 8)).save("fake/07.png"), "is 9x8"),
    ):
        spoil()
        code, out, err = call("import", "fake", *IMAGES)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert part in err
        assert not Path("ganbench.db").exists()


def test_help_has_examples(call: Called) -> None:
    assert "ganbench import log/fid_50k_50k.json --variant mimicry-sngan" in call("import", "--help")[1]


def test_a_hostile_file_name_is_shown_as_plain_text(call: Called) -> None:
    name = "f\x1b[31m\n\udcff.json"
    write_scores(name=name)
    code, out, _ = call("import", name, *SCORES[1:])
    assert code == 0
    assert "imported_from=f\\x1b[31m\\n\\udcff.json" in out
    assert records()[0].provenance["imported_from"] == "f\\x1b[31m\\n\\udcff.json"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch-fidelity's own
def test_torch_fidelitys_own_numbers_are_ours_too(call: Called, inception_weights: Path) -> None:
    """It scores two folders by its own code; its JSON is imported, and the folder itself."""
    from torch_fidelity import calculate_metrics

    for folder, top, n in (("fake", 200, 20), ("photos", 256, 24)):
        Path(folder).mkdir()
        pixels = np.random.default_rng(top).integers(0, top, (n, 32, 32, 3), dtype=np.uint8)
        for index, image in enumerate(pixels):
            Image.fromarray(image).save(f"{folder}/{index:02}.png")
    found = calculate_metrics(
        input1="fake", input2="photos", cuda=False, fid=True, feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(inception_weights), cache=False, verbose=False, save_cpu_ram=True,
    )  # fmt: skip
    Path("fidelity.json").write_text(json.dumps(found, indent=4))
    model = ("--variant", "theirs", "--dataset", "photos")
    assert call("import", "fidelity.json", *model)[0] == 0
    weights = ("--metrics", "fid", "--weights", f"inception={inception_weights}", "-n", "20", "--device", "cpu")
    assert call("import", "fake", *model, *weights)[0] == 0
    by_suite = {str(record.provenance["suite"]): record.scores[0] for record in records()}
    assert by_suite["torch-fidelity"].value == found["frechet_inception_distance"]
    assert by_suite["samples"].value == pytest.approx(by_suite["torch-fidelity"].value, rel=1e-3)
    assert by_suite["samples"].protocol_text != by_suite["torch-fidelity"].protocol_text


def test_the_table_of_a_sweep_has_its_runs_before_imported_ones(call: Called) -> None:
    """FID goes before modes among metrics, and nobody here was ranked by it."""
    theirs = ("theirs-a", "theirs-b")
    for variant in theirs:
        assert call("import", "fidelity.json", "--variant", variant, "--dataset", "ring")[0] == 0
    code, out, err = call("sweep", "--variant", "ns", "--dataset", "ring", "--seeds", "1", "--steps", "5", "--metrics",
                          "modes", "--samples", "50", "--device", "cpu", "--executor", "inline")  # fmt: skip
    assert code == 0, err
    starts = [line.split()[0] for line in out.splitlines() if line.strip()]
    assert [name for name in starts if name in ("real", "ns", *theirs)] == ["real", "ns", *theirs]
    assert "best on ring: ns, modes" in call("show")[1]
