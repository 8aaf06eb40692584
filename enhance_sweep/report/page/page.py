"""The report as files: one page that works offline, the same in Markdown, tables as CSV, figures as PNG and SVG."""

import base64
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from enhance_sweep.report.figures import interactive
from enhance_sweep.report.figures.curve_series import (
    CURVES,
    MOST_CURVES,
    CurveSeries,
    curve_series,
    curves_on,
    shown_curves,
)
from enhance_sweep.report.figures.frontier_series import frontier_series, published_series
from enhance_sweep.report.figures.series import Series
from enhance_sweep.report.figures.time_series import paper_time_series, time_series
from enhance_sweep.report.labels import PAPERS_TOPOLOGIES
from enhance_sweep.report.page import details
from enhance_sweep.report.photographs.gallery import Slides, slides
from enhance_sweep.report.results import findings, timings
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.results.provenance import provenance
from enhance_sweep.report.results.twins import largest_inversion
from enhance_sweep.report.tables import (
    agreement,
    challenge,
    claims,
    exports,
    families,
    hypervolumes,
    networks,
    panel,
    parts,
    runtimes,
)
from enhance_sweep.report.words import phrase, templates

PAGE = "index.html"
#: Of more failed or unfinished runs the rest is counted.
_MOST_LISTED = 200
_COST = {"speed_up": "Speed-up", "latency_ms": "Latency", "macs": "Multiply-adds"}


def render(results: Results, pictures: bool = True) -> dict[str, bytes]:
    """All files of the report by name, the page last.

    Args:
        results: what `gather` found.
        pictures: draw the figures' files and show photographs; False: the page and the tables alone.
    """
    figures = _figures(results)
    opened = details.details(results)
    judged = claims.claims(results)
    context = {
        "pictures": pictures,
        "architectures": [],
        "agreeing": None,
        "comparisons": [],
        "figures": _captions(results, figures),
        "claims": claims.claims_shown(judged, results),
        **_sections(results),
    }
    files: dict[str, bytes] = {}
    photographs = Slides()
    if pictures:
        from enhance_sweep.report.figures.drawings import (
            draw_agreement,
            draw_architectures,
            draw_figures,
        )  # matplotlib imports slowly
        from enhance_sweep.report.photographs.comparison import comparisons

        files |= draw_figures(figures, intervals=results.evidence.images > 0)
        context["architectures"] = draw_architectures(results, files)
        context["agreeing"] = draw_agreement(results, files)
        context["comparisons"] = compared = comparisons(results)
        files |= {comparison.file_name: comparison.image for comparison in compared}
        photographs = slides(results, map(int, opened))
    files |= _csv_files(results, judged)
    names = {name.removesuffix(".png") for name in files if name.endswith(".png")}
    files["report.md"] = _markdown().get_template("report.md.j2").render(context, drawn=names).encode()
    downloads = list(files)
    data = {
        "charts": {name: _chart(series) for name, series in figures.items()},
        "networks": opened,
        "measures": CURVES,
        "pictures": photographs.enhanced,
        "untouched": photographs.untouched,
    }
    page = _html().get_template("index.html.j2")
    whole = page.render(context, downloads=downloads, networks=opened, data=_json(data), plotly=_plotly())
    files[PAGE] = whole.encode()
    return files


def summary(results: Results) -> str:
    """The text that the command prints: the headline and the key figures."""
    tiles = [f"{tile['title']}: {tile['value']} ({tile['note']})" for tile in findings.tiles(results)]
    return "\n".join([findings.headline(results), *tiles])


# --- sections ---------------------------------------------------------------------------------------------------------


