"""The page's charts: specifications that plotly.js takes, of all that the series hold."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import record_factory as make

from enhance_sweep.report import gather
from enhance_sweep.report.figures.curve_series import curve_series, shown_curves
from enhance_sweep.report.figures.frontier_series import frontier_series, networks_series, published_series
from enhance_sweep.report.figures.interactive import Chart, curves_chart, series_chart
from enhance_sweep.report.figures.names import box_of, place_names
from enhance_sweep.report.figures.series import legend_name, short_name
from enhance_sweep.report.figures.style import COLORS
from enhance_sweep.report.figures.time_series import paper_time_series, time_series
from enhance_sweep.report.results.gather import Results


def curves_of(results: Results, measure: str) -> Chart:
    series = curve_series(results, measure)
    return curves_chart(series)


def test_plotly_knows_every_word_of_every_chart(paper_results: Results) -> None:
    graph_objects = pytest.importorskip("plotly.graph_objects")
    found = [curves_of(paper_results, measure) for measure in shown_curves(paper_results).values()]
    for series in (
        frontier_series(paper_results),
        published_series(),
        time_series(paper_results),
        paper_time_series(paper_results),
    ):
        assert series is not None
        found.append(series_chart(series))
    for chart in found:
        text = json.dumps({"data": chart["data"], "layout": chart["layout"]}, allow_nan=False)
        # Colors are the page's variables until its script puts them in.
        for variable in (*COLORS, "raised"):
            text = text.replace(f"var(--{variable})", "#123456")
        assert "var(" not in text
        graph_objects.Figure(json.loads(text))


def test_a_chart_has_all_points_and_intervals_of_its_series_and_opens_their_networks(paper_results: Results) -> None:
    series = frontier_series(paper_results)
    chart = series_chart(series)
    drawn = {trace["name"]: trace for trace in chart["data"]}
    for group in series.looks:
        points, trace = [point for point in series.points if point.group == group], drawn[legend_name(series, group)]
        assert (trace["x"], trace["y"]) == ([point.x for point in points], [point.y for point in points])
        assert trace["customdata"] == [point.row for point in points]
        for (place, point), axis in product(enumerate(points), "xy"):
            value, interval = getattr(point, axis), getattr(point, f"{axis}_interval")
            if interval is not None:
                bars = trace[f"error_{axis}"]
                assert (value - bars["arrayminus"][place], value + bars["array"][place]) == pytest.approx(interval)
    for line in series.lines:
        assert (drawn[line.name]["x"], drawn[line.name]["y"]) == (list(line.x), list(line.y))
    assert chart["opens"]
    low, high = chart["layout"]["yaxis"]["range"]
    assert all(low < end < high for point in series.points for end in point.y_interval or (point.y,))


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A hundred networks of seven families."""
    return gather(make.write(tmp_path_factory.mktemp("families"), make.family_records(), make.SPREAD))


def test_of_many_networks_the_frontier_is_in_front_and_alone_has_names_and_intervals(families: Results) -> None:
    series = frontier_series(families)
    named: set[str] = set()
    in_front = {(point.x, point.y) for point in series.points if point.stands_out}
    for trace in series_chart(series)["data"]:
        if "customdata" not in trace or trace["name"] == "single seeds":
            continue
        drawn = {place in in_front for place in zip(trace["x"], trace["y"], strict=True)}
        assert len(drawn) == 1, "each group is drawn in two parts"
        assert (trace["marker"]["size"], "error_y" in trace) == ((9, True) if drawn == {True} else (6, False))
        named |= set(filter(None, trace.get("text", [])))
    standing_out = {short_name(point) for point in series.points if point.stands_out}
    assert 3 < len(named) <= 14
    assert named <= standing_out
    on_phone = [
        text for trace in series_chart(series)["data"] for text in trace.get("meta", {}).get("text", []) if text
    ]
    assert 0 < len(on_phone) <= 6


def test_each_group_is_once_in_the_legend_in_the_order_of_families(families: Results) -> None:
    series = frontier_series(families)
    traces = [
        trace for trace in series_chart(series)["data"] if "legendrank" in trace and trace.get("showlegend", True)
    ]
    shown = [trace["name"] for trace in sorted(traces, key=lambda trace: trace["legendrank"])]
    assert shown[:3] == ["plain {k, c, b}", "strided {k-s, c}", "shuffled {k, c, b}"]
    assert shown == [legend_name(series, group) for group in series.looks]


def test_names_cover_no_name_and_no_other_marker_and_stay_inside() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        points = [(float(x), float(y)) for x, y in random.uniform((0, 0), (400, 300), (25, 2))]
        names = ["{3, 16, 1}"[: int(random.integers(4, 11))] for _ in points]
        places = place_names(points, names, points, 400.0, 300.0)
        assert places == place_names(points, names, points, 400.0, 300.0)
        placed = [(place, point, name) for place, point, name in zip(places, points, names, strict=True) if place]
        assert len(placed) > 5
        # Pixel by pixel: each belongs to one name, and markers' pixels to none but their own.
        owned: dict[tuple[int, int], int] = {}
        for number, one in enumerate(placed):
            left, top, right, bottom = map(round, box_of(*one))
            assert (left, top) >= (0, 0)
            assert (right, bottom) <= (400, 300)
            for pixel in product(range(left + 1, right), range(top + 1, bottom)):
                assert owned.setdefault(pixel, number) == number
        for x, y in points:
            owner = owned.get((round(x), round(y)))
            assert owner is None or placed[owner][1] == (x, y)
    assert place_names([(10.0, 10.0)], ["a name that is wider than its chart"], [], 60.0, 20.0) == [None]


def test_steps_at_which_quality_was_noted_are_the_ticks(paper_results: Results) -> None:
    chart = curves_of(paper_results, "ms_ssim")
    assert chart["layout"]["xaxis"]["tickvals"] == [75, 150, 300, 600, 1200]


def test_names_of_neighbouring_lines_stand_beside_each_other(tmp_path: Path) -> None:
    sample = make.results_of(tmp_path, make.trained(make.PROPOSED, fingerprint="682bf097303d8781436f08b3063f9a01"))
    chart = curves_of(sample, "psnr_db")
    places = {words["text"].rsplit(" ", 1)[0]: words["x"] for words in chart["layout"]["annotations"]}
    close = [places[name] for name in ("PPCN student", "published {3, 64, 4}", "published {3, 32, 2}")]
    assert len(set(close)) == 3, "22.95, 23.06 and 23.17 dB"
    assert places["untouched input"] == 1


def test_thousands_of_points_are_drawn_by_webgl_without_names_and_intervals() -> None:
    same = {"ms_ssim": 0.9, "ms_ssim_error": 0.01, "topology": "plain", "label": "{3, 64, 4}", "below_untouched": False}
    networks = pd.DataFrame({"cost": np.arange(1.0, 2102.0)}).assign(**same).assign(on_frontier=lambda f: f.index == 0)
    series = networks_series(networks, "latency_ms", "")
    *_, behind, front = series_chart(series)["data"]
    assert [(points["type"], len(points["x"])) for points in (behind, front)] == [("scattergl", 2100), ("scattergl", 1)]
    for points in (behind, front):
        assert "text" not in points
        assert "error_y" not in points
    few = series_chart(replace(series, points=series.points[:50]))["data"][-1]
    assert few["type"] == "scatter"
    assert few["text"] == ["{3, 64, 4}"] + [""] * 49
    assert few["error_y"]["array"] == pytest.approx([0.01] * 50)
