"""The page's charts: specifications that plotly.js takes, of the figures that the records hold."""

import json
from pathlib import Path
from typing import Any

import pytest
import record_factory as make

from enhance_sweep.report import gather
from enhance_sweep.report.figures import interactive as charts
from enhance_sweep.report.results.gather import Results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    made = make.paper_records(careful=True)
    made += [make.trained(make.PROPOSED, 0.9233 + 0.001 * seed, 22.5, seed=seed) for seed in (1, 2)]
    runs = make.write(tmp_path_factory.mktemp("runs"), made)
    for record in made:
        if record["kind"] == "trained":
            make.write_scores(runs, record)
            rows = "".join(f"{step},{100 / step}\n" for step in range(10, 1210, 10))
            (runs / "trained" / record["key"] / "losses.csv").write_text("step,total\n" + rows)
    return gather(runs)


def all_charts(results: Results) -> dict[str, charts.Chart | None]:
    found: dict[str, charts.Chart | None] = {
        measure: charts.curves_chart(results, measure) for measure in charts.MEASURES
    }
    found |= {"frontier": charts.frontier_chart(results), "published": charts.published_chart()}
    return found | {"time": charts.time_chart(results), "paper": charts.paper_times_chart(results)}


def test_plotly_knows_every_word_of_every_chart(results: Results) -> None:
    graph_objects = pytest.importorskip("plotly.graph_objects")
    for name, chart in all_charts(results).items():
        assert chart is not None, name
        text = json.dumps({"data": chart["data"], "layout": chart["layout"]}, allow_nan=False)
        # Colors are the page's variables until its script puts them in.
        for variable in ("ink", "muted", "grid", "paper", "raised", "blue", "vermillion", "green", "purple", "ochre"):
            text = text.replace(f"var(--{variable})", "#123456")
        assert "var(" not in text
        graph_objects.Figure(json.loads(text))


def by_row(chart: charts.Chart) -> dict[int, tuple[float, float]]:
    traces: list[Any] = [trace for trace in chart["data"] if trace["name"] in ("plain", "strided")]
    return {
        row: (x, y) for trace in traces for row, x, y in zip(trace["customdata"], trace["x"], trace["y"], strict=True)
    }


def test_points_stand_where_the_records_say_and_open_their_rows(results: Results) -> None:
    chart = charts.frontier_chart(results)
    assert chart is not None
    points = by_row(chart)
    assert set(points) == set(results.scored.index)
    for row, (x, y) in points.items():
        variant = results.variants.loc[row]
        assert (x, y) == pytest.approx((variant["speed_up"], variant["ms_ssim"]))
    low, high = chart["layout"]["yaxis"]["range"]
    assert low < min(y for _, y in points.values()) < max(y for _, y in points.values()) < high


def test_bars_are_the_intervals(results: Results) -> None:
    chart = charts.frontier_chart(results)
    assert chart is not None
    trace = next(trace for trace in chart["data"] if trace["name"] == "strided")
    for place, row in enumerate(trace["customdata"]):
        variant = results.variants.loc[row]
        for side in ("array", "arrayminus"):
            assert trace["error_y"][side][place] == pytest.approx(variant["ms_ssim_error"])
        assert trace["x"][place] + trace["error_x"]["array"][place] == pytest.approx(variant["speed_up_high"])
        assert trace["x"][place] - trace["error_x"]["arrayminus"][place] == pytest.approx(variant["speed_up_low"])


def test_words_of_neighbouring_lines_stand_beside_each_other(tmp_path: Path) -> None:
    sample = gather(make.write(tmp_path, [make.trained(make.PROPOSED, fingerprint="682bf097303d8781436f08b3063f9a01")]))
    chart = charts.curves_chart(sample, "psnr_db")
    assert chart is not None
    places = {words["text"].rsplit(" ", 1)[0]: words["x"] for words in chart["layout"]["annotations"]}
    close = [places[name] for name in ("PPCN student", "published {3, 64, 4}", "published {3, 32, 2}")]
    assert len(set(close)) == 3, "22.95, 23.06 and 23.17 dB"
    assert places["untouched input"] == 1


def test_single_seeds_stand_at_their_networks_speed(results: Results) -> None:
    chart = charts.frontier_chart(results)
    assert chart is not None
    seeds = next(trace for trace in chart["data"] if trace["name"] == "single seeds")
    assert seeds["y"] == pytest.approx([0.9233, 0.9243, 0.9253])
    pick = results.variants[results.variants["slug"] == "strided-k3-s4-c16-b2"].iloc[0]
    assert seeds["x"] == pytest.approx([pick["speed_up"]] * 3)
    assert pick["ms_ssim"] == pytest.approx(0.9243)


def test_the_frontier_line_goes_through_the_frontiers_networks(results: Results) -> None:
    chart = charts.frontier_chart(results)
    assert chart is not None
    line = next(trace for trace in chart["data"] if trace["name"] == "frontier")
    corners = set(zip(line["x"], line["y"], strict=True))
    for variant in results.frontier.itertuples():
        assert any((x, y) == pytest.approx((variant.speed_up, variant.ms_ssim)) for x, y in corners)


def test_curves_are_the_records_and_losses_are_averaged(results: Results) -> None:
    quality, loss = charts.curves_chart(results, "ms_ssim"), charts.curves_chart(results, "loss")
    assert quality is not None
    assert loss is not None
    record = results.trained[0]
    row = results.row_of[0]
    line = next(trace for trace in quality["data"] if trace["customdata"][0] == row)
    assert line["y"] == pytest.approx([noted["ms_ssim"] for noted in record["quality"]])
    assert quality["layout"]["xaxis"]["tickvals"] == [75, 150, 300, 600, 1200]
    smooth = loss["data"][0]
    assert len(smooth["x"]) == 60
    assert (smooth["x"][0], smooth["y"][0]) == (15, pytest.approx((10 + 5) / 2))


def test_thousands_of_points_are_drawn_by_webgl_without_names_and_bars(tmp_path: Path) -> None:
    made = [make.trained(make.plain(3, channels, 1), 0.9, quality=[]) for channels in range(1, 2102)]
    chart = charts.frontier_chart(gather(make.write(tmp_path, made)))
    assert chart is not None
    points = chart["data"][-1]
    assert (points["type"], len(points["x"])) == ("scattergl", 2101)
    assert "text" not in points
    assert "error_y" not in points


def test_without_anything_to_show_there_is_no_chart(tmp_path: Path) -> None:
    results = gather(make.write(tmp_path, [make.timed(make.PROPOSED, 100.0)]))
    found = all_charts(results)
    assert found.pop("published") is not None
    assert set(found.values()) == {None}
