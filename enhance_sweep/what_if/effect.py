"""What one setting buys: pairs of networks that differ in it alone, compared in quality and in cost.

Pairs need no model. The difference between all networks with PReLU and all without includes every other difference
between them; the difference within a pair that is equal but for PReLU is due to PReLU, and chance.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from typing import Any

import numpy as np
import pandas as pd

from enhance_sweep.measures import higher_is_better
from enhance_sweep.records.frame import settings_of
from enhance_sweep.what_if.networks import (
    alike_for,
    averaged,
    cells,
    check_columns,
    distinct,
    sortable,
    spread_between_seeds,
)

Row = dict[str, Any]
#: What identifies a pair: the settings in which the two agree, and their two values of the axis.
Place = tuple[tuple[Any, ...], Any, Any]


@dataclass(frozen=True)
class _Pair:
    """One column's values of two networks, each averaged over `counts` results that were obtained in the same way."""

    before: float
    after: float
    counts: tuple[int, int]
    way: Row


def effect_of(
    frame: pd.DataFrame,
    axis: str,
    cost: str = "latency_ms_median",
    quality: str = "ms_ssim",
    values: tuple[Any, Any] | None = None,
    axes: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The pairs of networks that differ in one axis only, and how much they differ in quality and cost.

    On a numeric axis (channels 16, 32, 64) each network is paired with the next larger value; on any other axis, with
    every other value. Two topologies are paired where the settings that both have are equal; settings that only one
    has, such as the strided kernel, may be anything. Scores are compared where data, loss, steps, batch and crop are
    the same, times where host, runtime, threads, ... are the same. Seeds are averaged first.

    Args:
        frame: rows of `load_records`.
        axis: one of `axes`.
        cost: the column to take ratios of.
        quality: the column to take differences of.
        values: only this change of the axis, (from, to), whatever lies between; None: as above.
        axes: the columns that describe a network; None: all settings of the table (`records.frame.settings_of`).

    Returns:
        A row for each pair: `axes` without `axis`, in which the two agree; `axis`, `from`, `to`; `QUALITY_from`,
        `QUALITY_to` and `QUALITY_difference` (to - from, in its unit); `QUALITY_standard_error` of that difference,
        from the spread between seeds (assumed equal for all networks), missing where no network has several;
        `seeds_from`, `seeds_to`; `COST_from`, `COST_to`, `COST_ratio` (to / from). Quality is missing where one of
        the two is not trained, cost where one is not timed. Pairs trained or timed in several ways have a row for each,
        and columns that tell the ways apart. No rows where no two networks differ in the axis alone.

    Raises:
        KeyError: the frame has no such column.
        ValueError: `axis` is not in `axes`; two networks are the same on all axes; a seed occurs twice.
    """
    axes = settings_of(frame) if axes is None else axes
    if axis not in axes:
        raise ValueError(f"expected an axis among {', '.join(axes)}, got {axis!r}: add it to `axes`")
    check_columns(frame, [*axes, cost, quality])
    others = [name for name in axes if name != axis]
    spread = float(spread_between_seeds(frame, quality)["standard_deviation"].iloc[0])
    scored, costed = (_by_place(averaged(frame, of, axes), of, axis, others, values) for of in (quality, cost))
    ways = [name for name in dict.fromkeys([*alike_for(quality), *alike_for(cost)]) if _varies(frame, name)]
    rows: list[Row] = []
    for place in dict.fromkeys([*scored, *costed]):
        settings, before, after = place
        row = dict(zip(others, settings, strict=True)) | {"axis": axis, "from": before, "to": after}
        for score, costs in product(scored.get(place, [None]), costed.get(place, [None])):
            rows.append(row | _quality_cells(score, quality, spread) | _cost_cells(costs, cost))
    measures = [f"{quality}_{end}" for end in ("from", "to", "difference", "standard_error")]
    measures += [f"{cost}_{end}" for end in ("from", "to", "ratio")]
    columns = [*others, "axis", "from", "to", *measures[:4], "seeds_from", "seeds_to", *measures[4:], *ways]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    table = table.astype(dict.fromkeys(measures, "float64") | dict.fromkeys(["seeds_from", "seeds_to"], "Int64"))
    order = table[[*others, "from", "to"]].map(sortable).sort_values([*others, "from", "to"], kind="stable").index
    return table.loc[order].reset_index(drop=True)


def effects_of(
    frame: pd.DataFrame,
    axes: Sequence[str] | None = None,
    cost: str = "latency_ms_median",
    quality: str = "ms_ssim",
) -> pd.DataFrame:
    """A summary of the pairs of `effect_of`: a row for each axis and change of its value.

    Args:
        frame: rows of `load_records`.
        axes: the axes to compare; networks are described by all settings of the table and these. None: all settings.
        cost: the column to take ratios of.
        quality: the column to take differences of.

    Returns:
        `axis`, `from`, `to`; `pairs`: how many have both scores; `better`: in how many of them `to` is better;
        `QUALITY_difference`: the median over pairs, with `_lowest` and `_highest`; `QUALITY_standard_error`: of one
        pair's difference, the median; `cost_pairs`; `COST_ratio`: the median, with `_lowest` and `_highest`; `note`:
        why something is missing. An axis without pairs has one row with the reason.

    Raises:
        KeyError, ValueError: as `effect_of`.
    """
    axes = settings_of(frame) if axes is None else axes
    sign = 1 if higher_is_better(quality) else -1
    described = list(dict.fromkeys([*settings_of(frame), *axes]))
    difference, error, ratio = f"{quality}_difference", f"{quality}_standard_error", f"{cost}_ratio"
    rows: list[Row] = []
    for axis in axes:
        pairs = effect_of(frame, axis, cost, quality, axes=described)
        for (before, after), some in _by_change(pairs):
            scores, ratios = some[difference].dropna(), some[ratio].dropna()
            gaps = {"not scored": scores.empty, "not timed": ratios.empty}
            row: Row = {"axis": axis, "from": before, "to": after, "pairs": len(scores), "cost_pairs": len(ratios)}
            row |= {"better": int((sign * scores > 0).sum()), error: some[error].median()}
            row |= _range(difference, scores) | _range(ratio, ratios)
            rows.append(row | {"note": ", ".join(text for text, holds in gaps.items() if holds)})
        if pairs.empty:
            rows.append({"axis": axis, "pairs": 0, "better": 0, "cost_pairs": 0, "note": _why_none(frame, axis)})
    measures = [[f"{name}{end}" for end in ("", "_lowest", "_highest")] for name in (difference, ratio)]
    columns = ["axis", "from", "to", "pairs", "better", *measures[0], error, "cost_pairs", *measures[1], "note"]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    counts = dict.fromkeys(["pairs", "better", "cost_pairs"], "int64")
    return table.astype(dict.fromkeys([*measures[0], error, *measures[1]], "float64") | counts)


# --- pairs ------------------------------------------------------------------------------------------------------------


def _by_place(
    networks: pd.DataFrame, of: str, axis: str, others: Sequence[str], values: tuple[Any, Any] | None
) -> dict[Place, list[_Pair]]:
    """For every pair of networks its two values of `of`, once for each way in which they were obtained."""
    alike = [name for name in alike_for(of) if name in networks]
    columns = [axis, *others, *alike, of, "count"]
    rows = [dict(zip(columns, row, strict=True)) for row in cells(networks, columns)]
    found: dict[Place, list[_Pair]] = defaultdict(list)
    for one, other in _matched(rows, axis, others, alike, values):
        # A setting that only one of two topologies has is shown too; those of both are equal.
        settings = tuple(one[name] if one[name] is not None else other[name] for name in others)
        way = {name: one[name] for name in alike}
        pair = _Pair(one[of], other[of], (one["count"], other["count"]), way)
        found[settings, one[axis], other[axis]].append(pair)
    return dict(found)


def _matched(
    rows: Sequence[Row], axis: str, others: Sequence[str], alike: Sequence[str], values: tuple[Any, Any] | None
) -> Iterator[tuple[Row, Row]]:
    if axis != "topology":
        yield from _pairs_within(rows, axis, [*others, *alike], values)
        return
    settings_of: dict[Any, set[str]] = defaultdict(set)
    for row in rows:
        settings_of[row[axis]] |= {name for name in others if row[name] is not None}
    for one, other in combinations(sorted(settings_of, key=sortable), 2):
        both = [name for name in others if name in settings_of[one] & settings_of[other]]
        some = [row for row in rows if row[axis] in (one, other)]
        yield from _pairs_within(some, axis, [*both, *alike], values)


def _pairs_within(
    rows: Sequence[Row], axis: str, same: Sequence[str], values: tuple[Any, Any] | None
) -> Iterator[tuple[Row, Row]]:
    """The pairs with equal `same` and different `axis`: neighbours on a numeric axis, else all."""
    groups: dict[tuple[Any, ...], dict[Any, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row[axis] is not None:
            groups[tuple(row[name] for name in same)][row[axis]].append(row)
    for group in groups.values():
        levels = sorted(group, key=sortable)
        numeric = all(map(_is_number, levels))
        changes: Iterable[tuple[Any, Any]] = pairwise(levels) if numeric else combinations(levels, 2)
        if values is not None:
            changes = [values] if set(values) <= set(levels) else []
        for before, after in changes:
            yield from product(group[before], group[after])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- rows -------------------------------------------------------------------------------------------------------------


def _quality_cells(pair: _Pair | None, quality: str, spread: float) -> Row:
    if pair is None:
        return {}
    ends = {f"{quality}_from": pair.before, f"{quality}_to": pair.after}
    error = spread * np.sqrt(sum(1 / count for count in pair.counts))
    change = {f"{quality}_difference": pair.after - pair.before, f"{quality}_standard_error": error}
    return pair.way | ends | change | dict(zip(("seeds_from", "seeds_to"), pair.counts, strict=True))


def _cost_cells(pair: _Pair | None, cost: str) -> Row:
    if pair is None:
        return {}
    ratio = pair.after / pair.before if pair.before else np.nan
    return pair.way | {f"{cost}_from": pair.before, f"{cost}_to": pair.after, f"{cost}_ratio": ratio}


def _range(name: str, values: "pd.Series[float]") -> Row:
    return {name: values.median(), f"{name}_lowest": values.min(), f"{name}_highest": values.max()}


def _by_change(pairs: pd.DataFrame) -> list[tuple[tuple[Any, Any], pd.DataFrame]]:
    changes = list(zip(pairs["from"], pairs["to"], strict=True))
    ordered = sorted(dict.fromkeys(changes), key=lambda change: tuple(map(sortable, change)))
    return [(change, pairs[[this == change for this in changes]]) for change in ordered]


def _why_none(frame: pd.DataFrame, axis: str) -> str:
    found = list(dict.fromkeys(value for (value,) in cells(frame, [axis]) if value is not None))
    if not found:
        return "not compared: no network has it"
    if len(found) == 1:
        return f"not compared: {found[0]} in all networks"
    return "not compared: no two networks differ in it alone"


def _varies(frame: pd.DataFrame, name: str) -> bool:
    return name in frame and len(distinct(frame[name])) > 1
