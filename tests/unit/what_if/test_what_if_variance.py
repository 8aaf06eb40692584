"""Shares of variance: worked by hand, against all orders one by one, and against dealing the scores out at random."""

import math
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from what_if_frames import frame_of, plain, published, strided, timed, trained

from enhance_sweep.what_if import shares_of_variance

AXES = ["kernel_size", "channels", "blocks"]


def frame_with(rows: list[tuple[int, ...]], scores: list[float]) -> pd.DataFrame:
    return frame_of([trained(plain(*row), score) for row, score in zip(rows, scores, strict=True)])


def by_axis(shares: pd.DataFrame, column: str = "share") -> dict[str, float]:
    return dict(zip(shares["axis"], shares[column], strict=True))


def test_a_balanced_design_worked_by_hand() -> None:
    """Two channels by three blocks. Mean 5; rows 3, 7: 3·(4 + 4) = 24; columns 2, 4, 9: 2·(9 + 1 + 16) = 52; all 80."""
    frame = frame_with([(3, c, b) for c in (16, 32) for b in (1, 2, 3)], [1.0, 2.0, 6.0, 3.0, 6.0, 12.0])
    shares = shares_of_variance(frame, ["channels", "blocks"])
    assert by_axis(shares) == pytest.approx({"channels": 24 / 80, "blocks": 52 / 80, "rest": 4 / 80})
    assert list(shares["axis"]) == ["blocks", "channels", "rest"]
    assert by_axis(shares, "degrees_of_freedom") == {"blocks": 2, "channels": 1, "rest": 2}
    assert by_axis(shares, "share_by_chance") == pytest.approx({"blocks": 0.4, "channels": 0.2, "rest": 0.4})
    for ends in ("share_first", "share_last"):
        assert by_axis(shares.head(2), ends) == pytest.approx({"blocks": 0.65, "channels": 0.3})


def test_an_unbalanced_design_worked_by_hand() -> None:
    """Channels and blocks of four networks: 16 and 1: 0; 16 and 2: 1; 32 and 2: 5 and 6. Mean 3, squares 26.

    Channels alone have means 1/2 and 11/2, squares 25; blocks alone 0 and 4, squares 12. Both together fit 0, 1, 5.5
    and 5.5: 1/2 is left, 25.5 explained. Over both orders channels add (25 + 13.5) / 2, blocks (12 + 0.5) / 2.
    """
    frame = frame_with([(3, 16, 1), (3, 16, 2), (3, 32, 2), (3, 32, 2, True)], [0.0, 1.0, 5.0, 6.0])
    shares = shares_of_variance(frame, ["channels", "blocks"])
    assert by_axis(shares) == pytest.approx({"channels": 19.25 / 26, "blocks": 6.25 / 26, "rest": 0.5 / 26})
    assert by_axis(shares.head(2), "share_first") == pytest.approx({"channels": 25 / 26, "blocks": 12 / 26})
    assert by_axis(shares.head(2), "share_last") == pytest.approx({"channels": 13.5 / 26, "blocks": 0.5 / 26})


