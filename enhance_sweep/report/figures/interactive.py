"""The page's charts, which answer to a pointer: specifications for plotly.js, as plain data.

Colors are the page's variables, such as `var(--blue)`; its script fills in their values for light or dark mode, and the
look that all charts share. The title of an axis is its text.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from html import escape
from typing import Any

from enhance_sweep.measures import MEASURES
from enhance_sweep.report.figures.curve_series import CURVES, Curve, CurveSeries
from enhance_sweep.report.figures.names import place_names
from enhance_sweep.report.figures.series import (
    RINGED,
    Axis,
    Level,
    Line,
    Point,
    Series,
    legend_name,
    named_points,
    short_name,
    with_intervals,
)

Chart = dict[str, Any]

#: More points than this are drawn by WebGL, without names; of more than this only those that stand out have intervals.
_MOST_SVG, _MOST_INTERVALS = 2000, 80
#: More names than this are too many: then only points that stand out are named, and no more than this, or on a phone.
_MOST_NAMES, _MOST_ON_PHONE = 14, 6
#: Of more points those that do not stand out are small and transparent.
_MOST_ALIKE = 60
#: A chart's plot, in pixels, on a wide window and on a phone.
_WIDE, _PHONE = (1150.0, 470.0), (300.0, 270.0)
#: What stands out in front of the rest, and the rest: size and opacity.
_FRONT, _BEHIND = (10, 1.0), (5, 0.45)
#: Where lines across are closer than this share of the axis, their names stand beside each other, at these places.
_LEAST_GAP, _NAMES_AT = 0.05, (1.0, 0.62, 0.24)
#: Steps at which quality was noted are the axis's ticks, if they are no more than this.
_MOST_TICKS = 10


def curves_chart(series: CurveSeries) -> Chart:
    """A measure against steps, a line for each network (its first seed).

    The frontier's and the baseline's lines stand out; the others are named by the pointer and the legend.
    """
    is_loss = series.measure == "loss"
    digits = None if is_loss else MEASURES[series.measure].digits - 1
    y = Axis(CURVES[series.measure], log=is_loss, digits=digits)
    steps = sorted({step for curve in series.curves for step in curve.steps})
    layout: Chart = {"xaxis": _axis(Axis("generator steps (log scale)")), "yaxis": _axis(y)}
    layout["xaxis"] |= {"tickvals": steps} if len(steps) <= _MOST_TICKS else {"dtick": "D2"}
    layout |= {"showlegend": True, "legend": {"orientation": "v", "x": 1.01, "y": 1, "font": {"size": 11}}}
    if not y.log:
        layout |= _levels(layout["yaxis"], series.levels, [value for curve in series.curves for value in curve.values])
    return {
        "data": [_curve(curve, "lines" if is_loss else "lines+markers") for curve in series.curves],
        "layout": layout,
        "opens": True,
        "wide_legend": True,
    }


def series_chart(series: Series) -> Chart:
    """A chart of points and lines; a click on a point opens its network. Names stand where they cover nothing."""
    points = [point for point in series.points if not series.looks[point.group].on_page_only]
    barred = set(with_intervals(points, _MOST_INTERVALS))
    layout: Chart = {"xaxis": _axis(series.x), "yaxis": _axis(series.y)}
    layout["legend"] = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    # The tool bar stands in the right margin: above the chart it would cover the legend.
    layout |= {"modebar": {"orientation": "v"}, "margin": {"r": 40}}
    if not series.y.log:
        ends = [end for point in barred for end in point.y_interval or ()]
        layout |= _levels(layout["yaxis"], series.levels, [*ends, *(point.y for point in points)])
    names = _names(series, points, layout["yaxis"].get("range"))
    kind = "scatter" if len(points) <= _MOST_SVG else "scattergl"
    are_many = len(points) > _MOST_ALIKE
    traces = [_line(line) for line in series.lines]
    traces += _rings(kind, [point for point in points if point.ringed])
    for group in series.looks:
        some = [point for point in series.points if point.group == group]
        # What stands out is drawn over the rest.
        some.sort(key=lambda point: point.stands_out)
        traces.append({"type": kind, **_points(series, some, names, barred, are_many)})
    return {"data": traces, "layout": layout, "opens": any(point.row is not None for point in points)}


# --- what is drawn ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Name:
    """A name in a chart: its text, where it stands on a wide window, and whether also on a phone."""

    text: str
    place: str
    on_phone: bool


def _names(series: Series, points: Sequence[Point], ends: Sequence[float] | None) -> dict[Point, _Name]:
    """The points whose names stand in the chart."""
    if len(points) > _MOST_SVG:
        return {}
    wide, phone = (
        _placed(series, points, ends, most, size) for most, size in ((_MOST_NAMES, _WIDE), (_MOST_ON_PHONE, _PHONE))
    )
    return {
        point: _Name(escape(short_name(point)).replace("\n", "<br>"), place, point in phone)
        for point, place in wide.items()
    }


def _placed(
    series: Series, points: Sequence[Point], ends: Sequence[float] | None, most: int, size: tuple[float, float]
) -> dict[Point, str]:
    named = named_points(points, series.x, series.y, most, most)
    if not named:
        return {}
    x = _scale([point.x for point in points], series.x, None)
    y = _scale([point.y for point in points], series.y, ends)

    def place(point: Point) -> tuple[float, float]:
        return size[0] * x(point.x), size[1] * (1 - y(point.y))

    markers = [place(point) for point in points if point.stands_out or point in named]
    found = place_names([place(point) for point in named], [short_name(point) for point in named], markers, *size)
    return {point: where for point, where in zip(named, found, strict=True) if where is not None}


def _scale(values: Sequence[float], axis: Axis, ends: Sequence[float] | None) -> Callable[[float], float]:
    """How far along an axis a value is: 0 at its start, 1 at its end; about 5% from these without given ends."""
    turn: Callable[[float], float] = math.log if axis.log else float
    low, high = (turn(min(values)), turn(max(values))) if ends is None else (min(ends), max(ends))
    pad = 0.05 * (high - low) if ends is None else 0.0
    low, span = low - pad, (high - low + 2 * pad) or 1.0
    return lambda value: abs(axis.is_reversed - (turn(value) - low) / span)


def _points(
    series: Series, points: Sequence[Point], names: Mapping[Point, _Name], barred: Set[Point], are_many: bool
) -> Chart:
    look, group = series.looks[points[0].group], points[0].group
    edge: Chart = {"width": 1.5} if look.on_page_only else {"width": 1, "color": "var(--paper)"}
    color = f"var(--{look.color})"
    trace: Chart = {
        "mode": "markers",
        "name": escape(legend_name(series, group)),
        "x": [point.x for point in points],
        "y": [point.y for point in points],
        "hovertext": [_hover_text(point) for point in points],
        "hoverinfo": "text",
        "marker": {
            "color": color,
            "symbol": [f"{look.marker}-open" if point.hollow else look.marker for point in points],
            "size": 9,
            "line": edge,
        },
    }
    if are_many and not look.on_page_only:
        sizes = [_FRONT if point.stands_out else _BEHIND for point in points]
        trace["marker"] |= {"size": [size for size, _ in sizes], "opacity": [opacity for _, opacity in sizes]}
    if any(point.row is not None for point in points):
        trace["customdata"] = [point.row for point in points]
    if any(point in names for point in points):
        found = [names.get(point) for point in points]
        trace |= {"mode": "markers+text", "text": [name.text if name else "" for name in found]}
        trace |= {"textposition": [name.place if name else "top right" for name in found], "textfont": {"size": 11}}
        trace["meta"] = {"on_phone": [name.text if name and name.on_phone else "" for name in found]}
    if not barred.isdisjoint(points):
        bars: Chart = {"thickness": 1, "width": 3, "color": color, "type": "data", "symmetric": False}
        trace |= _intervals(
            bars, "error_x", [(point.x, point.x_interval if point in barred else None) for point in points]
        )
        trace |= _intervals(
            bars, "error_y", [(point.y, point.y_interval if point in barred else None) for point in points]
        )
    return trace


def _rings(kind: str, points: Sequence[Point]) -> list[Chart]:
    """Rings around the points that have too little or too much color, for the legend to name; a pointer passes them."""
    if not points:
        return []
    ring = {"symbol": "circle-open", "size": 17, "color": "var(--ink)", "line": {"width": 1.5}}
    places = {"x": [point.x for point in points], "y": [point.y for point in points]}
    return [{"type": kind, "mode": "markers", "name": RINGED, **places, "marker": ring, "hoverinfo": "skip"}]


def _hover_text(point: Point) -> str:
    label, *lines = escape("\n".join([point.label, *point.hover])).split("\n")
    return "<br>".join([f"<b>{label}</b>", *lines])


def _intervals(bars: Chart, name: str, known: Sequence[tuple[float, tuple[float, float] | None]]) -> Chart:
    if not any(interval for _, interval in known):
        return {}
    above = [interval and interval[1] - value for value, interval in known]
    below = [interval and value - interval[0] for value, interval in known]
    return {name: bars | {"array": above, "arrayminus": below}}


def _line(line: Line) -> Chart:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": line.name,
        "x": list(line.x),
        "y": list(line.y),
        "line": {"color": f"var(--{line.color})", "width": line.width, "dash": line.dash},
        "hoverinfo": "skip",
    }


def _curve(curve: Curve, mode: str) -> Chart:
    return {
        "type": "scatter",
        "mode": mode,
        "name": escape(curve.label),
        "x": curve.steps,
        "y": curve.values,
        "line": {"color": f"var(--{curve.look.color})", "width": 2.4 if curve.stands_out else 1.1},
        "marker": {"size": 4, "symbol": curve.look.marker},
        "opacity": 1.0 if curve.stands_out else 0.45,
        "customdata": [curve.row] * len(curve.steps),
        "hovertemplate": f"<b>{escape(curve.label)}</b><br>step %{{x:,}}: %{{y:.4f}}<extra></extra>",
    }


# --- layout -----------------------------------------------------------------------------------------------------------


def _axis(axis: Axis) -> Chart:
    look: Chart = {"title": axis.title, "type": "log" if axis.log else "linear"}
    look |= {"autorange": "reversed"} if axis.is_reversed else {}
    look |= {"ticksuffix": axis.unit} if axis.unit else {}
    return look if axis.digits is None else look | {"tickformat": f".{axis.digits}f"}


def _levels(axis: Chart, levels: Iterable[Level], values: Sequence[float]) -> Chart:
    """Lines across. The axis shows the values and the lines close by; zooming out finds the others."""
    low, high = min(values), max(values)
    room = 0.6 * max(high - low, 1e-3)
    near = [level.value for level in levels if low - room <= level.value <= high + room]
    low, high = min([low, *near]), max([high, *near])
    ends = [low - 0.08 * (high - low), high + 0.08 * (high - low)]
    axis["range"] = ends[::-1] if axis.pop("autorange", None) else ends
    across: Chart = {"type": "line", "xref": "paper", "x0": 0, "x1": 1}
    shapes: list[Chart] = []
    names: list[Chart] = []
    for level in sorted(levels, key=lambda level: level.value):
        look = {"color": "var(--muted)", "width": 1.2, "dash": "dash" if level.is_untouched else "dot"}
        shapes.append(across | {"y0": level.value, "y1": level.value, "line": look})
        # Names of neighbouring lines would overlap: they stand beside each other instead.
        crowded = names and level.value - names[-1]["y"] < _LEAST_GAP * (high - low)
        at = (_NAMES_AT.index(names[-1]["x"]) + 1) % len(_NAMES_AT) if crowded else 0
        place: Chart = {"x": _NAMES_AT[at], "xref": "paper", "xanchor": "right", "y": level.value, "yanchor": "bottom"}
        font = {"size": 10, "color": "var(--muted)"}
        names.append(place | {"text": escape(level.text), "font": font, "showarrow": False})
    return {"shapes": shapes, "annotations": names}
