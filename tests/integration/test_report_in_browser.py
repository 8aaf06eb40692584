"""The report's page in a real browser: charts, networks, tables, by pointer and by keyboard."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enhance_sweep.report import gather, write_report

from ..unit.report import record_factory as make

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt install chromium)")

ATTACK = "<img src=x onerror=alert(1)>\"'</script>"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every published network, three seeds of two of them, and one with a hostile name."""
    made = make.paper_records(careful=True)
    made += [make.trained(make.PROPOSED, 0.9233 + 0.001 * seed, 22.5, seed=seed) for seed in (1, 2)]
    hostile = {"topology": ATTACK, "kernel_size": 3, "channels": 4, "prelu": False}
    made += [make.trained(hostile, 0.91, 22.0), make.paired(hostile, 3000.0, 10_080.0)]
    runs = make.write(tmp_path_factory.mktemp("runs"), made)
    for record in made:
        if record["kind"] == "trained":
            make.write_scores(runs, record, spread=0.003)
    return write_report(gather(runs), tmp_path_factory.mktemp("report"), pictures=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Opened:
    """A page in a window, and whatever went wrong on it."""

    def __init__(self, browser: Any, report: Path, **window: Any) -> None:
        self.page = browser.new_page(**{"viewport": {"width": 1200, "height": 900}, **window})
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda message: message.type == "error" and self.wrong.append(message.text))
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self._only_local(request.url))
        self.page.goto(report.as_uri())

    def _only_local(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            self.wrong.append(f"loads {url}")

    def chart(self, name: str) -> Any:
        chart = self.page.locator(f'[data-chart="{name}"]')
        chart.scroll_into_view_if_needed()
        self.page.wait_for_selector(f'[data-chart="{name}"][data-drawn]')
        return chart

    def box(self, locator: Any) -> tuple[float, float]:
        place = locator.bounding_box()
        return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Opened]:
    window = Opened(browser, report)
    yield window
    window.page.close()
    assert not window.wrong


def test_every_chart_is_drawn_and_nothing_is_loaded(opened: Opened) -> None:
    names = opened.page.eval_on_selector_all("[data-chart]", "found => found.map(chart => chart.dataset.chart)")
    assert {"figure2", "figure2_paper", "quality", "quality_psnr", "speed", "paper_times"} <= set(names)
    for name in names:
        assert opened.chart(name).locator(".main-svg").first.is_visible()
    points = opened.chart("figure2").locator(".points path")
    assert points.count() == 25 + 3, "the networks, and the three seeds of one"
    assert opened.chart("figure2").locator(".errorbars path.yerror").count() == 25


def test_a_point_opens_its_network_and_the_escape_key_closes_it(opened: Opened) -> None:
    chart = opened.chart("figure2")
    pick = opened.page.evaluate(
        """() => { const of = document.querySelector('[data-chart=figure2]');
                   const trace = of.data.findIndex((one) => one.name === "strided");
                   const x = of.data[trace].x, best = x.indexOf(Math.max(...x));
                   return [of.data.filter((one, i) => i < trace && one.mode !== "lines")
                             .reduce((sum, one) => sum + one.x.length, 0) + best,
                           String(of.data[trace].customdata[best])]; }"""
    )
    opened.page.mouse.move(*opened.box(chart.locator(".points path").nth(pick[0])))
    opened.page.wait_for_selector(".hoverlayer .hovertext")
    assert "MS-SSIM 0." in opened.page.locator(".hoverlayer").text_content()
    opened.page.mouse.click(*opened.box(chart.locator(".points path").nth(pick[0])))
    dialog = opened.page.locator("dialog#network")
    dialog.wait_for(state="visible")
    label = opened.page.evaluate(f"JSON.parse(document.getElementById('data').textContent).networks[{pick[1]}].label")
    assert dialog.locator("h2").inner_text() == label
    opened.page.wait_for_selector("dialog .chart[data-drawn]")
    assert "#network=" in opened.page.url
    opened.page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert "#network" not in opened.page.url


def test_the_keyboard_alone_opens_a_network_and_returns_to_it(opened: Opened) -> None:
    button = opened.page.locator("tbody button[data-row]", has_text="{3-4, 16}").first
    button.focus()
    opened.page.keyboard.press("Enter")
    dialog = opened.page.locator("dialog#network")
    dialog.wait_for(state="visible")
    text = dialog.inner_text()
    for fact in (
        "Speed-up",
        "6.31",
        "Seeds",
        "0: MS-SSIM 0.9233; 1: MS-SSIM 0.9243",
        "Timing, round by round",
        "training",
    ):
        assert fact.lower() in text.lower(), fact
    opened.page.wait_for_function("document.querySelectorAll('dialog .chart[data-drawn]').length === 3")
    opened.page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert opened.page.evaluate("document.activeElement.textContent") == "{3-4, 16}"


