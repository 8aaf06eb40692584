"""How long a sweep will take."""

import pytest

from enhance_sweep.sweep.forecast import Work, remaining_s


def work(macs: float) -> Work:
    return Work.of(int(macs), pixels=100, steps=0, training_pixels=1000, scored_pixels=500)


def test_work_counts_passes_and_pixels() -> None:
    assert work(1e9) == Work(steps=0, macs=1e7 * (3 * 1000 + 500))


def test_after_a_variant_the_rest_is_in_proportion() -> None:
    behind = [(work(1e12), 12.0 + 40.0)]
    assert remaining_s([work(2e12), work(3e12)], behind) == pytest.approx(2 * 12 + 5 * 40, rel=1e-6)


def test_before_any_variant_it_is_a_guess_that_grows_with_the_work() -> None:
    assert 0 < remaining_s([work(1e12)], []) < remaining_s([work(1e12), work(1e13)], [])
    assert remaining_s([], []) == 0
    assert remaining_s([Work(steps=0, macs=0)], []) == 0
