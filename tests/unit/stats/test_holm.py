import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enhance_sweep.stats.holm import holm


def test_the_levels_by_hand() -> None:
    # In order: 0.005 against 0.05 / 4, 0.01 against 0.05 / 3, 0.03 against 0.05 / 2, where it fails, as does 0.04.
    p_values = np.array([0.01, 0.04, 0.03, 0.005])
    levels = holm(p_values, 0.05)
    assert levels == pytest.approx([0.05 / 3, 0.05 / 2, 0.05 / 2, 0.05 / 4])
    assert (p_values <= levels).tolist() == [True, False, False, True]


def test_a_p_value_at_its_level_passes_and_a_single_test_is_not_corrected() -> None:
    assert holm(np.array([0.025, 0.05]), 0.05) == pytest.approx([0.025, 0.05])
    assert holm(np.array([0.0047]), 0.025).tolist() == [0.025]
    assert holm(np.zeros(0), 0.025).tolist() == []


def test_one_winner_of_23_may_be_chance() -> None:
    p_values = np.array([0.0047, *[0.5] * 22])
    assert not (p_values <= holm(p_values, 0.025)).any()


def test_what_was_not_tested_is_no_part_of_the_family() -> None:
    levels = holm(np.array([np.nan, 0.01, np.nan, 0.04]), 0.05)
    assert levels[[1, 3]] == pytest.approx([0.025, 0.05])
    assert np.isnan(levels[[0, 2]]).all()


@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=12))
def test_what_passes_is_what_corrected_p_values_say(values: list[float]) -> None:
    """As the correction is usually written: the smallest of n counts n times, and none less than one before it."""
    p_values = np.array(values)
    corrected, before = {}, 0.0
    for place, index in enumerate(np.argsort(p_values, kind="stable")):
        before = max(before, p_values[index] / (0.05 / (len(values) - place)))
        corrected[index] = before
    assert (p_values <= holm(p_values, 0.05)).tolist() == [corrected[index] <= 1 for index in range(len(values))]
