"""The page's charts, which answer to a pointer: specifications for plotly.js, as plain data.

Colors are written as the page's variables, `var(--blue)`; its script puts in what they are in light or in dark.
"""

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from enhance_sweep.frontier import pareto_front
from enhance_sweep.paper import BASELINE_SLUG, PROPOSED_SLUG, published_table
from enhance_sweep.report.labels import (
    TIMES,
    decimals,
    interval_text,
    is_number,
    network_label,
    signed,
    speed_up_text,
    topology_name,
)
from enhance_sweep.report.results.curves import loss_curve
from enhance_sweep.report.results.gather import Results, in_order, rows_of
from enhance_sweep.report.results.references import Reference, references
from enhance_sweep.report.results.timings import FEWEST, latency_to_limit, paper_times, shown_at_one_place
from enhance_sweep.report.tables.exports import Exported, exports
from enhance_sweep.report.tables.networks import significant_ms

Chart = dict[str, Any]

_COLORS = {"plain": "var(--blue)", "strided": "var(--vermillion)"}
_OTHER_COLORS = ("var(--green)", "var(--purple)", "var(--ochre)")
_SYMBOLS = {"plain": "circle", "strided": "diamond"}
_EXPORT_SYMBOLS = {"fp32": "circle-open", "fp16": "square-open", "bf16": "diamond-open", "int8": "triangle-up-open"}
_OTHER_SYMBOLS = ("triangle-up", "square", "triangle-down")
#: More points than this are drawn by WebGL; more intervals than this would hide the points.
_MOST_SVG, _MOST_BARS = 2000, 80
#: More names than this lie over each other; the pointer tells the others.
_MOST_NAMES = 14
#: Of more networks than this the frontier's and the published ones alone have curves.
MOST_CURVES = 60
#: Of lines closer than this share of the axis the words stand beside each other, at these places.
_LEAST_GAP, _WORDS_AT = 0.05, (1.0, 0.62, 0.24)
#: Steps at which quality was noted are the axis's ticks, if they are no more than this.
_MOST_TICKS = 10
_TITLES = {
    "speed_up": "speed-up over the {3, 64, 4} baseline (log scale)",
    "latency_ms": "latency in ms, slower on the left (log scale)",
    "macs": "multiply-adds in G, more on the left (log scale)",
}
MEASURES = {"ms_ssim": "MS-SSIM", "psnr_db": "PSNR, dB", "loss": "training loss"}


def frontier_chart(results: Results) -> Chart | None:
    """Cost against MS-SSIM with 95% intervals on both axes and the frontier; None where no network has a place.

    Each point carries the row of `Results.variants` that it is of, for the page to open.
    """
    shown = results.scored[results.scored["cost"].notna()]
    if shown.empty:
        return None
    x = _horizontal(results, shown)
    traces = [
        *_frontier_lines(results, shown, x),
        *(_points(results, some, x) for _, some in shown.groupby("topology", sort=False)),
        *_single_seeds(results, shown, x),
        *_exports(results),
    ]
    layout = _layout(_TITLES[results.cost_kind], "MS-SSIM", log_x=True)
    layout["xaxis"] |= {"autorange": "reversed"} if results.cost_kind != "speed_up" else {"ticksuffix": TIMES}
    error = shown["ms_ssim_error"].astype("float64").fillna(0) if len(shown) <= _MOST_BARS else 0.0
    low, high = float((shown["ms_ssim"] - error).min()), float((shown["ms_ssim"] + error).max())
    layout |= _levels(results, "ms_ssim", layout["yaxis"], low, high)
    return {"data": traces, "layout": layout, "opens": True}


