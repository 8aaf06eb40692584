"""What timings say by themselves, with nothing trained, or beside what is."""

from pathlib import Path
from typing import Any

import pytest
import record_factory as make

from enhance_sweep.paper import published_networks
from enhance_sweep.report import Results, write_report
from enhance_sweep.report.labels import TIMES
from enhance_sweep.report.results.timings import agreement, fitted, paper_baseline, paper_times, sentences
from enhance_sweep.report.tables.networks import published_shown
from enhance_sweep.report.tables.runtimes import runtimes_shown

OTHER_HOST = {"host": "phone-8c-abcdef"}
results = make.results_of


def pick_of(found: Results) -> tuple[Any, list[str]]:
    """The paper's pick: its variant, and its row of the second table."""
    shown = next(row for row in published_shown(found, 2).rows if "pick" in row.tag)
    return found.variants.set_index("slug").loc["strided-k3-s4-c16-b2"], [cell.text for cell in shown.cells]


def published_timings(factor: float = 0.2, **changes: Any) -> list[dict[str, Any]]:
    rows = published_networks().to_dict("records")
    return [make.paired(dict(r["architecture"]), r["time_s"] * 1e3 * factor, 5000.0, **changes) for r in rows]


def test_a_paired_timing_brings_its_interval_into_the_tables(tmp_path: Path) -> None:
    made = make.measured((make.BASELINE, None, 5000.0), (make.PROPOSED, None, 1000.0), beside_ms=5000.0)
    row, cells = pick_of(results(tmp_path, *made))
    assert row["speed_up"] == pytest.approx(5.0)
    assert 4.974 < row["speed_up_low"] < 5.0 < row["speed_up_high"] < 5.026
    assert cells[5:8] == [f"3.15{TIMES}", f"5.00{TIMES}", "4.97 to 5.02"]


def test_the_baseline_is_1_and_its_interval_says_how_steady_it_was(tmp_path: Path) -> None:
    found = results(tmp_path, make.paired(make.BASELINE, 5000.0, 5050.0))
    row = found.variants.iloc[0]
    assert row["speed_up"] == 1.0
    assert row["speed_up_low"] > 1.0


def test_a_careful_timing_is_shown_before_a_later_look(tmp_path: Path) -> None:
    look = make.timed(make.PROPOSED, 900.0, finished_at="2027-01-01T00:00:00Z")
    found = results(tmp_path, make.paired(make.PROPOSED, 1000.0, 5000.0), look)
    assert found.variants["latency_ms_median"].tolist() == [1000.0]


def test_latencies_of_two_hosts_are_never_in_one_column(tmp_path: Path) -> None:
    here = make.measured((make.BASELINE, None, 5000.0), (make.plain(3, 16, 1), None, 500.0), beside_ms=5000.0)
    there = make.paired(make.PROPOSED, 77.0, 777.0, measurement=OTHER_HOST)
    row, cells = pick_of(results(tmp_path, *here, there))
    assert row["speed_up"] == pytest.approx(777 / 77, rel=0.01)
    assert row[["latency_ms_median", "peak_rss_mib"]].isna().all()
    assert cells[3] == "timed on another host"
    assert "77" not in cells


def test_a_folder_of_timings_alone_makes_a_report(tmp_path: Path) -> None:
    page = write_report(results(tmp_path / "runs", *published_timings()), tmp_path / "report")
    text = page.read_text()
    assert f"24 networks timed, none scored. The paper&#39;s pick {{3-4, 16}} runs at 3.13{TIMES} (95% interval" in text
    assert "Steps" not in text
    assert (tmp_path / "report" / "speed.png").stat().st_size > 10_000
    assert not (tmp_path / "report" / "runtimes.csv").exists()


def test_agreement_with_the_paper_is_of_ranks_and_of_logarithms(tmp_path: Path) -> None:
    found = results(tmp_path, *published_timings())
    whole = agreement(paper_times(found))
    assert (whole["networks"], whole["kendall_tau"]) == (24, pytest.approx(1.0))
    assert whole["pearson"] == pytest.approx(1.0)


def test_agreement_counts_pairs_that_are_the_other_way_round() -> None:
    # Of the 15 pairs of 6 networks one is the other way round: (14 - 1) / 15.
    times = [(str(n), float(n), float(m)) for n, m in zip(range(1, 7), (1, 2, 3, 4, 6, 5), strict=True)]
    found = agreement(times)
    assert found["kendall_tau"] == pytest.approx(13 / 15)
    assert agreement(times[:5]) is None


def test_what_the_baselines_row_does_to_the_agreement_is_said(tmp_path: Path) -> None:
    slow = make.paired(make.BASELINE, 10_000.0, 5000.0, finished_at="2027-01-01T00:00:00Z")
    first, *_ = sentences(results(tmp_path, *published_timings(), slow))
    assert "of 24 networks: Kendall's tau" in first
    assert "Without the row {3, 64, 4}: Kendall's tau of their order is 1.000, " in first


