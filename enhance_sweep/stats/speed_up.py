"""How much faster a network is than the baseline that ran beside it, and how sure that is.

Computed from a timed record's raw rounds wherever it is shown, never stored.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, cycle, islice
from statistics import NormalDist
from typing import Any

import numpy as np

from enhance_sweep.records.schema import Process, Round, Samples
from enhance_sweep.stats.student import t_quantile

RESAMPLES = 2000
#: With fewer undisturbed rounds than this, disturbed ones count too.
FEWEST_UNDISTURBED = 3
#: Timings that are resampled together: enough for speed, few enough for memory.
_TOGETHER = 64


@dataclass(frozen=True)
class Ratio:
    """A median ratio with its 95% bootstrap interval.

    Attributes:
        median: of all rounds' ratios.
        low, high: the interval's ends.
        processes, rounds: how many it rests on.
        resampled: the medians of all resamples, in the order in which they were drawn.
    """

    median: float
    low: float
    high: float
    processes: int
    rounds: int
    resampled: np.ndarray[Any, np.dtype[np.float64]] = field(repr=False, compare=False)

    def as_json(self) -> dict[str, Any]:
        """For a record: everything but the resamples."""
        return {name: getattr(self, name) for name in ("median", "low", "high", "processes", "rounds")}

    def within(self, tolerance: float) -> bool:
        """Whether both ends of the interval are within `tolerance` (0.02: 2%) of the median."""
        return self.low >= self.median * (1 - tolerance) and self.high <= self.median * (1 + tolerance)

    def holds(self, value: float) -> bool:
        """Whether the interval holds `value`."""
        return self.low <= value <= self.high


def quotient_interval(first: tuple[float, float, float], second: tuple[float, float, float]) -> tuple[float, float]:
    """The ends of the interval of one speed-up over another, from the two (`median`, `low`, `high`).

    On logarithms the two distances to an end add as squares, for estimates that are independent (Zou & Donner 2008).
    """
    (middle, low, high), (other, other_low, other_high) = (map(math.log, one) for one in (first, second))
    ratio = middle - other
    below, above = math.hypot(middle - low, other_high - other), math.hypot(high - middle, other - other_low)
    return math.exp(ratio - below), math.exp(ratio + above)


def speed_up(samples: Samples | None, resamples: int = RESAMPLES) -> Ratio | None:
    """The speed-up over the baseline that a record's `samples` show, with its interval; None if not paired."""
    return speed_ups([samples], resamples)[0]


def speed_ups(samples: Sequence[Samples | None], resamples: int = RESAMPLES) -> list[Ratio | None]:
    """The `speed_up` of each of many timings; together, because one by one thousands take too long."""
    pairs = [_pairs(one.processes) if one else [] for one in samples]
    paired = [place for place, processes in enumerate(pairs) if any(processes)]
    ratios = dict(zip(paired, paired_ratios([pairs[place] for place in paired], resamples=resamples), strict=True))
    return [ratios.get(place) for place in range(len(samples))]


def rounds_that_count(processes: Sequence[Process]) -> list[list[Round]]:
    """Each process's undisturbed rounds; all rounds where fewer than `FEWEST_UNDISTURBED` are undisturbed.

    Disturbance is judged by the machine's counters around a call, never by the call's own time.
    """
    clean = [[one for one in process.rounds if not disturbances(one)] for process in processes]
    return clean if sum(map(len, clean)) >= FEWEST_UNDISTURBED else [process.rounds for process in processes]


def disturbances(one: Round) -> list[str]:
    """What disturbed a round: the network's call in it, or the baseline's."""
    own, baseline = one.conditions, one.baseline_conditions
    return (own.disturbed_by if own else []) + (baseline.disturbed_by if baseline else [])


def _pairs(processes: Sequence[Process]) -> list[list[tuple[float, float]]]:
    return [
        [(one.latency_ms, one.baseline_latency_ms or 0.0) for one in rounds if _is_pair(one)]
        for rounds in rounds_that_count(processes)
    ]


def _is_pair(one: Round) -> bool:
    """Whether the baseline ran beside it; a latency that is none comes of a file that was edited."""
    return 0 < one.latency_ms < math.inf and 0 < (one.baseline_latency_ms or 0) < math.inf