def published_chart() -> Chart:
    """Figure 2 as the paper's Tables 1 and 2 have it."""
    table = pd.concat([published_table(1), published_table(2)], ignore_index=True)
    table["topology"] = [architecture["topology"] for architecture in table["architecture"]]
    table["label"] = [network_label(architecture) for architecture in table["architecture"]]
    table["cost"] = 1 / table["speed_up"]
    traces = [_steps(pareto_front(table, cost="cost", quality="ms_ssim"), "speed_up", float(table["speed_up"].min()))]
    for topology, some in table.groupby("topology", sort=False):
        hover = [
            f"<b>{escape(row.label)}</b><br>{row.time_s:.3f} s, {speed_up_text(row.speed_up)}<br>"
            f"MS-SSIM {row.ms_ssim:.4f}, {row.psnr_db:.2f} dB"
            for row in rows_of(some)
        ]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": topology,
                "x": some["speed_up"].tolist(),
                "y": some["ms_ssim"].tolist(),
                "hovertext": hover,
                "hoverinfo": "text",
                "marker": _marker(str(topology), ()),
            }
        )
    layout = _layout("speed-up over {3, 64, 4}, as the tables have it (log scale)", "MS-SSIM", log_x=True)
    layout["xaxis"]["ticksuffix"] = TIMES
    return {"data": traces, "layout": layout}


def curves_chart(results: Results, measure: str) -> Chart | None:
    """A measure of `MEASURES` against steps, a line for each network (its first seed); None where there are no curves.

    The frontier's and the baseline's lines stand out; the others are named by the pointer and the legend.
    """
    rows = results.variants[results.variants["record"].notna()]
    if len(rows) > MOST_CURVES:
        rows = rows[rows["on_frontier"] | rows["published"].notna()].head(MOST_CURVES)
    traces: list[Chart] = []
    for row in rows_of(in_order(rows)):
        steps, values = _curve(results, int(row.record), measure)
        if not steps:
            continue
        matters = bool(row.on_frontier) or row.slug == BASELINE_SLUG
        color = _color(str(row.topology), results.variants["topology"])
        name = str(row.label) + ("" if row.trained == "completed" else f", {row.trained}")
        traces.append(
            {
                "type": "scatter",
                "mode": "lines" if measure == "loss" else "lines+markers",
                "name": escape(name),
                "x": steps,
                "y": values,
                "line": {"color": color, "width": 2.4 if matters else 1.1},
                "marker": {"size": 4, "symbol": _symbol(str(row.topology), results.variants["topology"])},
                "opacity": 1.0 if matters else 0.45,
                "customdata": [int(row.Index)] * len(steps),
                "hovertemplate": f"<b>{escape(name)}</b><br>step %{{x:,}}: %{{y:.4f}}<extra></extra>",
            }
        )
    if not traces:
        return None
    layout = _layout("generator steps (log scale)", MEASURES[measure], log_x=True)
    noted = sorted({step for trace in traces for step in trace["x"]})
    layout["xaxis"] |= {"tickvals": noted} if len(noted) <= _MOST_TICKS else {"dtick": "D2"}
    layout["showlegend"] = True
    layout["legend"] = {"orientation": "v", "x": 1.01, "y": 1, "font": {"size": 11}}
    if measure == "loss":
        layout["yaxis"]["type"] = "log"
    else:
        values = [value for trace in traces for value in trace["y"]]
        layout |= _levels(results, measure, layout["yaxis"], min(values), max(values))
    return {"data": traces, "layout": layout, "opens": True, "wide_legend": True}


