from __future__ import annotations

import math
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from PIL import Image

from ganbench.errors import StoreError
from ganbench.reports import plots
from ganbench.reports.board import leaderboard
from ganbench.spec import Status
from ganbench.store import Store


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    """The axes of every figure that is written."""
    found: list[Axes] = []
    write = plots._write

    def spy(figure, path: Path) -> None:
        found.extend(figure.axes)
        write(figure, path)

    monkeypatch.setattr(plots, "_write", spy)
    return found


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_shows_every_image_where_it_belongs(tmp_path: Path, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(10, channels, 32, 24), dtype=np.uint8)
    plots.image_grid(images, tmp_path / "g.png", columns=4)
    found = pixels(tmp_path / "g.png").reshape(3 * 258 + 2, 4 * 194 + 2, channels)  # 8 times as large
    assert found[0].min() == 255
    for index, image in enumerate(images):
        top, left = 2 + index // 4 * 258, 2 + index % 4 * 194
        tile = found[top : top + 256, left : left + 192]
        assert (tile[::8, ::8] == image.transpose(1, 2, 0)).all()
        assert (tile[7::8, 7::8] == image.transpose(1, 2, 0)).all()
    assert found[2 + 2 * 258 :, 2 + 2 * 194 :].min() == 255  # no image there


def test_a_grid_of_large_and_few_images_keeps_their_size(tmp_path: Path) -> None:
    plots.image_grid(np.zeros((2, 1, 500, 500), dtype=np.uint8), tmp_path / "g.png")
    assert pixels(tmp_path / "g.png").shape == (504, 1006)


RING = np.array([[math.cos(i * math.pi / 4), math.sin(i * math.pi / 4)] for i in range(8)])


def test_scatter_draws_points_and_modes_and_counts_what_is_out_of_view(tmp_path: Path, drawn: list[Axes]) -> None:
    far = np.array([[100.0, 0.0], [math.nan, 0.0]], dtype=np.float32)
    plots.scatter([RING.astype(np.float32), far], RING, 0.01, tmp_path / "s.png")
    (axes,) = drawn
    assert axes.get_title("left") == "10 points · 2 of them outside · rings: 3σ of the 8 modes"
    points, rings = axes.collections
    assert len(points.get_offsets()) == 9
    assert np.allclose(rings.get_offsets(), RING)
    assert np.allclose(rings.get_widths(), 0.06)
    assert axes.get_xlim() == axes.get_ylim() == pytest.approx((-1.3, 1.3))
    height, width, _ = pixels(tmp_path / "s.png").shape
    assert (height, width) == (800, 800)


@pytest.mark.parametrize("points", [RING, [RING[:3], RING[3:]]], ids=["one array", "chunks"])
def test_scatter_without_modes(tmp_path: Path, drawn: list[Axes], points) -> None:
    plots.scatter(points, None, 0.01, tmp_path / "s.png")
    assert drawn[0].get_title("left") == "8 points"
    assert len(drawn[0].collections[0].get_offsets()) == 8


def test_scatter_of_nothing_finite(tmp_path: Path, drawn: list[Axes]) -> None:
    plots.scatter(np.full((3, 2), np.nan), None, 0.01, tmp_path / "s.png")
    assert drawn[0].get_title("left") == "3 points · 3 of them outside"


COLUMNS = ("step", "loss D", "loss G", "D(x)", "D(G(z))", "gradient norm D", "gradient norm G")


def test_curves_share_panels_and_leave_out_what_was_not_reached(tmp_path: Path, drawn: list[Axes]) -> None:
    table = np.arange(70, dtype=np.float32).reshape(10, 7) + 1
    table[6:] = np.nan
    table[2, 1] = np.inf
    plots.curves(table, COLUMNS, tmp_path / "c.png")
    assert [axes.get_title("left") for axes in drawn] == ["loss", "output of the discriminator", "gradient norm"]
    labels = [[line.get_label() for line in axes.lines] for axes in drawn]
    assert labels == [["D", "G"], ["D(x)", "D(G(z))"], ["D", "G"]]
    broken, whole = drawn[0].lines
    assert broken.get_xdata().tolist() == [1, 8, 22, 29, 36]
    assert whole.get_ydata().tolist() == [3, 10, 17, 24, 31, 38]
    assert pixels(tmp_path / "c.png").shape[1] == 800


def test_curves_that_say_nothing_are_left_out(tmp_path: Path, drawn: list[Axes]) -> None:
    table = np.ones((4, 7), dtype=np.float32)
    table[:, 3:5] = np.nan
    plots.curves(table, COLUMNS, tmp_path / "c.png")
    assert [axes.get_title("left") for axes in drawn] == ["loss", "gradient norm"]
    drawn.clear()
    plots.curves(np.full((4, 7), np.nan), COLUMNS, tmp_path / "c.png")  # diverged before the first point
    assert len(drawn) == 3


