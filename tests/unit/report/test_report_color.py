"""Networks whose outputs have too little or too much color: marked wherever they are named."""

from pathlib import Path
from typing import Any

import matplotlib.colors
import pytest
import record_factory as make

from enhance_sweep.report import Results
from enhance_sweep.report.figures.frontier import networks_figure
from enhance_sweep.report.figures.frontier_series import frontier_series
from enhance_sweep.report.figures.interactive import series_chart
from enhance_sweep.report.figures.series import RINGED
from enhance_sweep.report.figures.style import INK
from enhance_sweep.report.page.details import details
from enhance_sweep.report.page.page import PAGE, render
from enhance_sweep.report.results.color import TOO_LITTLE, TOO_MUCH
from enhance_sweep.report.results.color_findings import color_sentences
from enhance_sweep.report.results.findings import findings, headline, tiles
from enhance_sweep.report.tables.challenge import challenge_shown
from enhance_sweep.report.tables.exports import exports_shown
from enhance_sweep.report.tables.networks import frontier_shown, others_shown, published_shown
from enhance_sweep.report.tables.panel import panel_shown

GRAY, SMALL = make.plain(3, 8, 1), make.plain(3, 16, 1)


def results_of(folder: Path, *ratios: float, **panel: float) -> Results:
    """Networks with these chroma ratios, of one block and 1, 2, ... channels."""
    made = [
        make.with_panel(make.trained(make.plain(3, c, 1), 0.9), ratio, **panel) for c, ratio in enumerate(ratios, 1)
    ]
    return make.results_of(folder, *made)


@pytest.fixture(scope="module")
def gray(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The baseline, the paper's pick, and a network that is surely as good by MS-SSIM, faster than both, and gray."""
    made = []
    for architecture, ms_ssim, ratio, latency_ms in (
        (make.BASELINE, 0.9200, 0.95, 1000.0),
        (make.PROPOSED, 0.9230, 1.0, 250.0),
        (GRAY, 0.9240, 0.05, 100.0),
    ):
        made.append(make.with_panel(make.trained(architecture, ms_ssim), ratio))
        made.append(make.paired(architecture, latency_ms, 1000.0))
    made += [make.exported(made[4], "onnx", "int8", 1.5, 0.0), make.challenge(GRAY, 0.4)]
    return make.results_of(tmp_path_factory.mktemp("runs"), *made, spread=make.SPREAD)


# --- the verdict ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "fault"),
    [
        *[(0.0, TOO_LITTLE), (0.7999, TOO_LITTLE), (0.8, ""), (0.8001, "")],
        *[(1.2499, ""), (1.25, ""), (1.2501, TOO_MUCH), (9.0, TOO_MUCH)],
    ],
)
def test_the_limits_themselves_are_no_fault(tmp_path: Path, ratio: float, fault: str) -> None:
    # A target chroma of which these ratios are exact.
    made = make.with_panel(make.trained(SMALL, 0.9), target_chroma=1.0, chroma=ratio)
    assert make.results_of(tmp_path, made).variants["color_fault"].tolist() == [fault]


def test_a_network_without_a_chroma_ratio_has_no_fault(tmp_path: Path) -> None:
    made = [make.trained(SMALL, 0.9), make.with_panel(make.trained(GRAY, 0.9), 0.1), make.timed(make.BASELINE, 9.0)]
    faults = make.results_of(tmp_path, *made).variants.set_index("label")["color_fault"]
    assert faults.to_dict() == {"{3, 16, 1}": "", "{3, 8, 1}": TOO_LITTLE, "{3, 64, 4}": ""}


@pytest.mark.parametrize(
    ("panel", "which"),
    [({"target_chroma": 0.009}, "targets"), ({"target_chroma": 0.0, "chroma": 0.001}, "targets"), ({}, "inputs")],
    ids=["nearly gray targets", "gray targets", "gray inputs"],
)
def test_gray_images_give_no_verdict_and_the_report_says_so(
    tmp_path: Path, panel: dict[str, float], which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "UNTOUCHED_RATIO", 0.1 if which == "inputs" else 1.0)
    results = results_of(tmp_path, 0.1, 3.0, **panel)
    assert set(results.variants["color_fault"]) == {""}
    (sentence,) = color_sentences(results)
    assert sentence == f"The {which} are gray, so whether the networks keep color is not judged."
    assert f"The {which} are gray, so no chroma ratio is judged." in panel_shown(results).notes[0]
    assert TOO_LITTLE not in render(results, pictures=False)["report.md"].decode()


# --- what is said -----------------------------------------------------------------------------------------------------


def test_the_first_lines_name_the_networks_the_worst_first(tmp_path: Path) -> None:
    results = results_of(tmp_path, 0.62, 0.31, 0.9, 1.4, 0.5)
    assert color_sentences(results) == [
        "3 of 5 networks have too little color (chroma ratio 0.31 to 0.62; the untouched input: 0.69): "
        "{3, 2, 1}, {3, 5, 1}, {3, 1, 1}.",
        "1 of 5 networks has too much color (chroma ratio 1.40; the untouched input: 0.69): {3, 4, 1}.",
    ]
    assert findings(results)[:2] == color_sentences(results)