def time_chart(results: Results) -> Chart | None:
    """Latency against multiply-adds with the arithmetic limit; None where fewer than a few networks are timed."""
    shown = [record for record in shown_at_one_place(results) if record["description"]["macs"] > 0]
    if len(shown) < FEWEST:
        return None
    topologies = pd.Series([str(record["architecture"]["topology"]) for record in shown])
    rows = {key: row for row, key in enumerate(results.variants["architecture_key"])}
    traces: list[Chart] = []
    for topology in dict.fromkeys(topologies):
        some = [record for record in shown if record["architecture"]["topology"] == topology]
        hover = []
        for record in some:
            limit = latency_to_limit(record)
            text = f"<b>{escape(network_label(record['architecture']))}</b><br>"
            text += f"{decimals(record['description']['macs'] / 1e9, 1)} GMAC<br>"
            text += f"{significant_ms(record['latency_ms_median'])} ms"
            hover.append(text + (f", {decimals(limit, 2)} times the limit" if limit else ""))
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": escape(topology_name(topology)),
                "x": [record["description"]["macs"] / 1e9 for record in some],
                "y": [float(record["latency_ms_median"]) for record in some],
                "hovertext": hover,
                "hoverinfo": "text",
                "customdata": [rows.get(record["architecture_key"]) for record in some],
                "marker": _marker(topology, topologies),
            }
        )
    macs = np.array([record["description"]["macs"] / 1e9 for record in shown])
    latencies = np.array([float(record["latency_ms_median"]) for record in shown])
    limits = np.array([latency_to_limit(record) or np.nan for record in shown], dtype=float)
    rates = latencies / limits / macs
    if np.isfinite(rates).any():
        ends = [float(macs.min() * 0.8), float(macs.max() * 1.25)]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "arithmetic limit: a large matrix product",
                "x": ends,
                "y": [end * float(np.nanmedian(rates)) for end in ends],
                "line": {"color": "var(--ink)", "width": 1.3, "dash": "dash"},
                "hoverinfo": "skip",
            }
        )
    layout = _layout("multiply-adds, 10⁹ (log scale)", "latency, ms (log scale)", log_x=True)
    layout["yaxis"]["type"] = "log"
    return {"data": traces, "layout": layout, "opens": True}


def paper_times_chart(results: Results) -> Chart | None:
    """Our times against the paper's, of the published networks; None where fewer than a few are timed."""
    times = paper_times(results)
    if len(times) < FEWEST:
        return None
    table = pd.concat([published_table(1), published_table(2)]).set_index("slug")["architecture"]
    traces: list[Chart] = []
    for topology in dict.fromkeys(slug.partition("-")[0] for slug, _, _ in times):
        some = [row for row in times if row[0].partition("-")[0] == topology]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers+text",
                "name": topology,
                "x": [paper for _, paper, _ in some],
                "y": [ours for _, _, ours in some],
                "text": [network_label(table[s]) if s in (BASELINE_SLUG, PROPOSED_SLUG) else "" for s, _, _ in some],
                "textposition": "bottom right",
                "hovertext": [
                    f"<b>{network_label(table[slug])}</b><br>paper {paper:.3f} s, here {ours:.3f} s"
                    for slug, paper, ours in some
                ],
                "hoverinfo": "text",
                "marker": _marker(topology, ()),
            }
        )
    ratio = float(np.median([ours / paper for _, paper, ours in times]))
    ends = [min(paper for _, paper, _ in times) * 0.85, max(paper for _, paper, _ in times) * 1.2]
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "one ratio for all",
            "x": ends,
            "y": [end * ratio for end in ends],
            "line": {"color": "var(--muted)", "width": 1.2, "dash": "dot"},
            "hoverinfo": "skip",
        }
    )
    layout = _layout("the paper's time, s (log scale)", "ours, s (log scale)", log_x=True)
    layout["yaxis"]["type"] = "log"
    return {"data": traces, "layout": layout}


# --- points -----------------------------------------------------------------------------------------------------------


def _horizontal(results: Results, shown: pd.DataFrame) -> "pd.Series[float]":
    """What the horizontal axis shows of each row."""
    cost = shown["cost"].astype("float64")
    if results.cost_kind == "speed_up":
        return 1 / cost
    return cost if results.cost_kind == "latency_ms" else cost / 1e9


