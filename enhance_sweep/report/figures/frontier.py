"""Figure 2 of the paper, for print: cost against MS-SSIM with the frontier, every network named."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise, product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator, ScalarFormatter

from enhance_sweep.report.figures.frontier_series import published_series
from enhance_sweep.report.figures.placement import Array, place_labels
from enhance_sweep.report.figures.series import (
    RINGED,
    Point,
    Series,
    legend_name,
    named_points,
    short_name,
    with_intervals,
)
from enhance_sweep.report.figures.style import (
    COLORS,
    DASHES,
    GRID,
    INK,
    MARKERS,
    MUTED,
    NARROW,
    PAPER,
    WIDE,
    Shape,
    new_figure,
    style,
)

#: As many networks can all be named; of more, those that stand out, and no more than this in a wide or narrow figure.
MOST_LABELS = 40
_MOST_OF_MANY, _MOST_OF_MANY_NARROW = 18, 9
#: Thousands of shapes would make the SVG larger than the rest of the page: beyond this, points are rasterised.
_RASTERIZED_FROM = 800
#: Of more points those that do not stand out are small and light.
_MOST_ALIKE = 60
#: More intervals than this hide the points: then only those that stand out have theirs.
_MOST_INTERVALS = 80
_INCH = 72.0
_LABEL_SIZE = 7.5
#: How many times as wide as its marker a ring is.
_RING = 1.9
#: A leader shorter than this would only be clutter between a label and its marker.
_SHORTEST_LEADER = 7.5
#: Among many networks a label further away would be taken for another's.
_LONGEST_LEADER = 45.0


@cache
def published_figure() -> Figure:
    """Figure 2 as the paper's Tables 1 and 2 have it, with its own baseline time, in the same style."""
    return networks_figure(published_series())


def networks_figure(series: Series, shape: Shape = WIDE, intervals: bool = False) -> Figure:
    """Networks, their frontier and the untouched input's level, each network named where there is room.

    Args:
        series: of `frontier_series`, `networks_series` or `published_series`.
        shape: the figure's size.
        intervals: draw the 95% intervals of both axes where they are known.
    """
    points = [point for point in series.points if not series.looks[point.group].on_page_only]
    bars = _intervals(with_intervals(points, _MOST_INTERVALS)) if intervals else []
    with style():
        figure = new_figure(shape.width, shape.height)
        heights = np.array([point.y for point in points] + [y for _, ends in bars for _, y in ends])
        panels = _panels(figure, heights, series)
        _draw_horizontal_axis(panels, series)
        for panel in panels:
            _draw_points(panel, series, points)
            look: dict[str, Any] = {"colors": [COLORS[series.looks[group].color] for group, _ in bars], "alpha": 0.65}
            lines = LineCollection([ends for _, ends in bars], linewidths=0.8, zorder=2.8, **look)
            panel.add_collection(lines, autolim=False)
            if series.untouched is not None:
                look = {"color": INK, "linewidth": 1.1, "linestyle": DASHES["dash"], "zorder": 1.5}
                panel.axhline(series.untouched.value, label=series.untouched.text, **look)
        if any(point.hollow for point in points):
            hollow: dict[str, Any] = {"ls": "none", "marker": "o", "mfc": PAPER, "mec": MUTED, "mew": 1.3}
            worse = "worse than" if series.y.is_reversed else "below"
            panels[0].plot([], [], label=f"{worse} the untouched input", **hollow)
        _draw_rings(panels, [point for point in points if point.ringed], _marker_size(points))
        _draw_lines(panels, series)
        _lay_out(figure, shape, series, panels[0])
        _draw_labels(figure, panels, series, points, [np.array(ends) for _, ends in bars])
    return figure


