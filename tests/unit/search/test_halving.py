import itertools
import math
import random

import pytest

from enhance_sweep.search.halving import Halving, ranked, rung_steps

Curves = dict[str, dict[int, float | None]]


def run(halving: Halving, curves: Curves, count: int | None = None) -> list[tuple[str, int]]:
    """Drive a halving to its end; what was trained, in order."""
    done: list[tuple[str, int]] = []
    while work := halving.ask(count):
        for key, steps in work:
            halving.tell(key, curves[key][steps])
        done += work
    return done


def dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] >= other[1]


# --- rungs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "factor", "expected"),
    [
        (75, 1200, 2, [75, 150, 300, 600, 1200]),
        (75, 1200, 4, [75, 300, 1200]),
        (100, 1200, 2, [150, 300, 600, 1200]),
        (75, 300, 2, [75, 150, 300]),
        (300, 300, 2, [300]),
        (500, 300, 2, [300]),
        (1, 3, 1.5, [1, 2, 3]),
        (1, 2, 1.01, [1, 2]),
    ],
)
def test_rungs_end_with_the_whole_training(first: int, last: int, factor: float, expected: list[int]) -> None:
    assert rung_steps(first, last, factor) == expected


@pytest.mark.parametrize(("first", "last", "factor"), [(0, 10, 2), (1, 0, 2), (1, 10, 1), (1, 10, math.inf)])
def test_rungs_out_of_range_are_refused(first: int, last: int, factor: float) -> None:
    with pytest.raises(ValueError, match=f"got {first} to {last} by {factor}"):
        rung_steps(first, last, factor)


# --- ranking ----------------------------------------------------------------------------------------------------------


def test_fronts_are_those_of_brute_force() -> None:
    values = random.Random(0)
    for _ in range(50):
        points = {str(i): (values.choice([1.0, 2.0, 3.0, 5.0]), values.choice([0.1, 0.2, 0.3])) for i in range(9)}
        fronts = dict(ranked({k: p[0] for k, p in points.items()}, {k: p[1] for k, p in points.items()}))
        left, front = dict(points), 0
        while left:
            best = {k for k in left if not any(dominates(other, left[k]) for other in left.values())}
            assert {k for k in fronts if fronts[k] == front} == best
            left = {k: p for k, p in left.items() if k not in best}
            front += 1


def test_a_fronts_ends_come_first_and_then_its_sparse_parts() -> None:
    latencies = {"a": 1.0, "b": 2.0, "c": 2.1, "d": 2.2, "e": 16.0}
    qualities = {"a": 0.1, "b": 0.3, "c": 0.31, "d": 0.32, "e": 0.9}
    order = [key for key, _ in ranked(latencies, qualities)]
    assert order[:2] == ["a", "e"]
    assert set(order[2:4]) == {"b", "d"}
    assert order[4] == "c"


def test_the_order_does_not_depend_on_the_order_of_what_is_given() -> None:
    latencies = dict.fromkeys("abcd", 1.0) | {"e": 2.0}
    qualities = dict.fromkeys("abcd", 0.5) | {"e": 0.4}
    expected = ranked(latencies, qualities)
    assert [front for _, front in expected] == [0, 0, 0, 0, 1]
    for order in itertools.permutations(qualities):
        assert ranked(latencies, {key: qualities[key] for key in order}) == expected


def test_nothing_ranks_nothing() -> None:
    assert ranked({}, {}) == []


# --- halving ----------------------------------------------------------------------------------------------------------

RUNGS = [1, 2, 4]


def flat(**qualities: float) -> Curves:
    return {key: dict.fromkeys(RUNGS, quality) for key, quality in qualities.items()}


def test_one_in_two_goes_on_and_the_rest_is_dropped_with_its_reason() -> None:
    # Behind "a" all are dominated, each by the one before: fronts of one network each.
    latencies = {"a": 1.0, "b": 1.1, "c": 1.2, "d": 1.3}
    halving = Halving(latencies, RUNGS, finalists=1)
    done = run(halving, flat(a=0.9, b=0.8, c=0.7, d=0.6))
    assert done == [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("a", 2), ("b", 2), ("a", 4)]
    assert halving.finalists == ["a"]
    assert {key: one.steps for key, one in halving.dropped.items()} == {"c": 1, "d": 1, "b": 2}
    assert halving.dropped["c"].reason == "others are better or faster after 1 steps"


