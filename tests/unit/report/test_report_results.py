"""What the report computes from records before it shows anything."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import record_factory as make

from enhance_sweep import paper
from enhance_sweep.report import ReportError, gather
from enhance_sweep.report.results.findings import findings
from enhance_sweep.report.results.gather import whole
from enhance_sweep.report.results.provenance import provenance
from enhance_sweep.report.results.words import plain_text

LAPTOP = {"host": "laptop"}
SMALL = make.plain(3, 16, 1)


def by_label(runs: Path, *made: dict[str, Any]) -> pd.DataFrame:
    return make.results_of(runs, *made).variants.set_index("label")


# --- the paper's tables -----------------------------------------------------------------------------------------------


def test_the_papers_tables_are_whole_and_name_every_network_once() -> None:
    first, second = paper.published_table(1), paper.published_table(2)
    assert (len(first), len(second)) == (17, 7)
    assert pd.concat([first, second])["slug"].is_unique
    assert first["slug"].iloc[0] == paper.BASELINE_SLUG
    proposed = second.set_index("slug").loc[paper.PROPOSED_SLUG]
    assert (proposed["time_s"], proposed["psnr_db"], proposed["ms_ssim"]) == (7.987, 22.5248, 0.9233)
    assert proposed["speed_up"] == pytest.approx(3.15, abs=0.005)
    assert paper.published_table(2)["slug"].str.endswith("-prelu").sum() == 1


def test_the_headline_and_the_time_that_it_implies() -> None:
    assert paper.headline_speed_up() == pytest.approx(20462 / 3241)
    assert paper.implied_baseline_time_s() / 7.987 == pytest.approx(paper.headline_speed_up())


# --- one data set, one loss -------------------------------------------------------------------------------------------


def test_several_data_sets_are_listed_and_one_is_chosen_by_name(tmp_path: Path) -> None:
    made = [make.trained(make.BASELINE, 0.90, dataset="photos"), make.trained(make.PROPOSED, 0.91)]
    runs = make.write(tmp_path, [*made, make.trained(make.BASELINE, 0.92)])
    with pytest.raises(ReportError, match=r"dped-iphone \(2\), photos \(1\)\. Choose one with --data NAME"):
        gather(runs)
    assert set(gather(runs, data="dped-iphone").variants["ms_ssim"]) == {0.91, 0.92}
    with pytest.raises(ReportError, match=r"--data dped: these runs hold dped-iphone \(2\), photos \(1\)"):
        gather(runs, data="dped")


def test_two_versions_of_a_data_set_are_two_data_sets(tmp_path: Path) -> None:
    runs = make.write(tmp_path, [make.trained(make.BASELINE, 0.90, fingerprint="aaaa")])
    assert gather(runs, data="dped-iphone@aaaa").dataset == gather(runs, data="dped-iphone").dataset == "dped-iphone"
    make.write(tmp_path, [make.trained(make.BASELINE, 0.80, fingerprint="bbbb")])
    with pytest.raises(ReportError, match=r"dped-iphone@aaaa \(1\), dped-iphone@bbbb \(1\)"):
        gather(runs)
    with pytest.raises(ReportError, match="dped-iphone@aaaa"):
        gather(runs, data="dped-iphone")
    assert list(gather(runs, data="dped-iphone@bbbb").variants["ms_ssim"]) == [0.80]


def test_several_losses_are_listed_and_one_is_chosen(tmp_path: Path) -> None:
    made = [make.trained(make.BASELINE, score, loss=loss) for loss, score in (("paper", 0.88), ("fidelity", 0.91))]
    runs = make.write(tmp_path, made)
    with pytest.raises(ReportError, match=r"fidelity \(1\), paper \(1\)\. Choose one with --loss NAME"):
        gather(runs)
    results = gather(runs, loss="paper")
    assert list(results.variants["ms_ssim"]) == [0.88]
    assert results.one_of_several_losses


def test_versions_of_the_code_are_not_mixed_silently(tmp_path: Path) -> None:
    codes = ((make.BASELINE, {"code": "0a1b"}), (make.PROPOSED, {"code": "2c3d"}), (SMALL, {}))
    made = [make.trained(network, 0.9, environment=make.ENVIRONMENT | code) for network, code in codes]
    runs = make.write(tmp_path, made)
    with pytest.raises(ReportError, match=r"0a1b \(1\), 2c3d \(1\), unknown \(1\)\. .*--code NAME, or --code all"):
        gather(runs)
    assert len(gather(runs, code="2c3d").trained) == 1
    mixed = gather(runs, code="all")
    assert len(mixed.trained) == 3
    assert "Different versions of the code trained them: 0a1b (1), 2c3d (1), unknown (1)" in " ".join(findings(mixed))


# --- speed-ups --------------------------------------------------------------------------------------------------------


def test_speed_up_is_relative_to_the_baseline_of_the_same_host_and_measurement(tmp_path: Path) -> None:
    results = make.results_of(
        tmp_path,
        *make.measured((make.BASELINE, 0.92, 1000.0), (make.PROPOSED, 0.93, 200.0), (SMALL, 0.91, None)),
        make.timed(SMALL, 500.0, finished_at="2020-01-01T00:00:00Z"),
        make.timed(make.plain(3, 16, 2), 400.0, measurement=LAPTOP),
        make.timed(make.BASELINE, 4000.0, measurement=LAPTOP),
    )
    rows = results.variants.set_index("label")
    # The last is a ratio of two times of the laptop.
    assert rows["speed_up"].to_dict() == {"{3, 64, 4}": 1.0, "{3-4, 16}": 5.0, "{3, 16, 1}": 2.0, "{3, 16, 2}": 10.0}
    assert [(c.mark, c.meaning, c.rows) for c in results.timing_conditions] == [
        ("T1", "host bench-1", 3),
        ("T2", "host laptop", 1),
    ]
    assert rows.loc["{3, 16, 2}", "timing"] == "T2"


def rounds(*pairs: tuple[float, float | None]) -> dict[str, Any]:
    made = [
        {"latency_ms": ours} | ({} if beside is None else {"baseline_latency_ms": beside}) for ours, beside in pairs
    ]
    return {"processes": [{"rounds": made[:2]}, {"rounds": made[2:]}]}


def test_where_the_baseline_ran_in_the_same_rounds_the_ratios_of_rounds_count(tmp_path: Path) -> None:
    rows = by_label(
        tmp_path,
        *(make.trained(architecture, 0.92) for architecture in (make.BASELINE, make.PROPOSED, SMALL)),
        make.timed(make.BASELINE, 1000.0, samples=rounds((1000.0, 1010.0), (1000.0, 1030.0), (1000.0, 1020.0))),
        make.timed(make.PROPOSED, 200.0, samples=rounds((200.0, 1200.0), (200.0, 1000.0), (100.0, 800.0))),
        make.timed(SMALL, 100.0, samples=rounds((100.0, None))),
    )
    # The pick's rounds have 6, 5 and 8, not 1000 / 200.
    assert rows["speed_up"].to_dict() == {"{3, 64, 4}": 1.0, "{3-4, 16}": 6.0, "{3, 16, 1}": 10.0}
    assert rows["paired_speed_up"].notna().sum() == 2


def test_values_of_records_in_words() -> None:
    terms = {
        "_target_": "enhance_sweep.losses.Objective",
        "terms": {"color": {"_target_": "enhance_sweep.losses.ColorLoss", "sigma": 3.0}, "l1": {"_target_": "a.L1"}},
        "weights": [1, 0.5],
    }
    assert plain_text(terms) == "Objective (terms (color ColorLoss (sigma 3.0), l1 L1), weights 1, 0.5)"
    words = {None: "none", True: "yes", 160000: "160,000", (): "none", "a_b": "a_b"}
    assert [plain_text(value) for value in ({}, [], *words)] == ["none", "none", *words.values()]


def test_a_network_timed_on_two_hosts_is_shown_on_the_one_where_most_were(tmp_path: Path) -> None:
    made = make.measured((make.BASELINE, 0.92, 1000.0), (make.PROPOSED, 0.92, 250.0))
    later = make.timed(make.PROPOSED, 9.0, measurement=LAPTOP, finished_at="2027-01-01T00:00:00Z")
    assert by_label(tmp_path, *made, later).loc["{3-4, 16}", "speed_up"] == 4.0


def test_the_newest_completed_timing_counts(tmp_path: Path) -> None:
    rows = by_label(
        tmp_path,
        make.trained(make.BASELINE, 0.92),
        make.timed(make.BASELINE, 700.0, finished_at="2026-03-03T00:00:00Z"),
        make.timed(make.BASELINE, 900.0, finished_at="2026-02-02T00:00:00Z"),
        make.timed(make.BASELINE, None, status="failed", reason="killed", finished_at="2026-04-04T00:00:00Z"),
    )
    assert list(rows["latency_ms_median"]) == [700.0]


def test_another_measurement_is_taken_where_the_default_was_not_made_and_named_where_it_was(tmp_path: Path) -> None:
    stock = make.timed(make.BASELINE, 900.0, measurement={"allocator": "stock"})
    rows = by_label(tmp_path, make.trained(make.BASELINE, 0.92), stock)
    assert list(rows["latency_ms_median"]) == [900.0]
    results = make.results_of(tmp_path, make.timed(make.BASELINE, 500.0))
    assert list(results.variants["latency_ms_median"]) == [500.0]
    assert results.other_measurements == ["eager, fp32, stock (1)"]


def test_timings_whose_threads_waited_differently_never_share_a_column(tmp_path: Path) -> None:
    small = make.plain(3, 16, 1)
    results = make.results_of(
        tmp_path,
        *(make.trained(one, 0.92) for one in (make.BASELINE, make.PROPOSED, small)),
        *(make.timed(one, ms) for one, ms in ((make.BASELINE, 900.0), (make.PROPOSED, 300.0))),
        make.timed(small, 100.0, measurement={"wait_policy": "passive"}),
    )
    assert {one.meaning for one in results.timing_conditions} == {"wait policy default", "wait policy passive"}


def test_without_the_baseline_the_frontier_is_of_latencies_of_one_host(tmp_path: Path) -> None:
    made = make.measured((make.PROPOSED, 0.92, 300.0), (SMALL, 0.90, 200.0), (make.plain(3, 16, 2), 0.91, None))
    results = make.results_of(tmp_path, *made, make.timed(make.plain(3, 16, 2), 1.0, measurement=LAPTOP))
    assert results.cost_kind == "latency_ms"
    assert list(results.frontier["label"]) == ["{3, 16, 1}", "{3-4, 16}"]


def test_without_any_timing_multiply_adds_stand_in(tmp_path: Path) -> None:
    results = make.results_of(tmp_path, *make.measured((make.PROPOSED, 0.92, None), (make.BASELINE, 0.90, None)))
    assert results.cost_kind == "macs"
    assert list(results.frontier["label"]) == ["{3-4, 16}"]


# --- seeds and conditions ---------------------------------------------------------------------------------------------


def test_seeds_are_averaged_into_one_row(tmp_path: Path) -> None:
    made = [make.trained(make.PROPOSED, 0.92 + d, 22.0 + 100 * d, seed=s) for s, d in ((0, -0.02), (1, 0), (7, 0.02))]
    row = make.results_of(tmp_path, *made).variants.iloc[0]
    assert row[["ms_ssim", "psnr_db", "gain_ms_ssim"]].tolist() == pytest.approx([0.92, 22.0, 0.92 - 0.8613])
    assert row["seeds"] == "0 1 7"


def test_different_steps_or_settings_are_never_averaged(tmp_path: Path) -> None:
    results = make.results_of(
        tmp_path,
        *(make.trained(make.PROPOSED, 0.90, steps=75), make.trained(make.PROPOSED, 0.94, seed=1)),
        *(make.trained(make.BASELINE, 0.93), make.trained(SMALL, 0.89, learned_from={"batch_size": 50})),
    )
    assert len(results.variants) == 4
    conditions = results.training_conditions
    assert [c.mark for c in conditions] == ["A", "B", "C"]
    assert (conditions[0].meaning, conditions[0].rows) == ("batch size 16, steps 1200", 2)
    assert {c.meaning for c in conditions[1:]} == {"batch size 50, steps 1200", "batch size 16, steps 75"}
    marks = {(row.label, row.steps): row.condition for row in results.variants.itertuples()}
    assert marks["{3, 64, 4}", 1200] == marks["{3-4, 16}", 1200] == "A"
    assert marks["{3-4, 16}", 75] != "A"


def test_what_older_records_lack_is_named_by_what_was_done(tmp_path: Path) -> None:
    """At these values a record of today lacks them, too: its key is as before."""
    results = make.results_of(
        tmp_path,
        *(make.trained(one, 0.9) for one in (make.BASELINE, make.PROPOSED)),
        make.trained(SMALL, 0.9, learned_from={"start": "identity", "averaging": True, "exposure_ev": 0.3}),
    )
    assert [one.meaning for one in results.training_conditions] == [
        "averaging no, exposure ev 0.0, start dped_code",
        "averaging yes, exposure ev 0.3, start identity",
    ]
    facts = dict(provenance(results))
    assert facts["Start"] == "dped_code (2); identity (1)"
    assert facts["Averaging"] == "no (2); yes (1)"


# --- nothing to report ------------------------------------------------------------------------------------------------


def test_no_folder_an_empty_folder_and_a_file_that_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"no folder of runs at .*nowhere: run `python -m enhance_sweep` first"):
        gather(tmp_path / "nowhere")
    with pytest.raises(ReportError, match="holds no records yet"):
        gather(tmp_path)
    torn = tmp_path / "trained" / "torn" / "record.json"
    torn.parent.mkdir(parents=True)
    torn.write_text('{"schema": 1, ')
    with pytest.raises(ReportError, match=r"record\.json is not a readable record .*: delete it"):
        gather(tmp_path)


def test_a_record_that_is_damaged_where_few_are_read_is_named_once_it_is_asked_for(tmp_path: Path) -> None:
    made = make.trained(make.BASELINE, 0.9)
    runs = make.write(tmp_path, [made | {"description": made["description"] | {"layers": [{"name": "head"}]}}])
    (record,) = gather(runs).trained
    with pytest.raises(ReportError, match=r"record\.json lacks description\.layers\[0\]\.kind: delete it"):
        whole(record)