def all_orders(rows: list[tuple[int, int, int]], scores: list[float]) -> dict[str, float]:
    """Type I sums of squares of every order, with an intercept and plain indicator columns, averaged."""
    y = np.array(scores)
    columns = {
        axis: np.equal.outer(values, np.unique(values)) for axis, values in zip(AXES, np.transpose(rows), strict=True)
    }

    def left(axes: tuple[str, ...]) -> float:
        design = np.concatenate([np.ones((len(y), 1)), *(columns[axis] for axis in axes)], axis=1)
        return float(np.sum((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2))

    total, orders = left(()), list(permutations(AXES))
    shares = dict.fromkeys(AXES, 0.0)
    for order in orders:
        for place, axis in enumerate(order):
            shares[axis] += (left(order[:place]) - left(order[: place + 1])) / total / len(orders)
    return shares | {"rest": left(tuple(AXES)) / total}


SEEDS = st.integers(0, 2**32 - 1)
ROWS = st.lists(st.sampled_from(list(product([3, 5], [16, 32, 64], [1, 2, 4]))), unique=True, min_size=8)


@settings(deadline=None, max_examples=40)
@given(ROWS, SEEDS)
def test_shares_are_the_mean_over_all_orders_and_add_up(rows: list[tuple[int, int, int]], seed: int) -> None:
    scores = list(np.random.default_rng(seed).normal(0.9, 0.01, len(rows)))
    shares = shares_of_variance(frame_with(rows, scores), AXES)
    if shares["note"].str.startswith("not known: too few").any():
        return
    expected = all_orders(rows, scores)
    found = by_axis(shares)
    for axis, share in found.items():
        if math.isnan(share):  # an axis that does not vary adds nothing in any order
            assert expected[axis] == pytest.approx(0, abs=1e-9)
        else:
            assert share == pytest.approx(expected[axis], abs=1e-9)
            assert share >= -1e-12
    assert np.nansum(list(found.values())) == pytest.approx(1)
    assert np.nansum(shares["share_by_chance"]) == pytest.approx(1)


@settings(deadline=None, max_examples=30)
@given(ROWS, SEEDS, st.floats(0.1, 100), st.floats(-5, 5))
def test_shares_know_no_order_of_rows_or_axes_and_no_unit(
    rows: list[tuple[int, int, int]], seed: int, factor: float, offset: float
) -> None:
    random = np.random.default_rng(seed)
    scores = list(random.normal(0.9, 0.01, len(rows)))
    shares = by_axis(shares_of_variance(frame_with(rows, scores), AXES))
    shuffled = list(zip(rows, [factor * score + offset for score in scores], strict=True))
    random.shuffle(shuffled)
    again = shares_of_variance(frame_with(*map(list, zip(*shuffled, strict=True))), AXES[::-1])
    assert by_axis(again) == pytest.approx(shares, nan_ok=True, abs=1e-6)


def test_by_chance_is_the_mean_over_all_ways_to_deal_the_scores_out() -> None:
    rows = [(3, 16, 1), (3, 16, 2), (3, 32, 1), (3, 32, 2), (3, 16, 4)]
    scores = [0.90, 0.91, 0.95, 0.93, 0.88]
    frame = frame_with(rows, scores)
    axes = ["channels", "blocks"]
    dealt = [by_axis(shares_of_variance(frame.assign(ms_ssim=order), axes)) for order in permutations(scores)]
    by_chance = by_axis(shares_of_variance(frame, axes), "share_by_chance")
    for axis, share in by_chance.items():
        assert share == pytest.approx(np.mean([one[axis] for one in dealt]))


def test_latency_is_taken_in_logarithms_so_that_factors_add_up() -> None:
    shapes = [plain(3, c, b) for c in (16, 32, 64) for b in (1, 2, 4)]
    frame = frame_of([], [timed(shape, 7 * shape["channels"] ** 2 * shape["blocks"]) for shape in shapes])
    shares = by_axis(shares_of_variance(frame, ["channels", "blocks"], of="latency_ms_median"))
    # Steps of log 4 and of log 2, three values each: variances as 4 to 1, and nothing left.
    assert shares == pytest.approx({"channels": 0.8, "blocks": 0.2, "rest": 0.0}, abs=1e-12)
    linear = by_axis(shares_of_variance(frame, ["channels", "blocks"], of="latency_ms_median", scale="linear"))
    assert linear["rest"] > 0.05


def test_a_number_can_be_a_straight_line_in_its_logarithm() -> None:
    shapes = [plain(3, c, 1) for c in (8, 16, 32, 64, 128)]
    frame = frame_of([trained(shape, 0.9 + math.log2(shape["channels"]) / 100) for shape in shapes])
    categories = shares_of_variance(frame, ["channels"])
    assert categories["note"].iloc[0] == "not known: too few networks (5, a model of 5 parameters)"
    assert categories["share"].isna().all()
    line = shares_of_variance(frame, ["channels"], numeric=["channels"])
    assert by_axis(line) == pytest.approx({"channels": 1.0, "rest": 0.0})
    assert line["degrees_of_freedom"].iloc[0] == 1


def test_a_setting_that_some_networks_do_not_have_explains_only_those_that_have_it() -> None:
    topology, kernel = 0.03, 0.002
    made = [trained(plain(3, c, 2), 0.90) for c in (16, 32)]
    made += [trained(strided(3, s, c), 0.90 + topology + kernel * (s - 3.5)) for s in (3, 4) for c in (16, 32)]
    frame = frame_of(made)
    shares = shares_of_variance(frame, ["topology", "strided_kernel_size", "channels"])
    squares = {"topology": 6 * 2 / 9 * topology**2, "strided_kernel_size": 4 * (kernel / 2) ** 2}
    total = sum(squares.values())
    expected = {name: value / total for name, value in squares.items()} | {"channels": 0.0, "rest": 0.0}
    assert by_axis(shares) == pytest.approx(expected, abs=1e-9)
    assert not shares["note"].iloc[:3].any()


def test_axes_that_vary_together_are_said_so() -> None:
    sizes = [(3, 16, 1), (3, 32, 2), (5, 16, 1), (5, 32, 2)]
    shares = shares_of_variance(frame_with(sizes, [0.90, 0.92, 0.91, 0.94]), AXES).set_index("axis")
    assert shares.loc["channels", "note"].startswith("cannot be told apart from blocks")
    assert shares.loc["blocks", "note"].startswith("cannot be told apart from channels")
    assert shares.loc["kernel_size", "note"] == ""
    assert shares.loc["channels", "share"] == pytest.approx(shares.loc["blocks", "share"])
    assert shares.loc["channels", "share_last"] == pytest.approx(0)
    assert shares["share"].sum() == pytest.approx(1)
    # Blocks 3 and 4 only with 32 channels: in part they tell the same.
    partly = [(3, 16, 1), (3, 16, 2), (3, 32, 3), (3, 32, 4), (5, 16, 1), (5, 32, 4)]
    notes = shares_of_variance(frame_with(partly, [0.1, 0.2, 0.4, 0.3, 0.2, 0.9]), AXES).set_index("axis")["note"]
    assert notes["blocks"].startswith("varies partly with channels")
    assert notes["channels"].startswith("cannot be told apart from blocks")


def test_an_axis_that_does_not_vary_has_no_share_rather_than_none() -> None:
    frame = published()
    shares = shares_of_variance(frame[frame["topology"] == "plain"]).set_index("axis")
    assert math.isnan(shares.loc["topology", "share"])
    assert shares.loc["topology", "note"] == "not known: plain in all networks"
    assert shares["share"].sum() == pytest.approx(1)
    assert shares_of_variance(frame, ["strided_kernel_size"])["note"].iloc[0] == ""
    missing = shares_of_variance(frame[frame["topology"] == "plain"], ["strided_kernel_size", "channels"])
    assert missing.set_index("axis").loc["strided_kernel_size", "note"] == "not known: no network has it"


@pytest.mark.parametrize(
    ("scores", "note"),
    [
        ([], "not known: no network has a value of ms_ssim"),
        ([0.9], "too few networks (1"),
        ([0.9, 0.8], "too few networks (2"),
        ([0.9] * 4, "not known: ms_ssim is the same in all networks"),
        ([None] * 4, "not known: no network has a value of ms_ssim"),
    ],
)
def test_where_nothing_can_be_told_shares_are_missing_and_a_note_says_why(
    scores: list[float | None], note: str
) -> None:
    rows = [(3, 16, 1), (3, 32, 1), (3, 16, 2), (3, 32, 2)][: len(scores)]
    shares = shares_of_variance(frame_with(rows, scores).astype({"ms_ssim": "float64"}), ["channels", "blocks"])
    assert shares["share"].isna().all()
    assert list(shares["axis"]) == ["channels", "blocks", "rest"]
    assert note in shares["note"].iloc[-1]
    assert shares["note"].str.startswith("not known").all()


def test_a_network_counts_once_however_many_seeds_it_has() -> None:
    rows, scores = [(3, 16, 1), (3, 32, 1), (3, 16, 2), (3, 32, 2)], [0.90, 0.92, 0.93, 0.99]
    all_rows = [trained(plain(*row), score) for row, score in zip(rows, scores, strict=True)]

    def with_seeds(*offsets: float) -> pd.DataFrame:
        seeds = [trained(plain(*rows[0]), 0.90 + offset, seed) for seed, offset in enumerate(offsets, 1)]
        return shares_of_variance(frame_of([*all_rows, *seeds]), ["channels", "blocks"])

    once, thrice = with_seeds(), with_seeds(0.002, -0.002)
    assert by_axis(thrice) == pytest.approx(by_axis(once))
    assert "no network has several seeds" in once["note"].iloc[-1]
    # 0.002² between seeds, of means of 3, 1, 1 and 1 seeds: 0.002² · (1/3 + 3) · 3/4, over squares of 0.0045.
    assert thrice["note"].iloc[-1] == "of all variance about 0% is chance between seeds"
    noisy = with_seeds(0.02, -0.02)
    assert noisy["note"].iloc[-1] == "of all variance about 22% is chance between seeds"


def test_different_ways_are_not_mixed() -> None:
    frame = frame_of([trained(plain(3, 16, b), b / 10, steps=100 * (b % 2 + 1)) for b in (1, 2, 3, 4)])
    with pytest.raises(ValueError, match=r"several ways .steps: 100, 200.: keep the rows of one"):
        shares_of_variance(frame, ["blocks"])
    hosts = frame_of([], [timed(plain(3, 16, b), b, host=f"bench-{b % 2}") for b in (1, 2, 3, 4)])
    with pytest.raises(ValueError, match=r"several ways .host: bench-0, bench-1."):
        shares_of_variance(hosts, ["blocks"], of="latency_ms_median")
    by_channels = frame_of([], [timed(plain(3, c, b), b, host=f"bench-{b}") for b in (1, 2, 3) for c in (16, 32)])
    macs = shares_of_variance(by_channels, ["channels"], of="macs")
    assert macs["note"].iloc[-1] == "not known: macs is the same in all networks"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"axes": []}, "1 to 10 different axes, got none"),
        ({"axes": ["blocks", "blocks"]}, "different axes"),
        ({"numeric": ["prelu"]}, "numeric: expected some of"),
        ({"numeric": ["topology"]}, "topology cannot be numeric: .* plain, strided"),
        ({"scale": "cubic"}, "expected auto, log or linear, got 'cubic'"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(asked: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shares_of_variance(published(), **asked)


def test_a_logarithm_of_nothing_is_refused() -> None:
    frame = frame_with([(3, 16, 1), (3, 32, 1), (3, 64, 1)], [0.0, 0.5, 0.9])
    with pytest.raises(ValueError, match=r"ms_ssim has values of 0 or less.*scale='linear'"):
        shares_of_variance(frame, ["channels"], scale="log")


def test_a_column_that_is_not_there_is_named() -> None:
    for asked in ({"axes": ["depth"]}, {"of": "mos"}):
        with pytest.raises(KeyError, match=r"depth|mos"):
            shares_of_variance(published(), **asked)
