"""The page as text: what is in it is what the store has, and nothing in it reaches out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pages import HOSTILE, checkpoint, fill, leave, picture, record, spec
from small_sweeps import small_sweep

from ganbench.cli.report import command
from ganbench.errors import UnknownNameError
from ganbench.reports import artifacts, page_charts, page_data
from ganbench.reports.board import leaderboard
from ganbench.reports.html import embedded, to_html
from ganbench.reports.page_runs import brief, compact
from ganbench.spec import RunRecord, Status
from ganbench.store import Store

NAN = float("nan")


class Parsed(HTMLParser):
    """The elements of a page, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script" and not self.scripts[-1][1]:
            self.scripts[-1] = (self.scripts[-1][0], data)
        else:
            self.words.append(data.strip())

    def data(self, name: str) -> Any:
        return next(json.loads(text) for attributes, text in self.scripts if attributes.get("id") == name)


@pytest.fixture
def filled(store: Store) -> Store:
    fill(store)
    return store


@pytest.fixture
def page(filled: Store) -> Parsed:
    return Parsed(to_html(filled, command="ganbench report html"))


def test_nothing_in_it_is_loaded_from_elsewhere(page: Parsed) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "base"), tag
        for name in ("src", "href", "action", "srcset", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)


def test_the_browser_is_told_to_run_these_scripts_alone(page: Parsed) -> None:
    policy = next(attributes["content"] for tag, attributes in page.elements if attributes.get("http-equiv")) or ""
    texts = [text for attributes, text in page.scripts if attributes.get("type") in (None, "text/plain")]
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts}
    assert len(hashes) == 2
    assert hashes == set(re.findall(r"'sha256-[^']+'", policy))
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy.partition("script-src")[2].partition(";")[0]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_rows_are_those_of_the_leaderboard(filled: Store, page: Parsed) -> None:
    frame, stored = leaderboard(filled), page.data("stored-data")
    assert len(stored["rows"]) == len(frame)
    for told, row in zip(stored["rows"], frame.to_dict("records"), strict=True):
        assert [told[name] for name in ("dataset", "metric", "variant")] == [
            row["dataset"], row["metric"], row["variant"],
        ]  # fmt: skip
        assert [stored["runs"]["id"][place] for place in told["runs"]] == row["run_ids"].split()
    links = {attributes["href"] for tag, attributes in page.elements if tag == "a"}
    assert {f"#row={key}" for key in range(len(frame))} <= links


def test_real_data_stand_apart_and_the_best_stands_out(filled: Store) -> None:
    sections = page_data.gather(filled)["boards"]
    kl = next(each for each in sections if each["dataset"] == "ring")["tracks"][0]
    assert [row["variant"] for row in kl["real"]] == ["real"]
    assert kl["real"][0]["rank"] is None
    assert [(row["variant"], row["rank"], row["best"]) for row in kl["rows"]] == [
        ("b", 1, True),
        ("a", 2, False),
        ("c", 3, False),
    ]
    assert kl["rows"][2]["lost"] == "1 diverged, 1 failed"
    drawn = [row["drawn"] for row in kl["rows"]]
    assert drawn[0]["mean"] < drawn[1]["mean"] < drawn[2]["mean"]
    for each in drawn:
        assert each["low"] <= each["mean"] <= each["high"]
        assert len(each["seeds"]) == 3
        assert each["real"][0] < each["low"]


def test_tracks_of_different_protocols_say_in_what_they_differ(store: Store) -> None:
    store.finish(record(spec("a"), {"kl": 1.0}))
    store.finish(record(spec("b"), {"kl": 0.5}, protocol={"generator": "ema"}))
    (section,) = page_data.gather(store)["boards"]
    assert [track["title"] for track in section["tracks"]] == ["kl [generator=ema]", "kl [generator=last]"]
    assert section["tracks"][0]["words"] == [("generator=ema", True), ("n_generated=2500", False)]
    assert all(row["rank"] == 1 for track in section["tracks"] for row in track["rows"])


def test_columns_that_the_page_does_not_know_are_shown(filled: Store) -> None:
    from ganbench.reports import page_board

    frame = leaderboard(filled, "ring", "kl").assign(sampling_std=0.25, nothing=NAN, group="0123")
    ((track,),) = [section["tracks"] for section in page_board.boards(frame, page_board.titles(frame))]
    assert "nothing" not in track["extra"]
    place = track["extra"].index("sampling_std")
    assert [row["extra"][place] for row in track["rows"]] == [("0.25", 0.25)] * len(track["rows"])
    assert [row["group"] for row in track["rows"]] == ["0123"] * len(track["rows"])


