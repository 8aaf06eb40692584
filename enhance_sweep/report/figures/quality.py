"""Quality against steps: the curves that training noted on the test pairs, a panel for each family of networks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, ScalarFormatter

from enhance_sweep.report.figures.style import (
    BLUE,
    GREEN,
    GRID,
    INK,
    OCHRE,
    PURPLE,
    VERMILLION,
    WIDE,
    Shape,
    new_figure,
    style,
)
from enhance_sweep.report.labels import decimals, is_number, topology_name
from enhance_sweep.report.results.curves import loss_curve
from enhance_sweep.report.results.gather import Results, in_order

#: Of more variants than this only the frontier's and the published ones have their curves shown.
MOST_CURVES = 60
#: More panels than this are too small on a page; the families that come first are shown.
MOST_PANELS = 24
_LOOKS = ((BLUE, "o"), (VERMILLION, "D"), (GREEN, "^"), (PURPLE, "s"), (OCHRE, "v"))
_LINES = ("-", "--", ":", "-.")
#: Letters of the legend's size that fit beside each other over a panel; a sample of line and marker takes four of them.
_LETTERS, _SAMPLE = 34, 4
_NAMES = {"ms_ssim": "MS-SSIM", "psnr_db": "PSNR in dB", "loss": "training loss"}
_DIGITS = {"ms_ssim": 4, "psnr_db": 2}


@dataclass(frozen=True)
class _Curve:
    family: str
    parameter: str
    name: str
    steps: list[int]
    values: list[float]


def quality_figure(results: Results, measure: str = "ms_ssim", shape: Shape = WIDE) -> Figure | None:
    """Quality against steps, a panel for each family of networks. None where no record has a curve.

    Args:
        results: what `gather` found.
        measure: `ms_ssim`, `psnr_db` or `loss`.
        shape: the width is kept, the height follows the number of panels.
    """
    families: dict[str, list[_Curve]] = {}
    for curve in _curves(results, measure):
        families.setdefault(curve.family, []).append(curve)
    if not families:
        return None
    families = dict(list(families.items())[:MOST_PANELS])
    columns = min(len(families), 4 if shape.is_wide else 2)
    rows = math.ceil(len(families) / columns)
    width = shape.width if columns > 1 or not shape.is_wide else 5.0
    untouched = results.untouched.get(measure)
    context = [curve for curves in families.values() for curve in curves]
    # Above each panel its title and its legend, with as many rows as the fullest of them needs.
    legend_rows = max(map(_legend_rows, families.values()))
    above_in, panel_in, below_in = 0.25 + 0.14 * legend_rows, 1.3 if rows > 1 else 1.9, 0.25
    left_in, right_in, bottom_in = 0.66, 0.12, 0.3
    height = rows * (above_in + panel_in + below_in) + bottom_in
    with style():
        figure = new_figure(width, height)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for panel, (family, curves) in zip(panels, families.items(), strict=False):
            _draw_family(panel, curves, context, untouched)
            panel.set_title(family, loc="left", fontsize=8, color=INK, pad=5 + 10 * _legend_rows(curves))
        for index, panel in enumerate(panels):
            panel.set_visible(index < len(families))
            # Where the last row is not full, the panels above its gap are the lowest of their columns.
            panel.tick_params(labelbottom=index + columns >= len(families))
        unit = " dB" if measure == "psnr_db" else ""
        dashed = f"; dashed: untouched input, {decimals(untouched, _DIGITS[measure])}{unit}" if untouched else ""
        figure.supxlabel(f"generator steps{dashed}", fontsize=8, y=0.08 / height)
        figure.supylabel(_NAMES[measure], fontsize=8.5, x=0.06 / width)
        figure.subplots_adjust(
            left=left_in / width,
            right=1 - right_in / width,
            bottom=(bottom_in + below_in) / height,
            top=1 - above_in / height,
            wspace=0.08,
            hspace=(above_in + below_in) / panel_in,
        )
    return figure


def _legend_columns(curves: list[_Curve]) -> int:
    longest = max(len(curve.name) for curve in curves)
    return max(1, min(5, _LETTERS // (longest + _SAMPLE)))


def _legend_rows(curves: list[_Curve]) -> int:
    return math.ceil(len(curves) / _legend_columns(curves))


def _draw_family(panel: Axes, curves: list[_Curve], context: list[_Curve], untouched: float | None) -> None:
    """One family's curves, all others behind them in gray."""
    others = [list(zip(curve.steps, curve.values, strict=True)) for curve in context]
    panel.add_collection(LineCollection(others, colors=GRID, linewidths=0.8, zorder=1))
    for number, curve in enumerate(curves):
        color, marker = _LOOKS[number % len(_LOOKS)]
        line = _LINES[number // len(_LOOKS) % len(_LINES)]
        name = f"{curve.parameter}{curve.name}" if number == 0 else curve.name
        look: dict[str, Any] = {
            "color": color,
            "marker": marker,
            "linestyle": line,
            "markersize": 3.2 if len(curve.steps) <= 20 else 0.0,
            "linewidth": 1.2,
        }
        panel.plot(curve.steps, curve.values, label=name, zorder=3, **look)
    if untouched is not None:
        panel.axhline(untouched, color=INK, linewidth=0.9, linestyle=(0, (5, 3)), zorder=2)
    panel.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=_legend_columns(curves),
        frameon=False,
        fontsize=7,
        handlelength=1.5,
        handletextpad=0.4,
        columnspacing=0.8,
        labelspacing=0.25,
        borderpad=0.1,
        borderaxespad=0.1,
    )
    panel.grid(True, color=GRID, linewidth=0.6)
    panel.tick_params(length=2.5, labelsize=7.5)
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    panel.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=True))
    panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    panel.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))


