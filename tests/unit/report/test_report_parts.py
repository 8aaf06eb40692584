"""Networks that learned from several data sets: the scores on each, in tables and on the page."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import record_factory as make

from enhance_sweep.records import load_records
from enhance_sweep.report import Results
from enhance_sweep.report.page.page import PAGE, render
from enhance_sweep.report.tables.parts import FILE, parts_csv, parts_shown

NETWORK = make.plain(3, 16, 2)
UNTOUCHED = {"city": {"psnr_db": 15.0, "ms_ssim": 0.7}, "dped": {"psnr_db": 17.5, "ms_ssim": 0.86}}


def mixed(architecture: dict[str, Any], city: float, dped: float, share: float = 0.25, seed: int = 0) -> dict[str, Any]:
    """A network with these MS-SSIMs on two data sets, and PSNRs of twenty times as much."""
    scores = {name: {"psnr_db": 20 * value, "ms_ssim": value} for name, value in (("city", city), ("dped", dped))}
    return make.trained(
        architecture,
        (city + dped) / 2,
        seed=seed,
        dataset="mix-city-dped",
        learned_from={"shares": {"city": share, "dped": 1 - share}},
        scores_by_part=scores,
        untouched_by_part=UNTOUCHED,
    )


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return make.results_of(
        tmp_path / "runs",
        mixed(NETWORK, 0.80, 0.92),
        mixed(NETWORK, 0.82, 0.91, seed=1),
        mixed(make.BASELINE, 0.85, 0.93),
        make.paired(NETWORK, 250.0, 1000.0),
    )


def test_each_data_set_has_its_scores_averaged_over_seeds(results: Results) -> None:
    table = parts_shown(results)
    assert table.groups == [
        ("city", ("PSNR, dB", "MS-SSIM")),
        ("dped", ("PSNR, dB", "MS-SSIM")),
    ]
    shown = {row.name: [cell.text for cell in row.cells] for row in table.rows}
    assert shown["{3, 16, 2}"] == ["16.20", "0.8100", "18.30", "0.9150"]
    assert shown["{3, 64, 4}"] == ["17.00", "0.8500", "18.60", "0.9300"]
    assert table.footer is not None
    assert [cell.text for cell in table.footer.cells] == ["15.00", "0.7000", "17.50", "0.8600"]
    assert table.notes[0] == "Shares of the training crops: city 25%, dped 75%."


def test_the_csv_has_them_unrounded(results: Results) -> None:
    rows = {row["label"]: row for row in csv.DictReader(io.StringIO(parts_csv(results)))}
    assert float(rows["{3, 16, 2}"]["ms_ssim_on_dped"]) == pytest.approx(0.915)
    assert rows["{3, 16, 2}"]["seeds"] == "0 1"


def test_the_report_has_the_table_where_there_are_several(results: Results, tmp_path: Path) -> None:
    files = render(results, pictures=False)
    markdown, page = files["report.md"].decode(), files[PAGE].decode()
    assert FILE in files
    assert "## Each data set apart" in markdown
    assert "city: PSNR, dB | city: MS-SSIM | dped: PSNR, dB" in markdown
    assert "mix-city-dped" in markdown
    assert "<h2>Each data set apart</h2>" in page
    alone = render(make.results_of(tmp_path / "alone", make.trained(NETWORK)), pictures=False)
    assert FILE not in alone
    assert "Each data set apart" not in alone["report.md"].decode() + alone[PAGE].decode()


def test_other_shares_are_another_condition(tmp_path: Path) -> None:
    results = make.results_of(tmp_path / "runs", mixed(NETWORK, 0.8, 0.92), mixed(NETWORK, 0.84, 0.91, share=0.5))
    assert len(results.training_conditions) == 2
    table = parts_shown(results)
    meanings = {one.mark: one.meaning for one in results.training_conditions}
    shown = {row.cells[1].text: meanings[row.tag] for row in table.rows}
    assert "0.25" in shown["0.8000"]
    assert "0.5" in shown["0.8400"]
    assert table.notes[0] == "Networks learned with different shares of the data sets."


def test_load_records_has_a_column_for_each(tmp_path: Path) -> None:
    runs = make.write(tmp_path / "runs", [mixed(NETWORK, 0.8, 0.92), make.trained(make.BASELINE)])
    frame = load_records(runs).set_index("channels")
    assert frame.loc[16, "ms_ssim_on_city"] == 0.8
    assert frame.loc[16, "psnr_db_on_dped"] == pytest.approx(18.4)
    assert frame.loc[16, "untouched_ms_ssim_on_city"] == 0.7
    assert frame["ms_ssim_on_city"].dtype == "float64"
    assert frame.loc[64, "ms_ssim_on_city"] != frame.loc[64, "ms_ssim_on_city"], "not a number: it has no parts"
