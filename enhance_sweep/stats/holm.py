"""What several tests show together: of many, some are passed by chance."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


def holm(p_values: Array, level: float) -> Array:
    """The level at which each of several tests counts, so that all that pass are right but for `level` (Holm 1979).

    A test is passed where its p-value is not above its level. The smallest p-value of n is tested at level / n, the
    next at level / (n - 1), and so on to the first that fails; all after it fail at the same level. The tests need not
    be independent.

    Args:
        p_values: (N,), of the family's tests. NaN: not tested, and no part of the family.
        level: the probability with which any that passes may do so by chance.
    """
    levels = np.full(len(p_values), np.nan)
    order = np.argsort(p_values, kind="stable")[: np.count_nonzero(~np.isnan(p_values))]  # NaN comes last
    steps = level / np.arange(len(order), 0, -1)
    failed = np.flatnonzero(p_values[order] > steps)
    if len(failed):
        steps[failed[0] :] = steps[failed[0]]
    levels[order] = steps
    return levels
