"""Answers as figures, in the report's style: the frontier, what each setting buys, which setting matters most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, PercentFormatter

from enhance_sweep.measures import MEASURES, higher_is_better
from enhance_sweep.notebook.tables import axis_name, labels_of, value_name
from enhance_sweep.records.frame import settings_of
from enhance_sweep.report.figures.frontier import mark_ratios, networks_figure
from enhance_sweep.report.figures.frontier_series import networks_series
from enhance_sweep.report.figures.series import title_of, untouched_level
from enhance_sweep.report.figures.style import BLUE, GRID, INK, MUTED, VERMILLION, WIDE, Shape, new_figure, png, style
from enhance_sweep.report.labels import TIMES, signed
from enhance_sweep.what_if import effect_of, frontier_of, networks_of

_DPI = 160
_WIDTH = 9.0
#: Transparent, so that pairs which lie over each other can be told from one.
_DOTS: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4.5, "alpha": 0.55, "markeredgewidth": 0}
#: Half the height of the bar at a median.
_BAR = 0.36


@dataclass(frozen=True)
class Picture:
    """A figure as a notebook shows it: sharp on a dense screen, in the size that it was drawn for; or a sentence.

    Args:
        figure: None where there is nothing to draw.
        nothing: what to say then.
    """

    figure: Figure | None
    nothing: str = "There is nothing to draw."

    def _repr_png_(self) -> tuple[bytes, dict[str, int]] | None:
        if self.figure is None:
            return None
        width, height = self.figure.get_size_inches() * 96
        return png(self.figure, _DPI), {"width": round(width), "height": round(height)}

    def _repr_markdown_(self) -> str | None:
        return self.nothing if self.figure is None else None

    def __repr__(self) -> str:
        """The sentence, where neither a picture nor Markdown can be shown."""
        return self.nothing if self.figure is None else "a figure"


def frontier_figure(records: pd.DataFrame, shape: Shape = WIDE) -> Figure | None:
    """Latency against MS-SSIM and the frontier, as the report draws it, of just these records.

    Multiply-adds take the place of latency where no scored network is timed. None where no network is scored.

    Args:
        records: rows of `load_records`; seeds are averaged.
        shape: of the figure.

    Raises:
        ValueError: scores of several data sets, or times of several hosts.
    """
    networks = networks_of(records)
    scored = networks[networks["ms_ssim"].notna()]
    if scored.empty:
        return None
    timed = scored["latency_ms_median"].notna().any()
    cost, kind = ("latency_ms_median", "latency_ms") if timed else ("macs", "macs")
    on_frontier = networks.index.isin(frontier_of(records, cost).index)
    untouched = networks["untouched_ms_ssim"]
    variants = networks.assign(
        cost=networks[cost].astype("float64"),
        label=labels_of(networks),
        on_frontier=on_frontier,
        below_untouched=networks["ms_ssim"] < untouched,
    )
    known = untouched.dropna()
    levels = (untouched_level(float(known.mode().iloc[0]), MEASURES["ms_ssim"]),) if len(known) else ()
    data, loss = (next(iter(networks[name].dropna().unique()), None) for name in ("dataset", "loss"))
    series = networks_series(variants, kind, title_of(data, loss, networks["steps"].dropna().unique()), levels)
    return None if series is None else networks_figure(series, shape)


def effects_figure(
    records: pd.DataFrame,
    axes: Sequence[str] | None = None,
    cost: str = "latency_ms_median",
    quality: str = "ms_ssim",
) -> Figure | None:
    """Every matched pair as a dot, and their median: the difference in quality, and the ratio of cost.

    None where no two networks differ in one axis alone.

    Args:
        records: rows of `load_records`.
        axes: the axes to show, a row for each change of each; None: all settings.
        cost: the column whose ratio is shown, on a logarithmic axis.
        quality: the column whose difference is shown.
    """
    difference, ratio = f"{quality}_difference", f"{cost}_ratio"
    changes: dict[str, pd.DataFrame] = {}
    for axis in settings_of(records) if axes is None else axes:
        pairs = effect_of(records, axis, cost, quality)
        named = [
            f"{axis_name(axis)} {value_name(before)} → {value_name(after)}"
            for before, after in zip(pairs["from"], pairs["to"], strict=True)
        ]
        order = sorted(set(named), key=lambda name: min(_keys(pairs[[this == name for this in named]])))
        changes |= {name: pairs[[this == name for this in named]] for name in order}
    shown = [name for name in (difference, ratio) if any(some[name].notna().any() for some in changes.values())]
    if not shown:
        return None
    with style():
        figure, panels = _panels(
            list(changes), len(shown), 0.27, 2.0, "dots: pairs that differ in this alone · bar: median"
        )
        for panel, name in zip(panels, shown, strict=True):
            _draw_pairs(panel, list(changes.values()), name, VERMILLION if name == ratio else BLUE)
        if difference in shown:
            side = "right" if higher_is_better(quality) else "left"
            panels[0].set_xlabel(f"{axis_name(quality)}: difference, {side} is better")
            panels[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value, 3)))
            panels[0].xaxis.set_major_locator(MaxNLocator(6))
        if ratio in shown:
            panels[-1].set_xlabel(f"{axis_name(cost)}: ratio, left is cheaper (log scale)")
            mark_ratios(panels[-1].xaxis, *panels[-1].get_xlim(), TIMES)
    return figure


def _panels(rows: Sequence[str], count: int, row_in: float, left_in: float, note: str) -> tuple[Figure, Sequence[Axes]]:
    """Panels beside each other with the same rows, whose names are on the left; a note above."""
    height = row_in * len(rows) + 1.05
    figure = new_figure(_WIDTH, height)
    panels = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    panels[0].set_yticks(range(len(rows)), rows)
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    for panel in panels:
        panel.set_axisbelow(True)
        panel.tick_params(length=3, width=0.8)
    figure.text(left_in / _WIDTH, 1 - 0.24 / height, note, color=MUTED)
    left, right, bottom, top = left_in / _WIDTH, 1 - 0.25 / _WIDTH, 0.55 / height, 1 - 0.38 / height
    figure.subplots_adjust(left=left, right=right, bottom=bottom, top=top, wspace=0.08)
    return figure, panels


def _keys(pairs: pd.DataFrame) -> list[tuple[float, float, str]]:
    return [
        (float(before), float(after), "") if isinstance(before, int | float) else (0.0, 0.0, f"{before}{after}")
        for before, after in zip(pairs["from"], pairs["to"], strict=True)
    ]


def _draw_pairs(panel: Axes, changes: Sequence[pd.DataFrame], name: str, color: str) -> None:
    no_change = 1.0 if name.endswith("_ratio") else 0.0
    if no_change:
        panel.set_xscale("log")
    panel.axvline(no_change, color=INK, linewidth=0.9, zorder=1)
    for row, pairs in enumerate(changes):
        values = pairs[name].dropna().to_numpy(dtype=float)
        if len(values):
            panel.plot(values, np.full(len(values), row), color=color, zorder=3, **_DOTS)
            panel.vlines(float(np.median(values)), row - _BAR, row + _BAR, color=INK, linewidth=1.8, zorder=4)
        else:
            panel.annotate("not known", (no_change, row), (5, 0), textcoords="offset points", va="center", color=MUTED)
    panel.grid(True, axis="y", color=GRID, linewidth=0.7)
    panel.margins(x=0.08)


def shares_figure(shares: Mapping[str, pd.DataFrame]) -> Figure | None:
    """A panel per measure: each axis's share of its variance, and a tick where chance alone would put it.

    None where no share is known.

    Args:
        shares: for each measure's heading what `shares_of_variance` gave, all of the same axes.
    """
    if not any(table["share"].notna().any() for table in shares.values()):
        return None
    axes = list(next(iter(shares.values()))["axis"])
    note = "bar: what goes with this setting · dotted: what chance alone would give it"
    with style():
        figure, panels = _panels(list(map(axis_name, axes)), len(shares), 0.34, 1.2, note)
        for panel, (heading, table), color in zip(panels, shares.items(), (BLUE, VERMILLION), strict=False):
            _draw_shares(panel, table.set_index("axis").loc[axes], color)
            panel.set_xlabel(f"share of the variance of {heading}")
    return figure


def _draw_shares(panel: Axes, table: pd.DataFrame, color: str) -> None:
    for row, (axis, line) in enumerate(table.iterrows()):
        if pd.isna(line["share"]):
            panel.text(0.01, row, str(line["note"]), va="center", color=MUTED)
            continue
        panel.barh(row, line["share"], height=0.6, color=MUTED if axis == "rest" else color, zorder=2)
        share, chance = float(line["share"]), float(line["share_by_chance"])
        beside = chance if share - 0.01 < chance < share + 0.1 else share  # the dotted line would cross the number
        panel.text(beside + 0.015, row, f"{share:.0%}", va="center", zorder=4)
        panel.vlines(chance, row - 0.42, row + 0.42, color=INK, linewidth=1.1, linestyle=(0, (1, 1.2)), zorder=3)
    panel.set_xlim(0, 1.06)
    panel.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    panel.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    panel.grid(True, axis="x", color=GRID, linewidth=0.7)