def _lay_out(figure: Figure, shape: Shape, series: Series, panel: Axes) -> None:
    """Title and legend above the panels, as high as they need."""
    handles, names = panel.get_legend_handles_labels()
    entries = dict(zip(names, handles, strict=True))  # of equal names, the later: points that stand out, not the cloud
    columns = _legend_columns(list(entries), shape)
    title_in, legend_in = 0.3, 0.19 * math.ceil(len(entries) / columns) + 0.1
    left_in, above_in = 0.7, 0.0 if series.upper is None else 0.4
    figure.text(left_in / shape.width, 1 - 0.22 / shape.height, series.title, color=MUTED, va="baseline")
    corner = ((left_in - 0.08) / shape.width, 1 - title_in / shape.height)
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": corner, "ncols": columns}
    gaps: dict[str, Any] = {"handlelength": 1.6, "columnspacing": 1.3, "handletextpad": 0.5, "borderaxespad": 0.0}
    figure.legend(list(entries.values()), list(entries), frameon=False, fontsize=8, borderpad=0.2, **place, **gaps)
    figure.supylabel(series.y.title, fontsize=8.5, x=0.1 / shape.width)
    left, right, bottom = left_in / shape.width, 1 - 0.16 / shape.width, 0.5 / shape.height
    top = 1 - (title_in + legend_in + above_in) / shape.height
    figure.subplots_adjust(left=left, right=right, bottom=bottom, top=top, hspace=0.07)


def _legend_columns(names: Sequence[str], shape: Shape) -> int:
    """How many columns of a legend fit beside each other; a column is as wide as its longest name."""
    room_in = shape.width - 0.8
    for columns in range(len(names), 1, -1):
        rows = math.ceil(len(names) / columns)
        widths = [max(map(len, names[at : at + rows])) * 0.068 + 0.42 for at in range(0, len(names), rows)]
        if sum(widths) <= room_in:
            return columns
    return 1


# --- axes -------------------------------------------------------------------------------------------------------------


def _panels(figure: Figure, values: Array, series: Series) -> list[Axes]:
    """One panel, or two with a break between them where the values would leave most of the height empty."""
    levels = np.sort(values if series.untouched is None else np.append(values, series.untouched.value))
    span = max(float(levels[-1] - levels[0]), series.y.least_span)
    gaps = np.diff(levels)
    if len(levels) < 4 or gaps.max() < 0.45 * span:
        panels = [figure.subplots()]
        panels[0].set_ylim(levels[0] - 0.1 * span, levels[-1] + 0.1 * span)
    else:
        cut = int(np.argmax(gaps)) + 1
        parts = [levels[cut:], levels[:cut]]
        if series.y.is_reversed:
            parts.reverse()
        # The same scale above and below, so that a difference looks the same in either.
        pad = 0.12 * max(series.y.least_span, *(float(np.ptp(part)) for part in parts))
        heights = [float(np.ptp(part)) + 2 * pad for part in parts]
        shown = [max(height, 0.13 * max(heights)) for height in heights]
        panels = list(figure.subplots(2, sharex=True, height_ratios=shown))
        for panel, part, height in zip(panels, parts, shown, strict=True):
            middle = (float(part[0]) + float(part[-1])) / 2
            panel.set_ylim(middle - height / 2, middle + height / 2)
        _draw_break(*panels)
    for panel in panels:
        panel.grid(True, color=GRID, linewidth=0.7)
        panel.set_axisbelow(True)
        panel.tick_params(length=3, width=0.8)
        low, high = panel.get_ylim()
        if series.y.is_reversed:
            panel.invert_yaxis()
        has_values = ((values >= low) & (values <= high)).any()
        panel.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]) if has_values else NullLocator())
        panel.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
    return panels


def _draw_break(upper: Axes, lower: Axes) -> None:
    """Draw the slanted strokes that mark a break in the scale."""
    upper.spines["bottom"].set_visible(False)
    upper.tick_params(bottom=False, labelbottom=False, which="both")
    stroke: dict[str, Any] = {"marker": [(-1, -0.6), (1, 0.6)], "markersize": 8, "linestyle": "none", "mew": 1.1}
    for panel, height in ((upper, 0), (lower, 1)):
        panel.plot([0], [height], transform=panel.transAxes, color=MUTED, clip_on=False, zorder=9, **stroke)