@pytest.mark.parametrize(("finalists", "expected"), [(1, "af"), (2, "af"), (3, "aef"), (6, "abcdef"), (9, "abcdef")])
def test_so_many_go_on_in_any_case_and_the_frontiers_ends_first(finalists: int, expected: str) -> None:
    latencies = {key: 2.0**i for i, key in enumerate("abcdef")}
    halving = Halving(latencies, RUNGS, finalists=finalists, saturation=None)
    run(halving, flat(a=0.1, b=0.2, c=0.3, d=0.4, e=0.41, f=0.6))
    assert halving.finalists == list(expected)
    assert len(halving.dropped) == 6 - len(expected)


def test_the_frontier_is_left_when_another_overtakes() -> None:
    halving = Halving({"fast": 1.0, "slow": 2.0, "other": 3.0}, RUNGS, finalists=1)
    curves = {"fast": {1: 0.1, 2: 0.5, 4: 0.6}, "slow": {1: 0.2, 2: 0.3, 4: 0.3}, "other": {1: 0.1, 2: 0.1, 4: 0.1}}
    run(halving, curves)
    assert halving.finalists == ["fast"]
    assert halving.dropped["other"].steps == 1
    assert halving.dropped["slow"].steps == 2


def test_of_equal_networks_the_first_by_key_go_on() -> None:
    halving = Halving({"c": 1.0, "b": 1.0, "a": 1.0, "d": 2.0}, RUNGS, finalists=1)
    run(halving, flat(a=0.5, b=0.5, c=0.5, d=0.5))
    assert halving.finalists == ["a"]
    assert halving.dropped["b"].steps == 2


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_a_failure_at_a_rung_is_out_and_frees_no_place(nothing: float | None) -> None:
    halving = Halving({"a": 1.0, "b": 1.1, "c": 1.2, "d": 1.3}, RUNGS, finalists=1)
    done = run(halving, flat(a=0.9, b=0.8, c=0.7, d=0.6) | {"b": {1: nothing}})
    assert halving.failed == {"b"}
    assert "b" not in halving.dropped
    assert done == [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("a", 2), ("c", 2), ("a", 4)]


def test_a_late_failure_keeps_what_was_reached() -> None:
    halving = Halving({"a": 1.0}, RUNGS)
    run(halving, {"a": {1: 0.5, 2: None}})
    assert halving.failed == {"a"}
    assert halving.qualities == {"a": {1: 0.5}}
    assert halving.finalists == []


def test_nothing_left_is_an_end() -> None:
    assert Halving({}, RUNGS).ask() == []
    halving = Halving({"a": 1.0, "b": 2.0}, RUNGS)
    assert run(halving, {"a": {1: None}, "b": {1: None}}) == [("a", 1), ("b", 1)]
    assert halving.ask() == []
    assert halving.failed == {"a", "b"}


def test_one_rung_halves_nothing() -> None:
    halving = Halving({"a": 1.0, "b": 2.0}, [5])
    assert run(halving, {"a": {5: 0.9}, "b": {5: 0.1}}) == [("a", 5), ("b", 5)]
    assert halving.finalists == ["a", "b"]


def test_no_one_leaves_a_rung_before_it_is_known_whole() -> None:
    halving = Halving({"a": 1.0, "b": 2.0, "c": 3.0}, RUNGS, finalists=1)
    assert halving.ask(2) == [("a", 1), ("b", 1)]
    assert halving.ask(2) == [("c", 1)]
    halving.tell("a", 0.5)
    halving.tell("c", 0.6)
    assert halving.ask() == []  # b is running
    halving.tell("b", 0.4)
    assert halving.ask() == [("a", 2), ("c", 2)]


def test_the_order_in_which_trainings_end_changes_nothing() -> None:
    values = random.Random(1)
    for _ in range(20):
        latencies = {str(i): values.uniform(1, 3) for i in range(9)}
        curves = {key: {steps: values.random() for steps in RUNGS} for key in latencies}
        outcomes = set()
        for shuffle in range(3):
            halving = Halving(latencies, RUNGS, finalists=3, saturation=None)
            order = random.Random(shuffle)
            while work := halving.ask():
                for key, steps in order.sample(work, len(work)):
                    halving.tell(key, curves[key][steps])
            outcomes.add(tuple(halving.finalists))
        assert len(outcomes) == 1


