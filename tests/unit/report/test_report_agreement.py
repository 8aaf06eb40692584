"""All scores in a table, and whether the measures agree: orders and picks by hand, what older records show."""

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import record_factory as make

from enhance_sweep.measures import MEASURES
from enhance_sweep.report import Results, gather
from enhance_sweep.report.figures.agreement import agreement_figure
from enhance_sweep.report.labels import MINUS, TIMES
from enhance_sweep.report.page.details import details
from enhance_sweep.report.page.page import PAGE, render
from enhance_sweep.report.results import agreement as module
from enhance_sweep.report.results.agreement import agreement
from enhance_sweep.report.tables.agreement import agreement_csv, agreement_shown
from enhance_sweep.report.tables.networks import variants_csv
from enhance_sweep.report.tables.panel import panel_csv, panel_shown

NEW = ("Every score", "Do the measures agree?", "chroma", "color")


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return gather(make.write(tmp_path_factory.mktemp("runs"), list(make.panel_records()), make.SPREAD))


def trained(architecture: dict[str, Any], ms_ssim: float, **panel: float) -> dict[str, Any]:
    """A network whose PSNR follows its MS-SSIM, as all its other scores do unless they are given."""
    return make.with_panel(make.trained(architecture, ms_ssim, 22 + 100 * (ms_ssim - 0.92)), **panel)


def with_scores(folder: Path, *networks: tuple[float, float, float], spread: float | None = None) -> Results:
    """Networks of 1, 2, ... blocks with these MS-SSIM, MDSI and latencies; the baseline is the first."""
    architectures = [make.BASELINE, *(make.plain(3, 16, blocks) for blocks in range(1, len(networks)))]
    made: list[dict[str, Any]] = []
    for architecture, (ms_ssim, mdsi, latency_ms) in zip(architectures, networks, strict=True):
        made += [trained(architecture, ms_ssim, mdsi=mdsi), make.timed(architecture, latency_ms)]
    return make.results_of(folder, *made, spread=spread)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- older records ----------------------------------------------------------------------------------------------------


def test_of_older_records_nothing_new_is_shown(tmp_path: Path) -> None:
    results = gather(make.write(tmp_path, list(make.whole_records()), make.SPREAD))
    files = render(results, pictures=False)
    assert not {"panel.csv", "agreement.csv"} & files.keys()
    assert agreement(results) is None
    text = files["report.md"].decode() + files[PAGE].decode().partition("<main>")[2].partition("</main>")[0]
    assert [words for words in NEW if words in text] == []
    assert not {"mdsi", "mdsi_error", "gain_mdsi", "chroma_ratio"} & rows_of(files["variants.csv"].decode())[0].keys()


# --- all scores -------------------------------------------------------------------------------------------------------


def test_every_score_is_a_cell_with_its_digits_and_the_best_is_marked(panel: Results) -> None:
    table = panel_shown(panel)
    headings = [title for title, _ in table.groups]
    assert headings[:4] == ["MS-SSIM ↑", "PSNR, dB ↑", "CIEDE2000 ↓", "HaarPSI ↑"]
    assert headings[-1] == "Chroma ratio"
    marked = {
        title: [row.name for row in table.rows if "best" in row.cells[place].kind]
        for place, title in enumerate(headings)
    }
    assert marked["CIEDE2000 ↓"] == ["{3-3, 32}"], "the least"
    assert marked["PSNR, dB ↑"] == ["{3, 64, 4}"]
    assert marked["MS-SSIM ↑"] == ["{3, 8, 1}", "{3-3, 32}"]
    (gray,) = (row for row in table.rows if row.name == "{3, 8, 1}")
    assert gray.cells[2].text == f"13.50 ({MINUS}0.60)", "worse than the input, 12.896"
    assert [cell.kind for cell in gray.cells][2] == "worse"
    assert gray.cells[-1].kind == "worse"
    assert gray.cells[6].text == f"0.94000 ({MINUS}0.00526)"
    assert table.footer is not None
    assert table.footer.cells[2].text == "12.90"
    assert table.footer.cells[-1].text == "0.69"


def test_a_network_of_older_code_says_that_it_is_not_scored(tmp_path: Path) -> None:
    results = make.results_of(
        tmp_path, make.with_panel(make.trained(make.PROPOSED, 0.9)), make.trained(make.BASELINE, 0.91)
    )
    cells = {row.name: [cell.text for cell in row.cells] for row in panel_shown(results).rows}
    assert cells["{3, 64, 4}"] == ["0.9100", "22.00", *["not scored"] * 7]
    assert cells["{3-4, 16}"][2] == "9.80"