def _points(results: Results, some: pd.DataFrame, x: "pd.Series[float]") -> Chart:
    topology = str(some["topology"].iloc[0])
    everything = list(results.scored["topology"].unique())
    symbol = _symbol(topology, everything)
    named = _named(results)
    trace: Chart = {
        "type": "scatter" if len(results.scored) <= _MOST_SVG else "scattergl",
        "mode": "markers+text" if len(results.scored) <= _MOST_SVG else "markers",
        "name": escape(topology_name(topology)),
        "x": [float(value) for value in x[some.index]],
        "y": [float(value) for value in some["ms_ssim"]],
        "customdata": [int(index) for index in some.index],
        "hovertext": [hover_text(results, row) for row in rows_of(some)],
        "hoverinfo": "text",
        "textposition": "top right",
        "textfont": {"size": 11},
        "marker": _marker(topology, everything)
        | {
            "symbol": [f"{symbol}-open" if below else symbol for below in some["below_untouched"]],
            "opacity": 1.0 if len(results.scored) <= 200 else 0.5,
        },
    }
    if trace["mode"] == "markers+text":
        trace["text"] = [escape(str(row.label)) if row.Index in named else "" for row in rows_of(some)]
    if len(results.scored) <= _MOST_BARS:
        bars: Chart = {"thickness": 1, "width": 3, "color": _color(topology, everything)}
        errors = some["ms_ssim_error"].astype("float64")
        if errors.notna().any():
            trace["error_y"] = bars | {"type": "data", "array": [_or_none(value) for value in errors]}
        if results.cost_kind == "speed_up" and some["speed_up_low"].notna().any():
            above = (some["speed_up_high"] - some["speed_up"]).clip(lower=0)
            below = (some["speed_up"] - some["speed_up_low"]).clip(lower=0)
            trace["error_x"] = bars | {
                "type": "data",
                "symmetric": False,
                "array": [_or_none(value) for value in above],
                "arrayminus": [_or_none(value) for value in below],
            }
    return trace


def _single_seeds(results: Results, shown: pd.DataFrame, x: "pd.Series[float]") -> list[Chart]:
    """Each training of the networks that have several, small, at its network's speed."""
    several = shown[shown["seeds"].map(lambda seeds: isinstance(seeds, str) and " " in seeds)]
    points = [
        (float(x[row.Index]), record["scores"]["ms_ssim"], str(row.label), str(record["learned_from"]["seed"]))
        for row in rows_of(several.head(_MOST_BARS))
        for record in results.trainings(row.Index)
        if is_number(record["scores"]["ms_ssim"])
    ]
    if not points:
        return []
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "single seeds",
            "x": [place for place, _, _, _ in points],
            "y": [float(score) for _, score, _, _ in points],
            "hovertext": [f"{escape(label)}, seed {escape(seed)}<br>MS-SSIM {s:.4f}" for _, s, label, seed in points],
            "hoverinfo": "text",
            "marker": {"color": "var(--muted)", "symbol": "line-ew-open", "size": 9, "line": {"width": 1.5}},
        }
    ]


def _exports(results: Results) -> list[Chart]:
    """The networks' exported files, one look for each precision."""
    placed = [one for one in exports(results) if one.placed]
    chart: list[Chart] = []
    for precision in dict.fromkeys(str(one.record["precision"]) for one in placed):
        some = [one for one in placed if one.record["precision"] == precision]
        chart.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"exported, {escape(precision)}",
                "x": [_place_of(results, one) for one in some],
                "y": [one.ms_ssim for one in some],
                "customdata": [one.row for one in some],
                "hovertext": [_export_hover(one) for one in some],
                "hoverinfo": "text",
                "marker": {
                    "color": "var(--green)",
                    "symbol": _EXPORT_SYMBOLS.get(precision, "star-open"),
                    "size": 9,
                    "line": {"width": 1.5},
                },
            }
        )
    return chart


def _place_of(results: Results, one: Exported) -> float:
    assert one.cost is not None, "it is placed"
    return 1 / one.cost if results.cost_kind == "speed_up" else one.cost