def test_hostile_names_are_text(store: Store) -> None:
    for seed, name in enumerate(HOSTILE):
        run = spec(name, name, seed, **{name: name})
        store.finish(record(run, {name: 1.0}, protocol={name: name}, provenance={name: name}))
        store.finish(RunRecord(spec=spec(name, name, 9), status=Status.FAILED, error=name))
        leave(store.folder(run.id), 5, ("step", name, f"{name} D"))
    page = Parsed(to_html(store, command=HOSTILE[2]))
    kinds = {attributes.get("type") or "javascript" for attributes, _ in page.scripts}
    assert kinds == {"javascript", "text/plain", "application/json"}
    assert len(page.scripts) == 4
    assert all(
        (attributes.get("src") or "").startswith("data:image/png") for tag, attributes in page.elements if tag == "img"
    )
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    variants = {attributes.get("data-variant") for _, attributes in page.elements}
    assert set(HOSTILE) <= variants


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_embedded_json_comes_back_and_ends_no_element(value: Any) -> None:
    text = str(embedded(value))
    assert json.loads(text) == value
    assert text.isascii()
    assert not set("<>&") & set(text)


@pytest.mark.parametrize(
    ("value", "short"),
    [
        (0.123456789, 0.123457),
        (2.0, 2),
        (1e300, 1e300),
        (NAN, None),
        (float("inf"), None),
        (None, None),
        (-1e-9, -1e-9),
    ],
)
def test_numbers_are_brief(value: float | None, short: float | None) -> None:
    assert brief(value) == short


def test_compact_runs_come_back(filled: Store) -> None:
    filled.finish(record(spec("a", seed=9, lr=0.5, extra=True), {"kl": NAN}, error="so"))
    runs, scores = filled.details()
    stored = json.loads(str(embedded(compact(runs, scores))))
    records = {each.spec.id: each for each in filled.records()}
    columns, of = stored["runs"], stored["scores"]
    assert sorted(columns["id"]) == sorted(records)
    for place, run_id in enumerate(columns["id"]):
        known = records[run_id]
        base, changed, without = stored["settings"][columns["settings"][place]]
        settings = {key: value for key, value in (stored["bases"][base] | changed).items() if key not in without}
        assert settings == known.spec.settings | {f"{key} version": value for key, value in known.spec.versions.items()}
        assert stored["texts"][columns["variant"][place]] == known.spec.variant
        assert stored["texts"][columns["status"][place]] == known.status.value
        assert stored["provenances"][columns["provenance"][place]] == known.provenance
        error = columns["error"][place]
        assert (None if error is None else stored["texts"][error]) == known.error
        mine = {
            of["tracks"][track][0]: value
            for run, track, value in zip(of["run"], of["track"], of["value"], strict=True)
            if run == place
        }
        assert mine == {score.metric: brief(score.finite) for score in known.scores}


def test_profiles_count_lost_runs(filled: Store) -> None:
    frame = leaderboard(filled, "ring", "kl")
    (chart,) = page_charts.profiles(frame, {("ring", "kl", *frame.iloc[0][["protocol", "versions"]]): "kl"})
    ends = {line["variant"]: (line["y"][0], line["y"][-1], line["runs"]) for line in chart["series"]}
    assert ends == {"a": (0, 1, 3), "b": (0, 1, 3), "c": (0, 0.6, 5)}
    for line in chart["series"]:
        assert all(low <= y <= high for low, y, high in zip(line["low"], line["y"], line["high"], strict=True))
    assert next(line["high"][-1] for line in chart["series"] if line["variant"] == "c") == 1, "the lost are resampled"


@pytest.mark.parametrize("ratio", [26, 40, 60])
def test_margins_leave_the_kind_of_axis(store: Store, ratio: int) -> None:
    for seed, value in enumerate((1.0, 2.0, float(ratio))):
        store.finish(record(spec("a", seed=seed), {"kl": value}))
    (chart,) = page_data.gather(store)["charts"]["profiles"]
    first, *_, last = chart["series"][0]["x"]
    assert chart["log"] == (ratio > 50)
    assert first < 1 < ratio < last


def test_a_profile_of_one_run_has_no_band(store: Store) -> None:
    for variant, seeds in (("a", 1), ("b", 2)):
        for seed in range(seeds):
            store.finish(record(spec(variant, seed=seed), {"kl": 1.0 + seed}))
    (chart,) = page_data.gather(store)["charts"]["profiles"]
    assert {line["variant"]: "low" in line for line in chart["series"]} == {"a": False, "b": True}


def test_failures_are_counted_with_their_reasons(filled: Store) -> None:
    filled.finish(RunRecord(spec=spec("c", seed=5), status=Status.FAILED, error="ValueError: no luck"))
    failed, diverged = page_data.gather(filled)["failures"]
    assert (failed["count"], failed["error"], failed["variant"]) == (2, "ValueError: no luck", "c")
    assert (diverged["count"], diverged["status"], diverged["step"]) == (1, "diverged", "17")
    assert [seed for _, seed in failed["runs"]] == [4, 5]


