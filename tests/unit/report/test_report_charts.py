"""The page's charts: specifications that plotly.js takes, of all that the series hold."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import record_factory as make

from enhance_sweep.report.figures.curve_series import curve_series, shown_curves
from enhance_sweep.report.figures.frontier_series import frontier_series, networks_series, published_series
from enhance_sweep.report.figures.interactive import Chart, curves_chart, series_chart
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
        for variable in ("ink", "muted", "grid", "paper", "raised", "blue", "vermillion", "green", "purple", "ochre"):
            text = text.replace(f"var(--{variable})", "#123456")
        assert "var(" not in text
        graph_objects.Figure(json.loads(text))


def test_a_chart_has_all_points_and_intervals_of_its_series_and_opens_their_networks(paper_results: Results) -> None:
    series = frontier_series(paper_results)
    chart = series_chart(series)
    drawn = {trace["name"]: trace for trace in chart["data"]}
    for group in series.looks:
        points, trace = [point for point in series.points if point.group == group], drawn[group]
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
    points = series_chart(series)["data"][-1]
    assert (points["type"], len(points["x"])) == ("scattergl", 2101)
    assert "text" not in points
    assert "error_y" not in points
    few = series_chart(replace(series, points=series.points[:50]))["data"][-1]
    assert few["type"] == "scatter"
    assert few["text"] == ["{3, 64, 4}"] + [""] * 49
    assert few["error_y"]["array"] == pytest.approx([0.01] * 50)
