"""The page's charts, which answer to a pointer: specifications for plotly.js, as plain data.

Colors are the page's variables, such as `var(--blue)`; its script fills in their values for light or dark mode, and the
look that all charts share. The title of an axis is its text.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from enhance_sweep.measures import MEASURES
from enhance_sweep.report.figures.curve_series import CURVES, Curve, CurveSeries
from enhance_sweep.report.figures.series import RINGED, Axis, Level, Line, Look, Point, Series
from enhance_sweep.report.labels import topology_name

Chart = dict[str, Any]

#: More points than this are drawn by WebGL; more intervals than this would hide the points.
_MOST_SVG, _MOST_INTERVALS = 2000, 80
#: More names than this would overlap: then only the frontier, the baseline and the paper's pick are named.
_MOST_NAMES, _LEAST_RANK = 14, 3
#: More points than this are drawn transparent.
_MOST_OPAQUE = 200
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


def series_chart(series: Series, names_at: str = "top right") -> Chart:
    """A chart of points and lines; a click on a point opens its network. Names stand `names_at` their points."""
    points = [point for point in series.points if not series.looks[point.group].on_page_only]
    with_intervals = len(points) <= _MOST_INTERVALS
    layout: Chart = {"xaxis": _axis(series.x), "yaxis": _axis(series.y)}
    layout["legend"] = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    # The tool bar stands in the right margin: above the chart it would cover the legend.
    layout |= {"modebar": {"orientation": "v"}, "margin": {"r": 40}}
    if not series.y.log:
        ends = [end for point in points if with_intervals for end in point.y_interval or ()]
        layout |= _levels(layout["yaxis"], series.levels, [*ends, *(point.y for point in points)])
    named = _named(points)
    kind = "scatter" if len(points) <= _MOST_SVG else "scattergl"
    look: Chart = {"type": kind, "textposition": names_at, "opacity": 1.0 if len(points) <= _MOST_OPAQUE else 0.5}
    traces = [_line(line) for line in series.lines]
    traces += _rings(kind, [point for point in points if point.ringed])
    for group in series.looks:
        some = [point for point in series.points if point.group == group]
        traces.append(look | _points(some, series.looks[group], named, with_intervals))
    return {"data": traces, "layout": layout, "opens": any(point.row is not None for point in points)}


# --- what is drawn ----------------------------------------------------------------------------------------------------


def _named(points: Sequence[Point]) -> set[Point]:
    """The points whose names stand in the chart."""
    named = [point for point in points if point.rank]
    if len(named) > _MOST_NAMES:
        named = [point for point in named if point.rank >= _LEAST_RANK] if len(points) <= _MOST_SVG else []
    return set(sorted(named, key=lambda point: (-point.rank, -point.y))[:_MOST_NAMES])


def _points(points: Sequence[Point], look: Look, named: set[Point], with_intervals: bool) -> Chart:
    edge: Chart = {"width": 1.5} if look.on_page_only else {"width": 1, "color": "var(--paper)"}
    color = f"var(--{look.color})"
    trace: Chart = {
        "mode": "markers",
        "name": escape(topology_name(points[0].group)),
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
    if any(point.row is not None for point in points):
        trace["customdata"] = [point.row for point in points]
    if named and not named.isdisjoint(points):
        names = [escape(point.label) if point in named else "" for point in points]
        trace |= {"mode": "markers+text", "text": names, "textfont": {"size": 11}}
    if with_intervals:
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
