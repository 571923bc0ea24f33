"""What other suites write is read as they mean it, and nothing else is taken for it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganbench.errors import GanbenchError
from ganbench.interchange.suites import FIDELITY, Found, holds_scores, read_scores
from ganbench.reports.names import direction

FID = {"frechet_inception_distance": 12.5}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Found]:
    """read(name, content, ...): the scores of a file with that content, as JSON unless it is text."""

    def written(name: str, content: Any, **asked: Any) -> Found:
        text = content if isinstance(content, str) else json.dumps(content, indent=4)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_scores(tmp_path / name, **asked)

    return written


def values(found: Found) -> dict[str, float]:
    return {score.metric: score.value for score in found.scores}


def test_every_key_of_torch_fidelity_is_known() -> None:
    """Its own constants: should one be renamed, this fails."""
    from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_ppl, metric_prc

    theirs = {
        value
        for module in (metric_fid, metric_isc, metric_kid, metric_ppl, metric_prc)
        for name, value in vars(module).items()
        if name.startswith("KEY_METRIC_")
    }
    ours = {key for mean, (_, std, _) in FIDELITY.items() for key in (mean, std) if key}
    assert theirs - {metric_ppl.KEY_METRIC_PPL_RAW} == ours  # an array, which its own --json cannot write


def test_torch_fidelitys_json(read: Callable[..., Found]) -> None:
    written = {
        "inception_score_mean": 8.25, "inception_score_std": 0.125, **FID, "precision": 0.5, "recall": 0.25,
        "f_score": 1 / 3, "kernel_inception_distance_mean": 0.01, "kernel_inception_distance_std": 0.001,
        "perceptual_path_length_mean": 100, "perceptual_path_length_std": 50.5, "some_new_one": 1,
    }  # fmt: skip
    found = read("any.json", written, stated={"split": "train", "n_real": 50_000})
    assert (found.suite, found.steps) == ("torch-fidelity", None)
    assert values(found) == {
        "is": 8.25, "fid": 12.5, "improved_precision": 0.5, "improved_recall": 0.25, "f_score": 1 / 3, "kid": 0.01,
        "ppl": 100.0,
    }  # fmt: skip
    assert {score.protocol_text for score in found.scores} == {"n_real=50000 source=torch-fidelity split=train"}
    assert {score.version for score in found.scores} == {0}
    details = {score.metric: score.details for score in found.scores}
    assert details["is"] == {"std_over_splits": 0.125}
    assert (details["kid"], details["ppl"]) == ({"std_over_subsets": 0.001}, {"std_over_pairs": 50.5})
    assert all(score.stderr is None for score in found.scores)  # a deviation over splits is no standard error
    assert (direction("f_score"), direction("ppl")) == ("higher", "lower")


def test_torch_mimicrys_json_at_its_last_step_or_the_one_asked_for(read: Callable[..., Found]) -> None:
    steps = {"90000": [20.0, 22.0, 24.0], "100000": [30.0], "5000": ["NaN"]}
    last = read("fid_50k_10k.json", steps)
    assert (last.suite, last.steps, values(last)) == ("torch-mimicry", 100_000, {"fid": 30.0})  # not the best
    assert (last.scores[0].stderr, last.scores[0].details) == (None, {})
    (score,) = read("fid_50k_10k.json", steps, steps=90_000).scores
    assert score.protocol_text == "n_generated=10k n_real=50k source=torch-mimicry"
    assert score.value == 22.0
    assert score.stderr == pytest.approx(2 / math.sqrt(3))
    assert score.details == {"repeats": 3}


@pytest.mark.parametrize(("name", "metric"), [("kid_50k.json", "kid"), ("inception_score_50k.json", "is")])
def test_torch_mimicrys_file_names_say_the_metric(read: Callable[..., Found], name: str, metric: str) -> None:
    (score,) = read(name, {"1000": [0.5, 0.5]}).scores
    assert (score.metric, score.protocol_text) == (metric, "n_generated=50k source=torch-mimicry")


def line(text: str) -> str:
    return f"[INFO] 2024-05-06 07:08:09 > {text}\n"


def test_studiogans_log(read: Callable[..., Found]) -> None:
    log = (
        line("Start training!")
        + line("FID score (Step: 1000, Using train moments): nan")
        + line("Inception score (Step: 2000, 50000 generated images): 9.5")
        + line("FID score (Step: 2000, Using train moments): 10.25")
        + line("Best FID score (Step: 2000, Using train moments): 3.0")
        + line("Improved Precision (Step: 2000, Using train images): 0.75")
        + line("Improved Recall (Step: 2000, Using train images): 0.5")
        + line("Density (Step: 2000, Using train images): 1.25")
        + line("Coverage (Step: 2000, Using train images): 0.625")
        + line("FID score (Step: 2000, Using train moments): 10.75")
    )
    found = read("run.log", log)
    assert (found.suite, found.steps) == ("studiogan", 2000)
    assert values(found) == {
        "fid": 10.5, "is": 9.5, "precision": 0.75, "recall": 0.5, "density": 1.25, "coverage": 0.625
    }  # fmt: skip
    told = {score.metric: score.protocol_text for score in found.scores}
    assert told["is"] == "n_generated=50000 source=studiogan"
    assert {told[name] for name in told.keys() - {"is"}} == {"source=studiogan split=train"}
    assert {score.metric: score.stderr for score in found.scores}["fid"] == pytest.approx(0.25)
    with pytest.raises(GanbenchError, match="fid is no finite number, got nan"):
        read("run.log", log, steps=1000)


BAD: list[tuple[str, str, Any, dict[str, Any], str]] = [
    ("not JSON", "x.json", "{", {}, "is not JSON"),
    ("nested", "x.json", "[" * 100_000, {}, "is not JSON"),
    ("a list", "x.json", [1], {}, "holds no scores that are known: torch-fidelity's JSON has keys"),
    ("no known key", "x.json", {"FID": 3.0}, {}, "holds no scores that are known"),
    ("nothing", "x.json", {}, {}, "holds no scores that are known"),
    ("text for a number", "x.json", {"frechet_inception_distance": "NaN"}, {}, "fid is no finite number, got 'NaN'"),
    ("NaN", "x.json", '{"frechet_inception_distance": NaN}', {}, "fid is no finite number, got nan"),
    ("true", "x.json", {"frechet_inception_distance": True}, {}, "fid is no finite number, got True"),
    ("null", "x.json", {"precision": None}, {}, "improved_precision is no finite number, got None"),
    ("beyond floats", "x.json", {"precision": 10**400}, {}, "improved_precision is no finite number, got 1000"),
    ("a bad deviation", "x.json", {"inception_score_mean": 1.0, "inception_score_std": "?"}, {}, "_std is no finite"),
    ("steps of what?", "mine.json", {"1000": [1.0]}, {}, "its name does not say of what"),
    ("no list", "kid_50k.json", {"1000": 1.0}, {}, "step 1000 has no list of values, got 1.0"),
    ("an empty list", "kid_50k.json", {"1000": []}, {}, "step 1000 has no list of values"),
    ("text in a list", "kid_50k.json", {"1000": ["1"]}, {}, "kid is no finite number, got '1'"),
    ("no such step", "kid_50k.json", {"1000": [1.0]}, {"steps": 999}, "has no scores at step 999"),
    ("a log of others", "x.log", "step 1 FID 3.0\n", {}, "has no line of scores as StudioGAN writes them"),
    ("its own source", "x.json", FID, {"stated": {"source": "us"}}, "the source itself says source=torch-fidelity"),
    ("for choosing", "x.json", FID, {"stated": {"use": "selection"}}, "marks the scores that a search chooses by"),
    ("two in one", "x.json", FID, {"stated": {"a": "1 use=selection"}}, "takes KEY=VALUE"),
    ("no key", "x.json", FID, {"stated": {"A b": 1}}, "takes KEY=VALUE"),
    ("infinite", "x.json", FID, {"stated": {"a": math.inf}}, "inf is not a finite number"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "asked", "message"), [each[1:] for each in BAD], ids=[e[0] for e in BAD])
def test_what_cannot_be_read_is_one_line(
    read: Callable[..., Found], name: str, content: Any, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(GanbenchError, match=re.escape(message)) as told:
        read(name, content, **asked)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 500


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00{")
    for name, message in (("x.json", "is not text"), ("none.json", "No such file"), ("nul\0.json", "cannot read")):
        with pytest.raises(GanbenchError, match=message):
            read_scores(tmp_path / name)


def test_folders_are_samples_whatever_their_name(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    assert not holds_scores(tmp_path / "folder.json")
    assert holds_scores(tmp_path / "scores.JSON")
    assert holds_scores(tmp_path / "run.log")
    assert not holds_scores(tmp_path / "samples.npz")
