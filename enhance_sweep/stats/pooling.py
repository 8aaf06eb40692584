"""The spread between seeds, pooled over networks."""

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


def pooled_deviation(values: Array, groups: np.ndarray[Any, np.dtype[np.intp]]) -> tuple[float | None, int]:
    """The standard deviation within groups, all taken to have the same, and its degrees of freedom.

    It is the root of the within-group mean square of a one-way analysis of variance (Fisher 1925).

    Args:
        values: (N,).
        groups: (N,), the group of each value, from 0. A group with one value says nothing.

    Returns:
        The deviation, None where no group has two values, and the number of values less one for each group.
    """
    counts = np.bincount(groups)
    freedom = int((counts[counts > 0] - 1).sum())
    if not freedom:
        return None, 0
    means = np.bincount(groups, values) / np.maximum(counts, 1)
    several = counts[groups] > 1
    return math.sqrt(float(np.square(values - means[groups])[several].sum()) / freedom), freedom
