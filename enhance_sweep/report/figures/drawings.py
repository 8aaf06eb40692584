"""The report's figures as files, PNG and SVG, and the networks' pictures for the page: all that matplotlib draws."""

from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from enhance_sweep.paper import BASELINE_SLUG, PROPOSED_SLUG
from enhance_sweep.report.architecture import architecture_figure, architecture_in_words
from enhance_sweep.report.figures import style as figures
from enhance_sweep.report.figures.frontier import frontier_figure, published_figure
from enhance_sweep.report.figures.quality import quality_figure
from enhance_sweep.report.figures.speed import speed_figure
from enhance_sweep.report.results.gather import Results


@dataclass(frozen=True)
class Drawing:
    """A network's picture in the page, for a wide window and for a narrow one."""

    name: str
    title: str
    caption: str
    wide: Markup
    narrow: Markup


def draw_figures(results: Results) -> dict[str, bytes]:
    """The figures as files, PNG and SVG each."""
    figure_of: dict[str, Figure | None] = {
        "figure2": frontier_figure(results),
        "figure2_intervals": frontier_figure(results, intervals=True) if results.evidence.images else None,
        "figure2_paper": published_figure(),
        "speed": speed_figure(results),
        "quality": quality_figure(results, "ms_ssim"),
        "quality_psnr": quality_figure(results, "psnr_db"),
        "losses": quality_figure(results, "loss"),
    }
    files = {}
    for name, figure in figure_of.items():
        if figure is not None:
            files[f"{name}.png"] = figures.png(figure)
            files[f"{name}.svg"] = figures.svg(figure).encode()
    return files


def draw_architectures(results: Results, files: dict[str, bytes]) -> list[Drawing]:
    """The paper's Figures 1 and 3: a plain and a strided network, drawn from their records; their files are added.

    The baseline and the paper's pick where they are there, else the best of the topology.
    """
    records = {record.architecture_key: record for record in (*results.timed, *results.trained)}
    found = []
    for name, topology, first in (("figure1", "plain", BASELINE_SLUG), ("figure3", "strided", PROPOSED_SLUG)):
        rows = results.variants[results.variants["topology"] == topology]
        rows = rows.assign(first=rows["slug"] == first).sort_values(
            ["first", "ms_ssim"], ascending=False, kind="stable"
        )
        shapes = (figures.WIDE, figures.NARROW)
        drawn = [architecture_figure(records[rows["architecture_key"].iloc[0]], shape) for shape in shapes if len(rows)]
        if not drawn or drawn[0] is None or drawn[1] is None:
            continue
        files[f"{name}.png"] = figures.png(drawn[0])
        wide, narrow = figures.svg(drawn[0]), figures.svg(drawn[1])
        files[f"{name}.svg"] = wide.encode()
        words = architecture_in_words(records[rows["architecture_key"].iloc[0]])
        title = f"Figure {name[-1]}: {rows['label'].iloc[0]}"
        caption = f"{title}, drawn from the layers in its record. In percent: shares of the multiply-adds."
        embedded = [
            Markup(figures.embedded_svg(text, f"{name}-{size}", words))
            for size, text in (("wide", wide), ("narrow", narrow))
        ]
        found.append(Drawing(name, title, caption, *embedded))
    return found