def test_cost(filled: Store) -> None:
    costs = {(line["dataset"], line["variant"]): line for line in page_data.gather(filled)["costs"]}
    a = costs["ring", "a"]
    assert (a["runs"], a["training"][0], a["scoring"][0], a["share"][0], a["total"][0]) == (3, 4, 1, 20, 15)
    assert (a["rate"][0], a["seen"][0]) == (25, 500)  # 100 steps in 4 s, of 2 batches of 10
    assert costs["ring", "real"]["seen"] == (None, "–")


def test_environments_are_counted_whatever_process_made_them(filled: Store) -> None:
    found = page_data.gather(filled)["environments"]
    assert found["keys"] == ["torch"]
    assert [(line["count"], line["cells"]) for line in found["lines"]] == [(16, ["2.9"]), (2, [""])]


def test_scores_on_the_way_are_points_of_a_run(store: Store) -> None:
    run = spec("a")
    on_the_way = [record(run, {"kl": 5.0 - step / 50}, protocol={"step": step}).scores[0] for step in (25, 50)]
    store.finish(
        record(run, {"kl": 1.0}).model_copy(update={"scores": (*record(run, {"kl": 1.0}).scores, *on_the_way)})
    )
    store.finish(record(spec("b"), {"modes": 7}))
    (chart,) = page_data.gather(store)["charts"]["by_step"]
    assert (chart["metric"], chart["protocol"]) == ("kl", "generator=last n_generated=2500")
    (line,) = chart["series"]
    assert (line["x"], line["y"]) == ([25, 50, 100], [4.5, 4, 1])


def test_best_of_k_is_that_of_the_report(store: Store) -> None:
    from ganbench.reports.budget import best_of_k

    for place, lr in enumerate((0.1, 0.2, 0.3)):
        store.finish(record(spec("a", lr=lr), {"kl": 1.0 + place}))
    (chart,) = page_data.gather(store)["charts"]["best_of_k"]
    frame = best_of_k(store)
    assert chart["series"][0]["x"] == list(frame["k"])
    np.testing.assert_allclose(chart["series"][0]["y"], frame["mean"], rtol=1e-5)


def test_a_part_of_a_store(filled: Store) -> None:
    text = to_html(filled, dataset="ring", metric="kl", variant=["a", "c"])
    stored = Parsed(text).data("stored-data")
    assert {(row["dataset"], row["metric"], row["variant"]) for row in stored["rows"]} == {
        ("ring", "kl", "a"),
        ("ring", "kl", "c"),
    }
    assert {track[0] for track in stored["scores"]["tracks"]} == {"kl"}
    assert len(stored["runs"]["id"]) == 8
    part = page_data.gather(filled, dataset="ring", metric="kl", variant="a")["boards"][0]["tracks"][0]
    assert [row["rank"] for row in part["rows"]] == [2], "ranks are among all"
    with pytest.raises(UnknownNameError, match="nope"):
        to_html(filled, metric="nope")


def test_an_empty_store(store: Store) -> None:
    assert "No scores." in to_html(store)


# ---- what runs left


def test_curves_of_a_checkpoint(tmp_path: Path) -> None:
    table = np.array([[1, 5, np.nan], [2, 4, np.nan], [np.nan, np.nan, np.nan]], dtype=np.float32)
    checkpoint(tmp_path, table, ("step", "loss D", "loss G"))
    found = artifacts.curves(tmp_path)
    assert found is not None
    assert found.columns == ("step", "loss D", "loss G")
    np.testing.assert_array_equal(found.table[:, :2], [[1, 5], [2, 4]])


def test_curves_of_a_trained_run_have_their_names(tmp_path: Path) -> None:
    from ganbench.sweeps.sweep import Surroundings, run_sweep

    with Store(tmp_path / "s.db") as store:
        run_sweep(small_sweep(seeds=1), store, Surroundings(device="cpu"))
        (run,) = [each.spec for each in store.records() if each.spec.variant == "ns"]
        found = artifacts.curves(store.folder(run.id))
        (line,) = page_data.gather(store)["charts"]["training"]["runs"]
    assert found is not None
    assert found.columns[:5] == ("step", "loss D", "loss G", "D(x)", "D(G(z))")
    assert found.table[-1, 0] == run.steps
    assert line["run"] == run.id
    assert line["data"][0][-1] == run.steps


def test_curves_without_names_are_numbered(tmp_path: Path) -> None:
    checkpoint(tmp_path, np.ones((3, 3), dtype=np.float32), None)
    assert artifacts.curves(tmp_path).columns == ("step", "curve 1", "curve 2")


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"\xff" * 64, b"\x10\0\0\0\0\0\0\0{}"])
def test_a_checkpoint_that_cannot_be_read_has_no_curves(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "checkpoint.safetensors").write_bytes(content)
    assert artifacts.curves(tmp_path) is None


