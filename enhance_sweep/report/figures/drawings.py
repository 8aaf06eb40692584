"""Everything that matplotlib draws for a report: figures as PNG and SVG files, and the page's pictures of networks."""

from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from enhance_sweep.paper import BASELINE_SLUG, PROPOSED_SLUG
from enhance_sweep.records.schema import TimedRecord, TrainedRecord
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
    files: dict[str, bytes] = {}
    for name, figure in figure_of.items():
        files |= {} if figure is None else _files(name, figure)
    return files


def draw_architectures(results: Results, files: dict[str, bytes]) -> list[Drawing]:
    """The paper's Figures 1 and 3: a plain and a strided network, drawn from their records; their files are added.

    They are the baseline and the paper's pick; where the records lack these, the best network of the topology.
    """
    described: list[TrainedRecord | TimedRecord] = [*results.timed, *results.trained]
    records = {record.architecture_key: record for record in described}
    found = []
    for name, topology, first in (("figure1", "plain", BASELINE_SLUG), ("figure3", "strided", PROPOSED_SLUG)):
        rows = results.variants[results.variants["topology"] == topology]
        rows = rows.assign(first=rows["slug"] == first)
        rows = rows.sort_values(["first", "ms_ssim"], ascending=False, kind="stable").head(1)
        for key, label in zip(rows["architecture_key"], rows["label"], strict=True):
            wide, narrow = (architecture_figure(records[key], shape) for shape in (figures.WIDE, figures.NARROW))
            if wide is None or narrow is None:
                continue
            files |= _files(name, wide)
            words = architecture_in_words(records[key])
            embedded = [
                Markup(figures.embedded_svg(figures.svg(figure), f"{name}-{size}", words))
                for size, figure in (("wide", wide), ("narrow", narrow))
            ]
            title = f"Figure {name[-1]}: {label}"
            caption = f"{title}, drawn from the layers in its record. In percent: shares of the multiply-adds."
            found.append(Drawing(name, title, caption, *embedded))
    return found


def _files(name: str, figure: Figure) -> dict[str, bytes]:
    return {f"{name}.png": figures.png(figure), f"{name}.svg": figures.svg(figure).encode()}
