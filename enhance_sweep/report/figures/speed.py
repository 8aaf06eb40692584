"""Times by themselves: against multiply-adds, with what the arithmetic alone would take, and against the paper's."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from enhance_sweep.paper import BASELINE_SLUG, PROPOSED_SLUG, published_table
from enhance_sweep.report.figures.frontier import looks_of
from enhance_sweep.report.figures.style import GRID, INK, MUTED, PAPER, WIDE, Shape, new_figure, style
from enhance_sweep.report.labels import network_label, topology_name
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.timings import FEWEST, latency_to_limit, paper_times, shown_at_one_place


def speed_figure(results: Results, shape: Shape = WIDE) -> Figure | None:
    """Latency against multiply-adds, and ours against the paper's; None where fewer than a few networks are timed."""
    shown = shown_at_one_place(results)
    points = pd.DataFrame(
        {
            "macs": [record["description"]["macs"] / 1e9 for record in shown],
            "ms": [float(record["latency_ms_median"]) for record in shown],
            "topology": [str(record["architecture"]["topology"]) for record in shown],
            "limit": [latency_to_limit(record) for record in shown],
        }
    )
    points = points[points["macs"] > 0]
    if len(points) < FEWEST:
        return None
    times = paper_times(results)
    panels = 2 if len(times) >= FEWEST else 1
    across = panels if shape.is_wide else 1
    width = shape.width if shape.is_wide and panels == 2 else min(shape.width, 4.6)
    height = 3.7 * (panels // across)
    with style():
        figure = new_figure(width, height)
        axes = figure.subplots(panels // across, across, squeeze=False).ravel()
        _draw_against_macs(axes[0], points)
        if panels == 2:
            _draw_against_paper(axes[1], times)
        left, right, bottom, top = 0.68 / width, 1 - 0.15 / width, 0.5 / height, 1 - 0.42 / height
        figure.subplots_adjust(left=left, right=right, bottom=bottom, top=top, wspace=0.27, hspace=0.42)
    return figure


def _draw_against_macs(panel: Axes, points: pd.DataFrame) -> None:
    looks = looks_of(points["topology"])
    for topology in dict.fromkeys(points["topology"]):
        some = points[points["topology"] == topology]
        marker, color = looks[topology]
        panel.plot(some["macs"], some["ms"], label=topology_name(topology), **_dots(marker, color))
    limits = (points["ms"] / points["limit"].astype("float64") / points["macs"]).dropna()
    if len(limits):
        ends = np.array([points["macs"].min() * 0.8, points["macs"].max() * 1.25])
        look: dict[str, Any] = {"color": INK, "linewidth": 1.1, "linestyle": (0, (5, 3)), "zorder": 1.5}
        panel.plot(ends, ends * float(limits.median()), label="a large matrix product", **look)
    _finish(panel, "latency against multiply-adds", "multiply-adds, 10⁹", "latency, ms")


def _draw_against_paper(panel: Axes, times: list[tuple[str, float, float]]) -> None:
    """Ours over the paper's; a line of one ratio, the median's, for the eye."""
    topology_of = {slug: slug.partition("-")[0] for slug, _, _ in times}
    looks = looks_of(pd.Series(list(topology_of.values())))
    for topology in dict.fromkeys(topology_of.values()):
        some = [(paper, ours) for slug, paper, ours in times if topology_of[slug] == topology]
        marker, color = looks[topology]
        panel.plot(*zip(*some, strict=True), label=topology, **_dots(marker, color))
    ratio = float(np.median([ours / paper for _, paper, ours in times]))
    ends = np.array([min(paper for _, paper, _ in times) * 0.85, max(paper for _, paper, _ in times) * 1.2])
    look: dict[str, Any] = {"color": MUTED, "linewidth": 1.0, "linestyle": (0, (2, 2)), "zorder": 1.5}
    panel.plot(ends, ends * ratio, label="one ratio for all", **look)
    named = {slug: (paper, ours) for slug, paper, ours in times if slug in (BASELINE_SLUG, PROPOSED_SLUG)}
    published = pd.concat([published_table(1), published_table(2)]).set_index("slug")["architecture"]
    for slug, place in named.items():
        panel.annotate(
            network_label(published[slug]), place, (7, -9), textcoords="offset points", fontsize=7.5, color=INK
        )
    _finish(panel, "ours against the paper's", "the paper's time, s", "ours, s")


def _dots(marker: str, color: str) -> dict[str, Any]:
    look = {"marker": marker, "color": color, "markeredgecolor": PAPER, "markeredgewidth": 0.5}
    return look | {"linestyle": "none", "markersize": 5.5, "zorder": 3}


def _finish(panel: Axes, title: str, x: str, y: str) -> None:
    panel.set_title(title, loc="left", fontsize=8.5, color=INK)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel(x, fontsize=8)
    panel.set_ylabel(y, fontsize=8)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    panel.grid(True, color=GRID, linewidth=0.6)
    panel.tick_params(length=2.5, labelsize=7.5)
    panel.legend(loc="upper left", frameon=False, fontsize=7.5, handletextpad=0.4, borderpad=0.2)
