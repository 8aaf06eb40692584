"""The report's page in a real browser: charts, networks, tables, by pointer and by keyboard."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enhance_sweep.report import gather, write_report
from tests.integration.browser import opened
from tests.unit.report import record_factory as make

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


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    with opened(browser, report.as_uri()) as page:
        yield page


def chart_of(page: Any, name: str) -> Any:
    """Once it is drawn."""
    chart = page.locator(f'[data-chart="{name}"]')
    chart.scroll_into_view_if_needed()
    page.wait_for_selector(f'[data-chart="{name}"][data-drawn]')
    return chart


def dialog_of(page: Any, network: str = "") -> Any:
    """A network's, once a click has opened it."""
    page.locator("tbody button[data-row]", has_text=network).first.click()
    dialog = page.locator("dialog#network")
    dialog.wait_for(state="visible")
    return dialog


def test_every_chart_is_drawn_and_nothing_is_loaded(page: Any) -> None:
    names = page.eval_on_selector_all("[data-chart]", "found => found.map(chart => chart.dataset.chart)")
    assert {"figure2", "figure2_paper", "quality", "quality_psnr", "speed", "paper_times"} <= set(names)
    for name in names:
        assert chart_of(page, name).locator(".main-svg").first.is_visible()
    points = chart_of(page, "figure2").locator(".points path")
    assert points.count() == 25 + 3, "the networks, and the three seeds of one"
    assert chart_of(page, "figure2").locator(".errorbars path.yerror").count() == 25


def test_a_point_opens_its_network_and_the_escape_key_closes_it(page: Any) -> None:
    chart = chart_of(page, "figure2")
    pick = page.evaluate(
        """() => { const of = document.querySelector('[data-chart=figure2]');
                   const trace = of.data.findIndex((one) => one.name.startsWith("strided"));
                   const x = of.data[trace].x, best = x.indexOf(Math.max(...x));
                   return [of.data.filter((one, i) => i < trace && one.mode !== "lines")
                             .reduce((sum, one) => sum + one.x.length, 0) + best,
                           String(of.data[trace].customdata[best])]; }"""
    )
    box = chart.locator(".points path").nth(pick[0]).bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.wait_for_selector(".hoverlayer .hovertext")
    assert "MS-SSIM 0." in page.locator(".hoverlayer").text_content()
    page.mouse.click(*middle)
    dialog = page.locator("dialog#network")
    dialog.wait_for(state="visible")
    label = page.evaluate(f"JSON.parse(document.getElementById('data').textContent).networks[{pick[1]}].label")
    assert dialog.locator("h2").inner_text() == label
    page.wait_for_selector("dialog .chart[data-drawn]")
    assert "#network=" in page.url
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert "#network" not in page.url


def test_the_keyboard_alone_opens_a_network_and_returns_to_it(page: Any) -> None:
    button = page.locator("tbody button[data-row]", has_text="{3-4, 16}").first
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog#network")
    dialog.wait_for(state="visible")
    text = dialog.inner_text().lower()
    facts = ["speed-up", "6.31", "seeds", "0: ms-ssim 0.9233; 1: ms-ssim 0.9243", "timing, round by round", "training"]
    assert [fact for fact in facts if fact not in text] == []
    page.wait_for_function("document.querySelectorAll('dialog .chart[data-drawn]').length === 3")
    assert dialog.locator(".xtitle").all_text_contents() == ["steps", "steps", "round"]
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.textContent") == "{3-4, 16}"


def test_only_charts_that_open_something_invite_a_click(page: Any) -> None:
    cursors = {}
    for name in ("figure2", "figure2_paper", "paper_times"):
        area = chart_of(page, name).locator(".nsewdrag").first
        cursors[name] = area.evaluate("area => getComputedStyle(area).cursor === 'pointer'")
    assert cursors == {"figure2": True, "figure2_paper": False, "paper_times": True}


def test_an_address_of_nothing_leaves_a_page_that_works(browser: Any, report: Path) -> None:
    with opened(browser, report.as_uri() + "#network=%") as page:
        page.locator("th button[data-column]").first.click()
        assert page.locator("th[aria-sort]").count() == 1


def test_a_network_has_an_address(browser: Any, report: Path, page: Any) -> None:
    key = page.evaluate("Object.values(JSON.parse(document.getElementById('data').textContent).networks)[3].key")
    with opened(browser, f"{report.as_uri()}#network={key}") as at_once:
        at_once.locator("dialog#network").wait_for(state="visible")


def test_tables_sort_by_any_column_and_keep_what_is_missing_last(page: Any) -> None:
    table = page.locator("table", has=page.locator("button", has_text="{5, 128, 3}")).first
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


def test_names_from_records_stay_text(page: Any) -> None:
    assert chart_of(page, "figure2").locator("img").count() == 0
    dialog = dialog_of(page, "onerror")
    assert ATTACK.split()[0] in dialog.locator("h2").inner_text()
    assert dialog.locator("img").count() == 0


@pytest.mark.parametrize("width", [360, 768])
def test_a_phone_shows_the_page_without_scrolling_sideways(browser: Any, report: Path, width: int) -> None:
    phone = {"viewport": {"width": width, "height": 740}, "is_mobile": True, "has_touch": True}
    with opened(browser, report.as_uri(), **phone) as page:
        for name in ("figure2", "quality"):
            box = chart_of(page, name).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert dialog_of(page).bounding_box()["width"] <= width


def test_in_the_dark_the_charts_are_dark_too(browser: Any, report: Path) -> None:
    ink = "document.querySelector('[data-chart=figure2]').layout.font.color"
    with opened(browser, report.as_uri(), color_scheme="dark") as page:
        chart_of(page, "figure2")
        assert page.evaluate(ink) == "#e7eaee"
        page.emulate_media(color_scheme="light")
        page.wait_for_function(f"before => {ink} !== before", arg="#e7eaee")
        assert page.evaluate(ink) == "#1b1f24"
