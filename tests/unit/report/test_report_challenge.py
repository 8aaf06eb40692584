"""Table 3: its scores against arithmetic by hand, and what is said where something is missing."""

from pathlib import Path
from typing import Any

import pytest
import record_factory as make

from enhance_sweep.paper.challenge import challenge_scores
from enhance_sweep.report import ReportError, gather
from enhance_sweep.report.labels import MINUS, TIMES
from enhance_sweep.report.page.page import render
from enhance_sweep.report.tables.challenge import _liked, challenge_notes, challenge_shown, published_entries
from enhance_sweep.report.tables.model import Row

PUBLISHED = 12


#: By hand 4 * 1.5 + 100 * 0.02 + 2 * s, 1.5 + 400 * 0.02 + 2 * s, 2 * 1.5 + 200 * 0.02 + 2.9 * s at speed-up s.
SCORED = make.trained(make.PROPOSED, 0.92, 22.5)


def own_rows(runs: Path, *made: dict[str, Any]) -> list[Row]:
    """The rows below the published ones, once these records are written too."""
    return list(challenge_shown(make.results_of(runs, *made)).rows[PUBLISHED:])


def texts(row: Row) -> list[str]:
    return [cell.text.replace(TIMES, "x") for cell in row.cells]


def notes(runs: Path) -> str:
    return "\n".join(challenge_notes(gather(runs))).replace(TIMES, "x")


# --- the challenge's entries ------------------------------------------------------------------------------------------


def test_scores_of_published_rows_by_hand() -> None:
    by_team = {
        entry.name: {name: entry.facts[f"score_{name.lower()}"] for name in "ABC"} for entry in published_entries()
    }
    # EdS: 21.65 dB, 0.9048, 3241 ms; SRCNN took 3274 ms.
    assert by_team["EdS (proposed)"] == pytest.approx(
        {
            "A": 4 * 0.65 + 100 * 0.0048 + 2 * 3274 / 3241,
            "B": 1 * 0.65 + 400 * 0.0048 + 2 * 3274 / 3241,
            "C": 2 * 0.65 + 200 * 0.0048 + 2.9 * 3274 / 3241,
        }
    )
    # Mt.Phoenix: 21.99 dB, 0.9125, 682 ms: 4.8 times SRCNN's speed, of which 4 count.
    assert by_team["Mt.Phoenix"] == pytest.approx({"A": 13.21, "B": 13.99, "C": 16.08})
    # SRCNN itself: 21.31 dB, 0.8929, speed-up 1: fewer than none for its MS-SSIM.
    assert by_team["SRCNN (baseline)"] == pytest.approx({"A": 2.53, "B": -0.53, "C": 2.10})


def test_a_speed_up_counts_up_to_four() -> None:
    assert challenge_scores(21.0, 0.9, 4.0) == challenge_scores(21.0, 0.9, 400.0) == {"A": 8.0, "B": 8.0, "C": 11.6}
    assert challenge_scores(21.0, 0.9, 3.5)["A"] == 7.0


def test_the_agreement_with_what_people_liked_is_kendalls(tmp_path: Path) -> None:
    """Counted pair by pair: no ties in MOS, and those of a score count for neither."""
    entries = published_entries()
    for name, printed in (("A", "0.15"), ("B", "0.24"), ("C", "0.18")):
        score = f"score_{name.lower()}"
        signs = [
            (x.facts["mos"] - y.facts["mos"]) * (x.facts[score] - y.facts[score])
            for i, x in enumerate(entries)
            for y in entries[:i]
        ]
        agreeing, opposed = sum(sign > 0 for sign in signs), sum(sign < 0 for sign in signs)
        assert len(signs) == agreeing + opposed == 66
        assert f"{(agreeing - opposed) / 66:.2f}" == printed
    text = notes(make.write(tmp_path, [SCORED]))
    assert f"0.15 for A ({MINUS}0.30 to 0.54), 0.24 for B ({MINUS}0.21 to 0.61), 0.18 for C" in text
    assert f"0.32 for PSNR ({MINUS}0.13 to 0.66), 0.52 for MS-SSIM (0.11 to 0.77). In brackets: 95% intervals" in text
    assert "at most 1 in 20 has a tau as far from 0 as 0.45. Only MS-SSIM's is that far (exact p 0.02)" in text


def test_only_ms_ssim_is_further_than_chance_and_not_sure_among_five() -> None:
    """What the note says in words that no code chooses."""
    liked = _liked(published_entries())
    assert [name for name, (tau, *_) in liked["taus"].items() if abs(tau) >= liked["limit"]] == ["MS-SSIM"]
    assert liked["most"] == "MS-SSIM"
    assert 0.05 / len(liked["taus"]) < liked["p_value"] < 0.05


# --- ours -------------------------------------------------------------------------------------------------------------


