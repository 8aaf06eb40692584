"""The tables' figures against figures computed another way."""

import csv
import io
import math
from pathlib import Path

import pytest
import record_factory as make

from enhance_sweep.paper import published_table
from enhance_sweep.report import gather, labels
from enhance_sweep.report.tables import networks as tables


def rows_of(text: str) -> dict[str, dict[str, str]]:
    return {row["network"]: row for row in csv.DictReader(io.StringIO(text))}


@pytest.mark.parametrize(("table", "count"), [(1, 17), (2, 7)])
def test_a_published_table_stands_whole_without_any_record_of_it(tmp_path: Path, table: int, count: int) -> None:
    results = gather(make.write(tmp_path, [make.trained(make.plain(3, 24, 2), 0.9)]))
    rows = rows_of(tables.published_csv(results, table))
    assert len(rows) == count
    for row, paper in zip(rows.values(), published_table(table).itertuples(), strict=True):
        assert float(row["paper_time_s"]) == paper.time_s
        assert float(row["paper_ms_ssim"]) == paper.ms_ssim
        assert row["trained"] == row["timed"] == "no record"
        assert row["ms_ssim"] == row["latency_ms_median"] == row["below_untouched"] == ""
        assert row["kernel_size"] == str(paper.architecture["kernel_size"])
    shown = tables.published_shown(results, table)
    assert len(shown.rows) == count
    ours = [cell for row in shown.rows for cell in row.cells if cell.missing]
    assert {cell.text for cell in ours} == {"no record"}


def test_csv_figures_agree_with_the_records(tmp_path: Path) -> None:
    made = make.paper_records()
    results = gather(make.write(tmp_path, made))
    rows = rows_of(tables.published_csv(results, 1)) | rows_of(tables.published_csv(results, 2))
    everything = rows_of(tables.variants_csv(results))
    assert rows.keys() == everything.keys()
    baseline_ms = next(
        r["latency_ms_median"] for r in made if r["kind"] == "timed" and r["architecture"] == make.BASELINE
    )
    for record in made:
        label = labels.network_label(record["architecture"])
        for row in (rows[label], everything[label]):
            if record["kind"] == "timed":
                assert float(row["latency_ms_median"]) == pytest.approx(record["latency_ms_median"])
                assert float(row["speed_up"]) == pytest.approx(baseline_ms / record["latency_ms_median"])
                assert float(row["peak_rss_mib"]) == pytest.approx(record["peak_rss_mib"])
                assert int(row["macs"]) == record["description"]["macs"]
            else:
                assert float(row["ms_ssim"]) == record["scores"]["ms_ssim"]
                gain = record["scores"]["psnr_db"] - record["untouched"]["psnr_db"]
                assert float(row["gain_psnr_db"]) == pytest.approx(gain)
                assert row["steps"] == "1200"
    for row in rows.values():
        assert float(row["paper_speed_up"]) == pytest.approx(25.155 / float(row["paper_time_s"]))


def test_a_cell_says_why_it_is_empty(tmp_path: Path) -> None:
    runs = make.write(
        tmp_path,
        [
            make.trained(make.plain(3, 16, 1), 0.9),
            make.failed(make.plain(3, 16, 2), "NaN"),
            make.running(make.plain(3, 16, 3)),
            make.trained(make.plain(3, 16, 4), None, None),
            make.timed(make.plain(3, 32, 2), 500.0),
            make.timed(make.plain(3, 32, 4), None, status="failed", reason="killed", peak_rss_mib=None),
        ],
    )
    results = gather(runs)
    shown = {row.name: row for row in tables.published_shown(results, 1).rows}
    titles = [f"{g.title} {column}".strip() for g in tables.published_shown(results, 1).groups for column in g.columns]

    def cell(network: str, title: str) -> str:
        return shown[network].cells[titles.index(title)].text

    assert cell("{3, 16, 1}", "MS-SSIM ours") == "0.9000"
    assert cell("{3, 16, 1}", "Latency, ms ours") == "no record"
    assert cell("{3, 16, 2}", "MS-SSIM ours") == "failed"
    assert cell("{3, 16, 3}", "PSNR, dB ours") == "unfinished"
    assert cell("{3, 16, 4}", "MS-SSIM ours") == "not a number"
    assert cell("{3, 32, 2}", "Latency, ms ours") == "500"
    assert cell("{3, 32, 2}", "Speed-up ours") == "baseline not timed"
    assert cell("{3, 32, 2}", "MS-SSIM ours") == "no record"
    assert cell("{3, 32, 4}", "Latency, ms ours") == "timing failed"
    csv_rows = rows_of(tables.published_csv(results, 1))
    assert [csv_rows[f"{{3, 16, {b}}}"]["trained"] for b in (1, 2, 3)] == ["completed", "failed", "unfinished"]
    assert csv_rows["{3, 32, 4}"]["timed"] == "timing failed"


