"""Statistics of a handful of latencies."""

from collections.abc import Sequence

import numpy as np


def median(values: Sequence[float]) -> float:
    """The median of at least one value."""
    return float(np.median(values))


def interquartile_range(values: Sequence[float]) -> float:
    """The third quartile minus the first."""
    low, high = np.percentile(values, [25, 75])
    return float(high - low)


def agree(values: Sequence[float], tolerance: float) -> bool:
    """Whether the largest value is at most `tolerance` (0.05: 5%) above the smallest."""
    return max(values) <= min(values) * (1 + tolerance)
