"""Matched pairs against their definition, and against the paper's tables."""

import math
from itertools import product

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from what_if_frames import frame_of, plain, published, strided, timed, trained

from enhance_sweep.records.schema import ARCHITECTURE_COLUMNS
from enhance_sweep.what_if import effect_of, effects_of

GRID = list(product((3, 5, 7), (16, 32, 64), (1, 2, 4), (False, True)))
SETTINGS = ["kernel_size", "channels", "blocks", "prelu"]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(GRID), unique=True, min_size=1, max_size=18), st.sampled_from(SETTINGS))
def test_pairs_are_what_the_definition_says(shapes: list[tuple[int, int, int, bool]], axis: str) -> None:
    """Equal in all else, and nothing between them on the axis."""
    frame = frame_of(
        [trained(plain(*shape), index / 100) for index, shape in enumerate(shapes)],
        [timed(plain(*shape), 2.0**index) for index, shape in enumerate(shapes)],
    )
    place = SETTINGS.index(axis)
    expected = {}
    for i, j in product(range(len(shapes)), repeat=2):
        one, other = list(shapes[i]), list(shapes[j])
        before, after = one.pop(place), other.pop(place)
        between = [shape for shape in shapes if before < shape[place] < after]
        if one == other and before < after and not any([*s[:place], *s[place + 1 :]] == one for s in between):
            expected[(*one, before, after)] = ((j - i) / 100, 2.0 ** (j - i))
    pairs = effect_of(frame, axis)
    where = pairs[[*(name for name in SETTINGS if name != axis), "from", "to"]].itertuples(index=False, name=None)
    changes = pairs[["ms_ssim_difference", "latency_ms_median_ratio"]].itertuples(index=False, name=None)
    assert {w: pytest.approx(change) for w, change in zip(where, changes, strict=True)} == expected
    assert len(pairs) == len(expected)


def test_the_papers_prelu_buys_nothing() -> None:
    """Table 2: {4, 32} with PReLU has 0.9209 in 20.584 s, without 0.9206 in 17.826 s."""
    pair = effect_of(published(), "prelu").iloc[0]
    assert (pair["from"], pair["to"], pair["strided_kernel_size"], pair["channels"]) == (False, True, 4, 32)
    assert pair["ms_ssim_difference"] == pytest.approx(0.0003)
    assert pair["latency_ms_median_ratio"] == pytest.approx(20.584 / 17.826)
    assert len(effect_of(published(), "prelu")) == 1


def test_the_papers_larger_kernel_costs_more_and_is_seldom_better() -> None:
    effects = effects_of(published(), ["kernel_size"]).set_index(["from", "to"]).loc[(3, 5)]
    assert (effects["pairs"], effects["better"]) == (8, 3)  # {16, 2}, {16, 3} and {16, 4}
    assert effects["latency_ms_median_ratio_lowest"] == pytest.approx(9.297 / 6.885)
    assert effects["latency_ms_median_ratio_highest"] == pytest.approx(164.068 / 95.532)
    differences = [-0.0016, 0.0021, 0.0028, 0.0017, -0.0025, -0.0006, -0.0002, -0.0032]
    assert effects["ms_ssim_difference"] == pytest.approx(pd.Series(differences).median())
    assert effects["ms_ssim_difference_highest"] == pytest.approx(0.0028)


def test_two_topologies_are_paired_where_what_both_have_is_equal() -> None:
    """{3, 16, 2} stands against {3-3, 16} and {3-4, 16}: the strided kernel belongs to the topology."""
    pairs = effect_of(published(), "topology")
    shown = pairs[["kernel_size", "strided_kernel_size", "channels", "blocks"]].to_numpy().tolist()
    assert shown == [[3, 3, 16, 2], [3, 3, 32, 2], [3, 4, 16, 2], [3, 4, 32, 2]]
    assert set(zip(pairs["from"], pairs["to"], strict=True)) == {("plain", "strided")}
    assert list(pairs["ms_ssim_difference"]) == pytest.approx([0.0032, 0.0043, 0.0089, 0.0056])


