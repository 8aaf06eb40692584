"""Exported files in the report: their places beside the networks, their table, and what damaged ones do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import record_factory as make

from enhance_sweep.report import ReportError, Results
from enhance_sweep.report.figures.frontier_series import frontier_series
from enhance_sweep.report.figures.interactive import Chart, series_chart
from enhance_sweep.report.page.page import PAGE, render
from enhance_sweep.report.tables.exports import exports, exports_shown

NETWORK = make.plain(3, 16, 2)


def results_with(runs: Path, *made: dict[str, Any]) -> Results:
    """A baseline of 1,000 ms with 0.92, a network of 250 ms with 0.9, and these."""
    own = make.measured((make.BASELINE, 0.92, 1000.0), (NETWORK, 0.9, 250.0), beside_ms=1000.0)
    return make.results_of(runs, *own, *made)


def frontier_chart(results: Results) -> Chart:
    series = frontier_series(results)
    return series_chart(series)


def of_network(*arguments: Any, **changes: Any) -> dict[str, Any]:
    return make.exported(make.trained(NETWORK, 0.9), *arguments, **changes)


def test_a_file_stands_at_its_networks_place_moved_by_what_it_changes(tmp_path: Path) -> None:
    results = results_with(tmp_path, of_network("openvino", "int8", 2.0, -0.003))
    (one,) = exports(results)
    assert 1 / one.cost == pytest.approx(8.0)
    assert one.ms_ssim == pytest.approx(0.897)
    assert one.on_frontier
    chart = frontier_chart(results)
    (trace,) = [trace for trace in chart["data"] if trace["name"] == "exported, int8"]
    assert trace["x"] == pytest.approx([8.0])
    assert trace["y"] == pytest.approx([0.897])
    assert "openvino int8" in trace["hovertext"][0]
    assert results.variants.loc[trace["customdata"][0], "slug"] == "plain-k3-c16-b2"


def test_a_file_that_is_slower_and_worse_is_not_on_the_frontier(tmp_path: Path) -> None:
    made = [of_network("onnx", "fp16", 0.8, -0.001), of_network("onnx", "int8", 1.2, -0.001)]
    found = {one.record.precision: one.on_frontier for one in exports(results_with(tmp_path, *made))}
    assert found == {"fp16": False, "int8": True}


def test_rounding_errors_put_no_file_on_the_frontier(tmp_path: Path) -> None:
    (one,) = exports(results_with(tmp_path, of_network("openvino", "fp16", 0.9, 0.00001)))
    assert None not in (one.cost, one.ms_ssim)
    assert not one.on_frontier


def test_what_was_not_timed_or_scored_on_other_photographs_has_a_row_and_no_point(tmp_path: Path) -> None:
    elsewhere = of_network("litert", "fp32", 1.5, 0.0)
    elsewhere["scores"] |= {"of_test_pairs": False}
    results = results_with(tmp_path, of_network("onnx", "fp32", None, 0.0), elsewhere)
    assert [None in (one.cost, one.ms_ssim) for one in exports(results)] == [True, True]
    chart = frontier_chart(results)
    assert not [trace for trace in chart["data"] if trace["name"].startswith("exported")]
    assert [row.tag for row in exports_shown(results).rows] == ["other photographs", ""]


def test_files_of_networks_that_the_report_does_not_show_are_left_out(tmp_path: Path) -> None:
    other = make.exported(make.trained(NETWORK, 0.9, dataset="another"), "onnx", "fp32", 1.0, 0.0)
    assert exports(results_with(tmp_path, other)) == []


def test_nothing_in_a_record_becomes_markup(tmp_path: Path) -> None:
    results = results_with(tmp_path, of_network("<b>onnx", "<i>int8", 1.5, -0.002))
    text = render(results, pictures=False)[PAGE].decode()
    assert "&lt;b&gt;onnx" in text
    assert not re.search("<b>onnx|<i>int8", text)


@pytest.mark.parametrize(
    "changes",
    [
        {"bytes": "many"},
        {"scores": None},
        {"scores": {"ms_ssim": 0.9, "intervals": {"ms_ssim_over_eager": {"mean": "0.1"}}}},
        {"samples": {"processes": [{"rounds": 3}]}},
        {"format": 7},
    ],
    ids=lambda changes: json.dumps(changes),
)
def test_a_damaged_record_is_named(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ReportError, match=r"export\.json.*(expected|lacks)"):
        results_with(tmp_path, of_network("onnx", "int8", 1.5, -0.002) | changes)


def test_a_file_is_on_the_frontier_only_if_its_whole_interval_is(tmp_path: Path) -> None:
    def file(times_faster: float, format: str) -> dict[str, Any]:
        made = of_network(format, "fp32", times_faster, 0.0)
        ratios = (0.8, 1.0, 1.2)  # of a process each
        rounds = [[{"latency_ms": 100.0, "baseline_latency_ms": 100.0 * times_faster * r}] * 3 for r in ratios]
        return made | {"samples": {"processes": [{"rounds": some} for some in rounds]}}

    results = results_with(tmp_path, file(1.1, "onnx"), of_network("openvino", "fp16", 0.5, 0.0))
    shown = {one.record.format: one for one in exports(results)}
    assert (shown["onnx"].on_frontier, shown["onnx"].perhaps) == (False, True)
    assert shown["onnx"].place == "perhaps on the frontier"
    assert (shown["openvino"].place, shown["openvino"].perhaps) == ("", False)
    assert "perhaps on the frontier" in str(exports_shown(results).rows[0])
