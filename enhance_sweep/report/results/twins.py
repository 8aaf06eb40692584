"""Twins, which differ only in PReLU: where the one with less work is slower, the time axis shows what it is worth."""

from dataclasses import dataclass
from typing import Any

from enhance_sweep.report.labels import is_number
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.variants import rows_of
from enhance_sweep.report.results.words import canonical_json
from enhance_sweep.stats.speed_up import quotient_interval

_COLUMNS = ["architecture_key", "label", "timing", "speed_up", "speed_up_low", "speed_up_high"]


@dataclass(frozen=True)
class Speed:
    """A network's speed-up; the ends of its interval are None where it was not timed beside the baseline."""

    label: str
    median: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Inversion:
    """A pair of twins, the wrong way round where `factor` is above 1.

    Attributes:
        relu: the one that does less work: ReLU only compares, PReLU also multiplies.
        prelu: its twin.
        factor: how many times as fast the twin is.
        low, high: the ends of its 95% interval, None where one of the two has none.
    """

    relu: Speed
    prelu: Speed
    factor: float
    low: float | None
    high: float | None


def largest_inversion(results: Results) -> Inversion | None:
    """The twins, timed alike, that are furthest in the wrong order; None where there are none."""
    variants = results.variants[results.variants["speed_up"].notna()]
    rows = {row.architecture_key: row for row in rows_of(variants[_COLUMNS])}
    pairs: dict[bytes, dict[bool, Speed]] = {}
    for record in results.timed:
        if row := rows.get(record.architecture_key):
            rest = {name: value for name, value in record.architecture.items() if name != "prelu"}
            twins = pairs.setdefault(canonical_json([rest, row.timing]), {})
            twins[bool(record.architecture.get("prelu"))] = _speed(row)
    found = [_inversion(twins[False], twins[True]) for twins in pairs.values() if len(twins) == 2]
    return max((one for one in found if one.factor > 1), key=lambda one: one.factor, default=None)


def _speed(row: Any) -> Speed:
    low, high = (end if is_number(end) else None for end in (row.speed_up_low, row.speed_up_high))
    return Speed(row.label, row.speed_up, low, high)


def _inversion(relu: Speed, prelu: Speed) -> Inversion:
    low = high = None
    if prelu.low and prelu.high and relu.low and relu.high:
        low, high = quotient_interval((prelu.median, prelu.low, prelu.high), (relu.median, relu.low, relu.high))
    return Inversion(relu, prelu, prelu.median / relu.median, low, high)
