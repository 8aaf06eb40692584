"""Figure 2 of the paper, from records and as published: speed-up against MS-SSIM, with the frontier."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator, ScalarFormatter

from enhance_sweep.frontier import pareto_front
from enhance_sweep.paper import baseline_time_s, headline_speed_up, implied_baseline_time_s, published_table
from enhance_sweep.report.figures.placement import Array, place_labels
from enhance_sweep.report.figures.style import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    OCHRE,
    PAPER,
    PURPLE,
    VERMILLION,
    WIDE,
    Shape,
    new_figure,
    style,
)
from enhance_sweep.report.labels import TIMES, decimals, network_label, topology_name
from enhance_sweep.report.results.gather import Results

_LOOKS = {"plain": ("o", BLUE), "strided": ("D", VERMILLION)}
#: Further topologies take these in turn.
_OTHER_LOOKS = (("^", GREEN), ("s", PURPLE), ("v", OCHRE))
_NAMES = {"plain": "plain {k, c, b}", "strided": "strided {k-s, c}"}
#: More labels than this cannot be read; the frontier and the published variants come first.
MOST_LABELS = 40
#: Thousands of shapes would make an SVG larger than the rest of the page: from here on the points are a picture in it.
_RASTERIZED_FROM = 800
#: More intervals than this hide the points.
_MOST_BARS = 80
_INCH = 72.0
_LABEL_SIZE = 7.5


@dataclass(frozen=True)
class _Axis:
    """What the horizontal axis shows; the slower networks are on its left, as in the paper."""

    title: str
    unit: str
    reverse: bool


_AXES = {
    "speed_up": _Axis("speed-up relative to the 3/64/4 baseline (log scale)", TIMES, reverse=False),
    "latency_ms": _Axis("latency in ms, slower on the left (log scale)", "", reverse=True),
    "macs": _Axis("multiply-adds in G, more on the left (log scale)", "", reverse=True),
}


def frontier_figure(results: Results, shape: Shape = WIDE, intervals: bool = False) -> Figure | None:
    """Figure 2 from the records: speed-up against MS-SSIM. None where no network has a place in it.

    Without a timed baseline latency takes the place of speed-up, without any timing multiply-adds do.

    Args:
        results: what `gather` found.
        shape: the figure's size.
        intervals: draw the 95% intervals of both axes where they are known.
    """
    steps = results.steps
    steps_text = f"{steps[0]:,} steps" if len(steps) == 1 else "different numbers of steps" if steps else ""
    title = " · ".join(part for part in (results.dataset, f"{results.loss} loss", steps_text) if part)
    usual = {condition.mark for condition in results.training_conditions[:1]}
    marks = results.variants["condition"].map(lambda mark: "" if mark in usual else f" [{mark}]")
    named = results.variants.assign(label=results.variants["label"].astype(str) + marks.astype(str))
    return networks_figure(named, results.cost_kind, results.untouched["ms_ssim"], title, shape, intervals)


def networks_figure(
    networks: pd.DataFrame,
    cost_kind: str,
    untouched: float | None,
    title: str,
    shape: Shape = WIDE,
    intervals: bool = False,
) -> Figure | None:
    """The same of a table of networks; None where none has both a cost and an MS-SSIM.

    Args:
        networks: with columns `cost`, `ms_ssim`, `label`, `topology`, `below_untouched`, `on_frontier` and `published`
            (whether to name it before others); for intervals `ms_ssim_error`, `speed_up_low` and `speed_up_high` too.
        cost_kind: what the cost is: `speed_up` (one over it), `latency_ms` or `macs`.
        untouched: the MS-SSIM of the untouched input, for a line.
        title: over the figure.
        shape: the figure's size.
        intervals: draw the 95% intervals of both axes where they are known.
    """
    shown = networks[networks["ms_ssim"].notna() & networks["cost"].notna()]
    if shown.empty:
        return None
    x = {"speed_up": 1 / shown["cost"], "latency_ms": shown["cost"], "macs": shown["cost"] / 1e9}[cost_kind]
    points = pd.DataFrame(
        {
            "x": x.astype("float64"),
            "y": shown["ms_ssim"].astype("float64"),
            "cost": shown["cost"],
            "label": shown["label"].astype(str),
            "topology": shown["topology"].astype(str),
            "below": shown["below_untouched"].astype(bool),
            "first": shown["on_frontier"].astype(int) * 2 + shown["published"].notna().astype(int),
        }
    )
    if intervals:
        known = shown if cost_kind == "speed_up" else shown.assign(speed_up_low=np.nan, speed_up_high=np.nan)
        points["left"] = (points["x"] - known["speed_up_low"]).clip(lower=0).fillna(0)
        points["right"] = (known["speed_up_high"] - points["x"]).clip(lower=0).fillna(0)
        points["error"] = known["ms_ssim_error"].astype("float64").fillna(0)
    return _speed_figure(points, _AXES[cost_kind], untouched, title, shape)


@cache
def published_figure(shape: Shape = WIDE) -> Figure:
    """Figure 2 as the paper's Tables 1 and 2 have it, with its own baseline time, in the same style."""
    table = pd.concat([published_table(1), published_table(2)], ignore_index=True)
    points = pd.DataFrame(
        {
            "x": table["speed_up"],
            "y": table["ms_ssim"],
            "cost": table["time_s"],
            "label": [network_label(architecture) for architecture in table["architecture"]],
            "topology": [architecture["topology"] for architecture in table["architecture"]],
            "below": False,
            "first": 1,
        }
    )
    title = "as published: de Stoutz et al. 2018, Tables 1 and 2"
    factor = implied_baseline_time_s() / baseline_time_s()
    return _speed_figure(points, _AXES["speed_up"], None, title, shape, second_axis=factor)


