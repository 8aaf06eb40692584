"""The report as files: one page that works offline, the same in Markdown, tables as CSV, figures as PNG and SVG."""

import base64
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from enhance_sweep.report import statement
from enhance_sweep.report.figures import interactive as charts
from enhance_sweep.report.page import details
from enhance_sweep.report.photographs.gallery import Slides, slides
from enhance_sweep.report.results import timings as speed
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.references import references
from enhance_sweep.report.tables import claims
from enhance_sweep.report.tables import exports as exported_files
from enhance_sweep.report.tables import networks as tables
from enhance_sweep.report.tables.challenge import challenge_csv, challenge_notes, challenge_shown
from enhance_sweep.report.tables.runtimes import NOTE, runtimes_csv, runtimes_shown

PAGE = "index.html"
_DRAWN = ("figure2", "figure2_intervals", "figure2_paper", "speed", "quality", "quality_psnr", "losses")
_ARCHITECTURES = ("figure1", "figure3")
#: All that a report may consist of; whatever else lies in its folder is someone else's.
FILES = (
    *(f"{name}.{kind}" for name in (*_DRAWN, *_ARCHITECTURES) for kind in ("png", "svg")),
    *(
        "table1.csv",
        "table2.csv",
        "table3.csv",
        "variants.csv",
        "claims.csv",
        "runtimes.csv",
        "exports.csv",
        "report.md",
        PAGE,
    ),
)
_MOST_PROBLEMS = 200
_LABEL_COLUMN = {"speed_up": "Speed-up", "latency_ms": "Latency", "macs": "Multiply-adds"}


@dataclass(frozen=True)
class _Shown:
    """A chart on the page: its name, its title, and what is said under it.

    `pointer` is what can be done with the page's chart, `picture` what is true of the drawn figure alone.
    """

    name: str
    title: str
    caption: str
    pointer: str = ""
    picture: str = ""
    tall: bool = False

    @property
    def on_page(self) -> str:
        """What stands under the page's chart."""
        return f"{self.caption} {self.pointer}".strip()

    @property
    def in_markdown(self) -> str:
        """What stands under the drawn figure."""
        return f"{self.caption} {self.picture}".strip()


def render(results: Results, pictures: bool = True) -> dict[str, bytes]:
    """All files of the report by name, the page last.

    Args:
        results: what `gather` found.
        pictures: draw the figures' files and show photographs; without, the page and the tables alone.
    """
    files: dict[str, bytes] = {}
    architectures: Sequence[Any] = ()
    compared: Sequence[Any] = ()
    shown = Slides({}, {})
    if pictures:
        from enhance_sweep.report.figures.drawings import (  # matplotlib is slow to import
            draw_architectures,
            draw_figures,
        )
        from enhance_sweep.report.photographs.comparison import comparisons

        files = draw_figures(results)
        architectures = draw_architectures(results, files)
        compared = comparisons(results)
        files |= {comparison.file_name: comparison.image for comparison in compared}
        shown = slides(results, [int(row) for row in details.detailed(results).index])
    specifications = _charts(results)
    networks = details.details(results)
    judged = claims.claims(results)
    context: dict[str, Any] = {
        "results": results,
        "pictures": pictures,
        "title": f"{_LABEL_COLUMN[results.cost_kind]} against MS-SSIM" if len(results.scored) else "Speed",
        "subtitle": " · ".join(part for part in (results.dataset, results.loss and f"{results.loss} loss") if part),
        "headline": statement.headline(results),
        "tiles": statement.tiles(results),
        "findings": statement.findings(results),
        "figures": {shown.name: shown for shown in _captions(results) if shown.name in specifications},
        "frontier": tables.frontier_shown(results),
        "frontier_note": statement.frontier_note(results),
        "claims": judged,
        "claims_note": claims.note(results),
        "comparisons": compared,
        "architectures": architectures,
        "challenge": replace(challenge_shown(results), notes=tuple(challenge_notes(results))),
        "published": [tables.published_shown(results, 1), tables.published_shown(results, 2)],
        "others": tables.others_shown(results),
        "notes": [statement.paper_note(results), statement.speed_note(results), statement.psnr_note(results)],
        "references": references(results),
        "speed_notes": [statement.paper_time_note(), *speed.sentences(results)],
        "runtimes": runtimes_shown(results),
        "runtimes_note": NOTE,
        "exports": exported_files.exports_shown(results),
        "exports_note": exported_files.NOTE,
        "problems": results.problems[:_MOST_PROBLEMS],
        "more_problems": max(0, len(results.problems) - _MOST_PROBLEMS),
        "unfinished": results.unfinished[:_MOST_PROBLEMS],
        "more_unfinished": max(0, len(results.unfinished) - _MOST_PROBLEMS),
        "provenance": statement.provenance(results),
    }
    files["table1.csv"] = tables.published_csv(results, 1).encode()
    files["table2.csv"] = tables.published_csv(results, 2).encode()
    files["table3.csv"] = challenge_csv(results).encode()
    files["variants.csv"] = tables.variants_csv(results).encode()
    if judged:
        files["claims.csv"] = claims.claims_csv(judged).encode()
    if context["runtimes"]:
        files["runtimes.csv"] = runtimes_csv(results).encode()
    if results.exports:
        files["exports.csv"] = exported_files.exports_csv(results).encode()
    downloads = [*(name for name in FILES if name in files), *sorted(files.keys() - set(FILES)), "report.md"]
    drawn = {name.removesuffix(".png") for name in files if name.endswith(".png")}
    files["report.md"] = _markdown().get_template("report.md.j2").render(context, drawn=drawn).encode()
    data = {
        "charts": specifications,
        "networks": networks,
        "measures": charts.MEASURES,
        "pictures": shown.enhanced,
        "untouched": shown.untouched,
    }
    page = _html().get_template("index.html.j2")
    whole = page.render(context, downloads=downloads, networks=networks, data=_json(data), plotly=_plotly())
    files[PAGE] = whole.encode()
    return files