def test_very_many_are_counted(tmp_path: Path) -> None:
    (sentence,) = color_sentences(results_of(tmp_path, *[0.5] * 20))
    assert sentence.count("{") == 12
    assert sentence.endswith(" and 8 more.")


def test_where_all_keep_color_that_is_said_and_where_none_was_scored_nothing(tmp_path: Path) -> None:
    (sentence,) = color_sentences(results_of(tmp_path / "all", 0.84, 0.9))
    assert sentence.startswith("All 2 networks keep the color of the targets: chroma ratio 0.84 to 0.90, within 0.8 to")
    assert color_sentences(make.results_of(tmp_path / "none", make.trained(SMALL, 0.9))) == []


def test_the_recommendation_says_that_the_network_is_gray(gray: Results) -> None:
    assert headline(gray).startswith("{3, 8, 1} is 10.0")
    assert headline(gray).endswith("But its outputs have too little color: their chroma ratio is 0.05.")
    notes = {one["title"]: one["note"] for one in tiles(gray)}
    for title in ("Best quality", "Fastest that beats the baseline"):
        assert "too little color (chroma ratio 0.05)" in notes[title]
    assert findings(gray)[0].startswith("1 of 3 networks has too little color (chroma ratio 0.05; ")
    assert "its speed, MS-SSIM +0.0040" in " ".join(findings(gray))


def test_without_a_sure_finding_the_tile_of_the_fastest_says_it_too(tmp_path: Path) -> None:
    made = [make.with_panel(make.trained(GRAY, 0.93), 0.2), make.with_panel(make.trained(make.BASELINE, 0.92))]
    made += [make.timed(GRAY, 100.0), make.timed(make.BASELINE, 1000.0)]
    note = tiles(make.results_of(tmp_path, *made))[1]["note"]
    assert note == "{3, 8, 1}, MS-SSIM +0.0100 against {3, 64, 4}, too little color (chroma ratio 0.20)"


def test_every_table_marks_it_and_no_other(gray: Results) -> None:
    rows = [row for table in (frontier_shown(gray), others_shown(gray), panel_shown(gray)) for row in table.rows]
    rows += [*exports_shown(gray).rows, *challenge_shown(gray).rows, *published_shown(gray, 1).rows]
    marked = {row.name for row in rows if "too little color: 0.05" in row.tag}
    assert marked == {"{3, 8, 1}"}
    assert all("color: 0.05" in row.tag for row in rows if row.name == "{3, 8, 1}")
    assert sum(row.name == "{3, 8, 1}" for row in rows) == 5


def test_one_of_the_papers_networks_is_marked_in_its_table(tmp_path: Path) -> None:
    results = make.results_of(tmp_path, make.with_panel(make.trained(make.PROPOSED, 0.9), 1.5))
    (tag,) = (row.tag for row in published_shown(results, 2).rows if row.name == "{3-4, 16}")
    assert tag == "the paper's pick, too much color: 1.50"


def test_the_page_tells_it_where_a_network_opens(gray: Results) -> None:
    (facts,) = (dict(one["facts"]) for one in details(gray).values() if one["label"] == "{3, 8, 1}")
    assert facts["Chroma ratio"] == "0.05, too little color"
    assert facts["VSI"] == "0.95780"


# --- what is drawn ----------------------------------------------------------------------------------------------------


def rings_of(chart: dict[str, Any]) -> list[tuple[float, float]]:
    return [place for one in chart["data"] if one["name"] == RINGED for place in zip(one["x"], one["y"], strict=True)]


def test_both_figures_ring_it_name_the_ring_and_tell_the_pointer(gray: Results) -> None:
    series = frontier_series(gray)
    (point,) = (point for point in series.points if point.ringed)
    assert (point.label, point.hover[-1]) == ("{3, 8, 1}", "too little color: 0.05 of the targets'")
    assert rings_of(series_chart(series)) == [(point.x, point.y)]
    figure = networks_figure(series)
    ink = matplotlib.colors.to_rgba(INK)
    rings = [
        tuple(map(float, place))
        for line in figure.axes[0].lines
        if line.get_markerfacecolor() == "none" and matplotlib.colors.to_rgba(line.get_markeredgecolor()) == ink
        for place in line.get_xydata()
    ]
    assert rings == [(point.x, point.y)]
    assert RINGED in [text.get_text() for text in figure.legends[0].texts]
    assert "Ringed: the outputs have too little or too much color." in render(gray, pictures=False)[PAGE].decode()


def test_without_a_fault_nothing_is_ringed(tmp_path: Path) -> None:
    results = results_of(tmp_path, 0.9, 1.0)
    series = frontier_series(results)
    assert rings_of(series_chart(series)) == []
    assert RINGED not in [text.get_text() for text in networks_figure(series).legends[0].texts]
    assert "Ringed" not in render(results, pictures=False)[PAGE].decode()
