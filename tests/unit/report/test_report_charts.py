"""The page's charts: specifications that plotly.js takes, of all that the series hold."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import record_factory as make

from enhance_sweep.report.figures import interactive as charts
from enhance_sweep.report.figures.frontier_series import frontier_series, networks_series
from enhance_sweep.report.results.gather import Results


def test_plotly_knows_every_word_of_every_chart(paper_results: Results) -> None:
    graph_objects = pytest.importorskip("plotly.graph_objects")
    found = {measure: charts.curves_chart(paper_results, measure) for measure in charts.MEASURES}
    found |= {"frontier": charts.frontier_chart(paper_results), "published": charts.published_chart()}
    found |= {"time": charts.time_chart(paper_results), "paper": charts.paper_times_chart(paper_results)}
    for name, chart in found.items():
        assert chart is not None, name
        text = json.dumps({"data": chart["data"], "layout": chart["layout"]}, allow_nan=False)
        # Colors are the page's variables until its script puts them in.
        for variable in ("ink", "muted", "grid", "paper", "raised", "blue", "vermillion", "green", "purple", "ochre"):
            text = text.replace(f"var(--{variable})", "#123456")
        assert "var(" not in text
        graph_objects.Figure(json.loads(text))


def test_a_chart_has_all_points_and_intervals_of_its_series_and_opens_their_networks(paper_results: Results) -> None:
    chart, series = charts.frontier_chart(paper_results), frontier_series(paper_results)
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
    chart = charts.curves_chart(paper_results, "ms_ssim")
    assert chart["layout"]["xaxis"]["tickvals"] == [75, 150, 300, 600, 1200]


def test_names_of_neighbouring_lines_stand_beside_each_other(tmp_path: Path) -> None:
    sample = make.results_of(tmp_path, make.trained(make.PROPOSED, fingerprint="682bf097303d8781436f08b3063f9a01"))
    chart = charts.curves_chart(sample, "psnr_db")
    places = {words["text"].rsplit(" ", 1)[0]: words["x"] for words in chart["layout"]["annotations"]}
    close = [places[name] for name in ("PPCN student", "published {3, 64, 4}", "published {3, 32, 2}")]
    assert len(set(close)) == 3, "22.95, 23.06 and 23.17 dB"
    assert places["untouched input"] == 1


def test_thousands_of_points_are_drawn_by_webgl_without_names_and_intervals() -> None:
    same = {"ms_ssim": 0.9, "ms_ssim_error": 0.01, "topology": "plain", "label": "{3, 64, 4}", "below_untouched": False}
    networks = pd.DataFrame({"cost": np.arange(1.0, 2102.0)}).assign(**same).assign(on_frontier=lambda f: f.index == 0)
    series = networks_series(networks, "latency_ms", "")
    points = charts.series_chart(series)["data"][-1]
    assert (points["type"], len(points["x"])) == ("scattergl", 2101)
    assert "text" not in points
    assert "error_y" not in points
    few = charts.series_chart(replace(series, points=series.points[:50]))["data"][-1]
    assert few["type"] == "scatter"
    assert few["text"] == ["{3, 64, 4}"] + [""] * 49
    assert few["error_y"]["array"] == pytest.approx([0.01] * 50)
