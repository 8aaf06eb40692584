"""How sure the report is of what it shows, and what it says of the paper's claims."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import record_factory as make

from enhance_sweep.frontier import hypervolume, log_hypervolume, pareto_front
from enhance_sweep.records.store import SCORES_FILE, image_scores, trained_dir
from enhance_sweep.report import gather
from enhance_sweep.report.results.evidence import _front_and_volumes
from enhance_sweep.report.results.findings import findings
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.tables import claims
from enhance_sweep.report.tables.claims import FAILS, HOLDS, UNDECIDED, UNTESTED, at_least, does_not_pay, gains
from enhance_sweep.report.tables.networks import variants_csv

SLOW = make.plain(5, 64, 4)
COLUMNS = ("psnr_db", "ms_ssim", "untouched_psnr_db", "untouched_ms_ssim")


def results_of(folder: Path, *networks: Any, spread: float | None = make.SPREAD) -> Results:
    """The baseline takes a second."""
    return make.results_of(folder, *make.measured(*networks, beside_ms=1000.0), spread=spread)


def three(folder: Path, best: float = 0.9233) -> Results:
    """The baseline, a faster network and a slower one."""
    return results_of(folder, (make.BASELINE, 0.9223, 1000.0), (make.PROPOSED, best, 150.0), (SLOW, 0.9223, 2000.0))


def row_of(results: Results, label: str) -> Any:
    return results.variants[results.variants["label"] == label].iloc[0]


# --- scores of single images ------------------------------------------------------------------------------------------


def test_scores_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = [make.trained(make.PROPOSED, 0.92), make.trained(make.BASELINE, 0.91)]
    runs = make.write(tmp_path, made, make.SPREAD)
    found = image_scores(runs, [record["key"] for record in made], COLUMNS)
    for record in made:
        table = found[record["key"]]
        assert table.shape == (100, 4)
        assert table[:, 1].mean() == pytest.approx(record["scores"]["ms_ssim"], abs=1e-6)
        assert table[0, 2:].tolist() == [17.64, 0.8613]


def test_a_measure_that_older_code_did_not_score_is_missing(tmp_path: Path) -> None:
    made = [make.trained(make.PROPOSED, 0.92), make.trained(make.BASELINE, 0.91)]
    runs = make.write(tmp_path, made, make.SPREAD)
    path = trained_dir(runs, made[1]["key"]) / SCORES_FILE
    pd.read_csv(path).assign(mdsi=0.25).to_csv(path, index=False)
    older, newer = image_scores(runs, [record["key"] for record in made], ("mdsi", "ms_ssim")).values()
    assert np.isnan(older[:, 0]).all()
    assert np.isfinite(older[:, 1]).all()
    assert (newer[:, 0] == 0.25).all()


@pytest.mark.parametrize(
    "damage", ["", "name,psnr_db\n", "a,b\n1,2\n", "\x00\xff", "name,psnr_db,ms_ssim\n1.jpg,x,y\n"]
)
def test_a_damaged_table_of_scores_leaves_the_others_and_the_record(tmp_path: Path, damage: str) -> None:
    made = [make.trained(make.PROPOSED, 0.92), make.trained(make.BASELINE, 0.91)]
    runs = make.write(tmp_path, made, make.SPREAD)
    (trained_dir(runs, made[0]["key"]) / SCORES_FILE).write_text(damage, encoding="latin-1")
    assert set(image_scores(runs, [record["key"] for record in made], COLUMNS)) == {made[1]["key"]}
    results = gather(runs)
    assert row_of(results, "{3-4, 16}")["ms_ssim"] == pytest.approx(0.92)
    assert np.isnan(row_of(results, "{3-4, 16}")["ms_ssim_error"])


def test_infinite_scores_are_numbers_and_a_table_cut_short_is_not_compared(tmp_path: Path) -> None:
    made = [make.trained(architecture, 0.92) for architecture in (make.PROPOSED, make.BASELINE, make.plain(3, 8, 1))]
    runs = make.write(tmp_path, made, make.SPREAD)
    first = trained_dir(runs, made[0]["key"]) / SCORES_FILE
    lines = first.read_text().splitlines()
    first.write_text("\n".join([lines[0], lines[1].replace(lines[1].split(",")[1], "inf"), *lines[2:]]) + "\n")
    second = trained_dir(runs, made[1]["key"]) / SCORES_FILE
    second.write_text("\n".join(second.read_text().splitlines()[:50]) + "\n")
    scores = gather(runs).evidence.scores
    assert (scores["psnr_db"].images, scores["ms_ssim"].images) == (99, 100)
    assert sorted(scores["ms_ssim"].trainings.tolist()) == [0, 1, 1]


# --- who beats whom ---------------------------------------------------------------------------------------------------


def test_a_network_beats_another_that_is_slower_and_not_surely_better(tmp_path: Path) -> None:
    results = three(tmp_path)
    pick, baseline, slow = (row_of(results, label) for label in ("{3-4, 16}", "{3, 64, 4}", "{5, 64, 4}"))
    assert (pick["beats"], pick["beaten_by"], pick["beats_baseline"]) == (2, 0, True)
    assert (baseline["beats"], baseline["beaten_by"]) == (1, 1)
    assert (slow["beats"], slow["beaten_by"], slow["beats_baseline"]) == (0, 2, False)
    assert pick["vs_baseline"] == pytest.approx(0.001, abs=1e-5)
    assert pick["vs_baseline_low"] < 0.001 < pick["vs_baseline_high"]
    text = " ".join(findings(results))
    assert "1 network beats the baseline (surely faster, and surely less than 0.002 MS-SSIM worse on the same" in text


def among(folder: Path, others: int) -> Results:
    """The baseline, a faster network that is 0.0003 better, give or take 0.0008, and so many that are far worse."""
    rest = [(make.plain(3, channels, 1), 0.90, 300.0) for channels in range(1, others + 1)]
    return results_of(folder, (make.BASELINE, 0.9223, 1000.0), (make.PROPOSED, 0.9226, 150.0), *rest, spread=0.006)


def test_what_beats_the_baseline_alone_may_do_so_by_chance_among_many(tmp_path: Path) -> None:
    alone, many = among(tmp_path / "alone", 0), among(tmp_path / "many", 20)
    found = [row_of(results, "{3-4, 16}") for results in (alone, many)]
    assert [(row["vs_baseline_decision"], row["beats_baseline"]) for row in found] == [
        ("as good", True),
        ("undecided", False),
    ]
    assert found[1]["vs_baseline_low"] < found[0]["vs_baseline_low"], "an interval for all 21 together"
    assert row_of(many, "{3, 64, 4}")["beaten_by"] == 1, "each pair alone"
    said = " ".join(findings(many))
    assert "20 of 21 comparisons with the baseline are decided: 20 worse. They are corrected for their number" in said
    assert "No network beats the baseline" in said
    assert "For 1 faster network the comparison is undecided." in said
    assert "1 of 1 comparison with the baseline is decided: 1 as good (surely less than 0.002" in " ".join(
        findings(alone)
    )
    assert "corrected for their number" not in " ".join(findings(alone))


def test_a_network_that_is_hardly_faster_does_not_beat_the_baseline_however_good(tmp_path: Path) -> None:
    made = make.measured((make.BASELINE, 0.92, 1000.0), (make.PROPOSED, 0.93, 1000.0), beside_ms=1000.0)
    row = row_of(make.results_of(tmp_path, *made, spread=make.SPREAD), "{3-4, 16}")
    assert (row["vs_baseline_decision"], row["beats_baseline"]) == ("better", False)


def test_each_decision_is_in_the_table_of_variants(tmp_path: Path) -> None:
    table = pd.read_csv(io.StringIO(variants_csv(three(tmp_path, best=0.915)))).set_index("network")
    decisions = {"{3, 64, 4}": "", "{3-4, 16}": "worse", "{5, 64, 4}": "as good"}
    assert table["vs_baseline_decision"].fillna("").to_dict() == decisions


def test_a_network_that_is_worse_beats_nobody_however_fast(tmp_path: Path) -> None:
    results = three(tmp_path, best=0.915)
    assert row_of(results, "{3-4, 16}")["beats"] == 0
    assert "No network beats the baseline" in " ".join(findings(results))


def test_without_scores_per_image_nothing_is_compared(tmp_path: Path) -> None:
    results = results_of(tmp_path, (make.BASELINE, 0.92, 1000.0), (make.PROPOSED, 0.93, 150.0), spread=None)
    assert results.evidence.images == 0
    assert results.evidence.hypervolume is None
    assert results.evidence.log_hypervolume is None
    assert results.variants[["vs_baseline", "frontier_probability", "ms_ssim_error"]].isna().all(axis=None)
    assert not any("beats" in sentence for sentence in findings(results))


def test_seeds_widen_every_interval(tmp_path: Path) -> None:
    alone = row_of(three(tmp_path / "alone"), "{3-4, 16}")["ms_ssim_error"]
    made = make.measured((make.BASELINE, 0.9223, 1000.0), (make.PROPOSED, 0.9233, 150.0), beside_ms=1000.0)
    made += [make.trained(SLOW, 0.92 + 0.01 * seed, seed=seed) for seed in range(3)]
    results = make.results_of(tmp_path / "seeds", *made, spread=make.SPREAD)
    assert results.evidence.seed_deviation == pytest.approx(0.01, abs=1e-6)
    assert row_of(results, "{3-4, 16}")["ms_ssim_error"] > 5 * alone
    assert "Another seed changes a network's MS-SSIM by 0.0100" in " ".join(findings(results))


# --- bootstrap --------------------------------------------------------------------------------------------------------


def test_a_clear_frontier_is_certain_and_a_tie_is_not(tmp_path: Path) -> None:
    clear = [(make.BASELINE, 0.95, 1000.0), (make.plain(3, 8, 1), 0.90, 500.0)]
    tied = [(make.strided(3, 4, channels), 0.93, 200.0) for channels in (16, 32)]
    found = results_of(tmp_path, *clear, *tied).variants.set_index("label")["frontier_probability"]
    assert found[["{3, 64, 4}", "{3, 8, 1}"]].tolist() == [1.0, 0.0]
    assert found[["{3-4, 16}", "{3-4, 32}"]].between(0.2, 0.8, inclusive="neither").all()


def test_both_hypervolumes_are_the_frontiers_and_their_intervals_hold_them(tmp_path: Path) -> None:
    results = three(tmp_path)
    volume = results.evidence.hypervolume
    assert volume.value == pytest.approx((1 - 0.15) * (0.9233 - 0.8613))
    assert volume.low < volume.value < volume.high
    volume = results.evidence.log_hypervolume
    assert volume.value == pytest.approx(math.log2(1 / 0.15) * (0.9233 - 0.8613))
    assert volume.low < volume.value < volume.high


def test_a_draws_frontier_and_volume_are_those_of_the_frame() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        cost, quality = random.uniform(0.1, 1.4, 12), random.uniform(0.8, 0.95, 12)
        frame = pd.DataFrame({"cost": cost, "ms_ssim": quality})
        front, volume, log_volume = _front_and_volumes(cost, quality, 0.85)
        assert set(front) == set(pareto_front(frame, cost="cost").index)
        assert volume == pytest.approx(hypervolume(frame, 1.0, 0.85, cost="cost"))
        assert log_volume == pytest.approx(log_hypervolume(frame.assign(speed_up=1 / cost), 0.85))


# --- the paper's claims -----------------------------------------------------------------------------------------------


def verdicts(results: Results) -> dict[str, str]:
    return {claim.letter: claim.verdict for claim in claims.claims(results)}


def test_the_papers_own_figures_have_the_papers_own_effects(tmp_path: Path) -> None:
    """Networks that score what the paper's do, in the paper's times, give what the paper gives."""
    results = gather(make.write(tmp_path, make.paper_records(careful=True), spread=0.0005))
    found = {claim.letter: claim for claim in claims.claims(results)}
    for letter in "abcd":
        assert found[letter].ours.startswith(found[letter].paper), letter
    assert found["e"].ours == "6.31\N{MULTIPLICATION SIGN} (6.28 to 6.34)"
    assert {letter: claim.verdict for letter, claim in found.items()} == dict.fromkeys("abcd", HOLDS) | {"e": UNDECIDED}


def test_the_opposite_of_the_paper_fails_and_noise_decides_nothing(tmp_path: Path) -> None:
    made = make.paper_records(careful=True)
    for record in made:
        if record["kind"] == "trained":
            record["scores"] = record["scores"] | {"ms_ssim": 0.92 - 2 * (record["scores"]["ms_ssim"] - 0.92)}
        elif record["architecture"] == make.PROPOSED:
            record["samples"] = make.paired(make.PROPOSED, 5000.0, 10_080.0)["samples"]
    assert verdicts(gather(make.write(tmp_path / "a", made, spread=0.0005))) == {
        **{"a": FAILS, "b": FAILS, "c": HOLDS, "d": FAILS, "e": FAILS}
    }
    noisy = gather(make.write(tmp_path / "b", make.paper_records(careful=True), spread=0.2))
    assert {verdicts(noisy)[letter] for letter in "abcd"} == {UNDECIDED}


def test_claims_about_networks_that_are_not_there_are_not_tested(tmp_path: Path) -> None:
    assert verdicts(three(tmp_path)) == {**dict.fromkeys("abcd", UNTESTED), "e": HOLDS}


@pytest.mark.parametrize(
    ("low", "high", "gain", "no_gain"),
    [
        (0.001, 0.003, HOLDS, FAILS),
        (-0.003, -0.001, FAILS, HOLDS),
        (-0.001, 0.001, FAILS, HOLDS),
        (-0.01, 0.01, UNDECIDED, UNDECIDED),
        # Above 0 and below what the paper found: there is a gain. Above it, too.
        (0.0005, 0.0015, HOLDS, HOLDS),
        (0.003, 0.004, HOLDS, FAILS),
        # At the bounds: 0 is no gain, the paper's figure is not below itself, the margin pays.
        (0.0, 0.003, UNDECIDED, UNDECIDED),
        (-0.001, 0.0025, UNDECIDED, UNDECIDED),
        (-0.001, 0.002, FAILS, UNDECIDED),
        (0.0001, 0.002, HOLDS, FAILS),
    ],
)
def test_verdicts(low: float, high: float, gain: str, no_gain: str) -> None:
    assert gains(low, high, paper=0.0025, margin=0.002) == gain
    assert does_not_pay(low, high, paper=0.0025, margin=0.002) == no_gain


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (8.8, 9.5, HOLDS),
        (6.3, 6.3, HOLDS),
        (6.29, 9.5, UNDECIDED),
        (6.1, 6.3, UNDECIDED),
        (6.1, 6.29, FAILS),
    ],
)
def test_at_least_the_papers_speed_up_is_no_less_than_it(low: float, high: float, verdict: str) -> None:
    assert at_least(low, high, paper=6.3) == verdict


def test_the_printed_rules_are_those_that_judge(tmp_path: Path) -> None:
    results = three(tmp_path)
    (note,) = claims.claims_shown(claims.claims(results), results).notes
    for rule in (
        "(a) and (d) hold if all of it is above 0, and else fail if all of it is below the paper's own figure.",
        "(b) and (c) hold if all of it is below 0.002 MS-SSIM, a gain too small to pay, and else fail if all of it is",
        "(e) holds if all of it is at or above 6.3, and fails if all of it is below",
    ):
        assert rule in note
    assert claims.claims(results)[4].statement == "The proposed network is at least 6.3 times as fast as the baseline"


def test_a_claim_about_a_flagged_timing_says_so(tmp_path: Path) -> None:
    disturbed = make.paired(make.PROPOSED, 150.0, 1000.0, flags=["2 of 9 rounds were disturbed"])
    made = [*make.measured((make.BASELINE, 0.92, 1000.0), (make.PROPOSED, 0.92, None), beside_ms=1000.0), disturbed]
    found = claims.claims(make.results_of(tmp_path, *made, spread=make.SPREAD))[4]
    assert found.ours.endswith("timing flagged")
    assert found.verdict == HOLDS