def _export_hover(one: Exported) -> str:
    assert one.ratio is not None, "it is placed"
    lines = [f"<b>{escape(one.label)}</b>", f"MS-SSIM {one.ms_ssim:.4f}"]
    lines.append(f"{speed_up_text(one.ratio.median)} of eager ({interval_text(one.ratio.low, one.ratio.high)})")
    lines.append(f"{decimals(one.record['bytes'] / 1024, 0)} KiB")
    return "<br>".join([*lines, *(["on the frontier of networks and files"] if one.on_frontier else [])])


def hover_text(results: Results, row: Any) -> str:
    """What the pointer tells of a network; every name in it is escaped."""
    lines = [f"<b>{escape(str(row.label))}</b>"]
    if is_number(row.ms_ssim):
        text = f"MS-SSIM {row.ms_ssim:.4f}"
        lines.append(text + (f" ± {row.ms_ssim_error:.4f}" if is_number(row.ms_ssim_error) else ""))
    if is_number(row.psnr_db):
        lines.append(f"PSNR {row.psnr_db:.2f} dB")
    if is_number(row.speed_up):
        text = speed_up_text(row.speed_up)
        known = is_number(row.speed_up_low) and is_number(row.speed_up_high)
        lines.append(text + (f" ({interval_text(row.speed_up_low, row.speed_up_high)})" if known else ""))
    if is_number(row.latency_ms_median):
        lines.append(f"{significant_ms(row.latency_ms_median)} ms")
    if is_number(row.vs_baseline):
        lines.append(
            f"{signed(row.vs_baseline, 4)} against the baseline "
            f"({signed(row.vs_baseline_low, 4)} to {signed(row.vs_baseline_high, 4)})"
        )
    if is_number(row.frontier_probability):
        lines.append(f"on the frontier with probability {row.frontier_probability:.2f}")
    if isinstance(row.seeds, str) and " " in row.seeds:
        lines.append(f"mean of {len(row.seeds.split())} seeds")
    return "<br>".join(lines)


def _named(results: Results) -> set[int]:
    """The rows whose names stand in the chart: the frontier's, the baseline's and the paper's pick's."""
    scored = results.scored
    first = [*scored.index[scored["slug"].isin([BASELINE_SLUG, PROPOSED_SLUG])]]
    front = [*results.frontier.sort_values("ms_ssim", ascending=False).index]
    return set(list(dict.fromkeys([*first, *front]))[:_MOST_NAMES]) if len(scored) > _MOST_NAMES else {*scored.index}


def _frontier_lines(results: Results, shown: pd.DataFrame, x: "pd.Series[float]") -> list[Chart]:
    """The frontier, and that of plain networks alone where there are others."""
    placed = shown.assign(x=x)
    slowest = float(x.min()) if results.cost_kind == "speed_up" else float(x.max())
    lines = [_steps(pareto_front(placed, cost="cost", quality="ms_ssim"), "x", slowest)]
    plain = placed[placed["topology"] == "plain"]
    if 0 < len(plain) < len(placed):
        line = _steps(pareto_front(plain, cost="cost", quality="ms_ssim"), "x", slowest)
        look = {"color": "var(--blue)", "width": 1.2, "dash": "dot"}
        lines.append(line | {"name": "frontier of plain networks", "line": look})
    return lines


def _steps(front: pd.DataFrame, x: str, slowest: float) -> Chart:
    """The best quality to be had at each speed: level as far as the next slower network, then up to it."""
    places = np.append(front[x].to_numpy(dtype=float), slowest)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "frontier",
        "x": np.repeat(places, 2)[1:-1].tolist(),
        "y": np.repeat(front["ms_ssim"].to_numpy(dtype=float), 2).tolist(),
        "line": {"color": "var(--muted)", "width": 1.6},
        "hoverinfo": "skip",
    }


