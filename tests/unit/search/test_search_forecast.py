"""How much a search costs at most."""

import random

import pytest

from enhance_sweep.search.forecast import most_trained, most_work
from enhance_sweep.search.halving import Halving, rung_steps
from enhance_sweep.settings import SearchSettings


@pytest.mark.parametrize(("networks", "finalists", "factor"), [(20, 6, 2.0), (24, 4, 2.0), (5, 6, 2.0), (9, 1, 3.0)])
def test_it_is_what_a_halving_trains_where_nothing_is_saturated(networks: int, finalists: int, factor: float) -> None:
    rungs, values = rung_steps(75, 1200, factor), random.Random(0)
    halving = Halving({str(one): 1.0 + one for one in range(networks)}, rungs, factor, finalists, None)
    trained: dict[int, int] = {}
    while work := halving.ask():
        for key, steps in work:
            trained[steps] = trained.get(steps, 0) + 1
            halving.tell(key, values.random())
    counts = most_trained(networks, len(rungs), factor, finalists)
    assert counts == [trained[steps] for steps in rungs]
    settings = SearchSettings(trials=networks, cohort=networks, finalists=finalists, reduction_factor=factor)
    steps = sum(count * (rung - before) for count, rung, before in zip(counts, rungs, [0, *rungs[:-1]], strict=True))
    assert most_work(settings, rungs) == (steps, sum(counts), counts[-1])


def test_the_last_cohort_may_be_smaller() -> None:
    settings = SearchSettings(trials=50, cohort=20, finalists=6)
    assert most_work(settings, [75, 150]) == (2 * (20 * 75 + 10 * 75) + 10 * 75 + 6 * 75, 2 * 30 + 16, 10 + 10 + 6)


def test_the_best_of_each_family_adds_to_it_at_most() -> None:
    assert most_trained(20, 4, 2.0, 6) == [20, 10, 6, 6]
    assert most_trained(20, 4, 2.0, 6, families=7, family_rungs=2) == [20, 17, 16, 8]
    assert most_trained(5, 3, 2.0, 6, families=7, family_rungs=2) == [5, 5, 5], "never more than there are"