def test_every_two_of_three_topologies_are_compared() -> None:
    unet = {"topology": "unet", "kernel_size": 3, "channels": 16, "depth": 4}
    shapes = [plain(3, 16, 2), strided(3, 4, 16), unet]
    pairs = effect_of(frame_of([trained(shape, index / 10) for index, shape in enumerate(shapes)]), "topology")
    changes = sorted(zip(pairs["from"], pairs["to"], strict=True))
    assert changes == [("plain", "strided"), ("plain", "unet"), ("strided", "unet")]


def test_one_change_can_be_asked_for_whatever_lies_between() -> None:
    frame = frame_of([trained(plain(3, channels, 1), channels / 100) for channels in (16, 32, 64)])
    pairs = effect_of(frame, "channels", values=(64, 16))
    assert pairs[["from", "to", "ms_ssim_difference"]].to_numpy().tolist() == [[64, 16, pytest.approx(-0.48)]]
    assert effect_of(frame, "channels", values=(16, 128)).empty


def test_seeds_are_averaged_and_give_the_standard_error() -> None:
    without, with_prelu = plain(3, 16, 1), plain(3, 16, 1, prelu=True)
    scores = [(without, 0, 0.90), (without, 1, 0.92), (without, 2, 0.94), (with_prelu, 0, 0.95)]
    pair = effect_of(frame_of([trained(shape, value, seed) for shape, seed, value in scores]), "prelu").iloc[0]
    assert (pair["seeds_from"], pair["seeds_to"]) == (3, 1)
    assert pair["ms_ssim_difference"] == pytest.approx(0.03)
    assert pair["ms_ssim_standard_error"] == pytest.approx(0.02 * math.sqrt(1 / 3 + 1))


def test_only_what_was_trained_alike_is_compared_in_quality() -> None:
    shapes = [plain(3, 16, 1), plain(3, 16, 1, prelu=True)]
    trainings = [trained(shapes[0], 0.90), trained(shapes[1], 0.95, steps=40_000)]
    pair = effect_of(frame_of(trainings, [timed(shape, 80) for shape in shapes]), "prelu").iloc[0]
    assert math.isnan(pair["ms_ssim_difference"])
    assert pair["latency_ms_median_ratio"] == 1


def test_only_what_was_timed_alike_is_compared_in_cost() -> None:
    shapes = [plain(3, 16, 1), plain(3, 16, 1, prelu=True)]
    trainings = [trained(shapes[0], 0.90), trained(shapes[1], 0.95)]
    for changes in ({"host": "bench-2"}, {"threads": 16}, {"layout": "channels_first"}):
        pair = effect_of(frame_of(trainings, [timed(shapes[0], 80), timed(shapes[1], 20, **changes)]), "prelu").iloc[0]
        assert pair["ms_ssim_difference"] == pytest.approx(0.05)
        assert math.isnan(pair["latency_ms_median_ratio"])


def test_several_ways_of_training_have_a_row_and_a_column() -> None:
    shapes = [plain(3, 16, 1), plain(3, 16, 1, prelu=True)]
    trainings = [trained(one, 0.9 + i / 10 + s / 1e6, steps=s) for i, one in enumerate(shapes) for s in (10, 20)]
    pairs = effect_of(frame_of(trainings, [timed(shape, 80) for shape in shapes]), "prelu")
    assert sorted(pairs["steps"]) == [10, 20]
    assert list(pairs["ms_ssim_difference"]) == pytest.approx([0.1, 0.1])
    assert list(pairs["latency_ms_median_ratio"]) == [1, 1]


@pytest.mark.parametrize("rows", [0, 1, 24])
def test_where_there_is_no_pair_there_are_no_rows_and_all_columns(rows: int) -> None:
    frame = published()
    without = frame[~frame["prelu"]].head(rows)
    pairs = effect_of(without, "prelu")
    assert pairs.empty
    assert list(pairs.columns) == list(effect_of(frame, "prelu").columns)
    assert set(ARCHITECTURE_COLUMNS) - {"prelu"} < set(pairs.columns)


