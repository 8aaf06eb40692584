"""Cost against quality with the frontier: Figure 2 of the paper, from records and as published."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from enhance_sweep import paper
from enhance_sweep.frontier import pareto_front
from enhance_sweep.measures import MEASURES, Measure
from enhance_sweep.report.figures.rings import ringed
from enhance_sweep.report.figures.series import (
    Axis,
    Level,
    Line,
    Look,
    Point,
    Series,
    UpperAxis,
    levels_of,
    looks_of,
    marks_of,
    title_of,
    with_intervals,
)
from enhance_sweep.report.labels import (
    TIMES,
    decimals,
    interval_text,
    is_number,
    network_label,
    signed,
    signed_interval,
    significant_ms,
    speed_up_text,
)
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.variants import rows_of
from enhance_sweep.report.tables.exports import exports

_AXES = {
    "speed_up": Axis("speed-up over the {3, 64, 4} baseline (log scale)", TIMES),
    "latency_ms": Axis("latency in ms, slower on the left (log scale)", is_reversed=True),
    "macs": Axis("multiply-adds in G, more on the left (log scale)", is_reversed=True),
}
_MARKERS_OF_EXPORTS = {"fp32": "circle-open", "fp16": "square-open", "bf16": "diamond-open", "int8": "triangle-up-open"}
#: Single seeds of all of more networks than this would hide the points: then only those that stand out have theirs.
_MOST_WITH_SEEDS = 60
#: Columns that a table of networks may lack.
_OPTIONAL = ("slug", "published", "speed_up_low", "speed_up_high")
#: Columns that a point is made of, and what the pointer tells of it: making rows of all takes longer.
_DRAWN = [*_OPTIONAL, "x", "y", "y_error", "topology", "label", "below_untouched", "on_frontier"]
_HOVERED = [
    *("psnr_db", "seeds"),
    *("vs_baseline", "vs_baseline_low", "vs_baseline_high", "vs_baseline_decision"),
    *("speed_up", "speed_up_low", "speed_up_high", "latency_ms_median", "frontier_probability"),
]


def frontier_series(results: Results) -> Series | None:
    """Cost against quality of the scored networks, with the frontier; None where no network has both.

    Without a timed baseline latency takes the place of speed-up, without any timing multiply-adds do.
    """
    title = title_of(results.dataset, results.loss, results.steps)
    named = results.variants.assign(label=results.variants["label"].astype(str) + marks_of(results))
    quality = results.quality
    hovered = list(dict.fromkeys([quality.name, f"{quality.name}_error", *_HOVERED]))
    hovers = {row.Index: _hover(row, quality) for row in rows_of(results.scored[hovered])}
    series = networks_series(named, results.cost_kind, title, levels_of(results, quality.name), hovers, quality)
    if series is None:
        return None
    further = (*_single_seeds(results, series), *_exports(results))
    looks = {point.group: _look_on_page(point.group) for point in further}
    points = ringed(series.points, results.variants)
    return replace(series, points=(*points, *further), looks={**series.looks, **looks})


def networks_series(
    networks: pd.DataFrame,
    cost_kind: str,
    title: str,
    levels: tuple[Level, ...] = (),
    hovers: Mapping[int, tuple[str, ...]] | None = None,
    quality: Measure = MEASURES["ms_ssim"],
) -> Series | None:
    """The same of a table of networks; None where none has both a cost and a score.

    Args:
        networks: with columns `cost`, `ms_ssim`, `label`, `topology`, `below_untouched` and `on_frontier`; where known
            `slug`, `published`, and for intervals `ms_ssim_error`, `speed_up_low` and `speed_up_high`.
        cost_kind: what the cost is: `speed_up` (one over it), `latency_ms` or `macs`.
        title: over the figure.
        levels: lines across.
        hovers: gives the pointer's text for a row.
        quality: the measure upward; `ms_ssim` above stands for its name.
    """
    shown = networks[networks[quality.name].notna() & networks["cost"].notna()]
    if shown.empty:
        return None
    shown = shown.assign(
        **{name: None for name in _OPTIONAL if name not in shown},
        x=_place(shown["cost"], cost_kind),
        y=shown[quality.name],
        y_error=shown.get(f"{quality.name}_error"),
    )
    return Series(
        title,
        _AXES[cost_kind],
        _axis_of(quality),
        tuple(_point(row, cost_kind, (hovers or {}).get(row.Index, ())) for row in rows_of(shown[_DRAWN])),
        looks_of(shown["topology"]),
        _frontiers(shown, quality),
        levels,
    )


def _axis_of(quality: Measure) -> Axis:
    """Up is better: an axis of which less is better is turned over, and says so."""
    remark = "" if quality.higher_is_better else ", less is better"
    look: dict[str, Any] = {"is_reversed": not quality.higher_is_better, "digits": quality.digits - 1}
    return Axis(f"{quality.title}{remark}", log=False, least_span=quality.margin, **look)


@cache
def published_series() -> Series:
    """Figure 2 as the paper's Tables 1 and 2 have it, with its own baseline time."""
    table = paper.published_networks().reset_index(drop=True)
    networks = table.assign(
        cost=1 / table["speed_up"],
        label=[network_label(architecture) for architecture in table["architecture"]],
        topology=[architecture["topology"] for architecture in table["architecture"]],
        below_untouched=False,
        on_frontier=False,
        published=1,
    )
    hovers = {}
    for row in rows_of(table):
        time, score = f"{row.time_s:.3f} s", f"MS-SSIM {row.ms_ssim:.4f}, {row.psnr_db:.2f} dB"
        hovers[row.Index] = (f"{time}, {speed_up_text(row.speed_up)}", score)
    title = "as published: de Stoutz et al. 2018, Tables 1 and 2"
    series = networks_series(networks, "speed_up", title, hovers=hovers)
    assert series is not None, "the tables have networks"
    took, headline = decimals(paper.implied_baseline_time_s(), 1), decimals(paper.headline_speed_up(), 1)
    upper = f"if the baseline took {took} s, as the headline's {headline}{TIMES} implies"
    return replace(
        series,
        x=Axis("speed-up over {3, 64, 4}, as the tables have it (log scale)", TIMES),
        points=tuple(replace(point, row=None) for point in series.points),
        upper=UpperAxis(upper, paper.implied_baseline_time_s() / paper.baseline_time_s()),
    )


