"""The best within a limit and the cheapest that is good enough, against the plain definition."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from what_if_frames import frame_of, plain, published, timed, trained

from enhance_sweep.what_if import best_within, fastest_as_good_as, frontier_of

SCORES = st.one_of(st.none(), st.integers(0, 5).map(lambda value: value / 5))
TIMES = st.one_of(st.none(), st.integers(1, 6).map(float))
NETWORKS = st.lists(st.tuples(SCORES, TIMES), min_size=1, max_size=12)


def frame(networks: list[tuple[float | None, float | None]]):
    shapes = [plain(3, 2 + index, 1) for index in range(len(networks))]
    return frame_of(
        [trained(shape, score) for shape, (score, _) in zip(shapes, networks, strict=True)],
        [timed(shape, ms) for shape, (_, ms) in zip(shapes, networks, strict=True) if ms is not None],
    )


@settings(deadline=None, max_examples=40)
@given(NETWORKS, st.integers(0, 7))
def test_the_best_within_a_limit_and_the_fastest_of_the_good(networks: list[tuple[Any, Any]], limit: int) -> None:
    if all(ms is None for _, ms in networks):
        return
    known = [(score, ms) for score, ms in networks if score is not None and ms is not None]
    best = sorted((one for one in known if one[1] <= limit), key=lambda one: (-one[0], one[1]))[:1]
    fastest = sorted((one for one in known if one[0] >= limit / 5), key=lambda one: (one[1], -one[0]))[:1]
    table = frame(networks)
    for found, expected in (
        (best_within(table, max_latency_ms=limit), best),
        (fastest_as_good_as(table, limit / 5), fastest),
    ):
        assert found[["ms_ssim", "latency_ms_median"]].to_numpy().tolist() == [list(one) for one in expected]


def test_the_paper_has_its_answers() -> None:
    frame = published()
    assert best_within(frame, max_latency_ms=8000)["key"].str.startswith("strided-k3-s4-c16-b2-").tolist() == [True]
    # As good as the baseline's 0.9223, at a third of its time.
    assert list(fastest_as_good_as(frame, 0.9223)["latency_ms_median"]) == [7987]
    assert list(best_within(frame)["ms_ssim"]) == [0.9248]
    assert len(best_within(frame, count=100)) == 24
    assert list(frontier_of(frame)["latency_ms_median"]) == [6885, 7729, 7987, 14641, 15413]


def test_less_may_be_better() -> None:
    few = frame([(0.9, 1000.0), (0.8, 500.0), (0.7, 100.0)]).assign(mdsi=[0.4, 0.2, 0.3])
    assert list(best_within(few, quality="mdsi", count=2)["mdsi"]) == [0.2, 0.3]
    assert list(best_within(few, max_latency_ms=400, quality="mdsi")["mdsi"]) == [0.3]
    assert list(fastest_as_good_as(few, 0.25, quality="mdsi")["mdsi"]) == [0.2]
    assert list(frontier_of(few, quality="mdsi")["mdsi"]) == [0.3, 0.2]


def test_memory_is_a_limit_too_and_limits_add_up() -> None:
    few = frame([(0.9, 1000.0), (0.8, 500.0), (0.7, 100.0)])  # 200, 150 and 110 MiB
    assert list(best_within(few, max_peak_rss_mib=150)["ms_ssim"]) == [0.8]
    assert list(best_within(few, max_latency_ms=400, max_peak_rss_mib=150)["ms_ssim"]) == [0.7]
    assert list(best_within(few, max_latency_ms=1000)["ms_ssim"]) == [0.9]  # a limit may be reached


def test_a_lucky_seed_makes_no_network_the_best() -> None:
    lucky, steady = plain(3, 16, 1), plain(3, 16, 2)
    scores = {0: 0.99, 1: 0.80}
    frame = frame_of([*(trained(lucky, score, seed) for seed, score in scores.items()), trained(steady, 0.95)])
    assert list(best_within(frame)["blocks"]) == [2]


def test_nothing_within_is_an_empty_table_with_its_columns() -> None:
    for found in (best_within(published(), max_latency_ms=1), fastest_as_good_as(published(), 0.99)):
        assert found.empty
        assert {"key", "channels", "ms_ssim", "latency_ms_median", "seed_count"} <= set(found.columns)


def test_what_cannot_be_ranked_together_is_refused() -> None:
    one, other = plain(3, 16, 1), plain(3, 16, 2)
    of_two_sets = frame_of([trained(one, 0.9), trained(other, 0.8, data_fingerprint="def")], [timed(one, 1)])
    with pytest.raises(ValueError, match=r"ms_ssim can be ranked within one data_fingerprint, got .*, def"):
        best_within(of_two_sets)
    of_two_hosts = frame_of([trained(one, 0.9), trained(other, 0.8)], [timed(one, 1), timed(other, 2, host="bench-2")])
    with pytest.raises(ValueError, match=r"latency_ms_median can be ranked within one host, got bench-1, bench-2"):
        best_within(of_two_hosts, max_latency_ms=10)
    with pytest.raises(ValueError, match="host"):
        frontier_of(of_two_hosts)
    # Their layers can be counted, whatever times them.
    assert len(fastest_as_good_as(of_two_hosts, 0.5, cost="macs", count=2)) == 2


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match="mos"):
        best_within(published(), quality="mos")
    with pytest.raises(KeyError, match="joules"):
        fastest_as_good_as(published(), 0.9, cost="joules")


def test_a_score_that_is_missing_is_not_the_best() -> None:
    few = frame([(None, 1.0), (0.5, 2.0)]).assign(ms_ssim=[np.nan, 0.5])
    assert list(best_within(few, max_latency_ms=10)["ms_ssim"]) == [0.5]
