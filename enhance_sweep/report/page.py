"""The report as files: one page that works offline, the same in Markdown, tables as CSV, figures as PNG and SVG."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from enhance_sweep.report import figures, gallery, speed, statement, tables
from enhance_sweep.report.frontier_figure import MOST_LABELS, frontier_figure, published_figure
from enhance_sweep.report.quality_figure import MOST_CURVES, MOST_PANELS, quality_figure
from enhance_sweep.report.results import Results
from enhance_sweep.report.runtimes_table import NOTE, runtimes_csv, runtimes_shown
from enhance_sweep.report.speed_figure import speed_figure

PAGE = "index.html"
#: All that a report may consist of; whatever else lies in its folder is someone else's.
FILES = (
    *("figure2.png", "figure2.svg", "figure2_paper.png", "figure2_paper.svg"),
    *("quality.png", "quality.svg", "quality_psnr.png", "quality_psnr.svg", "speed.png", "speed.svg"),
    *("table1.csv", "table2.csv", "variants.csv", "runtimes.csv", "report.md", PAGE),
)
_MOST_PROBLEMS = 200
_LABEL_COLUMN = {"speed_up": "Speed-up", "latency_ms": "Latency", "macs": "Multiply-adds"}


@dataclass(frozen=True)
class _Shown:
    """A figure on the page: for a wide window, for a narrow one, and what is said under it."""

    name: str
    title: str
    caption: str
    wide: Markup
    narrow: Markup


def render(results: Results) -> dict[str, bytes]:
    """All files of the report by name, the page last."""
    files: dict[str, bytes] = {}
    shown = {
        name: figure
        for name, title, caption in _captions(results)
        if (figure := _figure(results, name, title, caption, files)) is not None
    }
    context = {
        "results": results,
        "title": f"{_LABEL_COLUMN[results.cost_kind]} against MS-SSIM" if len(results.scored) else "Speed",
        "subtitle": " · ".join(part for part in (results.dataset, results.loss and f"{results.loss} loss") if part),
        "headline": statement.headline(results),
        "tiles": statement.tiles(results),
        "findings": statement.findings(results),
        "figures": shown,
        "frontier": tables.frontier_shown(results),
        "frontier_note": statement.frontier_note(results),
        "published": [tables.published_shown(results, 1), tables.published_shown(results, 2)],
        "others": tables.others_shown(results),
        "notes": [statement.paper_note(results), statement.speed_note(results), statement.psnr_note(results)],
        "speed_notes": speed.sentences(results),
        "runtimes": runtimes_shown(results),
        "runtimes_note": NOTE,
        "exhibits": gallery.exhibits(results),
        "problems": results.problems[:_MOST_PROBLEMS],
        "more_problems": max(0, len(results.problems) - _MOST_PROBLEMS),
        "unfinished": results.unfinished[:_MOST_PROBLEMS],
        "more_unfinished": max(0, len(results.unfinished) - _MOST_PROBLEMS),
        "provenance": statement.provenance(results),
    }
    files["table1.csv"] = tables.published_csv(results, 1).encode()
    files["table2.csv"] = tables.published_csv(results, 2).encode()
    files["variants.csv"] = tables.variants_csv(results).encode()
    if context["runtimes"]:
        files["runtimes.csv"] = runtimes_csv(results).encode()
    downloads = [name for name in FILES if name in files] + ["report.md"]
    files["report.md"] = _markdown().get_template("report.md.j2").render(context).encode()
    files[PAGE] = _html().get_template("index.html.j2").render(context, downloads=downloads).encode()
    return files


# --- figures ----------------------------------------------------------------------------------------------------------


def _figure(results: Results, name: str, title: str, caption: str, files: dict[str, bytes]) -> _Shown | None:
    """Draw a figure for wide and narrow windows, and add its files. None where there is nothing to draw."""
    wide, narrow = (_draw(results, name, shape) for shape in (figures.WIDE, figures.NARROW))
    if wide is None or narrow is None:
        return None
    files[f"{name}.png"] = figures.png(wide)
    text = figures.svg(wide)
    files[f"{name}.svg"] = text.encode()
    embedded = [
        Markup(figures.embedded_svg(drawing, f"{name}-{size}", f"{title}. {caption}"))
        for size, drawing in (("wide", text), ("narrow", figures.svg(narrow)))
    ]
    return _Shown(name, title, caption, *embedded)


def _draw(results: Results, name: str, shape: figures.Shape) -> Figure | None:
    if name == "figure2":
        return frontier_figure(results, shape)
    if name == "figure2_paper":
        return published_figure(shape)
    if name == "speed":
        return speed_figure(results, shape)
    return quality_figure(results, "psnr_db" if name == "quality_psnr" else "ms_ssim", shape)


def _captions(results: Results) -> list[tuple[str, str, str]]:
    """Name, title and caption of each figure."""
    scored = results.scored
    lines = "Up and to the right is better. The line runs along the frontier: no network does better on both."
    if len(scored.loc[scored["cost"].notna(), "topology"].unique()) > 1:
        lines += " The dotted one is the frontier of plain networks alone."
    if len(scored) > MOST_LABELS:
        lines += f" Of the points {MOST_LABELS} at most are named, the frontier's and then the paper's."
    placeless = int(scored["cost"].isna().sum())
    if placeless:
        lines += f" {placeless:,} scored but not comparably timed {'is' if placeless == 1 else 'are'} not in it."
    if len(results.training_conditions) > 1:
        lines += " A letter in brackets marks a network that was trained otherwise than most, which are A."
    what = _LABEL_COLUMN[results.cost_kind].lower()
    curves = "Noted on the test pairs during training; in gray all other networks."
    if len(results.variants) > MOST_CURVES:
        curves += f" Of the frontier and the paper's networks alone, {MOST_PANELS} families at most."
    return [
        ("figure2", f"Figure 2: {what} against MS-SSIM", lines),
        ("figure2_paper", "The paper's own Figure 2", statement.paper_time_note()),
        ("speed", "Time", speed.caption(results)),
        ("quality", "MS-SSIM against steps", curves),
        ("quality_psnr", "PSNR against steps", curves),
    ]


# --- templates --------------------------------------------------------------------------------------------------------


@cache
def _html() -> Environment:
    environment = Environment(
        loader=PackageLoader("enhance_sweep.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["css"] = Markup(_source(environment, "page.css"))
    return environment


@cache
def _markdown() -> Environment:
    """Every value is escaped for Markdown as it is put in, as the page's are for HTML."""
    return Environment(
        loader=PackageLoader("enhance_sweep.report", "templates"),
        autoescape=True,  # what `finalize` has escaped for Markdown is left alone
        finalize=lambda value: value if isinstance(value, Markup) else Markup(escape_markdown(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def escape_markdown(value: Any) -> str:
    """Text that Markdown, or HTML within it, cannot mistake for markup, on one line."""
    text = re.sub(r"\s+", " ", str(value))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#~$!])", r"\\\1", text)


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def summary(results: Results) -> str:
    """What the command prints: the headline and the figures worth taking home."""
    lines = [statement.headline(results)]
    lines += [f"{tile.title}: {tile.value} ({tile.note})" for tile in statement.tiles(results)]
    return "\n".join(lines)