def test_the_csvs_have_all_scores_unrounded(panel: Results) -> None:
    by_name = {row["network"]: row for row in rows_of(panel_csv(panel))}
    assert float(by_name["Untouched input"]["mdsi"]) == pytest.approx(0.39609)
    assert float(by_name["{3-3, 32}"]["gain_mdsi"]) == pytest.approx(0.39609 - 0.35255), "improvements are above 0"
    assert by_name["{3, 24, 2}"]["color_fault"] == "too much color"
    in_variants = {row["network"]: row for row in rows_of(variants_csv(panel))}
    for name in ("mdsi", "mdsi_error", "gain_mdsi", "chroma_ratio"):
        assert in_variants["{3-3, 32}"][name] == by_name["{3-3, 32}"][name] != ""


# --- do the measures agree? -------------------------------------------------------------------------------------------

#: The baseline is the third by MS-SSIM; the orders by MDSI, where less is better, differ in one pair of ten.
FIVE = (
    (0.920, 0.352, 1000.0),
    (0.930, 0.351, 800.0),
    (0.925, 0.350, 400.0),
    (0.919, 0.3525, 200.0),
    (0.90, 0.37, 100.0),
)


def test_tau_is_of_the_orders_and_less_is_better_is_turned_round(tmp_path: Path) -> None:
    results = with_scores(tmp_path, *FIVE)
    found = agreement(results)
    at = {measure.name: place for place, measure in enumerate(found.measures)}
    assert list(at) == list(MEASURES)
    assert found.tau[at["ms_ssim"], at["mdsi"]] == pytest.approx((9 - 1) / 10)
    assert found.tau[at["ms_ssim"], at["ciede2000"]] == pytest.approx(1)
    assert found.ranked == found.scored == 5
    assert np.isnan(found.low).all(), "no scores of single images"
    pairs = {(row["measure"], row["other"]): row["tau"] for row in rows_of(agreement_csv(results))}
    assert len(pairs) == 28
    assert float(pairs["mdsi", "ms_ssim"]) == pytest.approx(0.8)


def test_each_measure_picks_its_best_and_the_fastest_that_is_as_good_as_the_baseline(tmp_path: Path) -> None:
    results = with_scores(tmp_path, *FIVE)
    picks = {pick.measure.name: pick for pick in agreement(results).picks}
    label = results.variants["label"]
    own, mdsi = picks["ms_ssim"], picks["mdsi"]
    assert (label[own.best], own.behind, label[own.fastest]) == ("{3, 16, 1}", 0.0, "{3, 16, 3}")
    assert label[mdsi.best] == "{3, 16, 2}", "the least"
    assert mdsi.behind == pytest.approx(0.925 - 0.930)
    assert label[mdsi.fastest] == "{3, 16, 3}", "worse than the baseline by 0.0005; the margin is 0.001"
    shown = {row.name: [cell.text for cell in row.cells] for row in agreement_shown(results).rows}
    assert shown["MS-SSIM"] == ["—", "{3, 16, 1}", "0.0000", f"{{3, 16, 3}} (5.00{TIMES})"]
    assert shown["MDSI"] == ["0.80", "{3, 16, 2}", f"{MINUS}0.0050", f"{{3, 16, 3}} (5.00{TIMES})"]


def test_worse_by_the_margin_is_not_as_good_and_a_flagged_network_is_passed_over(tmp_path: Path) -> None:
    worse = with_scores(tmp_path / "worse", *FIVE[:3], (0.919, 0.3531, 200.0), FIVE[4])
    picks = {pick.measure.name: pick for pick in agreement(worse).picks}
    assert worse.variants["label"][picks["mdsi"].fastest] == "{3, 16, 2}"
    flags = {"flags": ["2 of 9 rounds were disturbed"]}
    made = [trained(make.plain(3, 16, b), 0.93 + b / 1000) for b in range(1, 5)]
    made += [make.timed(make.plain(3, 16, b), 100.0 * b, **(flags if b == 1 else {})) for b in range(1, 5)]
    made += [trained(make.BASELINE, 0.92), make.timed(make.BASELINE, 1000.0)]
    flagged = make.results_of(tmp_path / "flagged", *made)
    assert {flagged.variants["label"][pick.fastest] for pick in agreement(flagged).picks} == {"{3, 16, 2}"}


def test_a_report_that_goes_by_another_measure_compares_the_others_with_that(panel: Results) -> None:
    results = gather(panel.runs, quality="ciede2000")
    shown = agreement_shown(results)
    assert shown.groups[0][0] == "Kendall's tau with CIEDE2000"
    rows = {row.name: [cell.text for cell in row.cells] for row in shown.rows}
    assert rows["CIEDE2000"][2] == "{3-3, 32}"
    assert rows["PSNR"][2:4] == ["{3, 64, 4}", f"{MINUS}0.10"], "8.02 against 7.92"
    header = variants_csv(results).splitlines()[0].split(",")
    assert len(header) == len(set(header))
    assert {"ciede2000", "ciede2000_error", "gain_ciede2000", "mdsi", "chroma_ratio"} <= set(header)
    (facts,) = (dict(one["facts"]) for one in details(results).values() if one["label"] == "{3-3, 32}")
    assert "±" in facts["CIEDE2000"]
    assert facts["MDSI"] == "0.3526"


