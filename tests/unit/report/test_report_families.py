"""Several families of networks in one report: their settings, which holds the frontier where, what an option buys."""

import csv
import io
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import record_factory as make

from enhance_sweep.frontier import log_hypervolume
from enhance_sweep.report import Results, gather
from enhance_sweep.report.labels import TIMES, network_labels
from enhance_sweep.report.page.page import PAGE, render
from enhance_sweep.report.results import families as holders
from enhance_sweep.report.results import options
from enhance_sweep.report.results.findings import findings
from enhance_sweep.report.results.variants import MOST_UNFOLDED
from enhance_sweep.report.tables import claims, families, hypervolumes, networks
from enhance_sweep.report.tables.model import Table

UNTOUCHED = make.UNTOUCHED["ms_ssim"]


def shuffled(channels: int, **own: Any) -> dict[str, Any]:
    sizes = {"kernel_size": 3, "channels": channels, "blocks": 2}
    return {"topology": "shuffled", "factor": 2, **sizes, "gate": "none", "global_color": False} | own


TONE = {"topology": "tone", "curve_terms": 4, "hidden": 16}
#: Networks with their MS-SSIM and their speed-up; the frontier from slow to fast is baseline, pick, shuffled, tone.
FEW = [
    (make.BASELINE, 0.9300, 1.0),
    (make.plain(3, 16, 1), 0.9050, 8.0),
    (make.PROPOSED, 0.9280, 6.0),
    (shuffled(16), 0.9250, 30.0),
    (shuffled(24), 0.9270, 20.0),
    (shuffled(16, gate="channel"), 0.9240, 25.0),
    (TONE, 0.9100, 200.0),
]


