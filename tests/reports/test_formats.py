from __future__ import annotations

import io
import json
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ganbench.errors import SpecError
from ganbench.reports import page_board
from ganbench.reports.across import across
from ganbench.reports.board import TYPES, leaderboard
from ganbench.reports.formats import (
    across_to_markdown,
    from_csv,
    number,
    plus_minus,
    to_csv,
    to_json,
    to_markdown,
    to_parquet,
    wide,
)
from ganbench.spec import Status
from ganbench.store import Store

NAN = math.nan


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (0.0123456, 0.0045, "0.0123 ± 0.0045"),
        (225.34, 2.13, "225.3 ± 2.1"),
        (12345.6, 678, "12350 ± 680"),
        (0.999, 0.0996, "1.00 ± 0.10"),
        (8, 0, "8 ± 0"),
        (8, 0.4, "8.00 ± 0.40"),
        (0.3, 1e-17, "0.3 ± 0"),
        (-0.0001, 0.012, "0.000 ± 0.012"),
        (0, 0, "0 ± 0"),
        (3.2e12, 1e11, "3.2e+12 ± 1e+11"),
        (2e-9, 1e-10, "2e-09 ± 1e-10"),
        (8, NAN, "8"),
        (2.079442, NAN, "2.079"),
        (NAN, NAN, "–"),
        (NAN, 0.5, "–"),
    ],
)
def test_plus_minus(mean: float, std: float, text: str) -> None:
    assert plus_minus(mean, std) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0014, "0.0014"), (98.889, "98.89"), (12345.678, "12346"), (1000000, "1000000"), (1e300, "1e+300"),
     (271.03, "271"), (-2.5, "-2.5"), (0.0, "0"), (math.inf, "–"), (NAN, "–")],
)  # fmt: skip
def test_a_number_without_a_deviation(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(-1e8, 1e8), st.floats(1e-5, 1e8))
def test_no_more_digits_than_the_deviation_allows(mean: float, std: float) -> None:
    """What is printed is the mean within half of std's second digit, and ends at that digit's place."""
    left = plus_minus(mean, std).split(" ± ")[0]
    if std > abs(mean) * 1e-6:
        digit = 10.0 ** (math.floor(math.log10(float(f"{std:.1e}"))) - 1)
        assert abs(float(left) - mean) <= 0.5 * digit * (1 + 1e-6)
        assert len(left.partition(".")[2]) <= max(0, -round(math.log10(digit)))


@pytest.fixture
def frame(store: Store, add) -> pd.DataFrame:
    add("real", [0.0014], network="none", steps=0)
    add("wgan|gp", [0.5, 0.7, Status.DIVERGED], lr=0.1, flags=["a|b*"])
    add("wgan|gp", [0.9], lr=0.2)
    add("ns", [0.25])
    add("ns", [7.0], "modes")
    add("ns", [8.0], dataset="my_set")
    add("lost", [Status.FAILED])
    return leaderboard(store)


def test_markdown(frame: pd.DataFrame) -> None:
    text = to_markdown(frame[(frame["dataset"] == "ring") & (frame["metric"] == "kl")], "ganbench report md")
    lines = text.splitlines()
    assert lines[:8] == [
        "Made by `ganbench report md`.", "", "## ring", "", "### kl (lower is better)", "",
        "split=train (dataset=1 metric=1)", "",
    ]  # fmt: skip
    cells = [[cell.strip() for cell in line.strip("|").replace("\\|", "!").split("|")] for line in lines[8:]]
    assert cells[0] == [
        "rank", "variant", "network", "seeds", "mean ± std", "95 % interval", "IQM", "best", "group",
        "steps", "seconds", "diverged", "failed", "settings", "flags",
    ]  # fmt: skip
    assert cells[2] == ["–", "real", "none", "1", "0.0014", "–", "0.0014", "0.0014", "", "0", "1", "", "", "", ""]
    assert cells[3][:5] == ["1", "**ns**", "mlp", "1", "**0.25**"]
    assert cells[4][1:8] == ["wgan!gp", "mlp", "2", "0.60 ± 0.14", "[0.50, 0.70]", "0.60", "0.50"]
    assert cells[4][11:] == ["1", "", "lr=0.1 (best of 2)", r"a!b\*"]
    assert cells[5] == ["–", "lost", "mlp", "0", "–", "–", "–", "–", "", "100", "–", "", "1", "", ""]
    assert {len(row) for row in cells} == {15}


def test_markdown_has_a_section_a_data_set_and_no_empty_columns(frame: pd.DataFrame) -> None:
    text = to_markdown(frame)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "## my_set", "### kl (lower is better)",
        "## ring", "### kl (lower is better)", "### modes (higher is better)",
    ]  # fmt: skip
    first = text.split("## ring")[0]
    assert "diverged" not in first
    assert "flags" not in first
    assert text.endswith("|\n")


def test_nothing_is_said(store: Store) -> None:
    assert to_markdown(leaderboard(store)) == "No scores.\n"
    assert to_csv(leaderboard(store)).count("\n") == 1


def test_csv_is_empty_where_there_is_nothing(frame: pd.DataFrame) -> None:
    lines = to_csv(frame).splitlines()
    assert lines[0].startswith("rank,dataset,metric,protocol,variant,network,seeds,mean,std,ci_low,ci_high,iqm,best,")
    assert any(line.startswith(",ring,kl,split=train,lost,mlp,0,,,,,,,0,1,100,,") for line in lines)
    assert any(line.startswith("1,ring,modes,split=train,ns,mlp,1,7.0,,,,7.0,7.0,0,0,100,1.0,") for line in lines)