def test_what_was_not_asked_for_cannot_be_told() -> None:
    halving = Halving({"a": 1.0}, RUNGS)
    with pytest.raises(ValueError, match="a: told a result that was not asked for"):
        halving.tell("a", 0.5)


@pytest.mark.parametrize("rungs", [[], [2, 1], [1, 1], [0, 1]])
def test_rungs_must_rise(rungs: list[int]) -> None:
    with pytest.raises(ValueError, match="rungs: expected rising numbers of steps"):
        Halving({"a": 1.0}, rungs)


@pytest.mark.parametrize("latency_ms", [0.0, -1.0, math.nan, math.inf])
def test_latencies_must_be_positive(latency_ms: float) -> None:
    with pytest.raises(ValueError, match="a: expected a positive latency"):
        Halving({"a": latency_ms}, RUNGS)


# --- latency first ----------------------------------------------------------------------------------------------------


def test_the_fastest_are_trained_first() -> None:
    assert Halving({"slow": 3.0, "fast": 1.0, "middle": 2.0}, RUNGS).ask(2) == [("fast", 1), ("middle", 1)]


def test_what_is_far_slower_than_the_best_is_not_trained() -> None:
    latencies = {"best": 1.0, "x": 1.5, "y": 2.0, "edge": 4.0, "slow": 4.1}
    halving = Halving(latencies, RUNGS, saturation=4)
    done = run(halving, flat(best=0.9, x=0.8, y=0.7, edge=0.6, slow=1.0), count=1)
    assert ("edge", 1) in done
    assert ("slow", 1) not in done
    assert halving.dropped["slow"].steps == 0
    assert halving.dropped["slow"].reason.startswith("more than 4 times slower than best, and no slower one was better")


def test_saturation_needs_two_slower_ones_tried_in_vain_and_may_be_off() -> None:
    few, more = ({"best": 1.0, "x": 1.5, "slow": 9.0}, {"best": 1.0, "x": 1.5, "y": 2.0, "slow": 100.0})
    for latencies, saturation in ((few, 4), (more, None)):
        halving = Halving(latencies, RUNGS, saturation=saturation)
        assert ("slow", 1) in run(halving, flat(best=0.9, x=0.8, y=0.7, slow=0.1), count=1)


@pytest.mark.parametrize(("of_a", "trained"), [(0.9, False), (0.5, True)])
def test_saturation_is_measured_from_the_fastest_of_the_best(of_a: float, trained: bool) -> None:
    halving = Halving({"a": 1.0, "b": 2.0, "c": 2.5, "d": 3.0, "e": 5.0}, RUNGS, saturation=4)
    assert (("e", 1) in run(halving, flat(a=of_a, b=0.9, c=0.8, d=0.8, e=0.9), count=1)) == trained


def test_a_rung_whose_last_ones_are_saturated_still_leads_to_the_next() -> None:
    halving = Halving({"best": 1.0, "x": 1.5, "y": 2.0, "slow": 9.0}, RUNGS, finalists=1, saturation=4)
    done = run(halving, flat(best=0.9, x=0.8, y=0.7, slow=0.9), count=3)
    assert done[3:] == [("best", 2), ("x", 2), ("best", 4)]


# --- rivals -----------------------------------------------------------------------------------------------------------


def test_rivals_of_earlier_halvings_take_places_but_are_not_trained() -> None:
    rivals = {"old": {1: 0.95, 2: 0.95, 4: 0.95}, "bad": {1: 0.0}}
    halving = Halving({"a": 1.0, "b": 1.1}, RUNGS, 2, 1, None, rivals, {"old": 0.5, "bad": 9.0})
    done = run(halving, flat(a=0.9, b=0.8))
    # Compared are old, a, b, bad, of which two go on: old, which is done, and a.
    assert done == [("a", 1), ("b", 1), ("a", 2)]
    assert halving.dropped["a"].steps == 2
    assert set(halving.qualities) == {"a", "b"}