def test_without_the_baseline_there_is_no_fastest_and_of_three_networks_no_tau(tmp_path: Path) -> None:
    made = [trained(make.plain(3, 16, blocks), 0.9 + blocks / 1000) for blocks in range(1, 5)]
    four = make.results_of(tmp_path / "four", *made)
    assert [pick.fastest for pick in agreement(four).picks] == [None] * 8
    assert [title for title, _ in agreement_shown(four).groups] == ["Kendall's tau with MS-SSIM", "Its best network"]
    three = make.results_of(tmp_path / "three", *made[:3])
    assert agreement(three) is None
    assert agreement_csv(three) == ""
    assert "Do the measures agree?" not in render(three, pictures=False)["report.md"].decode()


def test_the_intervals_hold_what_other_images_show_and_close_networks_have_wide_ones(tmp_path: Path) -> None:
    far = with_scores(tmp_path / "far", *((0.80 + i / 50, 0.40 - i / 50, 100.0) for i in range(6)), spread=1e-3)
    near = with_scores(tmp_path / "near", *((0.90 + i / 1e5, 0.40 - i / 1e5, 100.0) for i in range(6)), spread=1e-3)
    apart, close = agreement(far), agreement(near)
    off = ~np.eye(8, dtype=bool)
    assert (apart.low[off] == 1).all(), "no draw changes the order"
    assert (close.low[off] < 0.9).all()
    for found in (apart, close):
        assert found.resamples == 2000
        assert ((found.low >= -1) & (found.low <= found.high) & (found.high <= 1 + 1e-9)).all()
        np.testing.assert_allclose(np.diag(found.low), 1)
        np.testing.assert_array_equal(found.low, found.low.T)


def test_seeds_widen_the_intervals_and_the_note_says_so(tmp_path: Path) -> None:
    made = [trained(make.plain(3, 16, b), 0.9 + b / 1000) for b in range(1, 6)]
    once = agreement(make.results_of(tmp_path / "once", *made, spread=1e-4))
    made += [make.with_panel(make.trained(make.plain(3, 16, 1), 0.906, seed=1), mdsi=0.362)]
    results = make.results_of(tmp_path / "twice", *made, spread=1e-4)
    twice = agreement(results)
    assert once.low.min() == pytest.approx(1)
    assert twice.low.min() < 0.9
    assert "other test images and seeds" in agreement_shown(results).notes[0]


def test_of_too_many_networks_the_frontier_and_the_published_are_ranked(
    panel: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_RANKED", 9)
    agreement.cache_clear()
    found = agreement(panel)
    assert (found.ranked, found.scored) == (9, 10), "all but {3, 24, 2}"
    assert "the published ones, 9 of 10" in agreement_shown(panel).notes[0]
    agreement.cache_clear()


def test_a_measure_that_tells_no_network_apart_has_no_tau(tmp_path: Path) -> None:
    results = with_scores(tmp_path, *((0.9 + i / 1000, 0.35, 100.0) for i in range(4)))
    found = agreement(results)
    mdsi = list(MEASURES).index("mdsi")
    assert math.isnan(found.tau[mdsi, 0])
    shown = {row.name: row.cells[0].text for row in agreement_shown(results).rows}
    assert shown["MDSI"] == "—"
    assert len(agreement_figure(found).axes[0].texts) == (8 - 1) * (8 - 2) / 2


def test_the_figure_has_each_pairs_tau_and_interval(panel: Results) -> None:
    found = agreement(panel)
    axes = agreement_figure(found).axes[0]
    words = {text.get_text() for text in axes.texts}
    assert len(axes.texts) == 2 * 28
    assert {f"{found.tau[3, 1]:.2f}".replace("-", MINUS), f"{found.low[1, 0]:.2f} to {found.high[1, 0]:.2f}"} <= words
    assert [label.get_text() for label in axes.get_yticklabels()] == [one.label for one in found.measures][1:]


def test_the_report_has_the_tables_the_figure_and_the_files(panel: Results) -> None:
    files = render(panel)
    page, markdown = files[PAGE].decode(), files["report.md"].decode()
    assert {"agreement.png", "agreement.svg", "agreement.csv", "panel.csv"} <= files.keys()
    assert "](agreement.png)" in markdown
    for words in ("<h2>Every score</h2>", "<h2>Do the measures agree?</h2>", 'id="agreement-', 'class="start best"'):
        assert words in page
    assert "**22.62**" in markdown
