"""How well measures agree: Kendall's tau of each two, as a triangle of cells."""

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from enhance_sweep.report.figures.style import BLUE, INK, VERMILLION, new_figure, style
from enhance_sweep.report.labels import decimals
from enhance_sweep.report.results.agreement import Agreement

#: A cell's width and height; room for the names at the left and at the bottom, in inches.
_CELL, _LEFT, _BELOW, _EDGE = (0.78, 0.4), 0.85, 0.3, 0.06
#: The strongest color, at a tau of 1 or -1, still leaves the figures legible.
_STRONGEST = 0.5


def agreement_figure(found: Agreement) -> Figure:
    """Tau and its interval for each two measures; blue where they agree, red where they are opposed."""
    names = [measure.label for measure in found.measures]
    count = len(names) - 1
    width, height = _CELL[0] * count, _CELL[1] * count
    whole = (_LEFT + width + _EDGE, _BELOW + height + _EDGE)
    with style():
        figure = new_figure(*whole)
        panel = figure.add_axes((_LEFT / whole[0], _BELOW / whole[1], width / whole[0], height / whole[1]))
        panel.set_xlim(0, count)
        panel.set_ylim(count, 0)
        for row in range(count):
            for column in range(row + 1):
                _draw_cell(panel, found, row, column)
        panel.set_yticks([row + 0.5 for row in range(count)], names[1:])
        panel.set_xticks([column + 0.5 for column in range(count)], names[:-1])
        panel.tick_params(length=0, labelsize=8)
        for spine in panel.spines.values():
            spine.set_visible(False)
    return figure


def _draw_cell(panel: Axes, found: Agreement, row: int, column: int) -> None:
    at = (row + 1, column)
    tau, has_interval = float(found.tau[at]), math.isfinite(found.low[at])
    if math.isnan(tau):  # one of them puts all networks in one place
        return
    color = BLUE if tau > 0 else VERMILLION
    panel.add_patch(Rectangle((column + 0.02, row + 0.03), 0.96, 0.94, color=color, alpha=_STRONGEST * abs(tau), lw=0))
    middle: dict[str, Any] = {"ha": "center", "va": "center"}
    panel.text(column + 0.5, row + (0.35 if has_interval else 0.5), decimals(tau, 2), color=INK, fontsize=8.5, **middle)
    if has_interval:
        ends = f"{decimals(found.low[at], 2)} to {decimals(found.high[at], 2)}"
        panel.text(column + 0.5, row + 0.72, ends, color=INK, fontsize=6, **middle)