def _sections(results: Results) -> dict[str, Any]:
    """The sentences, tables and lists that the page and Markdown show."""
    return {
        "title": f"{_COST[results.cost_kind]} against {results.quality.label}" if len(results.scored) else "Speed",
        "subtitle": " · ".join(part for part in (results.dataset, results.loss and f"{results.loss} loss") if part),
        "headline": findings.headline(results),
        "tiles": findings.tiles(results),
        "findings": findings.findings(results),
        "frontier_note": findings.frontier_note(results),
        "notes": findings.table_notes(results),
        "speed_notes": [findings.paper_time_note(), *timings.sentences(results)],
        "provenance": provenance(results),
        "frontier": networks.frontier_shown(results),
        "families": [families.families_shown(results), families.shares_shown(results), families.changes_shown(results)],
        "published": [networks.published_shown(results, table) for table in (1, 2)],
        "challenge": challenge.challenge_shown(results),
        "references": networks.references_shown(results),
        "runtimes": runtimes.runtimes_shown(results),
        "exports": exports.exports_shown(results),
        "parts": parts.parts_shown(results),
        "panel": panel.panel_shown(results),
        "agreement": agreement.agreement_shown(results),
        "others": networks.others_shown(results),
        "problems": results.problems,
        "unfinished": results.unfinished,
        "most_listed": _MOST_LISTED,
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
        panel.FILE: panel.panel_csv(results),
        agreement.FILE: agreement.agreement_csv(results),
        hypervolumes.FILE: hypervolumes.hypervolumes_csv(results),
        families.FILE: families.families_csv(results),
        families.SHARES_FILE: families.shares_csv(results),
        families.CHANGES_FILE: families.changes_csv(results),
        "runtimes.csv": runtimes.runtimes_csv(results) if timings.by_place(results) else "",
        "exports.csv": exports.exports_csv(results) if results.exports else "",
    }
    return {name: text.encode() for name, text in texts.items() if text}


# --- figures ----------------------------------------------------------------------------------------------------------


def _figures(results: Results) -> dict[str, Series | CurveSeries]:
    """What each figure shows, by name, without empty ones: for the page's charts and for the drawings."""
    found: dict[str, Series | CurveSeries | None] = {
        "figure2": frontier_series(results),
        "figure2_paper": published_series(),
        "speed": time_series(results),
        "paper_times": paper_time_series(results),
        **{name: curve_series(results, measure) for name, measure in shown_curves(results).items()},
    }
    return {name: series for name, series in found.items() if series is not None}


def _chart(series: Series | CurveSeries) -> interactive.Chart:
    if isinstance(series, CurveSeries):
        return interactive.curves_chart(series)
    return interactive.series_chart(series)


def _captions(results: Results, figures: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Each figure's name, title and caption; what only the page's chart adds (`pointer`), and only the drawn one."""
    scored = results.scored
    facts = {
        "results": results,
        "cost": _COST[results.cost_kind].lower(),
        "plain_line": scored.loc[scored["cost"].notna(), "topology"].nunique() > 1,
        "hollow": bool(scored["below_untouched"].any()),
        "ringed": bool((scored["color_fault"] != "").any()),
        "placeless": int(scored["cost"].isna().sum()),
        "several_seeds": any(" " in str(seeds) for seeds in scored["seeds"]),
        "curves_on": curves_on(results),
        "cut": len(results.variants) > MOST_CURVES,
        "further": not set(scored["topology"]) <= set(PAPERS_TOPOLOGIES),
        "against_paper": "paper_times" in figures,
        "beside": "figure2" if "figure2" in figures else "speed",
        "inversion": largest_inversion(results),
        **timings.shown_where(results),
    }
    parts = ("title", "caption", "pointer", "picture")
    return {
        name: {"name": name, **{part: phrase("captions", part, facts | {"name": name}) for part in parts}}
        for name in figures
    }


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
    for name in ("css", "js"):
        source = resources.files("enhance_sweep.report").joinpath("templates", f"page.{name}")
        environment.globals[name] = Markup(source.read_text(encoding="utf-8"))
    return environment


@cache
def _markdown() -> Environment:
    """The templates' environment for Markdown, which escapes every value, as the page's does for HTML."""
    # Autoescaping leaves alone what `finalize` has escaped for Markdown.
    return templates(
        autoescape=True, finalize=lambda value: value if isinstance(value, Markup) else Markup(escape_markdown(value))
    )


def escape_markdown(value: Any) -> str:
    """Escape text so that neither Markdown nor HTML within it takes it for markup; on one line."""
    text = re.sub(r"\s+", " ", str(value))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#~$!])", r"\\\1", text)
