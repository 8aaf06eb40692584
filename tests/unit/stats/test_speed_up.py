import numpy as np
import pytest

from enhance_sweep.records.schema import Conditions, Process, Round, Samples
from enhance_sweep.stats.speed_up import paired_ratio, quotient_interval, speed_up, speed_ups


def paired(latency_ms: float, baseline_ms: float, **more: Conditions) -> Round:
    return Round(latency_ms=latency_ms, baseline_latency_ms=baseline_ms, **more)


def samples(*processes: list[Round]) -> Samples:
    return Samples(processes=[Process(rounds=rounds) for rounds in processes])


def test_the_ratio_is_of_pairs_and_not_of_medians() -> None:
    # The variant is twice as fast in every round; the host is not the same in any two.
    ratio = paired_ratio([[(1.0, 2.0), (10.0, 20.0)], [(3.0, 6.0)]])
    assert (ratio.median, ratio.low, ratio.high) == (2.0, 2.0, 2.0)
    assert (ratio.processes, ratio.rounds) == (2, 3)
    assert ratio.within(0.0)


def test_the_same_samples_give_the_same_interval() -> None:
    rounds = [[(1.0, 2.0), (1.1, 2.0)], [(0.9, 2.1), (1.0, 2.2)]]
    assert paired_ratio(rounds) == paired_ratio(rounds)


def test_processes_that_differ_widen_the_interval_more_than_rounds_that_differ() -> None:
    values = np.random.default_rng(0).normal(1.0, 0.05, size=40)
    mixed = paired_ratio([[(1.0, value) for value in part] for part in values.reshape(8, 5)])
    apart = paired_ratio([[(1.0, value) for value in part] for part in np.sort(values).reshape(8, 5)])
    assert apart.median == mixed.median
    assert apart.high - apart.low > 1.5 * (mixed.high - mixed.low)


def test_a_process_with_few_rounds_counts_like_the_others() -> None:
    ratio = paired_ratio([[(1.0, 2.0)], [(1.0, 3.0)] * 5])
    assert (ratio.median, ratio.low, ratio.high, ratio.rounds) == (3.0, 2.0, 3.0, 6)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random, held = np.random.default_rng(0), 0
    for _ in range(200):
        luck = random.normal(1.0, 0.02, size=8)
        processes = [[(1.0, 2.0 * p * random.normal(1.0, 0.01)) for _ in range(5)] for p in luck]
        held += paired_ratio(processes).holds(2.0)
    assert held >= 0.9 * 200


def test_nothing_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one round"):
        paired_ratio([[], []])


def test_a_record_without_a_baseline_beside_it_has_no_speed_up() -> None:
    assert [speed_up(one) for one in (samples([Round(latency_ms=10.0)]), samples(), None)] == [None] * 3


def test_a_records_speed_up_is_of_the_rounds_that_count() -> None:
    disturbed = paired(10.0, 90.0, conditions=Conditions(disturbed_by=["other work"]))
    ratio = speed_up(samples(*[[paired(10.0, 20.0), disturbed]] * 3))
    assert (ratio.median, ratio.processes, ratio.rounds) == (2.0, 3, 3)
    assert speed_up(samples([paired(10.0, 20.0)] * 2 + [disturbed])).rounds == 3, "of so few all count"


def test_the_interval_is_of_the_medians_of_the_resamples() -> None:
    values = np.random.default_rng(3).uniform(1, 2, size=(3, 5))
    ratio = paired_ratio([[(1.0, value) for value in part] for part in values])
    assert ratio.median == np.median(values)
    assert len(ratio.resampled) == 2000
    assert set(ratio.resampled) <= set(values.ravel()), "of 15 rounds the median is one"
    share = np.mean((ratio.resampled >= ratio.low) & (ratio.resampled <= ratio.high))
    assert share >= 0.95


def test_timings_of_different_shapes_together_are_each_as_they_are_alone() -> None:
    random = np.random.default_rng(1)

    def timed(*lengths: int) -> Samples:
        return samples(*([paired(1.0, ms) for ms in random.normal(5, 0.2, length)] for length in lengths))

    made = [timed(3, 3), None, timed(2, 5, 1), timed(4), *(timed(3, 3) for _ in range(150))]
    together = speed_ups(made)
    assert together[1] is None
    assert together == [speed_up(one) for one in made]
    assert len({ratio.median for ratio in together if ratio}) == len(made) - 1


def test_the_interval_of_a_quotient_adds_distances_as_squares_on_logarithms() -> None:
    # Both ends of each are a factor e^0.3 and e^0.4 away: together e^0.5.
    first = (6.0, 6.0 / np.exp(0.3), 6.0 * np.exp(0.3))
    second = (3.0, 3.0 / np.exp(0.4), 3.0 * np.exp(0.4))
    assert quotient_interval(first, second) == pytest.approx((2 / np.exp(0.5), 2 * np.exp(0.5)))
    # The lower end of a quotient comes of the upper end of what divides.
    assert quotient_interval((6.0, 6.0, 6.0), (3.0, 3.0, 4.0)) == pytest.approx((1.5, 2.0))
