"""The report as files: one page that works offline, the same in Markdown, tables as CSV, figures as PNG and SVG."""

import base64
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from enhance_sweep.report.figures import interactive as charts
from enhance_sweep.report.figures.curve_series import curves_on
from enhance_sweep.report.page import details
from enhance_sweep.report.photographs.gallery import Slides, slides
from enhance_sweep.report.results import findings, timings
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.provenance import provenance
from enhance_sweep.report.tables import challenge, claims, exports, networks, parts, runtimes
from enhance_sweep.report.tables.model import Table
from enhance_sweep.report.words import phrase, templates

PAGE = "index.html"
_MOST_PROBLEMS = 200
_LABEL_COLUMN = {"speed_up": "Speed-up", "latency_ms": "Latency", "macs": "Multiply-adds"}


@dataclass(frozen=True)
class _Shown:
    """A chart on the page: its name, its title and its caption.

    `pointer` adds what a reader can do with the page's chart, `picture` what only the drawn figure has.
    """

    name: str
    title: str
    caption: str
    pointer: str = ""
    picture: str = ""
    tall: bool = False

    @property
    def on_page(self) -> str:
        """The caption of the page's chart."""
        return f"{self.caption} {self.pointer}".strip()

    @property
    def in_markdown(self) -> str:
        """The caption of the drawn figure."""
        return f"{self.caption} {self.picture}".strip()


@dataclass(frozen=True)
class _Pictures:
    """Figures and photographs: their files, and those that the page shows."""

    files: dict[str, bytes]
    architectures: Sequence[Any] = ()
    comparisons: Sequence[Any] = ()
    slides: Slides = field(default_factory=lambda: Slides({}, {}))


def render(results: Results, pictures: bool = True) -> dict[str, bytes]:
    """All files of the report by name, the page last.

    Args:
        results: what `gather` found.
        pictures: draw the figures' files and show photographs; False: the page and the tables alone.
    """
    drawn = _pictures(results) if pictures else _Pictures({})
    specifications = _charts(results)
    opened = details.details(results)
    judged = claims.claims(results)
    context = {
        "pictures": pictures,
        "architectures": drawn.architectures,
        "comparisons": drawn.comparisons,
        "figures": {shown.name: shown for shown in _captions(results) if shown.name in specifications},
        "claims": claims.claims_shown(judged, results),
        **_sentences(results),
        **_tables(results),
        **_unsuccessful(results),
    }
    files = drawn.files | _csv_files(results, judged)
    names = {name.removesuffix(".png") for name in files if name.endswith(".png")}
    files["report.md"] = _markdown().get_template("report.md.j2").render(context, drawn=names).encode()
    downloads = list(files)
    data = {
        "charts": specifications,
        "networks": opened,
        "measures": charts.MEASURES,
        "pictures": drawn.slides.enhanced,
        "untouched": drawn.slides.untouched,
    }
    page = _html().get_template("index.html.j2")
    whole = page.render(context, downloads=downloads, networks=opened, data=_json(data), plotly=_plotly())
    files[PAGE] = whole.encode()
    return files


def summary(results: Results) -> str:
    """The text that the command prints: the headline and the key figures."""
    tiles = [f"{tile.title}: {tile.value} ({tile.note})" for tile in findings.tiles(results)]
    return "\n".join([findings.headline(results), *tiles])


# --- sections ---------------------------------------------------------------------------------------------------------


def _sentences(results: Results) -> dict[str, Any]:
    return {
        "title": f"{_LABEL_COLUMN[results.cost_kind]} against MS-SSIM" if len(results.scored) else "Speed",
        "subtitle": " · ".join(part for part in (results.dataset, results.loss and f"{results.loss} loss") if part),
        "headline": findings.headline(results),
        "tiles": findings.tiles(results),
        "findings": findings.findings(results),
        "frontier_note": findings.frontier_note(results),
        "notes": findings.table_notes(results),
        "speed_notes": [findings.paper_time_note(), *timings.sentences(results)],
        "provenance": provenance(results),
    }


def _tables(results: Results) -> dict[str, Any]:
    return {
        "frontier": networks.frontier_shown(results),
        "published": [networks.published_shown(results, table) for table in (1, 2)],
        "challenge": challenge.challenge_shown(results),
        "references": networks.references_shown(results),
        "runtimes": runtimes.runtimes_shown(results),
        "exports": exports.exports_shown(results),
        "parts": parts.parts_shown(results),
        "others": networks.others_shown(results),
    }


def _unsuccessful(results: Results) -> dict[str, Any]:
    return {
        "problems": results.problems[:_MOST_PROBLEMS],
        "more_problems": max(0, len(results.problems) - _MOST_PROBLEMS),
        "unfinished": results.unfinished[:_MOST_PROBLEMS],
        "more_unfinished": max(0, len(results.unfinished) - _MOST_PROBLEMS),
    }