def _draw_horizontal_axis(panels: Sequence[Axes], series: Series) -> None:
    places = [point.x for point in series.points if not series.looks[point.group].on_page_only]
    upper, unit = series.upper, series.x.unit
    low, high = min(places), max(places)
    pad = max((high / low) ** 0.08, 1.5 if high < 1.2 * low else 1.12)
    low, high = low / pad, high * pad
    for panel in panels:
        panel.set_xscale("log")
        panel.set_xlim((high, low) if series.x.is_reversed else (low, high))
        mark_ratios(panel.xaxis, low, high, unit)
        if unit and low < 1 < high:
            panel.axvline(1, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    panels[-1].set_xlabel(series.x.title)
    if upper is not None:
        factor = upper.factor
        there_and_back = (lambda value: np.multiply(value, factor), lambda value: np.divide(value, factor))
        top = panels[0].secondary_xaxis("top", functions=there_and_back)
        mark_ratios(top.xaxis, low * factor, high * factor, unit)
        top.spines["top"].set_visible(True)
        top.tick_params(length=3, width=0.8)
        top.set_xlabel(upper.title, color=MUTED)


def mark_ratios(axis: Any, low: float, high: float, unit: str) -> None:
    """Ticks at round numbers on a logarithmic axis, at most nine, each with its unit."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in ((1, 1.2, 1.5, 2, 3, 4, 5, 6, 8), (1, 1.5, 2, 3, 5, 7), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        ticks = [m * 10.0**decade for decade in decades for m in mantissas if low <= m * 10.0**decade <= high / 1.03]
        if len(ticks) <= 8:
            break
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}{unit}"))


# --- points and lines -------------------------------------------------------------------------------------------------


def _intervals(points: Sequence[Point]) -> list[tuple[str, list[tuple[float, float]]]]:
    """Group and ends of each interval that is known."""
    upright = [(p.group, [(p.x, end) for end in p.y_interval]) for p in points if p.y_interval]
    return upright + [(p.group, [(end, p.y) for end in p.x_interval]) for p in points if p.x_interval]


def _marker_size(points: Sequence[Point]) -> float:
    return 6.0 if len(points) <= _RASTERIZED_FROM else 4.5


def _draw_points(panel: Axes, series: Series, points: Sequence[Point]) -> None:
    """Draw all points; among many, those that stand out are in front of the others, which are small and light."""
    look: dict[str, Any] = {"markersize": _marker_size(points), "markeredgewidth": 1.3, "zorder": 3}
    if len(points) > _MOST_ALIKE:
        behind: dict[str, Any] = {"markersize": 3.6, "markeredgewidth": 0.8, "alpha": 0.5, "zorder": 2.1}
        if len(points) > _RASTERIZED_FROM:
            behind |= {"markersize": 2.5, "alpha": 0.4, "rasterized": True}
        _draw_markers(panel, series, [point for point in points if not point.stands_out], behind)
        points = [point for point in points if point.stands_out]
    _draw_markers(panel, series, points, look)


def _draw_markers(panel: Axes, series: Series, points: Sequence[Point], look: Mapping[str, Any]) -> None:
    for group, one in series.looks.items():
        if one.on_page_only:
            continue
        color = COLORS[one.color]
        for hollow in (False, True):
            some = _places([point for point in points if point.group == group and point.hollow == hollow])
            name = None if hollow else legend_name(series, group)
            filling: dict[str, Any] = {"marker": MARKERS[one.marker], "mfc": PAPER if hollow else color, "mec": color}
            panel.plot(*some.T, label=name, ls="none", **filling, **look)


def _draw_rings(panels: Sequence[Axes], points: Sequence[Point], marker_size: float) -> None:
    """Ring points that have too little or too much color, and name the ring in the legend."""
    look: dict[str, Any] = {"ls": "none", "marker": "o", "mfc": "none", "mec": INK, "mew": 1.0, "zorder": 3.1}
    for panel in panels if points else ():
        panel.plot(*_places(points).T, label=RINGED, markersize=_RING * marker_size, **look)


def _places(points: Sequence[Point]) -> Array:
    """The points' coordinates: (N, 2)."""
    return np.array([(point.x, point.y) for point in points], dtype=float).reshape(-1, 2)


def _draw_lines(panels: Sequence[Axes], series: Series) -> None:
    """Draw the frontiers, extended to the axis on the slow side."""
    for line, panel in product(series.lines, panels):
        look: dict[str, Any] = {"color": COLORS[line.color], "lw": line.width, "ls": DASHES[line.dash]}
        panel.plot((*line.x, panel.get_xlim()[0]), (*line.y, line.y[-1]), label=line.name, zorder=2.2, **look)


# --- labels -----------------------------------------------------------------------------------------------------------


def _draw_labels(
    figure: Figure, panels: Sequence[Axes], series: Series, points: Sequence[Point], bars: Sequence[Array]
) -> None:
    """Name the points (of many, those that stand out) where there is room, and the dashed line."""
    most = _MOST_OF_MANY if figure.get_figwidth() > NARROW.width else _MOST_OF_MANY_NARROW
    named = named_points(points, series.x, series.y, MOST_LABELS, most)
    are_many = len(points) > MOST_LABELS
    markers, anchors = _in_figure(figure, panels, _places(points)), _in_figure(figure, panels, _places(named))
    drawn = [line for panel in panels for line in panel.lines if line.get_linestyle() != "None"]
    lines = [_along(line.get_transform().transform(line.get_xydata()) * _INCH / figure.dpi) for line in drawn]
    lines += [_along(_in_figure(figure, panels, bar)) for bar in bars]
    look: dict[str, Any] = {"fontsize": _LABEL_SIZE, "ha": "center", "va": "center", "zorder": 5}
    look["path_effects"] = [withStroke(linewidth=1.6, foreground=PAPER)]
    texts = [figure.text(0, 0, short_name(p), color=COLORS[series.looks[p.group].color], **look) for p in named]
    sizes = np.array([_extent(figure, text)[2:] - _extent(figure, text)[:2] for text in texts]).reshape(-1, 2)
    bounds = np.array([_extent(figure, panels[_panel_of(panels, point.y)]) for point in named]).reshape(-1, 4)
    radius = _marker_size(points) * (_RING if any(point.ringed for point in points) else 1) / 2 + 1.0
    centers = place_labels(anchors, sizes, bounds, markers, radius, np.concatenate(lines))
    inches = figure.get_size_inches() * _INCH
    kept = _without_collisions(centers, sizes, anchors, radius) if are_many else [True] * len(texts)
    for text, center, size, anchor, is_kept in zip(texts, centers, sizes, anchors, kept, strict=True):
        if not is_kept:
            text.remove()
            continue
        text.set_position((float(center[0] / inches[0]), float(center[1] / inches[1])))
        nearest = np.clip(anchor, center - size / 2 - 1.0, center + size / 2 + 1.0)
        if np.linalg.norm(nearest - anchor) > _SHORTEST_LEADER:
            ends = np.stack([anchor, nearest]) / inches
            leader = Line2D(ends[:, 0], ends[:, 1], color=text.get_color(), linewidth=0.5, alpha=0.7, zorder=2.6)
            figure.add_artist(leader)


def _without_collisions(centers: Array, sizes: Array, anchors: Array, radius: float) -> list[bool]:
    """Which labels stay: first ones first, those that cover no label that stays and no named marker, and are near."""
    kept: list[int] = []
    for index, (center, size) in enumerate(zip(centers, sizes, strict=True)):
        covers_label = any((np.abs(center - centers[k]) < (size + sizes[k]) / 2).all() for k in kept)
        covers_marker = (np.abs(center - anchors) < size / 2 + radius / 2).all(axis=1).any()
        gap = np.linalg.norm(np.maximum(np.abs(center - anchors[index]) - size / 2, 0))
        if not covers_label and not covers_marker and gap <= _LONGEST_LEADER:
            kept.append(index)
    return [index in kept for index in range(len(centers))]


def _extent(figure: Figure, artist: Any) -> Array:
    """Left, bottom, right and top of a drawn artist, in typographic points."""
    return np.array(artist.get_window_extent().extents) * _INCH / figure.dpi


def _panel_of(panels: Sequence[Axes], y: float) -> int:
    inside = (index for index, panel in enumerate(panels) if min(panel.get_ylim()) <= y <= max(panel.get_ylim()))
    return next(inside, 0)


def _in_figure(figure: Figure, panels: Sequence[Axes], places: Array) -> Array:
    """Places of the data as places of the figure, in typographic points: (N, 2)."""
    moved = [panels[_panel_of(panels, y)].transData.transform((x, y)) for x, y in places]
    return np.array(moved, dtype=float).reshape(-1, 2) * _INCH / figure.dpi


def _along(path: Array) -> Array:
    """Points along a drawn line, three typographic points apart."""
    pieces = []
    for start, end in pairwise(path):
        count = max(2, int(np.linalg.norm(end - start) / 3))
        pieces.append(start + np.linspace(0, 1, count)[:, None] * (end - start))
    return np.concatenate(pieces)
