"""Published scores beside ours."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ganbench.errors import SpecError
from ganbench.reports.board import TYPES, leaderboard
from ganbench.reports.formats import to_markdown
from ganbench.reports.published import COLUMNS, beside, read
from ganbench.store import Store

FILE = Path(__file__).parents[2] / "leaderboards" / "published.csv"


def test_they_stand_beside_and_are_never_ranked(store: Store, add) -> None:
    add("pacgan", [7.0, 8.0], "modes")
    add("ns", [0.5], "kl", dataset="grid")
    ours = leaderboard(store)
    found = beside(ours, FILE)
    theirs = found[found["source"] != ""]
    pd.testing.assert_frame_equal(found[found["source"] == ""].reset_index(drop=True), ours)
    assert set(theirs["dataset"]) == {"ring", "grid"}
    assert set(theirs["metric"]) == {"modes", "kl"}
    assert theirs["rank"].isna().all()
    assert theirs["protocol"].str.startswith("published ").all()
    pacgan = theirs[(theirs["variant"] == "PacGAN2") & (theirs["metric"] == "modes") & (theirs["dataset"] == "ring")]
    assert list(pacgan["mean"]) == [7.9]
    assert list(pacgan["flags"]) == ["verified; ± 0.1 s.e. over 10 runs"]
    assert list(pacgan["source"]) == ["PacGAN table 1"]
    assert found.dtypes.astype(str).to_dict() == TYPES
    assert "PacGAN table 1" in to_markdown(found)


def test_every_line_of_the_file_is_read() -> None:
    rows = read(FILE)
    assert len(rows) == len(FILE.read_text(encoding="utf-8").splitlines()) - 1
    deviations = rows[(rows["dataset"] == "mnist") & (rows["metric"] == "fid")]
    assert (deviations["std"] > 0).all()


def test_filters_go_before_what_the_board_has(store: Store, add) -> None:
    add("ns", [1.0], "kl")
    assert set(beside(leaderboard(store), FILE, "mnist", "parzen")["metric"]) == {"kl", "parzen"}
    ours = leaderboard(store)
    assert beside(ours, FILE, "mnist", "kid") is ours


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has no column dataset, protocol"),
        ("", "cannot read"),
        (",".join(COLUMNS) + "\nring,p,GAN,modes,many,,,higher,s,v\n", "'many' is no number"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=message) as caught:
        read(tmp_path / "p.csv")
    assert "\n" not in str(caught.value)
    with pytest.raises(SpecError, match="cannot read"):
        read(tmp_path / "none.csv")