def _csv_files(results: Results, judged: Sequence[claims.Claim]) -> dict[str, bytes]:
    """The tables as CSV files, without empty ones."""
    texts = {
        "table1.csv": networks.published_csv(results, 1),
        "table2.csv": networks.published_csv(results, 2),
        "table3.csv": challenge.challenge_csv(results),
        "variants.csv": networks.variants_csv(results),
        "claims.csv": claims.claims_csv(judged) if judged else "",
        parts.FILE: parts.parts_csv(results),
        "runtimes.csv": runtimes.runtimes_csv(results) if timings.by_place(results) else "",
        "exports.csv": exports.exports_csv(results) if results.exports else "",
    }
    return {name: text.encode() for name, text in texts.items() if text}


# --- figures ----------------------------------------------------------------------------------------------------------


def _charts(results: Results) -> dict[str, charts.Chart]:
    """The page's charts by name, without empty ones."""
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


def _pictures(results: Results) -> _Pictures:
    from enhance_sweep.report.figures.drawings import draw_architectures, draw_figures  # matplotlib is slow to import
    from enhance_sweep.report.photographs.comparison import comparisons

    files = draw_figures(results)
    architectures = draw_architectures(results, files)
    compared = comparisons(results)
    files |= {comparison.file_name: comparison.image for comparison in compared}
    opened = [int(row) for row in details.detailed(results).index]
    return _Pictures(files, architectures, compared, slides(results, opened))


def _captions(results: Results) -> list[_Shown]:
    """Name, title and caption of each chart."""
    scored = results.scored
    facts = {
        "results": results,
        "plain_line": len(scored.loc[scored["cost"].notna(), "topology"].unique()) > 1,
        "hollow": bool(scored["below_untouched"].any()),
        "placeless": int(scored["cost"].isna().sum()),
        "several_seeds": any(" " in str(seeds) for seeds in scored["seeds"]),
        "curves_on": curves_on(results),
        "cut": len(results.variants) > charts.MOST_CURVES,
        "against_paper": charts.paper_times_chart(results) is not None,
    }

    def said(block: str) -> str:
        return phrase("captions", block, facts)

    cost = _LABEL_COLUMN[results.cost_kind].lower()
    speed, curves = timings.caption(results), said("curves_pointer")
    return [
        _Shown("figure2", f"Figure 2: {cost} against MS-SSIM", said("figure2"), said("figure2_pointer"), tall=True),
        _Shown("figure2_paper", "The paper's own Figure 2", said("figure2_paper"), "", said("figure2_paper_picture")),
        _Shown("speed", "Time against multiply-adds", speed, said("speed_pointer"), said("speed_picture")),
        _Shown("paper_times", "Ours against the paper's", said("paper_times")),
        _Shown("quality", "MS-SSIM against steps", said("quality"), curves),
        _Shown("quality_psnr", "PSNR against steps", said("quality"), curves),
        _Shown("losses", "Training loss against steps", said("losses"), curves),
    ]


def _json(data: Mapping[str, Any]) -> Markup:
    """Data for the page's script, escaped so that nothing in it can end the script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@cache
def _plotly() -> Markup:
    """plotly.js, compressed: the page unpacks it, so one file works offline without being five megabytes."""
    spec = find_spec("plotly")
    assert spec is not None, "plotly is a dependency"
    assert spec.origin is not None, "plotly is a package"
    script = (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes()
    return Markup(base64.b64encode(gzip.compress(script, 6, mtime=0)).decode())


# --- templates --------------------------------------------------------------------------------------------------------


@cache
def _html() -> Environment:
    environment = templates(autoescape=True)
    environment.globals["left_out_note"] = _left_out_note
    environment.globals["css"] = Markup(_source(environment, "page.css"))
    environment.globals["js"] = Markup(_source(environment, "page.js"))
    return environment


@cache
def _markdown() -> Environment:
    """The templates' environment for Markdown, which escapes every value, as the page's does for HTML."""
    # Autoescaping leaves alone what `finalize` has escaped for Markdown.
    environment = templates(
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else Markup(escape_markdown(value)),
    )
    environment.globals["left_out_note"] = _left_out_note
    return environment


def _left_out_note(table: Table) -> str:
    return phrase("notes", "left_out", {"table": table})


def escape_markdown(value: Any) -> str:
    """Escape text so that neither Markdown nor HTML within it takes it for markup; on one line."""
    text = re.sub(r"\s+", " ", str(value))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#~$!])", r"\\\1", text)


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