def _curve(results: Results, record: int, measure: str) -> tuple[list[int], list[float]]:
    if measure == "loss":
        return loss_curve(results.runs, results.trained[record])
    noted = [one for one in results.trained[record].get("quality") or [] if is_number(one.get(measure))]
    return [int(one["step"]) for one in noted], [float(one[measure]) for one in noted]


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


# --- looks ------------------------------------------------------------------------------------------------------------


def _marker(topology: str, topologies: Iterable[str]) -> Chart:
    edge = {"width": 1, "color": "var(--paper)"}
    return {
        "color": _color(topology, topologies),
        "symbol": _symbol(topology, topologies),
        "size": 9,
        "line": edge,
    }


def _color(topology: str, topologies: Iterable[str]) -> str:
    others = sorted(set(topologies) - _COLORS.keys())
    return _COLORS[topology] if topology in _COLORS else _OTHER_COLORS[others.index(topology) % len(_OTHER_COLORS)]


def _symbol(topology: str, topologies: Iterable[str]) -> str:
    others = sorted(set(topologies) - _SYMBOLS.keys())
    return _SYMBOLS[topology] if topology in _SYMBOLS else _OTHER_SYMBOLS[others.index(topology) % len(_OTHER_SYMBOLS)]


def _layout(x: str, y: str, log_x: bool) -> Chart:
    axis: Chart = {"gridcolor": "var(--grid)", "linecolor": "var(--muted)", "zeroline": False, "automargin": True}
    return {
        "xaxis": axis | {"title": {"text": x}, "type": "log" if log_x else "linear"},
        "yaxis": axis | {"title": {"text": y}},
        "font": {"color": "var(--ink)", "size": 12, "family": "system-ui, sans-serif"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"bgcolor": "var(--raised)", "bordercolor": "var(--muted)", "font": {"color": "var(--ink)"}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "margin": {"l": 60, "r": 20, "t": 40, "b": 50},
        "hovermode": "closest",
        "dragmode": "zoom",
    }


def _levels(results: Results, measure: str, axis: Chart, low: float, high: float) -> Chart:
    """Lines across: the untouched input, and what other networks are known to score on these test images.

    The axis shows what lies from `low` to `high` and the lines close by; zooming out finds the others.
    """
    untouched = results.untouched[measure]
    digits = 4 if measure == "ms_ssim" else 2
    levels = [] if untouched is None else [(untouched, f"untouched input {decimals(untouched, digits)}", "dash")]
    known: list[Reference] = references(results)
    levels += [
        (reference.of(measure), f"{reference.name} {decimals(reference.of(measure), digits)}", "dot")
        for reference in known
    ]
    room = 0.6 * max(high - low, 1e-3)
    near = [level for level, _, _ in levels if low - room <= level <= high + room]
    low, high = min([low, *near]), max([high, *near])
    axis["tickformat"] = ".3f" if measure == "ms_ssim" else ".1f"
    axis["range"] = [low - 0.08 * (high - low), high + 0.08 * (high - low)]
    across: Chart = {"type": "line", "xref": "paper", "x0": 0, "x1": 1}
    shapes = [
        across | {"y0": level, "y1": level, "line": {"color": "var(--muted)", "width": 1.2, "dash": dash}}
        for level, _, dash in levels
    ]
    words: Chart = {"xref": "paper", "xanchor": "right", "yanchor": "bottom", "showarrow": False}
    annotations: list[Chart] = []
    for level, text, _ in sorted(levels):
        # Words of neighbouring lines would lie over each other: they stand beside each other instead.
        crowded = annotations and level - annotations[-1]["y"] < _LEAST_GAP * (high - low)
        place = (_WORDS_AT.index(annotations[-1]["x"]) + 1) % len(_WORDS_AT) if crowded else 0
        font = {"size": 10, "color": "var(--muted)"}
        annotations.append(words | {"x": _WORDS_AT[place], "y": level, "text": escape(text), "font": font})
    return {"shapes": shapes, "annotations": annotations}