def measured(row: Any, quality: Measure) -> dict[str, str]:
    """What was measured of a network (a row of `Results.variants`), in words."""
    facts, digits = {}, quality.digits
    score, error = getattr(row, quality.name), getattr(row, f"{quality.name}_error")
    if is_number(score):
        half_width = f" ± {error:.{digits}f}" if is_number(error) else ""
        facts[quality.label] = f"{score:.{digits}f}{half_width}"
    if is_number(row.psnr_db) and quality.name != "psnr_db":
        facts["PSNR"] = f"{row.psnr_db:.2f} dB"
    if is_number(row.vs_baseline):
        interval = signed_interval(row.vs_baseline_low, row.vs_baseline_high, digits)
        facts[f"{quality.label}{quality.improvement} against the baseline"] = (
            f"{signed(row.vs_baseline, digits)} ({interval}, corrected), {row.vs_baseline_decision}"
        )
    if is_number(row.speed_up):
        known = is_number(row.speed_up_low) and is_number(row.speed_up_high)
        interval = f" (95% interval {interval_text(row.speed_up_low, row.speed_up_high)})" if known else ""
        facts["Speed-up"] = speed_up_text(row.speed_up) + interval
    if is_number(row.latency_ms_median):
        facts["Latency"] = f"{significant_ms(row.latency_ms_median)} ms"
    if is_number(row.frontier_probability):
        facts["On the frontier with probability"] = f"{row.frontier_probability:.2f}"
    return facts


def _hover(row: Any, quality: Measure) -> tuple[str, ...]:
    lines = [f"{name} {text}" for name, text in measured(row, quality).items()]
    seeds = row.seeds.split() if isinstance(row.seeds, str) else []
    return (*lines, *([f"mean of {len(seeds)} seeds"] if len(seeds) > 1 else []))


