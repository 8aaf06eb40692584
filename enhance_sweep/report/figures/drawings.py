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
from enhance_sweep.report.results.gather import Results, whole


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
    """One network of each topology, drawn from its record; their files are added.

    They are the paper's Figures 1 and 3, the baseline and the paper's pick; where the records lack these, and of other
    topologies, the best network.
    """
    described: list[TrainedRecord | TimedRecord] = [*results.timed, *results.trained]
    records = {record.architecture_key: record for record in described}
    others = sorted({str(topology) for topology in results.variants["topology"]} - {"plain", "strided"})
    wanted = [("figure1", "plain", "Figure 1: "), ("figure3", "strided", "Figure 3: ")]
    wanted += [(f"architecture_{number}", topology, "") for number, topology in enumerate(others, start=1)]
    found = []
    for name, topology, prefix in wanted:
        rows = results.variants[results.variants["topology"] == topology]
        rows = rows.assign(first=rows["slug"].isin([BASELINE_SLUG, PROPOSED_SLUG]))
        rows = rows.sort_values(["first", "ms_ssim"], ascending=False, kind="stable").head(1)
        for key, label in zip(rows["architecture_key"], rows["label"], strict=True):
            drawing = _draw(name, f"{prefix}{label}", whole(records[key]), files)
            found += [drawing] if drawing else []
    return found


def _draw(name: str, title: str, record: TrainedRecord | TimedRecord, files: dict[str, bytes]) -> Drawing | None:
    """One network; None where its record has no layers."""
    wide, narrow = (architecture_figure(record, shape) for shape in (figures.WIDE, figures.NARROW))
    if wide is None or narrow is None:
        return None
    files |= _files(name, wide)
    words = architecture_in_words(record)
    embedded = [
        Markup(figures.embedded_svg(figures.svg(figure), f"{name}-{size}", words))
        for size, figure in (("wide", wide), ("narrow", narrow))
    ]
    caption = f"{title}, drawn from the layers in its record. In percent: shares of the multiply-adds."
    return Drawing(name, title, caption, *embedded)


def _files(name: str, figure: Figure) -> dict[str, bytes]:
    return {f"{name}.png": figures.png(figure), f"{name}.svg": figures.svg(figure).encode()}
