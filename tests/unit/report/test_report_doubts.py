"""What of a report's speeds is no headline: flagged timings; and what the axis of time is worth."""

from pathlib import Path
from typing import Any

import pytest
import record_factory as make

from enhance_sweep.records.flags import UNSETTLED
from enhance_sweep.report import Results
from enhance_sweep.report.figures.frontier_series import frontier_series
from enhance_sweep.report.labels import TIMES
from enhance_sweep.report.page.page import render
from enhance_sweep.report.results.findings import findings, headline, tiles
from enhance_sweep.report.results.twins import largest_inversion

DISTURBED, COLD = "2 of 9 rounds were disturbed", f"{UNSETTLED} in 1 of 3 processes"
SMALL, RELU, PRELU = make.plain(3, 16, 1), make.strided(4, 4, 32), make.strided(4, 4, 32) | {"prelu": True}


def results_of(folder: Path, *speeds: tuple[dict[str, Any], float, list[str]], ms_ssim: float = 0.93) -> Results:
    """The baseline with 0.92 in a second, and networks with this score, so many times as fast, with these flags."""
    made = make.measured((make.BASELINE, 0.92, 1000.0), beside_ms=1000.0)
    for network, factor, flags in speeds:
        made += [make.trained(network, ms_ssim), make.paired(network, 1000.0 / factor, 1000.0, flags=flags)]
    return make.results_of(folder, *made, spread=make.SPREAD)


def tile(results: Results, title: str) -> tuple[str, str]:
    return next((one["value"], one["note"]) for one in tiles(results) if one["title"] == title)


# --- flagged timings --------------------------------------------------------------------------------------------------


def test_a_flagged_network_that_is_faster_is_named_but_is_not_the_headline(tmp_path: Path) -> None:
    results = results_of(tmp_path, (make.PROPOSED, 6.0, []), (SMALL, 8.0, [DISTURBED]))
    assert headline(results).startswith(f"{{3-4, 16}} is 6.00{TIMES} as fast as the baseline {{3, 64, 4}} and surely")
    assert headline(results).endswith(f"{{3, 16, 1}} is faster (8.00{TIMES}), but its timing is flagged: {DISTURBED}.")
    value, note = tile(results, "Fastest that beats the baseline")
    assert value == f"6.00{TIMES}"
    assert note.endswith(f"; {{3, 16, 1}} is faster (8.00{TIMES}), but its timing is flagged")
    said = " ".join(findings(results))
    assert "2 networks beat the baseline" in said
    assert "1 with a flagged timing. The fastest that is not flagged is {3-4, 16}" in said


def test_where_all_are_flagged_the_headline_says_so(tmp_path: Path) -> None:
    results = results_of(tmp_path, (make.PROPOSED, 6.0, [DISTURBED]), (SMALL, 8.0, [DISTURBED]))
    assert headline(results).startswith(f"{{3, 16, 1}} is 8.00{TIMES}")
    assert headline(results).endswith(f"Its timing is flagged: {DISTURBED}.")
    assert tile(results, "Fastest that beats the baseline")[1].endswith(", timing flagged")
    assert "is {3, 16, 1}" in " ".join(findings(results))


def test_a_slower_flagged_network_and_an_unsettled_one_are_not_mentioned(tmp_path: Path) -> None:
    results = results_of(tmp_path, (make.PROPOSED, 6.0, [COLD]), (SMALL, 3.0, [DISTURBED]))
    assert headline(results).startswith(f"{{3-4, 16}} is 6.00{TIMES}")
    assert "flagged" not in headline(results) + tile(results, "Fastest that beats the baseline")[1]


def test_a_flagged_mean_is_no_tile_either(tmp_path: Path) -> None:
    # Without scores per image nothing is sure, and the tile is of means.
    made = make.measured((make.BASELINE, 0.92, 1000.0), (make.PROPOSED, 0.93, 200.0))
    made += [make.trained(SMALL, 0.925), make.timed(SMALL, 100.0, flags=[COLD])]
    results = make.results_of(tmp_path, *made)
    value, note = tile(results, "Fastest whose mean reaches the baseline's")
    assert value == f"5.00{TIMES}"
    assert note.endswith(f"{{3, 16, 1}} is faster (10.0{TIMES}), but its timing is flagged")