def _place(cost: Any, cost_kind: str) -> Any:
    """A cost's position on the horizontal axis."""
    return {"speed_up": 1 / cost, "latency_ms": cost, "macs": cost / 1e9}[cost_kind]


def _point(row: Any, cost_kind: str, hover: tuple[str, ...]) -> Point:
    error, timed = row.y_error, cost_kind == "speed_up" and is_number(row.speed_up_low)
    comes_first = row.slug in (paper.BASELINE_SLUG, paper.PROPOSED_SLUG)
    return Point(
        x=float(row.x),
        y=float(row.y),
        group=str(row.topology),
        label=str(row.label),
        hover=hover,
        row=int(row.Index),
        hollow=bool(row.below_untouched),
        rank=1 + pd.notna(row.published) + 2 * bool(row.on_frontier) + 4 * comes_first,
        stands_out=bool(row.on_frontier) or comes_first,
        x_interval=(min(row.speed_up_low, row.x), max(row.speed_up_high, row.x)) if timed else None,
        y_interval=(row.y - error, row.y + error) if is_number(error) else None,
    )


def _frontiers(shown: pd.DataFrame, quality: Measure) -> tuple[Line, ...]:
    """The frontier, and that of plain networks alone where there are others."""
    slowest = float(shown.sort_values("cost")["x"].iloc[-1])
    lines = [Line("frontier", *_steps(shown, slowest, quality), "muted", 1.5, "solid")]
    plain = shown[shown["topology"] == "plain"]
    if 0 < len(plain) < len(shown):
        lines.append(Line("frontier of plain networks", *_steps(plain, slowest, quality), "blue", 1.1, "dot"))
    return tuple(lines)


def _steps(networks: pd.DataFrame, slowest: float, quality: Measure) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The staircase of the best quality at each speed: level as far as the next slower network, then up to it."""
    front = pareto_front(networks, cost="cost", quality=quality.name)
    x = np.append(front["x"].to_numpy(dtype=float), slowest)
    return tuple(np.repeat(x, 2)[1:-1].tolist()), tuple(np.repeat(front["y"].to_numpy(dtype=float), 2).tolist())


# --- on the page alone ------------------------------------------------------------------------------------------------


def _look_on_page(group: str) -> Look:
    if group == "single seeds":
        return Look("muted", "line-ew-open", on_page_only=True)
    return Look("ink", _MARKERS_OF_EXPORTS.get(group.rpartition(" ")[2], "star-open"), on_page_only=True)


def _single_seeds(results: Results, series: Series) -> list[Point]:
    """Each training of the networks that have several, at its network's speed."""
    quality = results.quality
    shown = with_intervals(series.points, _MOST_WITH_SEEDS)
    several = [point for point in shown if point.row is not None and len(results.trainings(point.row)) > 1]
    points = []
    for point in several:
        for one in results.trainings(point.row or 0):
            if one.scores and is_number(score := getattr(one.scores, quality.name)):
                label = f"{point.label}, seed {one.learned_from.seed}"
                hover = f"{quality.label} {score:.{quality.digits}f}"
                points.append(Point(point.x, score, "single seeds", label, (hover,), point.row))
    return points


def _exports(results: Results) -> list[Point]:
    """The networks' exported files, a group for each precision; only MS-SSIM is known of them."""
    if results.quality.name != "ms_ssim":
        return []
    points: dict[str, list[Point]] = {}
    for one in exports(results):
        if one.ratio is None or one.cost is None or one.ms_ssim is None:
            continue
        hover = [
            f"MS-SSIM {one.ms_ssim:.4f}",
            f"{speed_up_text(one.ratio.median)} of eager ({interval_text(one.ratio.low, one.ratio.high)})",
            f"{decimals(one.record.bytes / 1024, 0)} KiB",
            *(["timing flagged"] if one.record.flags else []),
            *([f"{one.place} of networks and files"] if one.place else []),
        ]
        x, group = _place(one.cost, results.cost_kind), f"exported, {one.record.precision}"
        points.setdefault(group, []).append(Point(x, one.ms_ssim, group, one.label, tuple(hover), one.row))
    return [point for some in points.values() for point in some]