def _speed_figure(
    points: pd.DataFrame,
    axis: _Axis,
    untouched: float | None,
    title: str,
    shape: Shape,
    second_axis: float | None = None,
) -> Figure:
    with style():
        figure = new_figure(shape.width, shape.height)
        panels = _panels(figure, _heights(points), untouched)
        _draw_horizontal_axis(panels, points["x"].to_numpy(dtype=float), axis, second_axis)
        for panel in panels:
            _draw_points(panel, points)
        entries = _entries(points) + _draw_frontiers(panels, points)
        if untouched is not None:
            for panel in panels:
                panel.axhline(untouched, color=INK, linewidth=1.1, linestyle=(0, (5, 3)), zorder=1.5)
        columns = len(entries) if shape.is_wide else 2
        title_in, legend_in = 0.3, 0.19 * math.ceil(len(entries) / columns) + 0.1
        left_in, above_in = 0.7, 0.0 if second_axis is None else 0.4
        figure.text(left_in / shape.width, 1 - 0.22 / shape.height, title, color=MUTED, va="baseline")
        figure.legend(
            *zip(*entries, strict=True),
            loc="upper left",
            bbox_to_anchor=((left_in - 0.08) / shape.width, 1 - title_in / shape.height),
            ncols=columns,
            frameon=False,
            handlelength=1.6,
            columnspacing=1.3,
            handletextpad=0.5,
            borderaxespad=0.0,
            borderpad=0.2,
            fontsize=8,
        )
        figure.supylabel("MS-SSIM", fontsize=8.5, x=0.1 / shape.width)
        figure.subplots_adjust(
            left=left_in / shape.width,
            right=1 - 0.16 / shape.width,
            bottom=0.5 / shape.height,
            top=1 - (title_in + legend_in + above_in) / shape.height,
            hspace=0.07,
        )
        _draw_labels(figure, panels, points, untouched)
    return figure


# --- axes -------------------------------------------------------------------------------------------------------------


def _heights(points: pd.DataFrame) -> Array:
    """What the vertical axis has to hold: the points, and their intervals' ends where these are drawn."""
    y = points["y"].to_numpy(dtype=float)
    if "error" not in points or len(points) > _MOST_BARS:
        return y
    error = points["error"].to_numpy(dtype=float)
    return np.concatenate([y, y - error, y + error])