def test_the_summary_says_why_nothing_was_compared() -> None:
    frame = published()
    plain_only = frame[(frame["topology"] == "plain") & (frame["kernel_size"] == 3)]
    notes = effects_of(plain_only).drop_duplicates("axis").set_index("axis")["note"]
    assert notes["topology"] == "not compared: plain in all networks"
    assert notes["kernel_size"] == "not compared: 3 in all networks"
    assert notes["strided_kernel_size"] == "not compared: no network has it"
    assert notes["channels"] == ""
    alone = frame_of([trained(plain(3, 16, 1), 0.9), trained(plain(5, 32, 1), 0.8)])
    notes = effects_of(alone).set_index("axis")["note"]
    assert notes["kernel_size"] == notes["channels"] == "not compared: no two networks differ in it alone"


def test_the_summary_says_what_is_not_timed_or_not_scored() -> None:
    shapes = [plain(3, 16, 1), plain(3, 32, 1)]
    row = effects_of(frame_of([], [timed(shapes[0], 10), timed(shapes[1], 30)]), ["channels"]).iloc[0]
    assert (row["pairs"], row["cost_pairs"], row["latency_ms_median_ratio"]) == (0, 1, 3)
    assert row["note"] == "not scored"
    row = effects_of(frame_of([trained(shape, 0.9) for shape in shapes]), ["channels"]).iloc[0]
    assert (row["pairs"], row["better"], row["cost_pairs"], row["note"]) == (1, 0, 0, "not timed")


def test_further_settings_are_axes_and_where_they_are_not_named_such_networks_are_refused() -> None:
    deep = [{"topology": "unet", "kernel_size": 3, "channels": c, "depth": d} for c in (8, 16) for d in (2, 3)]
    frame = frame_of([trained(shape, shape["channels"] / 100 + shape["depth"] / 1000) for shape in deep])
    with pytest.raises(ValueError, match=r"different networks with the same topology, .* add the column"):
        effect_of(frame, "channels", axes=ARCHITECTURE_COLUMNS)
    assert list(effect_of(frame, "channels")["ms_ssim_difference"]) == pytest.approx([0.08, 0.08])
    assert list(effect_of(frame, "depth")["ms_ssim_difference"]) == pytest.approx([0.001, 0.001])
    assert set(effects_of(frame, ["channels", "depth"])["pairs"]) == {2}
    summary = effects_of(frame).set_index("axis")
    assert dict(summary["pairs"]) == {**dict.fromkeys(ARCHITECTURE_COLUMNS, 0), "channels": 2, "depth": 2}


def test_networks_that_differ_in_a_further_setting_alone_are_compared() -> None:
    base = {"topology": "shuffled", "kernel_size": 3, "channels": 16, "blocks": 2}
    gates = [base | {"gate": gate, "global_color": color} for gate in ("none", "channel") for color in (False, True)]
    frame = frame_of([trained(one, 0.9 + 0.01 * number) for number, one in enumerate([*gates, plain(3, 16, 2)])])
    rows = effects_of(frame).set_index("axis")
    assert rows.loc["gate", ["from", "to", "pairs"]].tolist() == ["channel", "none", 2]
    assert rows.loc["gate", "ms_ssim_difference"] == pytest.approx(-0.02)
    assert rows.loc["global_color", "ms_ssim_difference"] == pytest.approx(0.01)
    assert rows.loc["topology", "pairs"] == 4, "settings that one of the two lacks may be anything"


def test_a_question_that_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected an axis among topology, .* got 'steps'"):
        effect_of(published(), "steps")
    with pytest.raises(KeyError, match="mos"):
        effect_of(published(), "prelu", quality="mos")
    with pytest.raises(KeyError, match="joules"):
        effect_of(published(), "prelu", cost="joules")


def test_the_asked_rows_are_left_as_they_were() -> None:
    frame = published()
    before = frame.copy(deep=True)
    effects_of(frame)
    pd.testing.assert_frame_equal(frame, before)
