"""What the figures show is what the records hold."""

from pathlib import Path

import pytest
import record_factory as make

from enhance_sweep.report.figures.curve_series import curve_series
from enhance_sweep.report.figures.frontier_series import frontier_series, published_series
from enhance_sweep.report.figures.series import Point, Series, looks_of
from enhance_sweep.report.figures.time_series import paper_time_series, time_series
from enhance_sweep.report.results.gather import Results


@pytest.fixture(scope="module")
def frontier(paper_results: Results) -> Series:
    return frontier_series(paper_results)


def by_row(series: Series) -> dict[int, Point]:
    shown = [point for point in series.points if not series.looks[point.group].on_page_only]
    return {point.row: point for point in shown if point.row is not None}


def test_points_and_intervals_are_the_records(paper_results: Results, frontier: Series) -> None:
    points = by_row(frontier)
    assert set(points) == set(paper_results.scored.index)
    for row, point in points.items():
        variant = paper_results.variants.loc[row]
        score, error = variant["ms_ssim"], variant["ms_ssim_error"]
        assert (point.x, point.y, point.group) == (pytest.approx(variant["speed_up"]), score, variant["topology"])
        assert point.x_interval == pytest.approx((variant["speed_up_low"], variant["speed_up_high"]))
        assert point.y_interval == pytest.approx((score - error, score + error))
        assert point.hover[0] == f"MS-SSIM {score:.4f} ± {error:.4f}"
        assert point.hollow == variant["below_untouched"]


def test_single_seeds_stand_at_their_networks_speed_and_open_it(paper_results: Results, frontier: Series) -> None:
    seeds = [point for point in frontier.points if point.group == "single seeds"]
    assert [point.y for point in seeds] == pytest.approx([0.9233, 0.9243, 0.9253])
    pick = paper_results.variants[paper_results.variants["slug"] == "strided-k3-s4-c16-b2"].iloc[0]
    assert [point.x for point in seeds] == pytest.approx([pick["speed_up"]] * 3)
    assert {point.row for point in seeds} == {pick.name}
    assert pick["ms_ssim"] == pytest.approx(0.9243)


def test_the_frontier_goes_through_its_networks_to_the_slowest(paper_results: Results, frontier: Series) -> None:
    line = next(line for line in frontier.lines if line.name == "frontier")
    corners = list(zip(line.x, line.y, strict=True))
    for variant in paper_results.frontier.itertuples():
        assert any(corner == pytest.approx((variant.speed_up, variant.ms_ssim)) for corner in corners)
    assert corners[-1] == pytest.approx((paper_results.scored["speed_up"].min(), paper_results.scored["ms_ssim"].max()))


def test_baseline_and_pick_are_named_first_and_then_the_frontier(paper_results: Results, frontier: Series) -> None:
    rank = {row: point.rank for row, point in by_row(frontier).items()}
    first = paper_results.scored["slug"].isin(["plain-k3-c64-b4", "strided-k3-s4-c16-b2"])
    on_frontier = paper_results.scored["on_frontier"] & ~first
    assert min(rank[row] for row in paper_results.scored.index[first]) > max(rank[r] for r in rank if not first[r])
    rest = [rank[row] for row in paper_results.scored.index[~first & ~on_frontier]]
    assert min(rank[row] for row in paper_results.scored.index[on_frontier]) > max(rest) > 0


def test_curves_are_the_records_and_losses_are_averaged(paper_results: Results) -> None:
    quality, loss = curve_series(paper_results, "ms_ssim"), curve_series(paper_results, "loss")
    curve = next(curve for curve in quality.curves if curve.row == paper_results.row_of[0])
    assert curve.values == [noted.ms_ssim for noted in paper_results.trained[0].quality]
    assert curve.steps == [75, 150, 300, 600, 1200]
    smooth = loss.curves[0]
    assert len(smooth.steps) == 60
    assert (smooth.steps[0], smooth.values[0]) == (15, pytest.approx((10 + 5) / 2))


def test_the_published_figure_is_the_tables() -> None:
    series = published_series()
    assert len(series.points) == 24
    baseline = next(point for point in series.points if point.label == "{3, 64, 4}")
    assert (baseline.x, baseline.y) == (1.0, 0.9223)


def test_without_anything_to_show_there_is_no_series(tmp_path: Path) -> None:
    results = make.results_of(tmp_path, make.timed(make.PROPOSED, 100.0))
    found = [frontier_series(results), time_series(results), paper_time_series(results)]
    assert [*found, *(curve_series(results, measure) for measure in ("ms_ssim", "psnr_db", "loss"))] == [None] * 6


def test_each_topology_has_a_look_of_its_own() -> None:
    names = ["strided", "plain", *(f"family {number}" for number in range(12))]
    looks = looks_of(names)
    assert list(looks) == names
    assert len({(look.color, look.marker) for look in looks.values()}) == len(names)
    assert looks["plain"] == looks_of(["plain"])["plain"]
