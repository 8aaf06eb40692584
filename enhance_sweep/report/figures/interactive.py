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

#: More points than this are drawn by WebGL, without names and intervals; of more than the second number only those that
#: stand out have intervals.
_MOST_SVG, _MOST_INTERVALS = 2000, 80
#: More names than this are too many: then only points that stand out are named, and no more than this, or on a phone.
_MOST_NAMES, _MOST_ON_PHONE = 14, 6
#: Of more points those that do not stand out are small and transparent.
_MOST_ALIKE = 60
#: A chart's plot, in pixels, on a wide window and on a phone.
_WIDE, _PHONE = (1150.0, 470.0), (300.0, 270.0)
#: What a logarithmic axis shows of nothing, such as of a network without multiply-adds.
_LEAST = 1e-9
#: The size of a marker, and of one behind those that stand out.
_SIZE, _BEHIND = 9, 6
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
    barred = set(with_intervals(points, _MOST_INTERVALS) if len(points) <= _MOST_SVG else [])
    layout: Chart = {"xaxis": _axis(series.x), "yaxis": _axis(series.y)}
    layout["legend"] = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemsizing": "constant"}
    # The tool bar stands in the right margin: above the chart it would cover the legend.
    layout |= {"modebar": {"orientation": "v"}, "margin": {"r": 40}}
    if not series.y.log:
        ends = [end for point in barred for end in point.y_interval or ()]
        layout |= _levels(layout["yaxis"], series.levels, [*ends, *(point.y for point in points)])
    _fit(layout["xaxis"], series.x, [end for point in points for end in (point.x, *(point.x_interval or ()))])
    names = _names(series, points, layout["yaxis"].get("range"))
    kind = "scatter" if len(points) <= _MOST_SVG else "scattergl"
    are_many = len(points) > _MOST_ALIKE and any(point.stands_out for point in points)
    traces = [_line(line) for line in series.lines]
    traces += _rings(kind, [point for point in points if point.ringed])
    groups = [[point for point in series.points if point.group == group] for group in series.looks]
    front = [[point for point in some if point.stands_out or not are_many] for some in groups]
    behind = [[point for point in some if are_many and not point.stands_out] for some in groups]
    # What stands out is drawn over the rest, and shown in the legend.
    in_front = {some[0].group for some in front if some}
    for some, is_behind in (*((some, True) for some in behind), *((some, False) for some in front)):
        if some:
            once = {"showlegend": False} if is_behind and some[0].group in in_front else {}
            legend = {
                "legendgroup": escape(some[0].group),
                "legendrank": 1001 + list(series.looks).index(some[0].group),
            }
            traces.append({"type": kind, **legend, **_points(series, some, names, barred, is_behind), **once})
    return {"data": traces, "layout": layout, "opens": any(point.row is not None for point in points)}


# --- what is drawn ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Name:
    """A name in a chart: its text, and where it stands on a wide window and on a phone; None where it does not."""

    text: str
    wide: str | None
    phone: str | None


def _names(series: Series, points: Sequence[Point], ends: Sequence[float] | None) -> dict[Point, _Name]:
    """The points whose names stand in the chart."""
    if len(points) > _MOST_SVG:
        return {}
    wide, phone = (
        _placed(series, points, ends, most, size) for most, size in ((_MOST_NAMES, _WIDE), (_MOST_ON_PHONE, _PHONE))
    )
    return {
        point: _Name(escape(short_name(point)), wide.get(point), phone.get(point))
        for point in dict.fromkeys([*wide, *phone])
    }


def _placed(
    series: Series, points: Sequence[Point], ends: Sequence[float] | None, most: int, size: tuple[float, float]
) -> dict[Point, str]:
    named = named_points(points, series.x, series.y, most, most)
    if not named:
        return {}
    x = _scale([end for point in points for end in (point.x, *(point.x_interval or ()))], series.x, None)
    y = _scale([point.y for point in points], series.y, ends)

    def place(point: Point) -> tuple[float, float]:
        return size[0] * x(point.x), size[1] * (1 - y(point.y))

    names = [short_name(point) for point in named]
    found = place_names([place(point) for point in named], names, [place(point) for point in points], *size)
    return {point: where for point, where in zip(named, found, strict=True) if where is not None}


def _scale(values: Sequence[float], axis: Axis, ends: Sequence[float] | None) -> Callable[[float], float]:
    """How far along an axis a value is: 0 at its start, 1 at its end."""
    low, high = sorted(ends or _ends(values, axis))
    return lambda value: abs(axis.is_reversed - (_turned(value, axis) - low) / ((high - low) or 1.0))


def _ends(values: Sequence[float], axis: Axis) -> tuple[float, float]:
    """Where an axis begins and ends, as the chart wants it: logarithms of the values on a logarithmic axis."""
    turned = [_turned(value, axis) for value in values]
    low, high = min(turned), max(turned)
    pad = 0.05 * (high - low) or 0.1
    return low - pad, high + pad


def _turned(value: float, axis: Axis) -> float:
    return math.log10(max(value, _LEAST)) if axis.log else value


def _fit(layout: Chart, axis: Axis, values: Sequence[float]) -> None:
    """Give an axis the ends that the places of names are computed for."""
    low, high = _ends(values, axis)
    layout.pop("autorange", None)
    layout["range"] = [high, low] if axis.is_reversed else [low, high]


def _points(
    series: Series, points: Sequence[Point], names: Mapping[Point, _Name], barred: Set[Point], is_behind: bool
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
            "size": _SIZE,
            "line": edge,
        },
    }
    if is_behind and not look.on_page_only:
        trace["marker"] |= {"size": _BEHIND, "opacity": 0.55, "line": {"width": 0}}
    if any(point.row is not None for point in points):
        trace["customdata"] = [point.row for point in points]
    if any(point in names for point in points):
        found = [names.get(point) for point in points]
        wide = [(name.text, name.wide) if name and name.wide else ("", "top right") for name in found]
        phone = [(name.text, name.phone) if name and name.phone else ("", "top right") for name in found]
        trace |= {"mode": "markers+text", "textfont": {"size": 11}}
        trace |= {"text": [text for text, _ in wide], "textposition": [place for _, place in wide]}
        trace["meta"] = {"text": [text for text, _ in phone], "textposition": [place for _, place in phone]}
    if not barred.isdisjoint(points):
        bars: Chart = {"thickness": 1, "width": 3, "color": color, "type": "data", "symmetric": False}
        trace |= _intervals(bars, "error_x", [(point.x, point.x_interval) for point in points])
        trace |= _intervals(bars, "error_y", [(point.y, point.y_interval) for point in points])
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