def test_gradient_norms_that_differ_widely_are_on_a_log_axis(tmp_path: Path, drawn: list[Axes]) -> None:
    table = np.array([[0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1000.0]])
    plots.curves(table, COLUMNS, tmp_path / "c.png")
    table[:, 6] = 1
    plots.curves(table, COLUMNS, tmp_path / "c.png")
    table[1, 6], table[0, 6] = 1000, 0
    plots.curves(table, COLUMNS, tmp_path / "c.png")
    assert [axes.get_yscale() for axes in drawn[2::3]] == ["log", "linear", "linear"]


@pytest.mark.parametrize("points", [0, 1, 3])
def test_curves_of_a_run_that_got_nowhere(tmp_path: Path, drawn: list[Axes], points: int) -> None:
    table = np.full((points, 7), np.nan)
    table[:1] = 1.0
    plots.curves(table, COLUMNS, tmp_path / "c.png")
    markers = {line.get_marker() for axes in drawn for line in axes.lines}
    assert markers == ({"o"} if points else {"None"})  # one point alone would be no line


def test_the_leaderboard_shows_means_intervals_and_seeds(store: Store, add, tmp_path: Path, drawn: list[Axes]) -> None:
    add("real", [0.25], network="none", steps=0)
    add("b", [0.5, 1.5])
    add("a", [2.0, 3.0])
    add("a", [9.0], network="deep")
    add("lost", [Status.DIVERGED])
    plots.leaderboard_figure(leaderboard(store), tmp_path / "l.png")
    axes = drawn[0]
    assert axes.get_title("left") == "kl ↓"
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["b", "a (mlp)", "a (deep)", "lost – no score"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the best on top
    real, interval, mean = axes.lines[:3]
    assert set(real.get_xdata()) == {0.25}
    assert list(interval.get_xdata()) == [0.5, 1.5]
    assert list(mean.get_xdata()) == [1.0]
    assert axes.collections[0].get_offsets().tolist() == [[0.5, 0.0], [1.5, 0.0]]
    assert axes.get_xscale() == "linear"


def test_the_leaderboard_has_a_panel_a_metric_and_data_set(
    store: Store, add, tmp_path: Path, drawn: list[Axes]
) -> None:
    add("a", [0.001, 0.002])
    add("b", [1.0, 2.0])
    add("a", [8.0], "modes")
    add("a", [0.5], protocol="test")
    plots.leaderboard_figure(leaderboard(store), tmp_path / "l.png")
    titles = ["kl [split=test] ↓", "kl [split=train] ↓", "modes ↑", ""]
    assert [axes.get_title("left") for axes in drawn] == titles
    assert [axes.get_xscale() for axes in drawn[:3]] == ["linear", "log", "linear"]
    assert [axes.axison for axes in drawn] == [True, True, True, False]
    assert pixels(tmp_path / "l.png").shape[1] == 800
    drawn.clear()
    add("a", [0.5], dataset="grid")
    plots.leaderboard_figure(leaderboard(store, metric="modes"), tmp_path / "l.png")
    plots.leaderboard_figure(leaderboard(store, metric="kl"), tmp_path / "l.png")
    assert [axes.get_title("left").split(":")[0] for axes in drawn[1:4]] == ["grid", "ring", "ring"]


def test_an_empty_leaderboard_is_drawn_empty(store: Store, tmp_path: Path, drawn: list[Axes]) -> None:
    plots.leaderboard_figure(leaderboard(store), tmp_path / "l.png")
    assert [axes.axison for axes in drawn] == [False]


def test_pictures_go_where_folders_are_missing_and_say_where_they_cannot(tmp_path: Path) -> None:
    plots.scatter(RING, RING, 0.01, tmp_path / "new" / "s.png")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["s.png"]
    with pytest.raises(StoreError, match="cannot write"):
        plots.scatter(RING, RING, 0.01, tmp_path / "new" / "s.png" / "x.png")


def test_nothing_global_is_touched() -> None:
    """The caller's own pyplot, its backend and its settings stay as they were."""
    assert "matplotlib.pyplot" not in sys.modules
    assert mpl.rcParams["axes.facecolor"] == mpl.rcParamsDefault["axes.facecolor"]


def test_curves_of_searches_are_drawn(tmp_path: Path) -> None:
    """A panel a metric, also of a variant whose interval is unknown; and nothing at all is a picture too."""
    same = {"dataset": "ring", "protocol": "n=1", "network": "mlp", "versions": "1", "configurations": 3, "lost": 0}
    rows = [
        same | {"metric": metric, "variant": variant, "k": k, "mean": 1 / k, "ci_low": 0.5 / k, "ci_high": high}
        for metric in ("kl", "modes", "jsd")
        for variant, high in (("ns", 2.0), ("wgan", math.nan))
        for k in (1, 2, 3)
    ]
    plots.best_of_k_figure(pd.DataFrame(rows), tmp_path / "curves.png")
    plots.best_of_k_figure(pd.DataFrame(rows).iloc[:0], tmp_path / "none.png")
    for name in ("curves.png", "none.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.size[0] == 800