def test_a_gain_over_an_input_without_a_score_says_so(tmp_path: Path) -> None:
    results = gather(make.write(tmp_path, [make.trained(make.PROPOSED, 0.9, untouched=None)]))
    (row,) = tables.frontier_shown(results).rows
    assert [cell.text for cell in row.cells].count("input not scored") == 2
    assert "not a number" not in [cell.text for cell in row.cells]


def test_only_what_differs_from_the_paper_is_called_different(tmp_path: Path) -> None:
    alike = {"batch_size": 50, "crop_size": 100, "content": "vgg19"}
    made = make.trained(
        make.PROPOSED, 0.92, loss="paper", steps=40_000, learned_from=alike, data={"train_pairs": 160_000}
    )
    assert tables.conditions(gather(make.write(tmp_path / "alike", [made]))) == []
    (line,) = tables.conditions(gather(make.write(tmp_path / "other", [make.trained(make.PROPOSED, 0.92)])))
    for name in ("data: dped-iphone", "steps: 1,200 of 16 crops", "loss: fidelity"):
        assert name in line


def test_a_published_network_trained_in_two_ways_has_two_marked_rows(tmp_path: Path) -> None:
    made = [make.trained(make.PROPOSED, 0.90, steps=75), make.trained(make.PROPOSED, 0.93, steps=1200)]
    results = gather(make.write(tmp_path, [*made, make.trained(make.BASELINE, 0.92, steps=1200)]))
    shown = tables.published_shown(results, 2)
    assert len(shown.rows) == 8
    twice = [row for row in shown.rows if row.name == "{3-4, 16}"]
    assert shown.groups[-1].title == "Trained as"
    assert [row.cells[-1].text for row in twice] == ["A", "B"]


def test_spans_cover_every_column_once(tmp_path: Path) -> None:
    results = gather(make.write(tmp_path, make.paper_records()[:9]))
    for table in (*(tables.published_shown(results, n) for n in (1, 2)), tables.frontier_shown(results)):
        columns = sum(len(group.columns) for group in table.groups)
        for row in table.rows:
            assert len(row.cells) == columns
            assert sum(span for _, span, _ in table.spans(row)) == columns


def test_very_many_variants_are_cut_on_the_page_and_whole_in_the_csv(tmp_path: Path) -> None:
    made = [make.trained(make.plain(3, c, b), 0.8 + c * 1e-3 + b * 1e-4) for c in range(201, 261) for b in range(1, 6)]
    results = gather(make.write(tmp_path, made))
    shown = tables.others_shown(results)
    assert len(shown.rows) == tables.MOST_ROWS
    assert shown.left_out == 300 - tables.MOST_ROWS
    assert len(rows_of(tables.variants_csv(results))) == 300
    best = max(made, key=lambda record: record["scores"]["ms_ssim"])
    assert labels.network_label(best["architecture"]) in {row.name for row in shown.rows}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (labels.significant(12345.6), "12,346"),
        (labels.significant(0.012345), "0.0123"),
        (labels.significant(0.0), "0"),
        (labels.signed(-0.00001, 4), "0.0000"),
        (labels.signed(-1.5, 2), "\N{MINUS SIGN}1.50"),
        (labels.signed(1234.5, 1), "+1,234.5"),
        (labels.speed_up_text(6.3135), f"6.31{labels.TIMES}"),
        (labels.speed_up_text(12.34), f"12.3{labels.TIMES}"),
        (labels.spreadsheet_letters(0), "A"),
        (labels.spreadsheet_letters(27), "AB"),
        (labels.plural(1, "network"), "1 network"),
        (labels.plural(1200, "network"), "1,200 networks"),
    ],
)
def test_numbers_as_a_reader_wants_them(text: str, expected: str) -> None:
    assert text == expected


def test_what_is_no_number_is_not_shown_as_one() -> None:
    assert [labels.is_number(value) for value in (1, 1.5, math.nan, math.inf, None, "1", True)] == [True, True] + [
        False
    ] * 5
