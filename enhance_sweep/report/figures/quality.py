"""Quality against steps, for print: a panel for each family of networks."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, ScalarFormatter

from enhance_sweep.measures import MEASURES
from enhance_sweep.report.figures.curve_series import CURVES, Curve, CurveSeries
from enhance_sweep.report.figures.series import LOOKS
from enhance_sweep.report.figures.style import COLORS, DASHES, GRID, INK, MARKERS, WIDE, new_figure, style

#: More panels than this are too small on a page; the families that come first are shown.
MOST_PANELS = 24
_LINES = ("-", "--", ":", "-.")
#: Letters of the legend's size that fit beside each other over a panel; a sample of line and marker takes four of them.
_LETTERS, _SAMPLE = 34, 4
#: More curves than this of a family without a parameter are not told apart; the others are gray.
_MOST_NAMED = 5


def quality_figure(series: CurveSeries) -> Figure:
    """A measure against steps, a panel for each family of networks; the height follows the number of panels."""
    families: dict[str, list[Curve]] = {}
    for curve in series.curves:
        families.setdefault(curve.family, []).append(curve)
    everyone = [list(zip(one.steps, one.values, strict=True)) for some in families.values() for one in some]
    families = {family: _named(some, series.measure) for family, some in list(families.items())[:MOST_PANELS]}
    columns = min(len(families), 4)
    rows = math.ceil(len(families) / columns)
    width = WIDE.width if columns > 1 else 5.0
    untouched = next((level for level in series.levels if level.is_untouched), None)
    # Above each panel its title and its legend, with as many rows as the fullest of them needs.
    above_in = 0.25 + 0.14 * max(map(_legend_rows, families.values()))
    panel_in, below_in, bottom_in = 1.3 if rows > 1 else 1.9, 0.25, 0.3
    height = rows * (above_in + panel_in + below_in) + bottom_in
    with style():
        figure = new_figure(width, height)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for panel, (family, curves) in zip(panels, families.items(), strict=False):
            panel.add_collection(LineCollection(everyone, colors=GRID, linewidths=0.8, zorder=1))
            _draw_family(panel, curves)
            panel.set_title(family, loc="left", fontsize=8, color=INK, pad=5 + 10 * _legend_rows(curves))
            if untouched is not None:
                panel.axhline(untouched.value, color=INK, linewidth=0.9, linestyle=DASHES["dash"], zorder=2)
        for index, panel in enumerate(panels):
            panel.set_visible(index < len(families))
            # Where the last row is not full, the panels above its gap are the lowest of their columns.
            panel.tick_params(labelbottom=index + columns >= len(families))
        unit = f" {MEASURES[series.measure].unit}".rstrip() if series.measure in MEASURES else ""
        dashed = "" if untouched is None else f"; dashed: {untouched.text}{unit}"
        figure.supxlabel(f"generator steps{dashed}", fontsize=8, y=0.08 / height)
        figure.supylabel(CURVES[series.measure], fontsize=8.5, x=0.06 / width)
        sides = {"left": 0.66 / width, "right": 1 - 0.12 / width, "top": 1 - above_in / height}
        between = {"wspace": 0.08, "hspace": (above_in + below_in) / panel_in}
        figure.subplots_adjust(bottom=(bottom_in + below_in) / height, **sides, **between)
    return figure


def _named(curves: Sequence[Curve], measure: str) -> list[Curve]:
    """The curves that a panel names: all of a parameter; of a family without one those that end best."""
    if curves[0].parameter or len(curves) <= _MOST_NAMED:
        return list(curves)
    falls = measure not in MEASURES or not MEASURES[measure].higher_is_better
    best = sorted(curves, key=lambda curve: curve.values[-1], reverse=not falls)[:_MOST_NAMED]
    return [curve for curve in curves if curve in best]


def _legend_columns(curves: Sequence[Curve]) -> int:
    longest = max(len(curve.value) for curve in curves)
    return max(1, min(5, _LETTERS // (longest + _SAMPLE)))


def _legend_rows(curves: Sequence[Curve]) -> int:
    return math.ceil(len(curves) / _legend_columns(curves))


def _draw_family(panel: Axes, curves: Sequence[Curve]) -> None:
    """One family's curves, each with a color and a marker of its own."""
    for number, curve in enumerate(curves):
        look = LOOKS[number % len(LOOKS)]
        label = curve.value if number else f"{curve.parameter}{curve.value}"
        dots: dict[str, Any] = {"marker": MARKERS[look.marker], "markersize": 3.2 if len(curve.steps) <= 20 else 0.0}
        line: dict[str, Any] = {"ls": _LINES[number // len(LOOKS) % len(_LINES)], "lw": 1.2, "zorder": 3}
        panel.plot(curve.steps, curve.values, label=label, color=COLORS[look.color], **dots, **line)
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "ncols": _legend_columns(curves)}
    gaps: dict[str, Any] = {"handlelength": 1.5, "handletextpad": 0.4, "columnspacing": 0.8, "labelspacing": 0.25}
    panel.legend(frameon=False, fontsize=7, borderpad=0.1, borderaxespad=0.1, **place, **gaps)
    panel.grid(True, color=GRID, linewidth=0.6)
    panel.tick_params(length=2.5, labelsize=7.5)
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))
    panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    panel.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