def test_the_baseline_itself_is_never_doubtful_and_does_not_deny_a_flagged_network(tmp_path: Path) -> None:
    made = [make.trained(make.BASELINE, 0.92), make.timed(make.BASELINE, 1000.0, flags=[COLD])]
    alone = make.results_of(tmp_path / "alone", *made)
    expected = "the baseline itself: no faster network's mean reaches its MS-SSIM"
    assert tile(alone, "Fastest whose mean reaches the baseline's")[1] == expected
    assert "flagged" not in tile(alone, "Best quality")[1]
    made += [make.trained(SMALL, 0.925), make.timed(SMALL, 100.0, flags=[COLD])]
    both = make.results_of(tmp_path / "both", *made)
    expected = f"the baseline itself; {{3, 16, 1}} is faster (10.0{TIMES}), but its timing is flagged"
    assert tile(both, "Fastest whose mean reaches the baseline's")[1] == expected
    assert tile(both, "Best quality")[1].endswith("the baseline's speed, timing flagged")


def test_the_picks_speed_is_not_said_of_timings_alone_without_its_flag(tmp_path: Path) -> None:
    made = [make.paired(make.BASELINE, 1000.0, 1000.0), make.paired(make.PROPOSED, 200.0, 1000.0, flags=[DISTURBED])]
    assert headline(make.results_of(tmp_path, *made)).endswith(
        f"the baseline's speed; its timing is flagged: {DISTURBED}."
    )


def test_a_flagged_file_says_so_at_its_point(tmp_path: Path) -> None:
    made = make.measured((make.BASELINE, 0.92, 1000.0), (SMALL, 0.9, 250.0), beside_ms=1000.0)
    file = make.exported(make.trained(SMALL, 0.9), "openvino", "int8", 2.0, -0.001, flags=[DISTURBED])
    series = frontier_series(make.results_of(tmp_path, *made, file))
    (point,) = (point for point in series.points if point.group == "exported, int8")
    assert "timing flagged" in point.hover


# --- twins ------------------------------------------------------------------------------------------------------------


def test_the_network_with_less_work_that_is_slower_says_what_the_axis_is_worth(tmp_path: Path) -> None:
    results = results_of(tmp_path, (RELU, 2.5, []), (PRELU, 3.0, []))
    found = largest_inversion(results)
    assert (found.relu.label, found.prelu.label, found.factor) == ("{4-4, 32}", "{4-4, 32} PReLU", pytest.approx(1.2))
    assert 1.19 < found.low < 1.2 < found.high < 1.21
    text = render(results, pictures=False)["report.md"].decode()
    assert text.count("What the axis of time is worth: ReLU is less work than PReLU, yet {4-4, 32} runs at 2.50") == 1
    assert f"So a factor of 1.20 (95% interval {found.low:.2f} to {found.high:.2f}) between two networks" in text


@pytest.mark.parametrize(
    "speeds",
    [
        [(RELU, 3.0, []), (PRELU, 2.5, [])],
        [(RELU, 3.0, []), (PRELU, 3.0, [])],
        [(RELU, 2.5, [])],
        [(make.strided(3, 4, 32), 2.5, []), (PRELU, 3.0, [])],
    ],
    ids=["in order", "equal", "no twin", "not a twin"],
)
def test_without_such_a_pair_nothing_is_said(tmp_path: Path, speeds: list[Any]) -> None:
    results = results_of(tmp_path, *speeds)
    assert largest_inversion(results) is None
    assert "What the axis of time is worth" not in render(results, pictures=False)["report.md"].decode()


def test_of_several_pairs_the_furthest_apart_is_shown(tmp_path: Path) -> None:
    further = [make.plain(3, 16, 2), make.plain(3, 16, 2, prelu=True)]
    results = results_of(
        tmp_path, (RELU, 2.5, []), (PRELU, 3.0, []), (further[0], 5.0, []), (further[1], 10.0, []), ms_ssim=0.91
    )
    assert largest_inversion(results).relu.label == "{3, 16, 2}"


def test_twins_that_were_timed_differently_are_not_compared(tmp_path: Path) -> None:
    elsewhere = {"measurement": {"host": "laptop"}}
    made = [make.paired(make.BASELINE, 1000.0, 1000.0), make.paired(RELU, 400.0, 1000.0)]
    made.append(make.paired(PRELU, 300.0, 1000.0, **elsewhere))
    assert largest_inversion(make.results_of(tmp_path, *made)) is None


def test_twins_without_intervals_and_without_scores_are_shown_beside_their_times(tmp_path: Path) -> None:
    made = [make.timed(make.BASELINE, 1000.0), make.timed(RELU, 400.0), make.timed(PRELU, 250.0)]
    made += [make.timed(make.plain(3, 16, blocks), 100.0 * blocks) for blocks in (1, 2, 3)]
    text = render(make.results_of(tmp_path, *made), pictures=False)["report.md"].decode()
    said = f"yet {{4-4, 32}} runs at 2.50{TIMES} and {{4-4, 32}} PReLU at 4.00{TIMES}. So a factor of 1.60 between two"
    assert said in text