def _panels(figure: Figure, values: Array, untouched: float | None) -> list[Axes]:
    """One panel, or two with a break between them where the values would leave most of the height empty."""
    levels = np.sort(values if untouched is None else np.append(values, untouched))
    span = max(float(levels[-1] - levels[0]), 2e-3)
    gaps = np.diff(levels)
    if len(levels) < 4 or gaps.max() < 0.45 * span:
        panels = [figure.subplots()]
        panels[0].set_ylim(levels[0] - 0.1 * span, levels[-1] + 0.1 * span)
    else:
        cut = int(np.argmax(gaps))
        upper, lower = levels[cut + 1 :], levels[: cut + 1]
        # The same scale above and below, so that a difference looks the same in either.
        pad = 0.12 * max(float(np.ptp(upper)), float(np.ptp(lower)), 2e-3)
        heights = [float(np.ptp(part)) + 2 * pad for part in (upper, lower)]
        shown = [max(height, 0.13 * max(heights)) for height in heights]
        panels = list(figure.subplots(2, sharex=True, height_ratios=shown))
        for panel, part, height in zip(panels, (upper, lower), shown, strict=True):
            middle = (float(part[0]) + float(part[-1])) / 2
            panel.set_ylim(middle - height / 2, middle + height / 2)
        _draw_break(*panels)
    for panel in panels:
        panel.grid(True, color=GRID, linewidth=0.7)
        panel.set_axisbelow(True)
        panel.tick_params(length=3, width=0.8)
        only_the_line = not ((values >= panel.get_ylim()[0]) & (values <= panel.get_ylim()[1])).any()
        panel.yaxis.set_major_locator(NullLocator() if only_the_line else MaxNLocator(7, steps=[1, 2, 5, 10]))
        panel.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    return panels


def _draw_break(upper: Axes, lower: Axes) -> None:
    """The slanted strokes that say: the scale jumps here."""
    upper.spines["bottom"].set_visible(False)
    upper.tick_params(bottom=False, labelbottom=False, which="both")
    stroke: dict[str, Any] = {"marker": [(-1, -0.6), (1, 0.6)], "markersize": 8, "linestyle": "none", "mew": 1.1}
    for panel, height in ((upper, 0), (lower, 1)):
        panel.plot([0], [height], transform=panel.transAxes, color=MUTED, clip_on=False, zorder=9, **stroke)


