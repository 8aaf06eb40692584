"""What the figures show is what the records hold."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import record_factory as make

from enhance_sweep.report.figures.curve_series import curve_series
from enhance_sweep.report.figures.frontier_series import frontier_series, published_series
from enhance_sweep.report.figures.series import LOOKS, Axis, Point, Series, looks_of, named_points, short_name
from enhance_sweep.report.figures.style import COLORS, MARKERS
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


def test_with_roofs_the_figure_of_times_is_a_roofline(tmp_path: Path) -> None:
    # 200 GFLOP/s and 20 GB/s meet at ten operations a byte.
    rates = {"fp32_gflops": 200.0, "bf16_gflops": 400.0, "copy_gb_per_s": 20.0}
    roof = {"ms": 6.0, "arithmetic_ms": 5.0, "traffic_ms": 2.0}
    networks = [make.plain(3, channels, 1) for channels in (8, 12, 16, 24, 32, 48)]
    timings = [make.paired(one, 10.0, 5000.0, arithmetic_limit=rates, roof=roof) for one in networks]
    curves = [
        make.paired(make.plain(3, 4, 1), 10.0, 5000.0, arithmetic_limit=rates, roof=roof | {"arithmetic_ms": 0.01})
    ]
    series = time_series(make.results_of(tmp_path, *timings, *curves))
    assert series is not None
    assert {(point.x, point.y) for point in series.points} == {(25.0, 100.0)}, "5 ms at 200 over 2 ms at 20, in 10 ms"
    assert len(series.points) == 6, "without the one of too few operations"
    assert series.points[0].hover == ("10.0 ms, 1.67 times its roof",)
    memory, arithmetic = series.lines
    assert (memory.x[1], memory.y[1]) == (arithmetic.x[0], arithmetic.y[0]) == (10.0, 200.0)
    assert memory.y[0] / memory.x[0] == pytest.approx(20.0)


def test_without_anything_to_show_there_is_no_series(tmp_path: Path) -> None:
    results = make.results_of(tmp_path, make.timed(make.PROPOSED, 100.0))
    found = [frontier_series(results), time_series(results), paper_time_series(results)]
    assert [*found, *(curve_series(results, measure) for measure in ("ms_ssim", "psnr_db", "loss"))] == [None] * 6


FAMILIES = ["plain", "strided", "shuffled", "coefficients", "separable", "unet", "tone", "srcnn"]


def test_each_topology_has_a_look_of_its_own_whatever_stands_beside_it() -> None:
    others = [f"family {number}" for number in range(12)]
    looks = looks_of([*others, *reversed(FAMILIES)])
    assert list(looks) == [*FAMILIES, *sorted(others)], "in the order of the legend"
    assert len({(look.color, look.marker) for look in looks.values()}) == len(looks)
    own = [looks[name] for name in [*FAMILIES, "family 0"]]
    assert len({look.color for look in own}) == len({look.marker for look in own}) == len(own)
    for name in FAMILIES:
        assert looks_of([name]) == {name: looks[name]}


def test_both_renderers_know_every_color_and_marker() -> None:
    css = resources.files("enhance_sweep.report").joinpath("templates", "page.css").read_text()
    for look in LOOKS:
        assert look.marker in MARKERS
        assert css.count(f"--{look.color}: {COLORS[look.color]};") == 2, "on the screen and in print"
        assert css.count(f"--{look.color}: ") == 3, "and in dark mode"


#: Machado, Oliveira and Fernandes 2009: what linear RGB looks like without one kind of cone.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_color_blind_readers_can_tell_families_apart_and_all_read_their_names(blindness: str) -> None:
    linear = np.array([_linear(COLORS[look.color]) for look in LOOKS])
    seen = np.clip(linear @ np.array(BLINDNESS[blindness]).T, 0, 1)
    lab = np.array([_lab(color) for color in seen])
    apart = np.linalg.norm(lab[:, None] - lab, axis=2)[np.triu_indices(len(lab), 1)]
    # One can just see a difference of 2.3; markers differ too.
    assert apart.min() > 10, apart.min()
    luminance = seen @ [0.2126, 0.7152, 0.0722]
    assert (1.05 / (luminance + 0.05)).min() > 3, "names on white paper"


def _linear(color: str) -> list[float]:
    values = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]


def _lab(linear: np.ndarray) -> list[float]:
    """CIELAB under D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = (np.array(to_xyz) @ linear) / [0.9505, 1.0, 1.089]
    f = [value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in (x, y, z)]
    return [116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]


def test_of_many_the_best_of_each_stretch_is_named() -> None:
    axis, upward = Axis("speed"), Axis("quality", log=False)
    points = [
        Point(float(2**at), 1 - at / 100, "plain", f"{{{at}}}", stands_out=at % 2 == 0, rank=1) for at in range(40)
    ]
    assert named_points(points, axis, upward, 40, 5) == points, "there is room for all"
    few = named_points(points, axis, upward, 30, 20)
    assert few == [point for point in points if point.stands_out]
    # Twenty of them over 38 doublings: of each fifth of these the best, which is the slowest.
    assert [point.label for point in named_points(points, axis, upward, 30, 5)] == [
        "{0}",
        "{8}",
        "{16}",
        "{24}",
        "{32}",
    ]
    first = replace(points[6], rank=8)
    assert named_points([*points[:6], first, *points[7:]], axis, upward, 30, 5)[0] == first


def test_long_names_are_cut_between_settings() -> None:
    label = "shuffled {3, 16, 2, factor 4, norm instance, gate channel}"
    assert short_name(Point(1.0, 1.0, "shuffled", label)) == "{3, 16, 2, factor 4, …}"
    assert short_name(Point(1.0, 1.0, "srcnn", "SRCNN")) == "SRCNN"
    assert short_name(Point(1.0, 1.0, "plain", "{3, 64, 4} PReLU")) == "{3, 64, 4} PReLU"