def test_wide(frame: pd.DataFrame) -> None:
    table = wide(frame, "ring")
    assert list(table.columns) == ["variant", "network", "seeds", "kl", "modes"]
    assert table.to_numpy().tolist() == [
        ["real", "none", "1", "0.0014", "–"],
        ["ns", "mlp", "1", "0.25", "7"],
        ["wgan|gp", "mlp", "2 (1 diverged)", "0.60 ± 0.14", "–"],
        ["lost", "mlp", "0 (1 failed)", "–", "–"],
    ]


def test_wide_tells_protocols_apart(store: Store, add) -> None:
    add("a", [0.1])
    add("b", [0.2], protocol="test")
    add("a", [7.0], "modes")
    table = wide(leaderboard(store), "ring")
    assert list(table.columns) == ["variant", "network", "seeds", "kl [split=test]", "kl [split=train]", "modes"]
    assert table.to_numpy().tolist() == [["b", "mlp", "1", "0.2", "–", "–"], ["a", "mlp", "1", "–", "0.1", "7"]]


def test_wide_has_first_who_is_ranked_among_most(store: Store, add) -> None:
    """`theirs` have a metric that goes before ours, `c` a protocol that goes before that of the others."""
    for place in range(3):
        add(f"theirs{place}", [20.0 - place], "fid", protocol="unknown")
    add("a", [0.3])
    add("b", [0.2])
    add("lost", [Status.DIVERGED])
    add("c", [0.1], protocol="test")
    add("real", [0.0], network="none")
    frame = leaderboard(store)
    table = wide(frame, "ring")
    assert list(table["variant"]) == ["real", "b", "a", "lost", "theirs2", "theirs1", "theirs0", "c"]
    assert list(table.columns[3:]) == ["kl [split=train]", "fid", "kl [split=test]"]
    (section,) = page_board.boards(frame, page_board.titles(frame))
    assert [row["variant"] for row in section["matrix"]["rows"]] == list(table["variant"])[1:]


@pytest.mark.parametrize("protocol", ["train source=torch-fidelity", "unknown"])
def test_wide_of_imported_rows_alone_is_as_they_are_ranked(store: Store, add, protocol: str) -> None:
    add("a", [20.0], "fid", protocol=protocol)
    add("b", [10.0], "fid", protocol=protocol)
    assert list(wide(leaderboard(store), "ring")["variant"]) == ["b", "a"]


def test_wide_is_in_the_order_of_the_primary_metric_though_it_ranks_fewer(store: Store, add) -> None:
    """Where no sample is of high quality the divergences of modes are undefined."""
    for variant, kl, modes in (("a", 0.3, 8.0), ("b", 0.2, 7.0), ("c", NAN, 0.0)):
        add(variant, [kl])
        add(variant, [modes], "modes")
    assert list(wide(leaderboard(store), "ring")["variant"]) == ["b", "a", "c"]


def test_wide_has_ours_first_though_none_is_ranked(store: Store, add) -> None:
    add("theirs", [20.0], "fid", protocol="unknown")
    add("a", [NAN])
    assert list(wide(leaderboard(store), "ring")["variant"]) == ["a", "theirs"]


def test_wide_of_a_data_set_without_scores(store: Store, add) -> None:
    add("a", [Status.FAILED])
    table = wide(leaderboard(store), "ring")
    assert table.empty
    assert list(table.columns) == ["variant", "network", "seeds"]


def test_markdown_renders_as_tables(frame: pd.DataFrame) -> None:
    """By a CommonMark parser: a table a section, in each line as many cells as in its head, names as they are."""
    tokens = MarkdownIt("commonmark").enable("table").parse(to_markdown(frame))
    tables: list[list[int]] = []
    for token in tokens:
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append(0)
        elif token.type in ("th_open", "td_open"):
            tables[-1][-1] += 1
    assert sorted(len(rows) for rows in tables) == [2, 3, 5]
    assert all(len(set(rows)) == 1 for rows in tables)
    texts = ["".join(child.content for child in token.children or ()) for token in tokens if token.type == "inline"]
    assert "wgan|gp" in texts
    assert "a|b*" in texts


def test_csv_and_parquet_come_back_without_loss(frame: pd.DataFrame) -> None:
    frame = frame.assign(settings="NA", flags="null").astype(TYPES)  # words that pandas takes for nothing
    pd.testing.assert_frame_equal(from_csv(to_csv(frame)), frame, check_exact=True)
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(to_parquet(frame))).astype(TYPES), frame, check_exact=True)
    empty = frame.iloc[:0]
    pd.testing.assert_frame_equal(from_csv(to_csv(empty)), empty)


def test_parquet_without_pyarrow_says_what_to_install(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SpecError, match=r"pip install 'ganbench\[parquet\]'"):
        to_parquet(frame)


def test_json_has_every_number_whole_and_null_for_none(frame: pd.DataFrame) -> None:
    made = json.loads(to_json(frame), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert [row["variant"] for row in made["rows"]] == list(frame["variant"])
    lost = next(row for row in made["rows"] if row["variant"] == "lost")
    assert lost["rank"] is lost["mean"] is None
    assert lost["failed"] == 1
    given = next(row for row in made["rows"] if row["variant"] == "wgan|gp")
    assert given["mean"] == 0.6
    assert given["std"] == frame.set_index("variant")["std"]["wgan|gp"]
    assert set(given) == set(TYPES)


def test_across_as_markdown(store: Store, add) -> None:
    for dataset in ("ring", "grid"):
        add("ns", [1.0, 1.5], dataset=dataset)
        add("wgan|gp", [2.0, 2.5], dataset=dataset)
    text = across_to_markdown(across(leaderboard(store)))
    assert "## kl over" in text
    assert "| 1      | **ns**" in text
    assert r"wgan\|gp" in text
    assert across_to_markdown(across(leaderboard(store, dataset="ring"))) == (
        "No metric was measured alike on several data sets.\n"
    )