def _draw_horizontal_axis(panels: Sequence[Axes], x: Array, axis: _Axis, second_axis: float | None) -> None:
    low, high = float(x.min()), float(x.max())
    pad = max((high / low) ** 0.08, 1.5 if high < 1.2 * low else 1.12)
    low, high = low / pad, high * pad
    for panel in panels:
        panel.set_xscale("log")
        panel.set_xlim((high, low) if axis.reverse else (low, high))
        _mark_ratios(panel.xaxis, low, high, axis.unit)
        if axis.unit and low < 1 < high:
            panel.axvline(1, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    panels[-1].set_xlabel(axis.title)
    if second_axis is not None:
        there_and_back = (lambda value: np.multiply(value, second_axis), lambda value: np.divide(value, second_axis))
        top = panels[0].secondary_xaxis("top", functions=there_and_back)
        _mark_ratios(top.xaxis, low * second_axis, high * second_axis, axis.unit)
        top.spines["top"].set_visible(True)
        top.tick_params(length=3, width=0.8)
        took, headline = decimals(implied_baseline_time_s(), 1), decimals(headline_speed_up(), 1)
        top.set_xlabel(f"if the baseline took {took} s, as the headline's {headline}{TIMES} implies", color=MUTED)


def _mark_ratios(axis: Any, low: float, high: float, unit: str) -> None:
    """Ticks at round numbers, at most nine."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in ((1, 1.2, 1.5, 2, 3, 4, 5, 6, 8), (1, 1.5, 2, 3, 5, 7), (1, 2, 3, 5), (1, 2, 5), (1,)):
        ticks = [m * 10.0**decade for decade in decades for m in mantissas if low <= m * 10.0**decade <= high / 1.03]
        if len(ticks) <= 8:
            break
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}{unit}"))


# --- points and lines -------------------------------------------------------------------------------------------------


def looks_of(topologies: "pd.Series[str]") -> dict[str, tuple[str, str]]:
    """Marker and color of each topology."""
    others = sorted(set(topologies) - _LOOKS.keys())
    return _LOOKS | {name: _OTHER_LOOKS[number % len(_OTHER_LOOKS)] for number, name in enumerate(others)}


def _is_cloud(points: pd.DataFrame) -> bool:
    return len(points) > _RASTERIZED_FROM


def _marker_size(points: pd.DataFrame) -> float:
    return 6.0 if len(points) <= 80 else 4.0


def _draw_points(panel: Axes, points: pd.DataFrame) -> None:
    """All points; in a cloud of very many the ones that have names stand out."""
    if _is_cloud(points):
        _draw_markers(panel, points[points["first"] == 0], size=2.5, alpha=0.4, rasterized=True)
        points = points[points["first"] > 0]
    if "error" in points and len(points) <= _MOST_BARS:
        looks = looks_of(points["topology"])
        for topology, some in points.groupby("topology", sort=False):
            panel.errorbar(
                some["x"],
                some["y"],
                xerr=[some["left"], some["right"]],
                yerr=some["error"],
                fmt="none",
                ecolor=looks[str(topology)][1],
                elinewidth=0.8,
                alpha=0.65,
                zorder=2.8,
            )
    _draw_markers(panel, points, size=_marker_size(points), alpha=1.0, rasterized=False)


def _draw_markers(panel: Axes, points: pd.DataFrame, size: float, alpha: float, rasterized: bool) -> None:
    looks = looks_of(points["topology"])
    for topology in dict.fromkeys(points["topology"]):
        marker, color = looks[topology]
        for below in (False, True):
            some = points[(points["topology"] == topology) & (points["below"] == below)]
            panel.plot(
                some["x"].to_numpy(),
                some["y"].to_numpy(),
                linestyle="none",
                marker=marker,
                markersize=size,
                markerfacecolor=PAPER if below else color,
                markeredgecolor=color,
                markeredgewidth=1.3 if size > 3 else 0.7,
                alpha=alpha,
                zorder=3,
                rasterized=rasterized,
            )


def _entries(points: pd.DataFrame) -> list[tuple[Line2D, str]]:
    """What the legend says of the points."""
    looks = looks_of(points["topology"])
    entries = []
    for topology in dict.fromkeys(points["topology"]):
        marker, color = looks[topology]
        entries.append((_entry(marker, color, color), _NAMES.get(topology, topology_name(topology))))
    if points["below"].any():
        entries.append((_entry("o", PAPER, MUTED), "hollow: below the untouched input"))
    return entries


def _entry(marker: str, face: str, edge: str) -> Line2D:
    look: dict[str, Any] = {"marker": marker, "markersize": 5.5, "markerfacecolor": face, "markeredgecolor": edge}
    return Line2D([], [], linestyle="none", markeredgewidth=1.2, **look)


def _draw_frontiers(panels: Sequence[Axes], points: pd.DataFrame) -> list[tuple[Line2D, str]]:
    """The frontier of all networks, and that of the plain ones alone where there are others; their legend entries."""
    look: dict[str, Any] = {"color": MUTED, "linewidth": 1.5, "zorder": 2.2}
    entries = [(_draw_steps(panels, points, look), "frontier")]
    plain = points[points["topology"] == "plain"]
    if 0 < len(plain) < len(points):
        look = {"color": BLUE, "linewidth": 1.0, "linestyle": (0, (2, 2)), "zorder": 2}
        entries.append((_draw_steps(panels, plain, look), "frontier of plain networks alone"))
    return entries


def _draw_steps(panels: Sequence[Axes], points: pd.DataFrame, look: Mapping[str, Any]) -> Line2D:
    """The best quality that is to be had at each speed: level as far as the next slower network, then up to it."""
    front = pareto_front(points, cost="cost", quality="y")
    x = np.append(front["x"].to_numpy(dtype=float), panels[0].get_xlim()[0])
    for panel in panels:
        panel.plot(np.repeat(x, 2)[1:-1], np.repeat(front["y"].to_numpy(dtype=float), 2), **look)
    return Line2D([], [], **look)


# --- labels -----------------------------------------------------------------------------------------------------------


def _draw_labels(figure: Figure, panels: Sequence[Axes], points: pd.DataFrame, untouched: float | None) -> None:
    """Name the points (the frontier and the published ones first, where there are too many), and the dashed line."""
    named = points
    if len(points) > MOST_LABELS:
        named = points[points["first"] > 0].sort_values("first", ascending=False, kind="stable").head(MOST_LABELS)
    markers, anchors = _where(figure, panels, points), _where(figure, panels, named)
    lines = [_line_points(figure, line) for panel in panels for line in panel.lines]
    if untouched is not None:
        lines.append(_name_untouched(figure, panels, untouched, markers))
    looks = looks_of(points["topology"])
    texts = [
        figure.text(0, 0, label, fontsize=_LABEL_SIZE, color=looks[topology][1], ha="center", va="center", zorder=5)
        for label, topology in zip(named["label"], named["topology"], strict=True)
    ]
    for text in texts:
        text.set_path_effects([withStroke(linewidth=1.6, foreground=PAPER)])
    boxes = [text.get_window_extent() for text in texts]
    sizes = np.array([(box.width, box.height) for box in boxes]).reshape(-1, 2) * _INCH / figure.dpi
    frames = [np.array(panel.get_window_extent().extents) * _INCH / figure.dpi for panel in panels]
    bounds = np.array([frames[_panel_of(panels, y)] for y in named["y"]]).reshape(-1, 4)
    # A leader shorter than this is only dirt between a label and its marker.
    radius, short = _marker_size(points) / 2 + 1.0, 7.5
    centres = place_labels(anchors, sizes, bounds, markers, radius, np.concatenate(lines), margin=1.0)
    inches = figure.get_size_inches() * _INCH
    for text, centre, size, anchor in zip(texts, centres, sizes, anchors, strict=True):
        text.set_position((float(centre[0] / inches[0]), float(centre[1] / inches[1])))
        nearest = np.clip(anchor, centre - size / 2 - 1.0, centre + size / 2 + 1.0)
        if np.linalg.norm(nearest - anchor) > short:
            ends = np.stack([anchor, nearest]) / inches
            leader = Line2D(ends[:, 0], ends[:, 1], color=text.get_color(), linewidth=0.5, alpha=0.7, zorder=2.6)
            figure.add_artist(leader)


def _panel_of(panels: Sequence[Axes], y: float) -> int:
    inside = (index for index, panel in enumerate(panels) if panel.get_ylim()[0] <= y <= panel.get_ylim()[1])
    return next(inside, 0)


def _where(figure: Figure, panels: Sequence[Axes], points: pd.DataFrame) -> Array:
    """The points' places in the figure, in typographic points: (N, 2)."""
    x, y = points["x"].to_numpy(dtype=float), points["y"].to_numpy(dtype=float)
    panel_of = np.array([_panel_of(panels, value) for value in y], dtype=int)
    places = np.zeros((len(points), 2))
    for index, panel in enumerate(panels):
        chosen = panel_of == index
        places[chosen] = panel.transData.transform(np.stack([x[chosen], y[chosen]], axis=1))
    return places * _INCH / figure.dpi


def _line_points(figure: Figure, line: Line2D) -> Array:
    """Points along a drawn line, three typographic points apart; none along a mere row of markers."""
    if line.get_linestyle() == "None":
        return np.zeros((0, 2))
    path = line.get_transform().transform(line.get_xydata()) * _INCH / figure.dpi
    pieces = [np.zeros((0, 2))]
    for start, end in pairwise(path):
        count = max(2, int(np.linalg.norm(end - start) / 3))
        pieces.append(start + np.linspace(0, 1, count)[:, None] * (end - start))
    return np.concatenate(pieces)


def _name_untouched(figure: Figure, panels: Sequence[Axes], untouched: float, markers: Array) -> Array:
    """Write what the dashed line is, where it covers fewest markers; the place it takes, for the labels to keep off."""
    panel = panels[_panel_of(panels, untouched)]
    left, bottom, right, top = np.array(panel.get_window_extent().extents) * _INCH / figure.dpi
    line = float(panel.transData.transform((1.0, untouched))[1]) * _INCH / figure.dpi
    text = figure.text(0, 0, f"untouched input {untouched:.4f}", fontsize=_LABEL_SIZE, va="bottom", zorder=5)
    box = text.get_window_extent()
    width, height = box.width * _INCH / figure.dpi, box.height * _INCH / figure.dpi
    places: list[tuple[int, int, float, float]] = []
    for x in (right - 3 - width, left + 4, (left + right - width) / 2):
        for y in (line + 2, line - 2 - height):
            apart = np.abs(markers - [x + width / 2, y + height / 2]) - [width / 2 + 4, height / 2 + 4]
            covered = int((apart < 0).all(axis=1).sum())
            places.append((covered + 1000 * (y < bottom or y + height > top), len(places), x, y))
    _, _, x, y = min(places)
    text.set_position((x / (figure.get_figwidth() * _INCH), y / (figure.get_figheight() * _INCH)))
    across, up = np.meshgrid(np.arange(x, x + width, 3.0), np.linspace(y, y + height, 4))
    return np.stack([across.ravel(), up.ravel()], axis=1)