def test_where_rivals_are_better_nobody_goes_on() -> None:
    rivals = {"old": {1: 0.9}, "older": {1: 0.8}}
    halving = Halving({"a": 5.0}, RUNGS, 2, 1, None, rivals, {"old": 1.0, "older": 2.0})
    assert run(halving, flat(a=0.1)) == [("a", 1)]
    assert halving.ask() == []
    assert halving.finalists == []


# --- families ---------------------------------------------------------------------------------------------------------


def test_a_family_that_has_had_enough_says_nothing_of_another() -> None:
    """A fast family does not get better with size; a slower one, more than four times slower, does."""
    latencies = {"tone1": 1.0, "tone2": 1.5, "tone3": 2.0, "unet1": 9.0, "unet2": 12.0, "unet3": 14.0, "unet4": 50.0}
    curves = flat(tone1=0.9, tone2=0.9, tone3=0.89, unet1=0.93, unet2=0.92, unet3=0.92, unet4=0.99)
    families = {key: key[:4] for key in latencies}
    together = Halving(latencies, RUNGS, saturation=4)
    run(together, curves, count=1)
    assert [key for key, one in together.dropped.items() if not one.steps] == ["unet1", "unet2", "unet3", "unet4"]
    apart = Halving(latencies, RUNGS, saturation=4, families=families)
    run(apart, curves, count=1)
    assert [key for key, one in apart.dropped.items() if not one.steps] == ["unet4"]
    assert apart.dropped["unet4"].reason.startswith("more than 4 times slower than unet1, and no slower one was better")
    assert "unet1" in apart.finalists


def test_rivals_count_for_their_own_family() -> None:
    rivals = {"old": {1: 0.9}, "older": {1: 0.8}, "oldest": {1: 0.7}}
    rival_latencies_ms = {"old": 1.0, "older": 1.5, "oldest": 2.0}
    for family, trained in (("tone", []), ("unet", [("new", 1)])):
        families = {**dict.fromkeys(rivals, "tone"), "new": family}
        halving = Halving({"new": 9.0}, [1], 2, 4, 4.0, rivals, rival_latencies_ms, families)
        assert run(halving, flat(new=0.5)) == trained


SLOW_LEARNERS = {
    **{f"tone{place}": {1: 0.90 - place / 1000, 2: 0.90, 4: 0.90} for place in range(4)},
    "cut1": {1: 0.5, 2: 0.5, 4: 0.95},
    "cut2": {1: 0.6, 2: 0.6, 4: 0.99},
}


@pytest.mark.parametrize(("family_rungs", "until"), [(0, 1), (1, 2), (2, 4)])
def test_the_best_of_each_family_goes_through_the_first_rungs(family_rungs: int, until: int) -> None:
    latencies = {key: 1.0 + place for place, key in enumerate(SLOW_LEARNERS)}
    families = {key: key[:-1] for key in latencies}
    halving = Halving(latencies, [1, 2, 4], 2, 2, None, families=families, family_rungs=family_rungs)
    trained = run(halving, SLOW_LEARNERS)
    assert max(steps for key, steps in trained if key == "cut2") == until, "the better of its family"
    assert ("cut1", 2) not in trained
    assert "tone0" in halving.finalists


def test_a_family_whose_best_is_a_rival_has_had_its_turn() -> None:
    rivals = {"old": {1: 0.7}}
    for family, goes_on in (("cut", False), ("unet", True)):
        families = {"tone1": "tone", "tone2": "tone", "new": family, "old": "cut"}
        halving = Halving(
            {"tone1": 1.0, "tone2": 2.0, "new": 9.0}, [1, 2], 2, 1, None, rivals, {"old": 8.0}, families, family_rungs=1
        )
        trained = run(halving, flat(tone1=0.9, tone2=0.9, new=0.6))
        assert (("new", 2) in trained) == goes_on


def test_without_families_none_is_kept() -> None:
    latencies = {key: 1.0 + place for place, key in enumerate("abcd")}
    curves = flat(a=0.9, b=0.8, c=0.7, d=0.6)
    kept = [run(Halving(latencies, RUNGS, finalists=1, family_rungs=rungs), curves) for rungs in (0, 9)]
    assert kept[0] == kept[1]