def results_of(folder: Path, *made: tuple[dict[str, Any], float, float]) -> Results:
    records = make.measured(*((one, score, 1000.0 / speed) for one, score, speed in made), beside_ms=1000.0)
    return make.results_of(folder, *records, spread=make.SPREAD)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return results_of(tmp_path_factory.mktemp("few"), *FEW)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A hundred networks of seven families, three seeds of some."""
    return gather(make.write(tmp_path_factory.mktemp("many"), make.family_records(), make.SPREAD))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def cells(table: Table, row: str) -> dict[tuple[str, str], str]:
    (found,) = (one for one in table.rows if one.name == row)
    return {(c.group, c.title): cell.text for c, cell in zip(table.columns, found.cells, strict=True)}


# --- settings ---------------------------------------------------------------------------------------------------------


def test_each_further_setting_is_a_column_of_the_csv_and_of_tables_whose_networks_differ_in_it(few: Results) -> None:
    assert few.settings == ["factor", "gate", "global_color", "curve_terms", "hidden"]
    rows = rows_of(networks.variants_csv(few))
    names = list(rows[0])
    assert names[names.index("prelu") + 1 :][:5] == few.settings
    by_name = {row["network"]: row for row in rows}
    assert [by_name["tone {curve terms 4, hidden 16}"][name] for name in few.settings] == ["", "", "", "4", "16"]
    assert [by_name["shuffled {3, 16, 2, gate channel}"][name] for name in few.settings[:3]] == [
        "2",
        "channel",
        "False",
    ]
    assert [by_name["{3, 64, 4}"][name] for name in few.settings] == [""] * 5
    shown = {column.key for column in networks.others_shown(few).columns}
    assert shown & set(few.settings) == {"gate"}, "all have one factor, and there is one tone network"
    assert cells(networks.others_shown(few), "shuffled {3, 16, 2}")["Gate", ""] == "none"
    assert cells(networks.others_shown(few), "tone {curve terms 4, hidden 16}")["Gate", ""] == "—"


def test_without_further_settings_there_is_no_further_column(tmp_path: Path) -> None:
    results = make.results_of(tmp_path, *make.paper_records()[:8])
    assert results.settings == []
    assert {"factor", "gate"}.isdisjoint(rows_of(networks.variants_csv(results))[0])


def test_names_leave_out_what_a_family_shares_and_stay_different() -> None:
    architectures = {
        str(number): shuffled(channels, gate=gate, global_color=color)
        for number, (channels, gate, color) in enumerate(itertools.product((8, 16), ("none", "channel"), (False, True)))
    }
    names = network_labels(architectures | {"plain": make.BASELINE | {"norm": "none"}, "tone": TONE})
    assert len(set(names.values())) == len(names)
    assert names["3"] == "shuffled {3, 8, 2, gate channel, global color}"
    assert names["tone"] == "tone {curve terms 4, hidden 16}", "one network has nothing to share"
    assert names["plain"] == "{3, 64, 4, norm none}", "without norm it is not the paper's"


def test_what_names_leave_out_is_said_once(few: Results) -> None:
    notes = families.families_shown(few).notes
    assert any("shuffled: factor 2, global color no" in note for note in notes)


# --- the frontier -----------------------------------------------------------------------------------------------------


def test_each_family_holds_the_frontier_where_its_network_is_the_best_of_all_so_fast(many: Results) -> None:
    held = holders.stretches(many)
    shown = many.scored[many.scored["speed_up"].notna()]
    for speed in np.geomspace(shown["speed_up"].min(), shown["speed_up"].max() * 0.999, 300):
        fast_enough = shown[shown["speed_up"] >= speed]
        best = fast_enough.loc[fast_enough["ms_ssim"].idxmax(), "topology"]
        (owner,) = (s for s in held if (s.slow is None or 1 / s.slow < speed) and speed <= 1 / s.fast * (1 + 1e-12))
        assert owner.topology == best
    assert all(one.topology != other.topology for one, other in itertools.pairwise(held))


def test_the_table_says_from_which_to_which_speed_up_and_how_good(few: Results) -> None:
    table = families.families_shown(few)
    assert [row.name for row in table.rows] == ["plain", "strided", "shuffled", "tone"], "along the frontier"
    row = cells(table, "shuffled")
    assert row["Holds the frontier at", ""] == f"6.00{TIMES} to 30.0{TIMES}"
    assert (row["Networks", "scored"], row["Networks", "on frontier"]) == ("3", "2")
    assert (row["Best MS-SSIM", ""], row["Best MS-SSIM", "network"]) == ("0.9270", "{3, 24, 2}")
    assert cells(table, "plain")["Holds the frontier at", ""] == f"up to 1.00{TIMES}"
    (sentence,) = (one for one in findings(few) if "is held by" in one)
    assert sentence == (
        f"The frontier is held by plain (up to 1.00{TIMES}), then strided (1.00{TIMES} to 6.00{TIMES}), "
        f"then shuffled (6.00{TIMES} to 30.0{TIMES}), then tone (30.0{TIMES} to 200.0{TIMES})."
    )


def test_a_family_without_a_place_on_the_frontier_holds_it_nowhere(tmp_path: Path) -> None:
    results = results_of(tmp_path, *FEW[:2], (make.PROPOSED, 0.9000, 2.0))
    assert cells(families.families_shown(results), "strided")["Holds the frontier at", ""] == "nowhere"


def test_what_a_family_spans_alone_is_its_own_log_hypervolume(few: Results) -> None:
    by_hand = math.log2(20) * (0.9270 - UNTOUCHED) + math.log2(30 / 20) * (0.9250 - UNTOUCHED)
    (one,) = (one for one in holders.families(few) if one.topology == "shuffled")
    assert one.log_hypervolume == pytest.approx(by_hand)
    assert cells(families.families_shown(few), "shuffled")["Hypervolume alone", ""] == f"{by_hand:.4f}"
    papers = few.scored[few.scored["published"].notna()]
    assert any(
        f"networks alone that is {log_hypervolume(papers, UNTOUCHED):.4f}" in one
        for one in families.families_shown(few).notes
    )


def test_of_latencies_and_multiply_adds_the_holders_are_told_in_their_units(tmp_path: Path) -> None:
    untimed = make.results_of(tmp_path / "a", *(make.trained(one, score) for one, score, _ in FEW))
    table = families.families_shown(untimed)
    assert "Hypervolume alone" not in {column.group for column in table.columns}
    assert cells(table, "plain")["Holds the frontier at", ""].startswith("368 G and more, ")
    timed = make.measured((make.PROPOSED, 0.92, 150.0), (TONE, 0.91, 20.0))
    table = families.families_shown(make.results_of(tmp_path / "b", *timed))
    assert cells(table, "strided")["Holds the frontier at", ""] == "150 ms and more"
    assert cells(table, "tone")["Holds the frontier at", ""] == "150 ms to 20.0 ms"


def test_of_one_family_there_is_nothing_to_compare(tmp_path: Path) -> None:
    results = results_of(tmp_path, FEW[0], FEW[1])
    for table in (families.families_shown, families.shares_shown, families.changes_shown):
        assert table(results).rows == ()
    assert families.families_csv(results) == families.shares_csv(results) == families.changes_csv(results) == ""
    assert not any("is held by" in one for one in findings(results))
    assert "Which family" not in render(results, pictures=False)["report.md"].decode()


def test_both_hypervolumes_are_in_a_csv_of_their_own(few: Results, tmp_path: Path) -> None:
    of_latency, of_speed = rows_of(hypervolumes.hypervolumes_csv(few))
    assert float(of_latency["hypervolume"]) == pytest.approx(few.evidence.hypervolume.value)
    assert float(of_speed["hypervolume"]) == pytest.approx(few.evidence.log_hypervolume.value)
    assert float(of_speed["hypervolume_low"]) < float(of_speed["hypervolume"]) < float(of_speed["hypervolume_high"])
    assert of_speed["untouched"] == "0.8613"
    untimed = make.results_of(tmp_path, make.trained(make.PROPOSED))
    assert hypervolumes.hypervolumes_csv(untimed) == ""


# --- options ----------------------------------------------------------------------------------------------------------


def grid(folder: Path) -> Results:
    """Wider networks are 0.004 better and half as fast; the global color adds 0.003 and takes a tenth of the speed."""
    made = [
        (
            shuffled(channels, global_color=color),
            0.90 + 0.004 * (channels == 16) + 0.003 * color,
            40.0 * 0.5 ** (channels == 16) * 0.9**color,
        )
        for channels, color in itertools.product((8, 16), (False, True))
    ]
    return results_of(folder, FEW[0], *made)


def test_shares_of_a_grid_are_its_sums_of_squares(tmp_path: Path) -> None:
    results = grid(tmp_path)
    table = families.shares_shown(results)
    assert cells(table, "shuffled: channels")["Of MS-SSIM", "share"] == "64%", "16 of 16 + 9"
    assert cells(table, "shuffled: global color")["Of MS-SSIM", "share"] == "36%"
    assert cells(table, "shuffled: global color")["Values", ""] == "no, yes"
    slower = math.log(2) ** 2, math.log(1 / 0.9) ** 2
    found = {one.option: one for one in options.shares(results) if one.topology == "shuffled"}
    assert found["channels"].cost == pytest.approx(slower[0] / sum(slower), rel=1e-3)
    assert found["rest"].quality == pytest.approx(0, abs=1e-9)
    assert "all networks: family" in {row.name for row in table.rows}


def test_a_change_buys_the_median_difference_of_its_pairs(tmp_path: Path) -> None:
    table = families.changes_shown(grid(tmp_path))
    row = cells(table, "shuffled: global color no → yes")
    assert (row["MS-SSIM", "pairs"], row["MS-SSIM", "better in"], row["MS-SSIM", "median"]) == ("2", "2", "+0.0030")
    assert row["Speed, ratio", "median"] == f"0.900{TIMES}"
    assert cells(table, "shuffled: channels 8 → 16")["Speed, ratio", "median"] == f"0.500{TIMES}"


def test_where_less_is_better_a_change_that_lowers_is_an_improvement(tmp_path: Path) -> None:
    made = []
    for color in (False, True):
        network = shuffled(16, global_color=color)
        made.append(make.with_panel(make.trained(network, 0.92), mdsi=0.35 - 0.01 * color))
        made.append(make.paired(network, 20.0, 1000.0))
    made += [make.with_panel(make.trained(make.BASELINE, 0.92)), make.paired(make.BASELINE, 1000.0, 1000.0)]
    results = gather(make.write(tmp_path, made, make.SPREAD), quality="mdsi")
    row = cells(families.changes_shown(results), "shuffled: global color no → yes")
    assert (row["MDSI improvement", "better in"], row["MDSI improvement", "median"]) == ("1", "+0.0100")
    assert cells(families.families_shown(results), "shuffled")["Best MDSI", ""] == "0.3400"


def test_too_few_networks_have_no_shares_and_are_left_out_of_the_page(few: Results) -> None:
    rows = [row for row in rows_of(families.shares_csv(few)) if row["family"] == "plain"]
    assert rows[0]["quality_note"].startswith("not known: too few networks (2")
    assert not any(row.name.startswith("plain:") for row in families.shares_shown(few).rows)


def test_networks_trained_otherwise_do_not_count(tmp_path: Path) -> None:
    made = make.measured(*((one, score, 1000.0 / speed) for one, score, speed in FEW), beside_ms=1000.0)
    made.append(make.trained(shuffled(24, gate="channel"), 0.99, steps=75))
    results = make.results_of(tmp_path, *made, spread=make.SPREAD)
    assert len(results.training_conditions) == 2
    names = [row.name for row in families.changes_shown(results).rows]
    assert "shuffled: gate channel → none" in names
    assert cells(families.changes_shown(results), "shuffled: gate channel → none")["MS-SSIM", "pairs"] == "1"


# --- the report of many -----------------------------------------------------------------------------------------------


def test_the_papers_tables_and_claims_leave_out_other_families_and_say_so(many: Results, tmp_path: Path) -> None:
    alone = gather(make.write(tmp_path, make.paper_records(careful=True), make.SPREAD))
    of_many, of_alone = ({one.letter: one for one in claims.claims(results)} for results in (many, alone))
    for letter, claim in of_alone.items():
        assert of_many[letter].paper == claim.paper
        # Seeds of other families widen the intervals; the figure itself is of the paper's networks alone.
        assert of_many[letter].ours.partition(" (")[0] == claim.ours.partition(" (")[0]
    (note,) = claims.claims_shown(list(of_many.values()), many).notes
    assert note.startswith(
        "These claims are about the networks of the paper's Tables 1 and 2; 76 other networks here are"
    )
    for table in (1, 2):
        shown = networks.published_shown(many, table)
        assert len(shown.rows) == (17 if table == 1 else 7)
        assert shown.notes[-1].startswith("This table has the paper's networks alone; 76 other networks are")
    (note,) = claims.claims_shown(list(of_alone.values()), alone).notes
    assert "left out" not in note


def test_long_tables_are_folded_and_have_the_frontier_and_the_best_first(many: Results) -> None:
    table = networks.others_shown(many)
    assert table.is_long
    assert len(table.rows) == 76 > MOST_UNFOLDED
    on_frontier = int(many.frontier["published"].isna().sum())
    scores = [many.variants.loc[row.opens, "ms_ssim"] for row in table.rows]
    assert all(many.variants.loc[row.opens, "on_frontier"] for row in table.rows[:on_frontier])
    assert scores[on_frontier:] == sorted(scores[on_frontier:], reverse=True)
    text = render(many, pictures=False)[PAGE].decode()
    assert "Show all 76 rows" in text
    assert "Show all 17 rows" not in text