def paired_ratio(
    processes: Sequence[Sequence[tuple[float, float]]], seed: int = 0, resamples: int = RESAMPLES
) -> Ratio:
    """How much faster a variant is than the baseline that ran beside it.

    Each round of each process gives a pair (variant_ms, baseline_ms) and so a ratio baseline / variant; the speed-up
    is the median of all ratios. Its interval is from a two-stage bootstrap (Davison & Hinkley 1997, 3.8): it draws
    processes with replacement, then rounds within each, because the rounds of one process share its memory layout.
    The percentiles are expanded for the small number of processes (Hesterberg 2015, 3.3.2); without that, intervals
    from three processes held the truth 80 times in 100 instead of 95.

    Args:
        processes: for each process its rounds' pairs of latencies, in the same unit.
        seed: of the resampling: the same data give the same interval.
        resamples: the number of bootstrap draws.

    Raises:
        ValueError: no process has a round.
    """
    return paired_ratios([processes], seed, resamples)[0]


def paired_ratios(
    timings: Sequence[Sequence[Sequence[tuple[float, float]]]], seed: int = 0, resamples: int = RESAMPLES
) -> list[Ratio]:
    """The `paired_ratio` of each of many timings; those with the same numbers of processes and rounds share draws.

    Raises:
        ValueError: a timing has no process with a round.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    ratios = [[[baseline / variant for variant, baseline in p] for p in timing if p] for timing in timings]
    for place, processes in enumerate(ratios):
        if not processes:
            raise ValueError("a paired ratio needs at least one round of one process, got none")
        alike.setdefault(tuple(map(len, processes)), []).append(place)
    found: dict[int, Ratio] = {}
    for lengths, places in alike.items():
        draws = _draws(lengths, resamples, seed)
        tail = _expanded_tail(len(lengths) if len(lengths) > 1 else lengths[0])
        ends = np.array([tail, 1 - tail]) * (resamples - 1)
        below = np.clip(ends.astype(int), 0, max(0, resamples - 2))
        above = np.minimum(below + 1, resamples - 1)
        for start in range(0, len(places), _TOGETHER):
            some = places[start : start + _TOGETHER]
            tables = np.array([[_repeated(one, max(lengths)) for one in ratios[place]] for place in some])
            resampled = _medians(tables.reshape(len(some), -1)[:, draws])
            ordered = np.sort(resampled, axis=1)
            intervals = ordered[:, below] + (ordered[:, above] - ordered[:, below]) * (ends - below)
            medians = _medians(np.array([list(chain(*ratios[place])) for place in some]))
            for row, place in enumerate(some):
                low, high = map(float, intervals[row])
                found[place] = Ratio(float(medians[row]), low, high, len(lengths), sum(lengths), resampled[row])
    return [found[place] for place in range(len(timings))]


def _repeated(values: list[float], count: int) -> list[float]:
    return values if len(values) == count else list(islice(cycle(values), count))


def _medians(rows: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The median along the last axis; for short rows much faster than numpy's own."""
    low, high = (rows.shape[-1] - 1) // 2, rows.shape[-1] // 2
    ordered = np.partition(rows, sorted({low, high}), axis=-1)  # the same place twice takes twice the time
    middle: np.ndarray[Any, np.dtype[np.float64]] = (ordered[..., low] + ordered[..., high]) / 2
    return middle


@lru_cache(maxsize=64)
def _draws(lengths: tuple[int, ...], resamples: int, seed: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Which rounds each resample takes, as indices into the flattened table of (processes, rounds).

    Timings of one shape share them: for thousands of records, drawing random numbers would take most of the time.
    """
    random, longest = np.random.default_rng(seed), max(lengths)
    drawn = random.integers(len(lengths), size=(resamples, len(lengths)))[:, :, None]
    rounds = (random.random((resamples, len(lengths), longest)) * np.array(lengths)[drawn]).astype(np.intp)
    places: np.ndarray[Any, np.dtype[np.intp]] = (drawn * longest + rounds).reshape(resamples, -1)
    return places


def _expanded_tail(count: int) -> float:
    """The percentile that stands for the lower 2.5% where `count` independent things were resampled.

    A bootstrap underestimates the spread by sqrt((n - 1) / n) and ignores Student's t. One thing has no correction.
    """
    if count < 2:
        return 0.0
    return NormalDist().cdf(-math.sqrt(count / (count - 1)) * float(t_quantile(count - 1)))
