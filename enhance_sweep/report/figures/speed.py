"""Latencies, for print: against multiply-adds, and against the paper's."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from enhance_sweep.report.figures.series import Series
from enhance_sweep.report.figures.style import COLORS, DASHES, GRID, INK, MARKERS, PAPER, WIDE, new_figure, style
from enhance_sweep.report.labels import topology_name

#: A legend with more entries would cover points: it stands over the panel, groups in so many columns.
_MOST_WITHIN, _COLUMNS = 4, 4


def speed_figure(shown: Sequence[Series]) -> Figure:
    """Latency against multiply-adds and, where there is a second series, ours against the paper's beside it."""
    width, height = WIDE.width if len(shown) == 2 else 4.6, 3.7
    rows = max(map(_legend_rows, shown))
    above_in = 0.42 + 0.16 * rows
    height += 0.16 * rows
    with style():
        figure = new_figure(width, height)
        panels = figure.subplots(1, len(shown), squeeze=False).ravel()
        for panel, series in zip(panels, shown, strict=True):
            _draw(panel, series)
        left, right, bottom, top = 0.68 / width, 1 - 0.15 / width, 0.5 / height, 1 - above_in / height
        figure.subplots_adjust(left=left, right=right, bottom=bottom, top=top, wspace=0.27)
    return figure


def _legend_rows(series: Series) -> int:
    """How many rows a legend over the panel has; none where it is so short that it stands in the panel."""
    entries = len(series.looks) + len(series.lines)
    return (
        0
        if entries <= _MOST_WITHIN and len(series.lines) < 2
        else math.ceil(len(series.looks) / _COLUMNS) + len(series.lines)
    )


def _draw(panel: Axes, series: Series) -> None:
    for group, look in series.looks.items():
        places = zip(*((point.x, point.y) for point in series.points if point.group == group), strict=True)
        dots: dict[str, Any] = {"marker": MARKERS[look.marker], "mec": PAPER, "mew": 0.5, "markersize": 5.5}
        panel.plot(*places, label=topology_name(group), color=COLORS[look.color], ls="none", zorder=3, **dots)
    for line in series.lines:
        dash = DASHES[line.dash]
        panel.plot(line.x, line.y, label=line.name, color=COLORS[line.color], lw=line.width, ls=dash, zorder=1.5)
    for point in series.points:
        if point.rank:
            place, beside = (point.x, point.y), (7, -9)
            panel.annotate(point.label, place, beside, textcoords="offset points", fontsize=7.5, color=INK)
    rows = _legend_rows(series)
    panel.set_title(series.title, loc="left", fontsize=8.5, color=INK, pad=6 + 11.5 * rows)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel(series.x.title, fontsize=8)
    panel.set_ylabel(series.y.title, fontsize=8)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    panel.grid(True, color=GRID, linewidth=0.6)
    panel.tick_params(length=2.5, labelsize=7.5)
    _draw_legend(panel, series)


def _draw_legend(panel: Axes, series: Series) -> None:
    """In the panel while it is short; else over it, groups above lines."""
    look: dict[str, Any] = {"frameon": False, "fontsize": 7.5, "handletextpad": 0.4, "borderpad": 0.2}
    rows, groups, lines = _legend_rows(series), len(series.looks), len(series.lines)
    if not rows:
        panel.legend(loc="upper left", **look)
        return
    handles, names = panel.get_legend_handles_labels()
    look |= {"loc": "lower left", "borderaxespad": 0.0, "columnspacing": 1.0, "labelspacing": 0.3}
    figure = panel.get_figure(root=True)
    assert figure is not None, "the panel is one of a figure"
    height_in = figure.get_figheight() - 1.1 - 0.16 * rows
    beneath = panel.legend(handles[groups:], names[groups:], bbox_to_anchor=(-0.02, 1.0), **look) if lines else None
    above = (-0.02, 1.0 + 0.16 * lines / height_in)
    panel.legend(handles[:groups], names[:groups], bbox_to_anchor=above, ncols=_COLUMNS, **look)
    if beneath is not None:
        panel.add_artist(beneath)
