"""Numbers about timings: pure functions, on numbers alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """A median ratio with its bootstrap interval, and how many processes and rounds it rests on."""

    median: float
    low: float
    high: float
    processes: int
    rounds: int

    def within(self, tolerance: float) -> bool:
        """Whether both ends of the interval are within `tolerance` (0.02: 2%) of the median."""
        return self.low >= self.median * (1 - tolerance) and self.high <= self.median * (1 + tolerance)

    def holds(self, value: float) -> bool:
        """Whether the interval holds `value`."""
        return self.low <= value <= self.high


def median(values: Sequence[float]) -> float:
    """The median of at least one value."""
    return float(np.median(values))


def interquartile_range(values: Sequence[float]) -> float:
    """The third quartile minus the first."""
    low, high = np.percentile(values, [25, 75])
    return float(high - low)


def paired_ratio(processes: Sequence[Sequence[tuple[float, float]]], seed: int = 0) -> Ratio:
    """How much faster a variant is than the baseline that ran beside it.

    Each round of each process gives a pair (variant_ms, baseline_ms) and so a ratio baseline / variant; the speed-up
    is the median of all ratios. Its interval is a two-stage bootstrap's (Davison & Hinkley 1997, 3.8): processes are
    drawn with replacement, then rounds within each, because the rounds of one process share its luck with memory.

    Args:
        processes: for each process its rounds' pairs of latencies, in the same unit.
        seed: of the resampling; the same data give the same interval.

    Raises:
        ValueError: no process has a round.
    """
    ratios = [np.array([baseline / variant for variant, baseline in rounds]) for rounds in processes if rounds]
    if not ratios:
        raise ValueError("a paired ratio needs at least one round of one process, got none")
    random = np.random.default_rng(seed)
    medians = np.empty(RESAMPLES)
    for resample in range(RESAMPLES):
        drawn = random.integers(len(ratios), size=len(ratios))
        medians[resample] = np.median(np.concatenate([random.choice(ratios[i], size=len(ratios[i])) for i in drawn]))
    low, high = np.quantile(medians, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    everything = np.concatenate(ratios)
    return Ratio(float(np.median(everything)), float(low), float(high), len(ratios), len(everything))


def agree(values: Sequence[float], tolerance: float) -> bool:
    """Whether the largest value is at most `tolerance` (0.05: 5%) above the smallest."""
    return max(values) <= min(values) * (1 + tolerance)