def test_ours_are_scored_against_srcnn_on_the_same_host(tmp_path: Path) -> None:
    timings = [make.challenge(*one) for one in ((make.SRCNN, 2.0), (make.PROPOSED, 0.8), (make.BASELINE, 10.0))]
    proposed, srcnn, baseline = own_rows(tmp_path, SCORED, *timings)
    assert (proposed.name, proposed.tag) == ("{3-4, 16}", "ours, the paper's pick")
    scores = ["13.00", "14.50", "14.25"]
    assert texts(proposed) == ["22.50", "0.9200", "not rated", "800", "2.50x", "not timed", "1.6", *scores]
    assert (srcnn.name, srcnn.tag) == ("SRCNN", "ours, speed is measured against it")
    assert texts(srcnn)[3:5] == ["2,000", "1.00x"]
    assert set(texts(srcnn)[:2] + texts(srcnn)[-3:]) == {"no record"}
    assert texts(baseline)[4] == "0.20x"
    text = notes(tmp_path)
    assert "{3, 64, 4} ran at 0.16x SRCNN's speed in the challenge and runs at 0.20x here. {3-4, 16} ran at" in text
    assert "tuned allocator" not in text
    assert "no score, as" not in text


@pytest.mark.parametrize(
    ("name", "other", "own"),
    [
        ("host", "bench-2", "bench-1"),
        ("threads", 1, "2 threads"),
        ("allocator", "tuned", "stock allocator"),
        ("wait_policy", "passive", "wait policy default"),
        ("runtime", "openvino", "eager"),
        ("precision", "bf16", "fp32"),
        ("layout", "channels_first", "channels last"),
    ],
)
def test_without_srcnn_under_the_same_conditions_there_is_no_score(
    tmp_path: Path, name: str, other: str | int, own: str
) -> None:
    srcnn = make.challenge(make.SRCNN, 2.0, measurement={name: other})
    rows = own_rows(tmp_path, SCORED, make.challenge(make.PROPOSED, 0.8), srcnn)
    proposed = next(row for row in rows if row.name == "{3-4, 16}")
    assert [texts(proposed)[place] for place in (4, -3, -2, -1)] == ["SRCNN not timed"] * 4
    text = notes(tmp_path)
    assert "{3-4, 16}: no score, because SRCNN is not timed on the same host under the same conditions" in text
    asked = "--runtime eager --precision fp32 --layout channels_last --threads 2 --allocator stock"
    assert f"--challenge model=srcnn {asked}" in text
    assert proposed.tag == f"ours, the paper's pick, {own}"


def test_a_cell_says_why_there_is_no_quality(tmp_path: Path) -> None:
    networks = [make.plain(3, 16, blocks) for blocks in (1, 2, 3, 4)]
    made = [make.failed(networks[0], "diverged"), make.running(networks[1]), make.trained(networks[2], None, None)]
    made += [make.challenge(network, 1.0 + i) for i, network in enumerate([*networks, make.SRCNN])]
    reasons = ("failed", "unfinished", "not a number", "no record")
    for row, reason in zip(own_rows(tmp_path, *made), reasons, strict=False):
        assert set(texts(row)[:2] + texts(row)[-3:]) == {reason}
    assert "None of those networks has been scored for quality here" in notes(tmp_path)


def test_of_several_timings_the_newest_counts_and_seeds_are_pooled(tmp_path: Path) -> None:
    made = [make.trained(make.PROPOSED, 0.91 + 0.02 * seed, 22.0 + seed, seed=seed) for seed in (0, 1)]
    made += [make.challenge(make.PROPOSED, s, finished_at=f"2026-0{m}-01T00:00:00Z") for s, m in ((0.5, 2), (0.9, 1))]
    (row,) = own_rows(tmp_path, *made)
    assert texts(row)[:4] == ["22.50", "0.9200", "not rated", "500"]
    assert "(the mean over up to 2 seeds)" in notes(tmp_path)


def test_a_network_trained_in_two_ways_has_two_marked_rows(tmp_path: Path) -> None:
    made = [make.trained(make.PROPOSED, 0.90, steps=75), make.trained(make.PROPOSED, 0.93, steps=1200)]
    rows = own_rows(tmp_path, *made, make.challenge(make.PROPOSED, 0.8))
    assert [row.tag[-12:] for row in rows] == ["trained as A", "trained as B"]
    assert "after 75 to 1,200 steps of 16" in notes(tmp_path)


def test_another_hosts_times_stand_in_no_column_of_ours(tmp_path: Path) -> None:
    made = [make.challenge(one, 1.0 + i) for i, one in enumerate((make.PROPOSED, make.SRCNN, make.BASELINE))]
    for network, seconds in ((make.PROPOSED, 4.0), (make.SRCNN, 8.0)):
        made.append(make.challenge(network, seconds, measurement={"host": "bench-2"}))
    first, *_, other, _ = own_rows(tmp_path, SCORED, *made)
    assert (first.tag, other.tag) == ("ours, the paper's pick, bench-1", "ours, the paper's pick, bench-2")
    assert texts(other)[3] == texts(other)[6] == "timed on another host"
    assert texts(other)[4] == "2.00x"
    assert texts(other)[-3:] == texts(first)[-3:] == ["12.00", "13.50", "12.80"]


def test_a_damaged_one_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="samples: expected a list that is not empty"):
        own_rows(tmp_path, make.trained(make.BASELINE), make.challenge(make.BASELINE, 5.0, samples=[]))


def test_a_folder_of_nothing_else_is_a_report_too(tmp_path: Path) -> None:
    rows = own_rows(tmp_path, make.challenge(make.SRCNN, 2.0), make.challenge(make.PROPOSED, 0.8))
    assert [texts(row)[3:5] for row in rows] == [["800", "2.50x"], ["2,000", "1.00x"]]
    assert "report.md" in render(gather(tmp_path), pictures=False)
