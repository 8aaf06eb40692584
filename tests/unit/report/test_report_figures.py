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

from enhance_sweep.report import gather
from enhance_sweep.report.figures import style as figures
from enhance_sweep.report.figures.frontier import MOST_LABELS, frontier_figure, published_figure
from enhance_sweep.report.figures.placement import overlapping_pairs, place_labels
from enhance_sweep.report.figures.quality import quality_figure

SHAPES = pytest.mark.parametrize("shape", [figures.WIDE, figures.NARROW], ids=["wide", "narrow"])


def labels_of(figure: Figure) -> list[Text]:
    return [text for text in figure.texts if "{" in text.get_text()]


def boxes_of(texts: list[Text]) -> tuple[np.ndarray, np.ndarray]:
    boxes = [text.get_window_extent() for text in texts]
    centres = np.array([((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in boxes])
    return centres, np.array([(box.width, box.height) for box in boxes])


@SHAPES
def test_every_published_network_is_named_and_no_name_covers_another(shape: figures.Shape) -> None:
    figure = published_figure(shape)
    texts = labels_of(figure)
    assert len(texts) == 24
    assert len({text.get_text() for text in texts}) == 24
    centres, sizes = boxes_of(texts)
    assert overlapping_pairs(centres, sizes) == 0
    width, height = figure.get_size_inches() * figure.dpi
    assert ((centres - sizes / 2) >= 0).all()
    assert ((centres + sizes / 2) <= [width, height]).all()


@SHAPES
def test_every_network_of_the_runs_is_named_and_no_name_covers_another(tmp_path: Path, shape: figures.Shape) -> None:
    figure = frontier_figure(gather(make.write(tmp_path, make.grid_records())), shape)
    assert figure is not None
    texts = labels_of(figure)
    assert {text.get_text() for text in texts} == {f"{{3, {c}, {b}}}" for c in (16, 32, 64) for b in (1, 2, 3, 4)}
    assert overlapping_pairs(*boxes_of(texts)) == 0


def test_the_frontier_is_drawn_through_its_networks_and_the_untouched_line_lies_at_its_score(tmp_path: Path) -> None:
    results = gather(make.write(tmp_path, make.paper_records()))
    figure = frontier_figure(results)
    assert figure is not None
    upper = figure.axes[0]
    drawn = [{tuple(point) for point in line.get_xydata()} for line in upper.lines if line.get_linestyle() == "-"]
    front = {(1 / row.cost, row.ms_ssim) for row in results.frontier.itertuples()}
    assert any(front <= points for points in drawn)
    dashed = [
        line for axes in figure.axes for line in axes.lines if set(line.get_ydata()) == {make.UNTOUCHED["ms_ssim"]}
    ]
    assert dashed
    levels = [axes.get_ylim() for axes in figure.axes]
    assert any(low < make.UNTOUCHED["ms_ssim"] < high for low, high in levels), "the line is within what is shown"
    for row in results.scored.itertuples():
        assert any(low < row.ms_ssim < high for low, high in levels), row.label


def test_intervals_are_drawn_whole(tmp_path: Path) -> None:
    made = [*make.paper_records(careful=True), make.trained(make.PROPOSED, 0.9433, seed=1)]
    runs = make.write(tmp_path, made)
    for record in made:
        if record["kind"] == "trained":
            make.write_scores(runs, record)
    results = gather(runs)
    figure = frontier_figure(results, intervals=True)
    assert figure is not None
    levels = [axes.get_ylim() for axes in figure.axes]
    for row in results.scored.itertuples():
        for end in (row.ms_ssim - row.ms_ssim_error, row.ms_ssim + row.ms_ssim_error):
            assert any(low < end < high for low, high in levels), row.label


def test_networks_below_the_untouched_input_are_hollow(tmp_path: Path) -> None:
    results = gather(make.write(tmp_path, make.grid_records()))
    figure = frontier_figure(results)
    assert figure is not None
    hollow = {
        float(y)
        for line in figure.axes[0].lines
        if line.get_linestyle() == "None" and line.get_markerfacecolor() == figures.PAPER
        for y in line.get_ydata()
    }
    assert hollow == {float(y) for y in results.scored.loc[results.scored["below_untouched"], "ms_ssim"]}
    assert 0 < len(hollow) < len(results.scored)


def test_of_very_many_points_the_frontier_is_named(tmp_path: Path) -> None:
    made = [make.timed(make.BASELINE, 1000.0), make.trained(make.BASELINE, 0.92)]
    for channels in range(1, 100):
        # Worse the slower it is, so that a few fast ones are the whole frontier.
        made += [make.trained(make.plain(7, channels, 1), 0.9 - channels * 1e-4)]
        made += [make.timed(make.plain(7, channels, 1), 100.0 + channels)]
    results = gather(make.write(tmp_path, made))
    figure = frontier_figure(results)
    assert figure is not None
    named = {text.get_text() for text in labels_of(figure)}
    assert named == set(results.frontier["label"]) == {"{7, 1, 1}", "{3, 64, 4}"}
    assert len(named) < MOST_LABELS


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(40, 260), st.integers(40, 160)), min_size=1, max_size=10, unique=True))
def test_labels_stay_inside_and_apart_wherever_the_points_are(points: list[tuple[int, int]]) -> None:
    where = np.array(points, dtype=float)
    sizes = np.tile([30.0, 8.0], (len(points), 1))
    bounds = np.tile([0.0, 0.0, 300.0, 200.0], (len(points), 1))
    centres = place_labels(where, sizes, bounds, where, 3.0, np.zeros((0, 2)), margin=1.0)
    assert overlapping_pairs(centres, sizes) == 0
    assert (centres - sizes / 2 >= 0).all()
    assert (centres + sizes / 2 <= [300, 200]).all()
    again = place_labels(where, sizes, bounds, where, 3.0, np.zeros((0, 2)), margin=1.0)
    np.testing.assert_array_equal(centres, again)


def test_overlapping_pairs_are_counted() -> None:
    sizes = np.full((3, 2), 10.0)
    assert overlapping_pairs(np.array([[0.0, 0.0], [9.0, 9.0], [18.0, 0.0]]), sizes) == 2
    assert overlapping_pairs(np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0]]), sizes) == 0


def test_the_curves_are_the_records(tmp_path: Path) -> None:
    made = make.grid_records()
    figure = quality_figure(gather(make.write(tmp_path, made)))
    assert figure is not None
    drawn = {
        (tuple(line.get_xdata()), tuple(line.get_ydata()))
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() != "None"
    }
    expected = {
        (tuple(p["step"] for p in record["quality"]), tuple(p["ms_ssim"] for p in record["quality"]))
        for record in made
        if record["kind"] == "trained"
    }
    assert drawn == expected
    assert [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()] == [
        "plain {3, 16, b}",
        "plain {3, 32, b}",
        "plain {3, 64, b}",
    ]


def test_without_curves_there_is_no_figure_of_them(tmp_path: Path) -> None:
    results = gather(make.write(tmp_path, [make.trained(make.BASELINE, 0.9, quality=[])]))
    assert quality_figure(results) is None
    assert quality_figure(results, "psnr_db") is None


def test_the_same_records_give_the_same_files(tmp_path: Path) -> None:
    runs = make.write(tmp_path, make.grid_records())
    first, second = (frontier_figure(gather(runs)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert figures.svg(first) == figures.svg(second)
    assert figures.png(first) == figures.png(second)
    assert figures.png(first).startswith(b"\x89PNG")


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
    figure = frontier_figure(gather(make.write(tmp_path, made)))
    assert figure is not None
    ET.fromstring(figures.svg(figure))