# --- figures ----------------------------------------------------------------------------------------------------------


def _charts(results: Results) -> dict[str, charts.Chart]:
    """The page's charts by name; those that have nothing to show are not there."""
    found = {
        "figure2": charts.frontier_chart(results),
        "figure2_paper": charts.published_chart(),
        "speed": charts.time_chart(results),
        "paper_times": charts.paper_times_chart(results),
        "quality": charts.curves_chart(results, "ms_ssim"),
        "quality_psnr": charts.curves_chart(results, "psnr_db"),
        "losses": charts.curves_chart(results, "loss"),
    }
    return {name: chart for name, chart in found.items() if chart is not None}


def _captions(results: Results) -> list[_Shown]:
    """Name, title and caption of each chart."""
    scored = results.scored
    lines = "Up and to the right is better. The line runs along the frontier: no network does better on both."
    if len(scored.loc[scored["cost"].notna(), "topology"].unique()) > 1:
        lines += " The dotted one is the frontier of plain networks alone."
    if results.evidence.images:
        lines += (
            " Bars are 95% intervals; the upright ones leave out what all networks share, how hard the test images are"
            " (Morey 2008)"
        )
        lines += ", and hold what another seed may change." if results.evidence.seed_deviation is not None else "."
    if scored["below_untouched"].any():
        lines += " Hollow: below the untouched input."
    if results.untouched["ms_ssim"] is not None:
        lines += f" The untouched input has {results.untouched['ms_ssim']:.4f}."
    placeless = int(scored["cost"].isna().sum())
    if placeless:
        lines += f" {placeless:,} scored but not comparably timed {'is' if placeless == 1 else 'are'} not in it."
    what = _LABEL_COLUMN[results.cost_kind].lower()
    opens = "Choose a point to open its network."
    first = " Of several seeds the first." if any(" " in str(seeds) for seeds in scored["seeds"]) else ""
    noted = f"Noted on the test pairs during training.{first}"
    loss = f"The generator's whole loss, neighbouring steps averaged.{first}"
    thick = "Thick: the frontier's networks and the baseline."
    if len(results.variants) > charts.MOST_CURVES:
        thick += " Of the frontier's and the paper's networks alone."
    zoom = f"Zoom out to see lines that lie further off. {opens}"
    paper = "The paper's Tables 1 and 2, with its own baseline time."
    upper = "The upper axis: with the time that its headline implies."
    dotted = speed.DOTTED if charts.paper_times_chart(results) else ""
    return [
        _Shown("figure2", f"Figure 2: {what} against MS-SSIM", lines, pointer=zoom, tall=True),
        _Shown("figure2_paper", "The paper's own Figure 2", paper, picture=upper),
        _Shown("speed", "Time against multiply-adds", speed.caption(results), pointer=opens, picture=dotted),
        _Shown("paper_times", "Ours against the paper's", "Both on logarithmic scales. Dotted: one ratio for all."),
        _Shown("quality", "MS-SSIM against steps", noted, pointer=thick),
        _Shown("quality_psnr", "PSNR against steps", noted, pointer=thick),
        _Shown("losses", "Training loss against steps", loss, pointer=thick),
    ]


def _json(data: Mapping[str, Any]) -> Markup:
    """Data for the page's script: nothing in it can end the element that it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@cache
def _plotly() -> Markup:
    """plotly.js, packed: the page unpacks it, so that one file works offline and is not five megabytes."""
    spec = find_spec("plotly")
    assert spec is not None, "plotly is a dependency"
    assert spec.origin is not None, "plotly is a package"
    script = (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes()
    return Markup(base64.b64encode(gzip.compress(script, 6, mtime=0)).decode())


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
    environment.globals["js"] = Markup(_source(environment, "page.js"))
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
