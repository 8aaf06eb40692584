"""How much faster a network is than the baseline that ran beside it, and how sure that is.

Computed from a timed record's raw rounds wherever it is shown, never stored.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy.special import stdtrit

RESAMPLES = 2000
CONFIDENCE = 0.95
#: With fewer undisturbed rounds than this, the disturbed ones count too.
FEWEST_UNDISTURBED = 3


@dataclass(frozen=True)
class Ratio:
    """A median ratio with its bootstrap interval, how many processes and rounds it rests on, and the bootstrap itself.

    `resampled` holds the medians of all resamples, in the order in which they were drawn.
    """

    median: float
    low: float
    high: float
    processes: int
    rounds: int
    resampled: np.ndarray[Any, np.dtype[np.float64]] = field(repr=False, compare=False)

    def as_json(self) -> dict[str, float | int]:
        """What a record keeps of it: all but the resamples."""
        return {name: getattr(self, name) for name in ("median", "low", "high", "processes", "rounds")}

    def within(self, tolerance: float) -> bool:
        """Whether both ends of the interval are within `tolerance` (0.02: 2%) of the median."""
        return self.low >= self.median * (1 - tolerance) and self.high <= self.median * (1 + tolerance)

    def holds(self, value: float) -> bool:
        """Whether the interval holds `value`."""
        return self.low <= value <= self.high


def speed_up(samples: Mapping[str, Any], resamples: int = RESAMPLES) -> Ratio | None:
    """The speed-up over the baseline that a timed record's `samples` show, with its interval; None if not paired."""
    pairs = [
        [(one["latency_ms"], one["baseline_latency_ms"]) for one in rounds if _is_pair(one)]
        for rounds in rounds_that_count(samples)
    ]
    return paired_ratio(pairs, resamples=resamples) if any(pairs) else None


def rounds_that_count(samples: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    """Each process's rounds: the undisturbed ones, or all of them where fewer than a few were undisturbed.

    What disturbed a round was read before and after its calls; their own times have no say in it.
    """
    every = [list(process.get("rounds") or []) for process in samples.get("processes") or []]
    clean = [[one for one in rounds if not disturbances(one)] for rounds in every]
    return clean if sum(map(len, clean)) >= FEWEST_UNDISTURBED else every


def disturbances(one_round: Mapping[str, Any]) -> list[str]:
    """What disturbed a round: the network's call in it, or the baseline's."""
    around = [one_round.get(name) or {} for name in ("conditions", "baseline_conditions")]
    return [reason for conditions in around for reason in conditions.get("disturbed_by") or []]


def _is_pair(one_round: Mapping[str, Any]) -> bool:
    values = [one_round.get(name) for name in ("latency_ms", "baseline_latency_ms")]
    return all(isinstance(value, int | float) and 0 < value < math.inf for value in values)


def paired_ratio(
    processes: Sequence[Sequence[tuple[float, float]]], seed: int = 0, resamples: int = RESAMPLES
) -> Ratio:
    """How much faster a variant is than the baseline that ran beside it.

    Each round of each process gives a pair (variant_ms, baseline_ms) and so a ratio baseline / variant; the speed-up
    is the median of all ratios. Its interval is a two-stage bootstrap's (Davison & Hinkley 1997, 3.8): processes are
    drawn with replacement, then rounds within each, because the rounds of one process share its luck with memory. Its
    percentiles are expanded for the small number of processes (Hesterberg 2015, 3.3.2); without that, three processes
    gave intervals that held the truth 80 times in 100 instead of 95.

    Args:
        processes: for each process its rounds' pairs of latencies, in the same unit.
        seed: of the resampling; the same data give the same interval.
        resamples: how many times the bootstrap draws.

    Raises:
        ValueError: no process has a round.
    """
    ratios = [np.array([baseline / variant for variant, baseline in pairs]) for pairs in processes if pairs]
    if not ratios:
        raise ValueError("a paired ratio needs at least one round of one process, got none")
    lengths = tuple(len(of_process) for of_process in ratios)
    table = np.stack([np.resize(of_process, max(lengths)) for of_process in ratios])
    medians = _medians(table.ravel()[_draws(lengths, resamples, seed)])
    everything = np.concatenate(ratios)
    tail = _expanded_tail(len(ratios) if len(ratios) > 1 else len(everything))
    places = np.array([tail, 1 - tail]) * (resamples - 1)
    low, high = np.interp(places, np.arange(resamples), np.sort(medians))
    (median,) = _medians(everything[None])
    return Ratio(float(median), float(low), float(high), len(ratios), len(everything), medians)


def _medians(rows: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The median of each row: numpy's own spends most of its time on what rows of a few numbers need not."""
    low, high = (rows.shape[1] - 1) // 2, rows.shape[1] // 2
    ordered = np.partition(rows, [low, high], axis=1)
    middle: np.ndarray[Any, np.dtype[np.float64]] = (ordered[:, low] + ordered[:, high]) / 2
    return middle


@lru_cache(maxsize=64)
def _draws(lengths: tuple[int, ...], resamples: int, seed: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Which rounds each resample takes, as places in the flattened table of (processes, rounds).

    Timings of one shape share them: thousands of records would spend their time on random numbers.
    """
    random, longest = np.random.default_rng(seed), max(lengths)
    drawn = random.integers(len(lengths), size=(resamples, len(lengths)))[:, :, None]
    rounds = (random.random((resamples, len(lengths), longest)) * np.array(lengths)[drawn]).astype(np.intp)
    places: np.ndarray[Any, np.dtype[np.intp]] = (drawn * longest + rounds).reshape(resamples, -1)
    return places


def _expanded_tail(count: int) -> float:
    """The percentile that stands for the lower 2.5% where `count` independent things were resampled.

    A bootstrap knows too little of the spread by sqrt((n - 1) / n), and nothing of Student's t. No correction for one.
    """
    if count < 2:
        return 0.0
    student = float(stdtrit(count - 1, (1 - CONFIDENCE) / 2))
    return NormalDist().cdf(math.sqrt(count / (count - 1)) * student)
