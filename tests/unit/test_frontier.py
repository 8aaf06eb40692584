"""The frontier and its hypervolume against brute force."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from enhance_sweep.frontier import hypervolume, log_hypervolume, pareto_front

# Few distinct values, so that ties in cost, in quality and in both are common.
VALUE = st.one_of(st.integers(0, 6).map(float), st.floats(0, 6, allow_nan=False), st.none(), st.just(math.nan))
POINTS = st.lists(st.tuples(VALUE, VALUE), max_size=40)


Point = tuple[float | None, float | None]


def frame_of(points: Sequence[Point]) -> pd.DataFrame:
    return pd.DataFrame(points, columns=["latency_ms_median", "ms_ssim"], dtype=object).assign(name=range(len(points)))


def known(points: Sequence[Point]) -> dict[int, tuple[float, float]]:
    return {i: (c, q) for i, (c, q) in enumerate(points) if None not in (c, q) and not (math.isnan(c) or math.isnan(q))}


def undominated(points: Sequence[Point]) -> set[int]:
    """By the definition: no other point is no worse on both and better on one."""
    candidates = known(points)
    return {
        i
        for i, (cost, quality) in candidates.items()
        if not any(c <= cost and q >= quality and (c < cost or q > quality) for c, q in candidates.values())
    }


@given(POINTS)
@example([(1.0, 2.0), (1.0, 2.0), (1.0, 1.0), (2.0, 2.0), (0.5, 2.0)])
@example([(1.0, -math.inf)])
@example([(math.inf, 1.0), (math.inf, 1.0), (-math.inf, 0.0)])
def test_the_front_is_what_the_definition_says_cheapest_first(points: list[Point]) -> None:
    front = pareto_front(frame_of(points))
    assert set(front["name"]) == undominated(points)
    assert front["name"].is_unique
    assert front["latency_ms_median"].is_monotonic_increasing
    assert front["ms_ssim"].is_monotonic_increasing


def test_the_front_of_the_front_is_itself_and_keeps_all_columns_and_its_index() -> None:
    rows = np.random.default_rng(0).random((200, 2))
    frame = pd.DataFrame(rows, columns=["latency_ms_median", "ms_ssim"], index=[f"row {i}" for i in range(200)])
    front = pareto_front(frame)
    pd.testing.assert_frame_equal(pareto_front(front), front)
    pd.testing.assert_frame_equal(front, frame.loc[front.index])


def test_other_columns_can_be_cost_and_quality_and_a_missing_one_is_named() -> None:
    frame = pd.DataFrame({"macs": [1, 2, 3], "psnr_db": pd.array([20.0, None, 19.0], dtype="Float64")})
    assert list(pareto_front(frame, cost="macs", quality="psnr_db")["macs"]) == [1]
    with pytest.raises(KeyError, match="latency_ms_median"):
        pareto_front(frame)


def test_a_large_table_has_the_same_front_as_brute_force() -> None:
    rng = np.random.default_rng(1)
    points = [(float(c), float(q)) for c, q in rng.integers(0, 50, (1500, 2))]
    assert set(pareto_front(frame_of(points))["name"]) == undominated(points)


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=12), st.integers(0, 8), st.integers(0, 8))
def test_the_hypervolume_counts_the_dominated_unit_squares(
    points: list[tuple[int, int]], worst_cost: int, worst_quality: int
) -> None:
    frame = frame_of([(float(c), float(q)) for c, q in points])
    squares = sum(
        any(c <= x and q >= y + 1 for c, q in points)
        for x in range(worst_cost)  # the unit square from (x, y) to (x + 1, y + 1)
        for y in range(worst_quality, 8)
    )
    assert hypervolume(frame, worst_cost, worst_quality) == squares


def test_the_hypervolume_of_nothing_is_nothing() -> None:
    assert hypervolume(frame_of([]), 1.0, 0.0) == 0.0
    assert hypervolume(frame_of([(None, 1.0), (1.0, math.nan)]), 5.0, 0.0) == 0.0


@given(POINTS, st.floats(0.1, 6), st.floats(0.1, 6))
def test_one_more_point_never_makes_the_hypervolume_smaller(points: list[Point], cost: float, quality: float) -> None:
    before = hypervolume(frame_of(points), 7.0, 0.0)
    after = hypervolume(frame_of([*points, (cost, quality)]), 7.0, 0.0)
    assert after >= before - 1e-9
    assert after >= (7.0 - cost) * quality - 1e-9


# --- over the logarithm of the speed-up -------------------------------------------------------------------------------

SPEED_UP = st.one_of(st.floats(0.25, 256), st.sampled_from([1.0, 2.0, 8.0]), st.none())


def speeds(points: Sequence[Point], quality: str = "ms_ssim") -> pd.DataFrame:
    return pd.DataFrame(points, columns=["speed_up", quality], dtype=object)


@given(st.lists(st.tuples(SPEED_UP, VALUE), max_size=20), st.sampled_from([0.0, 1.5, 3.0]))
def test_the_log_hypervolume_is_the_best_gain_at_each_doubling_summed(points: list[Point], worst: float) -> None:
    """By the definition: at each speed the best gain of all networks at least so fast, over narrow steps of speed."""
    candidates = known(points).values()
    width = 1 / 512
    middles = 2 ** (np.arange(0, 8, width) + width / 2)
    best = [max((q - worst for s, q in candidates if s >= speed and q > worst), default=0.0) for speed in middles]
    # In each step the gain may fall once, by no more than the largest gain.
    bound = width * (max((q - worst for _, q in candidates), default=0.0)) * (len(points) + 1) + 1e-9
    assert log_hypervolume(speeds(points), worst) == pytest.approx(sum(best) * width, abs=max(bound, 1e-9))


def test_the_log_hypervolume_by_hand() -> None:
    points: list[Point] = [(1.0, 0.93), (2.0, 0.92), (4.0, 0.91), (8.0, 0.85), (0.5, 0.99), (3.0, 0.915)]
    # From 1 to 2: 0.06 above 0.86; from 2 to 3: 0.055; from 3 to 4: 0.05; 8 is below the untouched input.
    by_hand = 0.06 + 0.055 * math.log2(1.5) + 0.05 * math.log2(4 / 3)
    assert log_hypervolume(speeds(points), 0.86) == pytest.approx(by_hand)
    assert log_hypervolume(speeds([(1.0, 0.93), (0.7, 0.99)]), 0.86) == 0.0, "nothing is faster than the baseline"
    assert log_hypervolume(speeds([]), 0.86) == 0.0


def test_each_doubling_of_speed_weighs_alike() -> None:
    assert log_hypervolume(speeds([(2.0, 0.9)]), 0.8) == pytest.approx(0.1)
    assert log_hypervolume(speeds([(256.0, 0.9)]), 0.8) == pytest.approx(0.8)
    slow = speeds([(2.0, 0.9)]).assign(cost=0.5)
    fast = speeds([(256.0, 0.9)]).assign(cost=1 / 256)
    gained = hypervolume(fast, 1.0, 0.8, cost="cost") / hypervolume(slow, 1.0, 0.8, cost="cost")
    assert gained == pytest.approx(2, rel=0.01), "over latency 256 times as fast is worth twice as much as 2 times"


def test_the_log_hypervolume_of_a_measure_of_which_less_is_better_counts_improvements() -> None:
    assert log_hypervolume(speeds([(4.0, 0.35), (8.0, 0.37)], "mdsi"), 0.38, quality="mdsi") == pytest.approx(
        2 * 0.03 + 0.01
    )


def test_a_missing_column_of_speed_ups_is_named() -> None:
    with pytest.raises(KeyError, match="speed_up"):
        log_hypervolume(pd.DataFrame({"ms_ssim": [0.9]}), 0.8)