@pytest.mark.parametrize("table", [np.ones(3), np.ones((3, 1)), np.full((3, 2), np.nan), np.ones((0, 2))])
def test_a_table_that_says_nothing_is_none(table: np.ndarray, tmp_path: Path) -> None:
    checkpoint(tmp_path, table.astype(np.float32), None)
    assert artifacts.curves(tmp_path) is None


def test_runs_of_one_configuration_do_not_take_all_places(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_charts, "CURVE_RUNS", 7)
    training = page_data.gather(filled)["charts"]["training"]
    seeds = [(line["dataset"], line["variant"], line["seed"]) for line in training["runs"]]
    assert len(seeds) == 7
    assert sorted(seed for *_, seed in seeds) == [0, 0, 0, 0, 0, 1, 1]
    assert training["left_out"] == 17 - 7  # all but the real data's


def test_pictures_are_in_the_order_of_training(tmp_path: Path) -> None:
    for name in ("samples.png", "samples-900.png", "samples-1000.png"):
        picture(tmp_path / name)
    (tmp_path / "samples-5.png").write_bytes(b"not one")
    found = list(artifacts.pictures(tmp_path))
    assert [each.name for each in found] == ["900", "1000", ""]
    assert base64.b64decode(found[2].uri.partition(",")[2]) == (tmp_path / "samples.png").read_bytes()


def test_pictures_are_of_the_first_seed_that_has_one(filled: Store) -> None:
    (filled.folder(spec("b").id) / "samples.png").unlink()
    shown = page_data.gather(filled)["samples"]["shown"]
    assert {(each["dataset"], each["variant"]): each["seed"] for each in shown} == {
        ("ring", "a"): "0", ("ring", "b"): "1", ("ring", "c"): "0", ("grid", "a"): "0", ("grid", "b"): "0",
    }  # fmt: skip


def test_pictures_beyond_the_budget_are_left_out_and_named(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (filled.folder(spec("a").id) / "samples.png").stat().st_size
    monkeypatch.setattr(page_data, "PICTURE_BYTES", 2 * size)
    page = Parsed(to_html(filled))
    assert sum(tag == "img" for tag, _ in page.elements) == 2
    left = page_data.gather(filled)["samples"]["left_out"]
    assert len(left) == 3
    assert any(word.startswith("Left out") for word in page.words)
    assert {f"#run={each['run']}" for each in left} <= {attributes.get("href") for _, attributes in page.elements}


# ---- the command


def test_the_command_writes_the_page(filled: Store, tmp_path: Path) -> None:
    target = tmp_path / "a page.html"
    done = CliRunner().invoke(command, ["html", "-o", str(target), "--store", filled.name, "--variant", "a,b"])
    assert done.exit_code == 0, done.output
    words = Parsed(target.read_text(encoding="utf-8")).words
    assert f"ganbench report html -o '{target}' --store {filled.name} --variant a,b" in words


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "give its name"),
        (["-o", "x.html", "--best-of-k"], "all charts"),
        (["-o", "x.html", "--plot", "x.png"], "all charts"),
        (["-o", "no/such/folder.html"], "cannot write"),
    ],
)
def test_what_the_command_refuses(more: list[str], said: str, filled: Store) -> None:
    done = CliRunner().invoke(command, ["html", "--store", filled.name, *more])
    assert done.exit_code == 2
    assert said in done.output


def test_published_scores_stand_beside_and_are_in_no_matrix(store: Store) -> None:
    store.finish(record(spec("pacgan"), {"modes": 8.0, "kl": 0.1}))
    published = Path(__file__).parents[2] / "leaderboards" / "published.csv"
    plain, found = page_data.gather(store), page_data.gather(store, published=published)
    (section,), (alone,) = found["boards"], plain["boards"]
    assert section["matrix"]["columns"] == alone["matrix"]["columns"]
    assert [row["variant"] for row in section["matrix"]["rows"]] == ["pacgan"]
    assert "modes [published pacgan]" in {track["title"] for track in section["tracks"]}
    assert section["protocols"] == alone["protocols"] == 1
    theirs = [row for track in section["tracks"] for row in track["rows"] if row["seeds"] == "–"]
    assert {"PacGAN2", "VEEGAN"} <= {row["variant"] for row in theirs}
    assert all(row["rank"] is None and row["steps"] is None for row in theirs)
    marked = [word for track in section["tracks"] for word, differs in track["words"] if differs]
    assert marked == []
    stored = [row for row in found["stored"]["rows"] if row["source"]]
    assert all(row["runs"] == [] for row in stored)
    assert {"PacGAN table 1", "VEEGAN table 1"} <= {row["source"] for row in stored}
    assert "PacGAN table 1" in to_html(store, published=published)
