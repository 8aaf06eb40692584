"""Which option of a family matters, and what a change of it buys, by `enhance_sweep.what_if` on the report's networks.

Only networks trained in the most frequent way and timed in the most frequent way are compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from enhance_sweep.records.schema import ARCHITECTURE_COLUMNS
from enhance_sweep.report.labels import is_number
from enhance_sweep.report.results.families import families
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.variants import differing
from enhance_sweep.what_if import effects_of, shares_of_variance
from enhance_sweep.what_if.networks import cells
from enhance_sweep.what_if.variance import MOST_AXES, REST

#: The family as an option among all networks.
FAMILY = "topology"
#: Of larger families no pairs are formed: their number would be that of all networks times their settings.
MOST_PAIRED = 400
#: A number with as many values counts as a straight line in its logarithm: categories would cost too many parameters.
_FEWEST_NUMERIC = 3
_COSTS = {"speed_up": "speed_up", "latency_ms": "latency_ms_median", "macs": "macs"}


@dataclass(frozen=True)
class Share:
    """How much of the variance between a family's networks goes with one of its options.

    Attributes:
        topology: the family; None for all networks together.
        option: the setting, `FAMILY` or what is left (`REST`).
        values: of the setting, as text.
        quality, quality_by_chance: the share of the variance of scores, and what chance alone would give it; None where
            that is not known.
        cost, cost_by_chance: the same of the logarithm of the cost.
        quality_note, cost_note: why a share is not known, or what it cannot be told apart from.
    """

    topology: str | None
    option: str
    values: str
    quality: float | None
    quality_by_chance: float | None
    quality_note: str
    cost: float | None
    cost_by_chance: float | None
    cost_note: str


@dataclass(frozen=True)
class Change:
    """What a change of one option buys, by the pairs of networks that differ in it alone.

    Attributes:
        topology: the family.
        option: the setting.
        before, after: its values.
        pairs: how many have both scores.
        better: in how many of them the change is an improvement.
        quality, quality_low, quality_high: the median improvement of the score and its range; None where none is known.
        cost_pairs: how many have both costs.
        cost, cost_low, cost_high: the median ratio of the speed-up (of latency or multiply-adds where there is none).
    """

    topology: str
    option: str
    before: Any
    after: Any
    pairs: int
    better: int
    quality: float | None
    quality_low: float | None
    quality_high: float | None
    cost_pairs: int
    cost: float | None
    cost_low: float | None
    cost_high: float | None


@lru_cache(maxsize=1)
def shares(results: Results) -> list[Share]:
    """The shares of each family's options, the family itself first; empty where there is one family."""
    if not families(results):
        return []
    frames = _frames(results)
    found = _shares_of(results, None, pd.concat(frames.values()), [FAMILY])
    for topology, frame in frames.items():
        axes = _options(results, frame)
        if axes:
            found += _shares_of(results, topology, frame, axes)
    return found


@lru_cache(maxsize=1)
def changes(results: Results) -> list[Change]:
    """What each change of an option buys, family by family; empty where there is one family."""
    if not families(results):
        return []
    frames = _frames(results)
    return [
        change
        for topology, frame in frames.items()
        if len(frame) <= MOST_PAIRED
        for change in _changes_of(results, topology, frame)
    ]


def _frames(results: Results) -> dict[str, pd.DataFrame]:
    """By topology, its networks that were trained, or only timed, in the most frequent way; those without are empty."""
    variants, cost = results.variants, _COSTS[results.cost_kind]
    usual = {condition.mark for condition in results.training_conditions[:1]}
    scored = variants["condition"].isin(usual) & (variants["trained"] == "completed")
    only_timed = variants["trained"].isna() & variants[cost].notna()
    rows = variants[scored | only_timed]
    timed_alike = rows["timing"] == "T1"
    rows = rows.assign(**{cost: rows[cost].astype("float64").where(timed_alike | (cost == "macs"))})
    # The report's rows are networks already, their seeds averaged.
    rows = rows.drop(columns=["seed", "key"])
    return {str(topology): some for topology, some in rows.groupby("topology", sort=True) if len(some)}


def _options(results: Results, frame: pd.DataFrame) -> list[str]:
    """The settings in which a family's networks differ, at most as many as can be divided among."""
    settings = [*(name for name in ARCHITECTURE_COLUMNS if name != FAMILY), *results.settings]
    return differing(frame, settings)[:MOST_AXES]


def _shares_of(results: Results, topology: str | None, frame: pd.DataFrame, axes: Sequence[str]) -> list[Share]:
    numeric = [axis for axis in axes if _is_numeric(frame[axis])]
    of_quality, of_cost = (
        shares_of_variance(frame, axes, of, numeric).set_index("axis")
        for of in (results.quality.name, _COSTS[results.cost_kind])
    )
    return [
        Share(
            topology=topology,
            option=str(axis),
            values=str(of_quality.loc[axis, "values"] or of_cost.loc[axis, "values"]),
            quality=_known(of_quality.loc[axis, "share"]),
            quality_by_chance=_known(of_quality.loc[axis, "share_by_chance"]),
            quality_note=str(of_quality.loc[axis, "note"]),
            cost=_known(of_cost.loc[axis, "share"]),
            cost_by_chance=_known(of_cost.loc[axis, "share_by_chance"]),
            cost_note=str(of_cost.loc[axis, "note"]),
        )
        for axis in [*of_quality.index.drop(REST), REST]
    ]


def _changes_of(results: Results, topology: str, frame: pd.DataFrame) -> list[Change]:
    axes = _options(results, frame)
    if not axes:
        return []
    quality, cost, sign = results.quality.name, _COSTS[results.cost_kind], results.quality.sign
    found = []
    for row in effects_of(frame, axes, cost, quality).to_dict("records"):
        if not row["pairs"] and not row["cost_pairs"]:
            continue
        scores = [_known(row[f"{quality}_difference{end}"]) for end in ("", "_lowest", "_highest")]
        middle, low, high = (None if score is None else sign * score for score in scores)
        if low is not None and high is not None:
            low, high = min(low, high), max(low, high)
        found.append(
            Change(
                *(topology, str(row["axis"]), row["from"], row["to"], int(row["pairs"]), int(row["better"])),
                *(middle, low, high, int(row["cost_pairs"])),
                *(_known(row[f"{cost}_ratio{end}"]) for end in ("", "_lowest", "_highest")),
            )
        )
    return found


def _is_numeric(column: "pd.Series[Any]") -> bool:
    values = [value for (value,) in cells(column.to_frame("value"), ["value"]) if value is not None]
    return len(set(values)) >= _FEWEST_NUMERIC and all(is_number(value) and value > 0 for value in values)


def _known(value: Any) -> float | None:
    return float(value) if is_number(float(value)) else None