def _curves(results: Results, measure: str) -> list[_Curve]:
    """The curve of each network (its first seed's), family by family; of very many, those that matter most."""
    rows = results.variants[results.variants["record"].notna()]
    if len(rows) > MOST_CURVES:
        rows = rows[rows["on_frontier"] | rows["published"].notna()]
    usual = {condition.mark for condition in results.training_conditions[:1]}
    curves = []
    shown = in_order(rows)[["record", "label", "trained", "condition"]]
    for index, label, trained, condition in shown.itertuples(index=False, name=None):
        record = results.trained[int(index)]
        steps, values = _noted(results, record, measure)
        if not steps:
            continue
        family, parameter, name = _family_and_name(record["architecture"], str(label))
        name += f" [{condition}]" if isinstance(condition, str) and condition not in usual else ""
        name += "" if trained == "completed" else f", {trained}"
        curves.append(_Curve(family, parameter, name, steps, values))
    return curves


def _noted(results: Results, record: Mapping[str, Any], measure: str) -> tuple[list[int], list[float]]:
    if measure == "loss":
        return loss_curve(results.runs, record)
    noted = [point for point in record.get("quality") or [] if is_number(point.get(measure))]
    return [int(point["step"]) for point in noted], [float(point[measure]) for point in noted]


def _family_and_name(architecture: Mapping[str, Any], label: str) -> tuple[str, str, str]:
    """In which panel a network's curve is, by what parameter curves differ there, and this one's value of it."""
    prelu = " PReLU" if architecture.get("prelu") else ""
    if not label.startswith("{"):
        return topology_name(str(architecture["topology"])), "", label.partition(" ")[2] or label
    if architecture["topology"] == "plain":
        family = f"plain {{{architecture['kernel_size']}, {architecture['channels']}, b}}"
        return family, "b = ", f"{architecture['blocks']}{prelu}"
    family = f"strided {{{architecture['kernel_size']}-{architecture['strided_kernel_size']}, c}}"
    blocks = architecture.get("blocks", 2)
    return family, "c = ", f"{architecture['channels']}{prelu}" + ("" if blocks == 2 else f", {blocks} blocks")
