"""Labels that do not cover each other, frontiers that go where they should, and embedding."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import record_factory as make
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from enhance_sweep.report import Results, gather
from enhance_sweep.report.figures import style as figures
from enhance_sweep.report.figures.curve_series import curve_series
from enhance_sweep.report.figures.frontier import MOST_LABELS, networks_figure, published_figure
from enhance_sweep.report.figures.frontier_series import frontier_series, published_series
from enhance_sweep.report.figures.placement import place_labels
from enhance_sweep.report.figures.quality import quality_figure

SHAPES = pytest.mark.parametrize("shape", [figures.WIDE, figures.NARROW], ids=["wide", "narrow"])


def frontier_figure(results: Results, shape: figures.Shape = figures.WIDE) -> Figure:
    series = frontier_series(results)
    return networks_figure(series, shape)


def labels_of(figure: Figure) -> list[Text]:
    return [text for text in figure.texts if "{" in text.get_text()]


def boxes_of(texts: list[Text]) -> tuple[np.ndarray, np.ndarray]:
    boxes = [text.get_window_extent() for text in texts]
    centres = np.array([((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in boxes])
    return centres, np.array([(box.width, box.height) for box in boxes])


def overlapping_pairs(centres: np.ndarray, sizes: np.ndarray) -> int:
    apart = np.abs(centres[:, None] - centres) >= (sizes[:, None] + sizes) / 2
    return int((~apart.any(axis=2)).sum() - len(centres)) // 2


@SHAPES
def test_every_published_network_is_named_and_no_name_covers_another(shape: figures.Shape) -> None:
    figure = networks_figure(published_series(), shape)
    texts = labels_of(figure)
    assert len(texts) == len({text.get_text() for text in texts}) == 24
    centres, sizes = boxes_of(texts)
    assert overlapping_pairs(centres, sizes) == 0
    width, height = figure.get_size_inches() * figure.dpi
    assert ((centres - sizes / 2) >= 0).all()
    assert ((centres + sizes / 2) <= [width, height]).all()


@SHAPES
def test_every_network_of_the_runs_is_named_and_no_name_covers_another(tmp_path: Path, shape: figures.Shape) -> None:
    figure = frontier_figure(gather(make.write(tmp_path, make.grid_records())), shape)
    texts = labels_of(figure)
    assert {text.get_text() for text in texts} == {f"{{3, {c}, {b}}}" for c in (16, 32, 64) for b in (1, 2, 3, 4)}
    assert overlapping_pairs(*boxes_of(texts)) == 0


def test_all_of_the_series_is_drawn_within_what_is_shown(paper_results: Results) -> None:
    series = frontier_series(paper_results)
    assert series.untouched is not None
    figure = networks_figure(series, intervals=True)
    points = [point for point in series.points if not series.looks[point.group].on_page_only]
    drawn = [{tuple(map(float, place)) for place in line.get_xydata()} for line in figure.axes[0].lines]
    assert {(point.x, point.y) for point in points} <= set().union(*drawn)
    for line in series.lines:
        assert any(set(zip(line.x, line.y, strict=True)) <= places for places in drawn), line.name
    bars = {tuple(map(tuple, ends)) for bars in figure.axes[0].collections for ends in bars.get_segments()}
    assert bars == {((p.x, p.y_interval[0]), (p.x, p.y_interval[1])) for p in points if p.y_interval} | {
        ((p.x_interval[0], p.y), (p.x_interval[1], p.y)) for p in points if p.x_interval
    }
    shown = [axes.get_ylim() for axes in figure.axes]
    for end in [series.untouched.value, *(end for point in points for end in point.y_interval or (point.y,))]:
        assert any(low < end < high for low, high in shown)
    dashed = [line for axes in figure.axes for line in axes.lines if set(line.get_ydata()) == {series.untouched.value}]
    assert len(dashed) == len(figure.axes)


def test_networks_below_the_untouched_input_are_hollow(tmp_path: Path) -> None:
    results = gather(make.write(tmp_path, make.grid_records()))
    figure = frontier_figure(results)
    markers = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    hollow = {float(y) for line in markers if line.get_markerfacecolor() == figures.PAPER for y in line.get_ydata()}
    assert hollow == {float(y) for y in results.scored.loc[results.scored["below_untouched"], "ms_ssim"]}
    assert 0 < len(hollow) < len(results.scored)


def test_of_very_many_points_the_frontier_is_named(tmp_path: Path) -> None:
    # Worse the slower it is, so that a few fast ones are the whole frontier.
    slow = ((make.plain(7, channels, 1), 0.9 - channels * 1e-4, 100.0 + channels) for channels in range(1, 100))
    results = make.results_of(tmp_path, *make.measured((make.BASELINE, 0.92, 1000.0), *slow))
    figure = frontier_figure(results)
    named = {text.get_text() for text in labels_of(figure)}
    assert named == set(results.frontier["label"]) == {"{7, 1, 1}", "{3, 64, 4}"}
    assert len(named) < MOST_LABELS


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(40, 260), st.integers(40, 160)), min_size=1, max_size=10, unique=True))
def test_labels_stay_inside_and_apart_wherever_the_points_are(points: list[tuple[int, int]]) -> None:
    where = np.array(points, dtype=float)
    sizes = np.tile([30.0, 8.0], (len(points), 1))
    bounds = np.tile([0.0, 0.0, 300.0, 200.0], (len(points), 1))
    centres, again = (place_labels(where, sizes, bounds, where, 3.0, np.zeros((0, 2))) for _ in "ab")
    assert overlapping_pairs(centres, sizes) == 0
    assert (centres - sizes / 2 >= 0).all()
    assert (centres + sizes / 2 <= [300, 200]).all()
    np.testing.assert_array_equal(centres, again)


def test_every_curve_is_drawn_in_its_familys_panel(tmp_path: Path) -> None:
    results = gather(make.write(tmp_path, make.grid_records()))
    series = curve_series(results, "ms_ssim")
    figure = quality_figure(series)
    drawn = {
        (axes.get_title(loc="left"), tuple(line.get_xdata()), tuple(line.get_ydata()))
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() != "None"
    }
    assert drawn == {(curve.family, tuple(curve.steps), tuple(curve.values)) for curve in series.curves}
    assert {family for family, _, _ in drawn} == {"plain {3, 16, b}", "plain {3, 32, b}", "plain {3, 64, b}"}


def test_an_embedded_figure_has_ids_and_colors_of_its_own() -> None:
    text = figures.embedded_svg(figures.svg(published_figure()), "one", 'a "figure" <of> speed')
    root = ET.fromstring(text)
    assert root.attrib["aria-label"] == 'a "figure" <of> speed'
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("one-") for name in ids)
    links = {value for e in root.iter() for name, value in e.attrib.items() if name.endswith("href")}
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert figures.BLUE not in text
    assert "var(--blue)" in text
    assert "width" not in root.attrib


def test_a_dollar_sign_in_a_name_is_a_dollar_sign(tmp_path: Path) -> None:
    made = [make.trained(make.BASELINE, 0.9, dataset="$\\frac{broken$ & <tag>")]
    figure = frontier_figure(make.results_of(tmp_path, *made))
    ET.fromstring(figures.svg(figure))