def test_what_a_networks_charts_show_stands_at_their_axes(opened: Opened) -> None:
    opened.page.locator("tbody button[data-row]", has_text="{3-4, 16}").first.click()
    opened.page.wait_for_selector("dialog .chart[data-drawn]")
    opened.page.wait_for_function("[...document.querySelectorAll('dialog .chart')].every(c => c.dataset.drawn)")
    titles = opened.page.locator("dialog .xtitle").all_text_contents()
    assert titles == ["steps", "steps", "round"]


def test_only_charts_that_open_something_invite_a_click(opened: Opened) -> None:
    cursors = {}
    for name in ("figure2", "figure2_paper", "paper_times"):
        area = opened.chart(name).locator(".nsewdrag").first
        cursors[name] = area.evaluate("area => getComputedStyle(area).cursor === 'pointer'")
    assert cursors == {"figure2": True, "figure2_paper": False, "paper_times": True}


def test_an_address_of_nothing_leaves_a_page_that_works(browser: Any, report: Path) -> None:
    page = browser.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(report.as_uri() + "#network=%")
    page.locator("th button[data-column]").first.click()
    assert page.locator("th[aria-sort]").count() == 1
    assert not wrong
    page.close()


def test_a_network_has_an_address(browser: Any, report: Path, opened: Opened) -> None:
    key = opened.page.evaluate("Object.values(JSON.parse(document.getElementById('data').textContent).networks)[3].key")
    page = browser.new_page()
    page.goto(f"{report.as_uri()}#network={key}")
    page.locator("dialog#network").wait_for(state="visible")
    page.close()


def test_tables_sort_by_any_column_and_keep_what_is_missing_last(opened: Opened) -> None:
    table = opened.page.locator("table", has=opened.page.locator("button", has_text="{5, 128, 3}")).first
    heads = table.locator("thead button")

    def column(index: int) -> list[float]:
        texts = table.locator("tbody tr").evaluate_all(
            "(rows, index) => rows.map((row) => row.cells[index].textContent)", index
        )
        return [float(text.replace(",", "")) for text in texts]

    parameters = heads.filter(has_text="Parameters")
    parameters.click()
    assert column(1) == sorted(column(1))
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    parameters.press("Enter")
    assert column(1) == sorted(column(1), reverse=True)
    assert table.locator("th[aria-sort]").count() == 1
    footer = table.locator("tfoot th").inner_text()
    assert footer == "Rank agreement (Kendall's tau)", "the last row stays where it is"


def test_names_from_records_stay_text(opened: Opened) -> None:
    chart = opened.chart("figure2")
    assert chart.locator("img").count() == 0
    opened.page.locator("tbody button[data-row]", has_text="onerror").first.click()
    dialog = opened.page.locator("dialog#network")
    dialog.wait_for(state="visible")
    assert ATTACK.split()[0] in dialog.locator("h2").inner_text()
    assert dialog.locator("img").count() == 0


@pytest.mark.parametrize("width", [360, 768])
def test_a_phone_shows_the_page_without_scrolling_sideways(browser: Any, report: Path, width: int) -> None:
    window = Opened(browser, report, viewport={"width": width, "height": 740}, is_mobile=True, has_touch=True)
    for name in ("figure2", "quality"):
        box = window.chart(name).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert window.page.evaluate("document.documentElement.scrollWidth") <= width
    window.page.locator("tbody button[data-row]").first.click()
    dialog = window.page.locator("dialog#network")
    dialog.wait_for(state="visible")
    assert dialog.bounding_box()["width"] <= width
    assert not window.wrong
    window.page.close()


def test_in_the_dark_the_charts_are_dark_too(browser: Any, report: Path) -> None:
    window = Opened(browser, report, color_scheme="dark")
    window.chart("figure2")

    def ink() -> str:
        return str(window.page.evaluate("document.querySelector('[data-chart=figure2]').layout.font.color"))

    in_the_dark = ink()
    window.page.emulate_media(color_scheme="light")
    window.page.wait_for_function(
        "(before) => document.querySelector('[data-chart=figure2]').layout.font.color !== before", arg=in_the_dark
    )
    assert (in_the_dark, ink()) == ("#e7eaee", "#1b1f24")
    assert not window.wrong
    window.page.close()