def layers(channels: int, depth: int) -> dict[str, Any]:
    one = {"kind": "Conv2d", "stride": 1, "in_channels": channels, "out_channels": channels, "height": 720}
    one |= {"width": 1280, "macs": 9 * channels**2 * 1280 * 720, "kernel_size": 3, "name": "x", "parameters": 1}
    return {"parameters": 1, "macs": depth * one["macs"], "height": 720, "width": 1280, "layers": [one] * depth}


def test_the_cost_model_is_of_the_timings_shown(tmp_path: Path) -> None:
    made = []
    for channels in (16, 32, 48, 64):  # whole vectors
        for blocks in (1, 2, 3):
            described = layers(channels, 2 * blocks + 4)
            gib = sum(2 * one["in_channels"] * 1280 * 720 * 4 for one in described["layers"]) / 2**30
            ms = described["macs"] / 1e9 * 8.0 + gib * 90.0 + len(described["layers"]) * 0.5
            made.append(make.timed(make.plain(3, channels, blocks), ms, description=described))
    found = fitted(results(tmp_path, *made))
    assert (found.model.ms_per_gmac, found.model.ms_per_gib) == pytest.approx((8.0, 90.0))
    assert max(map(abs, found.errors.values())) < 1e-6
    assert set(found.family_errors) == set(found.errors)


def test_the_papers_own_times_say_what_its_baseline_should_have_taken(tmp_path: Path) -> None:
    # All others take a second for 10^9 multiply-adds; the baseline is described with twice what its time would buy.
    made = []
    for architecture, seconds in published_networks()[["architecture", "time_s"]].itertuples(index=False):
        macs = int(1e9 * seconds) * (2 if architecture == make.BASELINE else 1)
        described = layers(16, 1) | {"macs": macs}
        described["layers"] = [described["layers"][0] | {"height": 0, "width": 0, "macs": macs}]
        made.append(make.timed(dict(architecture), 100.0, description=described))
    found = paper_baseline(results(tmp_path, *made))
    assert found["others"] == 23
    assert found["predicted_s"] == pytest.approx(2 * 25.155, rel=1e-3)
    assert found["median_error"] < 1e-3


def ways(architecture: dict[str, Any], eager_ms: float, **changes: Any) -> list[dict[str, Any]]:
    faster = {"runtime": "openvino", "precision": "bf16", "layout": "channels_last", "allocator": "tuned"}
    loaded = {"preparing_ms": {"export_ms": 1500.0, "compile_ms": 500.0}}
    fast = make.paired(architecture, eager_ms / 4, 1250.0, measurement=faster | changes)
    fast["samples"]["processes"] = [one | {"loaded": loaded} for one in fast["samples"]["processes"]]
    return [make.paired(architecture, eager_ms, 5000.0, measurement=changes), fast]


def test_runtimes_stand_beside_each_other(tmp_path: Path) -> None:
    (table,) = runtimes_shown(results(tmp_path, *ways(make.BASELINE, 5000.0), *ways(make.PROPOSED, 1000.0)))
    assert [row.name for row in table.rows] == ["{3, 64, 4}"] * 2 + ["{3-4, 16}"] * 2
    cells = [cell.text for cell in table.rows[2].cells]
    limit_ms = 2 * make.macs_of(make.PROPOSED) / 400.0 / 1e6
    assert cells[:6] == ["openvino", "bf16", "channels last", "tuned", "as written", "250"]
    assert [cells[7], cells[9], cells[10]] == [f"{times:.2f}{TIMES}" for times in (5.0, 4.0, 250 / limit_ms)]
    assert cells[11] == "no rates", "times the roof"
    assert cells[13] == "2.00"


def test_each_way_to_wait_has_a_table_of_its_own(tmp_path: Path) -> None:
    asleep = {"wait_policy": "passive"}
    tables = runtimes_shown(results(tmp_path, *ways(make.PROPOSED, 1000.0), *ways(make.PROPOSED, 1100.0, **asleep)))
    assert [len(table.rows) for table in tables] == [2, 2]
    assert [", wait policy passive, " in table.title for table in tables] == [False, True]


def test_each_host_has_a_table_of_its_own(tmp_path: Path) -> None:
    found = results(tmp_path, *ways(make.PROPOSED, 1000.0), *ways(make.PROPOSED, 300.0, **OTHER_HOST))
    tables = runtimes_shown(found)
    assert [len(table.rows) for table in tables] == [2, 2]
    assert {cell.text for cell in (row.cells[5] for row in tables[0].rows)} == {"1,000", "250"}


def test_lowered_and_as_written_have_rows_of_their_own(tmp_path: Path) -> None:
    lowered = make.paired(
        make.PROPOSED, 500.0, 2000.0, measurement={"lowered": True}, finished_at="2026-09-01T00:00:00Z"
    )
    found = results(tmp_path, make.paired(make.PROPOSED, 1000.0, 5000.0), lowered)
    (table,) = runtimes_shown(found)
    cells = [[cell.text for cell in row.cells] for row in table.rows]
    assert [(row[4], row[5], row[9]) for row in cells] == [
        ("lowered", "500", f"2.00{TIMES}"),
        ("as written", "1,000", f"1.00{TIMES}"),
    ]
    assert [record.measurement.lowered for record in found.timed] == [False], "everywhere else it is as written"
