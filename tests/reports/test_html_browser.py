"""The page in a browser: headless Chromium, which is told to reach nothing and finds that it need not."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import HOSTILE, fill, leave, record, spec

from ganbench.reports.html import to_html
from ganbench.spec import RunRecord, Status
from ganbench.store import Store
from ganbench.store.claims import Claims

CHROMIUM = next(
    filter(None, map(shutil.which, ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"))), None
)
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run")  # fmt: skip
SECONDS, MEGABYTES = 3, 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium: none of chromium, chromium-browser, google-chrome in PATH"
    ),
]


def expect(locator: Any) -> Any:
    """Waits from outside the page, whose policy lets nobody evaluate a condition again and again within it."""
    return pytest.importorskip("playwright.sync_api").expect(locator)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    with Store(folder / "s.db") as store:
        fill(store)
        for lr in (0.1, 0.2):
            run = spec("b", lr=lr)
            store.finish(record(run, {"kl": lr}))
        scored = record(spec("a", seed=0), {"kl": 0.5})
        rungs = ({"use": "selection", "step": step} for step in (20, 40))
        on_the_way = tuple(record(scored.spec, {"kl": 3.0}, protocol=rung).scores[0] for rung in rungs)
        store.finish(scored.model_copy(update={"scores": scored.scores + on_the_way}))
        return written(store, folder)


def written(store: Store, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(to_html(store), encoding="utf-8")
    return path


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Opens a file; when the test ends, nothing was said on the console and nothing was asked of any network."""
    contexts, told, asked = [], [], []

    def opened(path: Path, fragment: str = "", *, width: int = 1280, **more: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 800}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{path.as_uri()}{fragment}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert told == []
    assert {url.partition("#")[0].partition(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert len({url.partition("#")[0] for url in asked if url.startswith("file:")}) == 1


def variants(page: Any, track: str = "kl", dataset: str = "ring") -> list[str]:
    rows = page.locator(f".dataset[data-dataset={dataset}] .track[data-metric={track}] tbody:not(.real) tr:visible")
    return [str(text).strip("\n") for text in rows.locator("th").all_text_contents()]


def header(page: Any, name: str) -> Any:
    table = page.locator(".dataset[data-dataset=ring] .track[data-metric=kl] table")
    return table.locator("thead th").filter(has_text=name)


def draw_all(page: Any) -> None:
    """Come to each chart, and wait until it is drawn."""
    for plot in page.locator("main .plot").all():
        if plot.is_visible():
            plot.scroll_into_view_if_needed()
            plot.and_(page.locator("[data-drawn]")).wait_for()


def test_sorting(report: Path, open_page: Open) -> None:
    page = open_page(report)
    assert variants(page) == ["b", "a", "c"]
    button = header(page, "mean").get_by_role("button")
    button.click()
    assert header(page, "mean").get_attribute("aria-sort") == "ascending"
    assert variants(page) == ["b", "a", "c"]
    button.click()
    assert header(page, "mean").get_attribute("aria-sort") == "descending"
    assert variants(page) == ["c", "a", "b"]
    header(page, "variant").get_by_role("button").click()
    assert header(page, "mean").get_attribute("aria-sort") == "none"
    assert variants(page) == ["a", "b", "c"]
    first = page.locator(".dataset[data-dataset=ring] .track[data-metric=kl] tbody tr").first
    assert "real" in first.inner_text(), "it stays apart, however the others are sorted"


def test_numbers_sort_as_numbers_and_nothing_last(store: Store, tmp_path: Path, open_page: Open) -> None:
    for name, value in (("ten", 10.0), ("two", 2.0), ("hundred", 100.0), ("small", 1e-7)):
        store.finish(record(spec(name), {"kl": value}))
    store.finish(RunRecord(spec=spec("none"), status=Status.FAILED, error="so"))
    page = open_page(written(store, tmp_path))
    button = header(page, "mean").get_by_role("button")
    button.click()
    assert variants(page) == ["small", "two", "ten", "hundred", "none"]
    button.click()
    assert variants(page) == ["hundred", "ten", "two", "small", "none"]


def test_filters(report: Path, open_page: Open) -> None:
    page = open_page(report)
    everything = page.locator("#shown").inner_text()
    page.locator("#by-dataset").select_option("ring")
    assert not page.locator(".dataset[data-dataset=grid]").is_visible()
    page.locator("#by-metric").select_option("kl")
    assert not page.locator(".dataset[data-dataset=ring] .track[data-metric=modes]").is_visible()
    page.locator("#by-variant").fill("a, C")
    assert variants(page) == ["a", "c"]
    assert page.locator("#shown").inner_text() == "3 of 11 rows"  # with the real data
    assert page.locator("#profiles .card:visible").count() == 1
    draw_all(page)
    assert page.locator("#profiles .card:visible .legendtext").all_text_contents() == ["a, n = 3", "c, n = 5"]
    page.locator("#clear").click()
    assert page.locator("#shown").inner_text() == everything == "11 of 11 rows"
    assert variants(page) == ["b", "a", "c"]


def test_a_row_leads_to_its_runs_and_back(report: Path, open_page: Open) -> None:
    page = open_page(report)
    page.locator(".dataset[data-dataset=ring] .track[data-metric=kl]").get_by_role("link", name="c", exact=True).click()
    view = page.get_by_role("dialog")
    assert view.get_by_role("heading", level=2).inner_text() == "c on ring"
    assert view.locator("tbody tr").count() == 5
    assert "0.900 ± 0.012" in view.inner_text()
    assert "ValueError: no luck" in view.inner_text()
    view.locator("tbody tr").nth(4).get_by_role("link").click()
    run = spec("c", seed=4).id
    expect(page.locator("#view-title")).to_have_text(f"Run {run}")
    text = view.inner_text()
    for told in ("failed at step 0 of 100", "ValueError: no luck", f"ganbench show {run}", "batch_size 10", "lr 0.001"):
        assert told in text
    page.go_back()
    expect(page.locator("#view-title")).to_have_text("c on ring")
    view.get_by_role("button", name="Close").click()
    assert not view.is_visible()
    assert page.evaluate("location.hash") == ""


def test_the_address_of_a_run_opens_it(report: Path, open_page: Open) -> None:
    run = spec("b", "grid", 1)
    page = open_page(report, f"#run={run.id}")
    view = page.get_by_role("dialog")
    assert "2.010" in view.get_by_role("region", name="Scores").inner_text() or "2.01" in view.inner_text()
    view.locator(".plot .main-svg").first.wait_for()
    assert view.locator(".legendtext").all_text_contents() == ["D", "G"]
    unknown = open_page(report, "#run=123456789012")
    assert "No run 123456789012" in unknown.get_by_role("dialog").inner_text()


def test_all_charts_are_drawn_with_titles_and_axes(report: Path, open_page: Open) -> None:
    page = open_page(report)
    assert page.evaluate("typeof Plotly") == "undefined", "it is not parsed before a chart is in view"
    draw_all(page)
    for section in ("profiles", "best-of-k", "by-step", "training"):
        plots = page.locator(f"#{section} .plot").all()
        assert plots
        for plot in plots:
            assert plot.locator(".trace.scatter path.js-line").count() >= 1
            assert plot.locator(".xtitle").text_content()
            assert plot.locator(".ytitle").text_content()
    page.locator("#training .card").first.locator("select").select_option("loss G")
    assert page.locator("#training .plot").first.locator(".ytitle").text_content() == "loss G"


def test_dark_and_light(report: Path, open_page: Open) -> None:
    page = open_page(report, color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    plot = page.locator("#profiles .plot").first
    plot.scroll_into_view_if_needed()
    plot.locator(".main-svg").first.wait_for()
    assert plot.get_attribute("data-drawn") == "dark"
    before = plot.locator(".trace path.js-line").first.evaluate("line => line.style.stroke")
    page.get_by_role("button", name="Use light colours").click()
    assert page.evaluate(paper) == "rgb(255, 255, 255)" != dark
    expect(plot).to_have_attribute("data-drawn", "light")
    assert plot.locator(".trace path.js-line").first.evaluate("line => line.style.stroke") != before
    page.reload()
    assert page.evaluate(paper) == "rgb(255, 255, 255)", "the choice is kept"
    assert open_page(report, color_scheme="light").evaluate(paper) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("view", ["", "run", "row"])
def test_on_a_phone_nothing_is_wider_than_the_screen(view: str, report: Path, open_page: Open) -> None:
    fragment = {"": "", "run": f"#run={spec('b', seed=1).id}", "row": "#row=1"}[view]
    page = open_page(report, fragment, width=375)
    if not view:
        draw_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert page.evaluate("document.body.scrollWidth") <= 375
    dialog = page.locator("#view")
    assert dialog.evaluate("each => each.scrollWidth - each.clientWidth") <= 0
    wide = page.locator("main .track .box").first
    assert wide.evaluate("box => box.scrollWidth > box.clientWidth"), "the table scrolls in its own box"


def test_by_keyboard_alone(report: Path, open_page: Open) -> None:
    page = open_page(report)
    focused = "document.activeElement"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.textContent") == "Skip to the leaderboard"
    assert page.evaluate(f"{focused}.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate(f"{focused}.id") == "leaderboard"
    page.keyboard.press("Tab")
    for _ in range(3):
        if page.evaluate(f"{focused}.matches('button.sort')"):
            break
        page.keyboard.press("Tab")
    assert page.evaluate(f"getComputedStyle({focused}).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate(f"{focused}.closest('th').getAttribute('aria-sort')") == "ascending"
    page.keyboard.press("Space")
    assert page.evaluate(f"{focused}.closest('th').getAttribute('aria-sort')") == "descending"
    while not page.evaluate(f"{focused}.matches('a[href^=\"#row\"]')"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    view = page.get_by_role("dialog")
    view.wait_for()
    assert page.evaluate(f"document.getElementById('view').contains({focused})")
    page.keyboard.press("Escape")
    assert not view.is_visible()
    assert page.evaluate(f"{focused}.matches('a[href^=\"#row\"]')"), "one is where one was"


def test_hostile_names_are_shown_as_they_are(store: Store, tmp_path: Path, open_page: Open) -> None:
    for seed, name in enumerate(HOSTILE):
        for again in (0, 10):
            run = spec(name, "ring", seed + again, **{name: name})
            store.finish(record(run, {"kl": 1.0 + seed + again}, provenance={name: name}))
            leave(store.folder(run.id), 5, ("step", name, f"{name} D"))
        store.finish(RunRecord(spec=spec(name, "ring", 9, **{name: name}), status=Status.FAILED, error=name))
    path = written(store, tmp_path)
    page = open_page(path, width=375)
    assert sorted(variants(page)) == sorted(HOSTILE)
    draw_all(page)
    legends = page.locator("#profiles .legendtext").all_text_contents()
    assert any(text.startswith(HOSTILE[0]) for text in legends), legends
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    for seed, name in enumerate(HOSTILE):
        opened = open_page(path, f"#run={spec(name, 'ring', seed, **{name: name}).id}")
        told = opened.locator("#view-body").text_content()
        assert told.count(name) >= 4  # the variant, a setting with its value, what it was made with
        assert opened.locator("#view img[src=x]").count() == 0
        opened.close()


@pytest.mark.speed
def test_ten_thousand_runs_are_a_page_in_seconds(tmp_path: Path, open_page: Open) -> None:
    from many_runs import perform, plan, records, sweep

    with Store(tmp_path / "s.db") as store, Claims(store) as claims:
        rounds, tasks = plan(sweep(10_000), store, claims)
        perform(records(tasks), tasks, rounds, store, claims)
    path = tmp_path / "report.html"
    command = [sys.executable, "-m", "ganbench", "report", "html", "-o", path, "--store", tmp_path / "s.db"]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    making = time.perf_counter() - started
    megabytes = path.stat().st_size / 1e6
    started = time.perf_counter()
    page = open_page(path)
    opening = time.perf_counter() - started
    started = time.perf_counter()
    draw_all(page)
    drawing = time.perf_counter() - started
    shown = f"made in {making:.2f} s, {megabytes:.1f} MB, opened in {opening:.2f} s, all charts in {drawing:.2f} s"
    print(f"\n10,001 runs: {shown}")  # noqa: T201
    assert "44 of 44 rows" in page.locator("#shown").inner_text()
    assert making < SECONDS
    assert opening < SECONDS
    assert megabytes < MEGABYTES


def test_a_published_row_says_where_it_is_from(tmp_path: Path, open_page: Open) -> None:
    published = Path(__file__).parents[2] / "leaderboards" / "published.csv"
    with Store(tmp_path / "s.db") as store:
        store.finish(record(spec("pacgan"), {"modes": 8.0}))
        (tmp_path / "report.html").write_text(to_html(store, published=published), encoding="utf-8")
    page = open_page(tmp_path / "report.html")
    page.get_by_role("link", name="PacGAN2").first.click()
    page.locator("#view").get_by_text("PacGAN table 1").wait_for()
    assert page.locator("#view table").count() == 0
