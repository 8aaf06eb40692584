"""Everything that matplotlib draws for a report: figures as PNG and SVG files, and the page's pictures of networks."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from enhance_sweep.paper import BASELINE_SLUG, PROPOSED_SLUG
from enhance_sweep.records.schema import TimedRecord, TrainedRecord
from enhance_sweep.report.architecture import architecture_figure, architecture_in_words
from enhance_sweep.report.figures import style
from enhance_sweep.report.figures.agreement import agreement_figure
from enhance_sweep.report.figures.curve_series import CurveSeries
from enhance_sweep.report.figures.frontier import networks_figure, published_figure
from enhance_sweep.report.figures.quality import quality_figure
from enhance_sweep.report.figures.series import Series
from enhance_sweep.report.figures.speed import speed_figure
from enhance_sweep.report.labels import plural, topology_name
from enhance_sweep.report.results.agreement import agreement
from enhance_sweep.report.results.gather import Results, whole
from enhance_sweep.report.words import phrase


@dataclass(frozen=True)
class Drawing:
    """A network's picture in the page, for a wide window and for a narrow one."""

    name: str
    caption: str
    wide: Markup
    narrow: Markup


def draw_figures(series: Mapping[str, Series | CurveSeries], intervals: bool) -> dict[str, bytes]:
    """The figures as files, PNG and SVG each.

    Args:
        series: what each figure shows, by its name; `paper_times` becomes a panel of `speed`.
        intervals: whether to draw `figure2` a second time, with its 95% intervals.
    """
    files: dict[str, bytes] = {}
    for name, one in series.items():
        if isinstance(one, CurveSeries):
            files |= _files(name, quality_figure(one))
        elif name == "figure2":
            files |= _files(name, networks_figure(one))
            files |= _files("figure2_intervals", networks_figure(one, intervals=True)) if intervals else {}
        elif name == "figure2_paper":
            files |= _files(name, published_figure())
        elif name == "speed":
            beside = series.get("paper_times")
            files |= _files(name, speed_figure([one, beside] if isinstance(beside, Series) else [one]))
    return files


def draw_architectures(results: Results, files: dict[str, bytes]) -> list[Drawing]:
    """The paper's Figures 1 and 3, and the best network of each topology, drawn from their records; files are added.

    Where the records lack the baseline or the paper's pick, the best network of its topology takes its place.
    """
    described: list[TrainedRecord | TimedRecord] = [*results.timed, *results.trained]
    records = {record.architecture_key: record for record in described}
    ascending = not results.quality.higher_is_better
    best = results.variants.sort_values(results.quality.name, ascending=ascending, kind="stable")
    topologies = sorted(map(str, best["topology"].unique()), key=lambda name: (name in ("plain", "strided"), name))
    wanted: list[tuple[str, str, str | None]] = [
        ("figure1", "plain", BASELINE_SLUG),
        ("figure3", "strided", PROPOSED_SLUG),
    ]
    wanted += [(f"architecture_{number}", topology, None) for number, topology in enumerate(topologies, start=1)]
    found, drawn = [], set()
    for name, topology, slug in wanted:
        rows = best[best["topology"] == topology]
        rows = rows if slug is None else pd.concat([rows[rows["slug"] == slug], rows])
        for key, label in zip(rows["architecture_key"].head(1), rows["label"].head(1), strict=True):
            record = whole(records[key])
            wide, narrow = (architecture_figure(record, shape) for shape in (style.WIDE, style.NARROW))
            if key in drawn or wide is None or narrow is None:
                continue
            drawn.add(key)
            files |= _files(name, wide)
            embedded = [
                Markup(style.embedded_svg(style.svg(figure), f"{name}-{size}", architecture_in_words(record)))
                for size, figure in (("wide", wide), ("narrow", narrow))
            ]
            prefix = f"Figure {name[-1]}: " if slug else ""
            end = "drawn from the layers in its record. In percent: shares of the multiply-adds."
            found.append(Drawing(name, f"{prefix}{label}, {_rank(results, rows, topology)}{end}", *embedded))
    return found


def _rank(results: Results, rows: pd.DataFrame, topology: str) -> str:
    """Why the first of these networks is drawn: `of 20 shuffled networks the one with the best MS-SSIM, `."""
    quality = results.quality
    scores = results.variants.loc[results.variants["topology"] == topology, quality.name].dropna()
    best = scores.max() if quality.higher_is_better else scores.min()
    if len(scores) < 2 or rows[quality.name].iloc[0] != best:
        return ""
    networks = plural(len(scores), f"{topology_name(topology)} network")
    return f"of {networks} the one with the best {quality.label}, "


def draw_agreement(results: Results, files: dict[str, bytes]) -> Drawing | None:
    """How well the measures agree, for the page; its files are added. None where there is nothing to compare."""
    found = agreement(results)
    if found is None:
        return None
    figure, caption = agreement_figure(found), phrase("panel", "figure", {"found": found})
    files |= _files("agreement", figure)
    embedded = Markup(style.embedded_svg(style.svg(figure), "agreement", caption))
    return Drawing("agreement", caption, embedded, embedded)


def _files(name: str, figure: Figure) -> dict[str, bytes]:
    return {f"{name}.png": style.png(figure), f"{name}.svg": style.svg(figure).encode()}
