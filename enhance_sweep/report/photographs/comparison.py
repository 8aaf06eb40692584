"""Figures 4 to 8 of the paper, remade: whole photographs as the baseline and the chosen network enhance them.

Evaluation left the pictures beside the records, see `enhance_sweep.training.pictures`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from enhance_sweep.paper import BASELINE_SLUG
from enhance_sweep.report.labels import decimals, is_number, significant, speed_up_text
from enhance_sweep.report.photographs.pictures import (
    Pictures,
    by_trained_on,
    data_uri,
    one_line,
    pictures_of,
    read_rgb,
    webp,
)
from enhance_sweep.report.photographs.sheet import (
    SMALLEST,
    ZOOM,
    Cell,
    Numbers,
    Pixels,
    Scale,
    choose_crops,
    colored,
    difference,
    sheet,
)
from enhance_sweep.report.results.gather import Results
from enhance_sweep.report.words import phrase

SUFFIX = ".webp"
#: The most photographs to compare.
MOST = 5
#: WebP's quality: text stays sharp, and a figure has 150 to 350 kB.
_QUALITY = 88
#: Inputs that differ by more gray levels on average are different shots. JPEG decoders differ by far less.
_SAME_SHOT = 2.0
#: Possible ends of the scale, in gray levels. All figures share the smallest that few enough pixels exceed.
_TOPS = (4, 8, 16, 32, 64, 128, 255)
_BEYOND_SCALE = 0.01
_LONGEST_TEXT = 160


@dataclass(frozen=True)
class Comparison:
    """One photograph's figure.

    Attributes:
        name: of the photograph, safe in a file's name: small letters, digits, hyphens and underscores.
        title, caption: plain text with words from records: to be escaped.
        alt: the figure in words, for readers who cannot see it; to be escaped.
        image: the figure as WebP.
        width, height: in pixels.
    """

    name: str
    title: str
    caption: str
    alt: str
    image: bytes
    width: int
    height: int

    @property
    def file_name(self) -> str:
        """The name of its file in a report's folder."""
        return f"photograph_{self.name}{SUFFIX}"

    @property
    def uri(self) -> str:
        """The figure as a part of a page."""
        return data_uri(SUFFIX, self.image)


@dataclass(frozen=True)
class _Network:
    """A network that has photographs, with its row of `Results.variants`."""

    row: Mapping[Any, Any]
    pictures: Pictures

    @property
    def label(self) -> str:
        return one_line(self.row["label"], _LONGEST_TEXT)

    @property
    def is_papers(self) -> bool:
        return bool(self.row["slug"] == BASELINE_SLUG)


@dataclass(frozen=True)
class _Pair:
    """One photograph as two networks enhanced it; all pictures are uint8 RGB of one size."""

    name: str
    title: str
    credit: str
    trained_on: bool | None
    input: Pixels
    target: Pixels | None
    baseline: Pixels
    chosen: Pixels
    differences: Numbers


def comparisons(results: Results) -> list[Comparison]:
    """Draw a figure for each photograph that both the baseline and the chosen network have enhanced, `MOST` at most.

    The baseline is the paper's, plain 3/64/4, or, if that has no photographs or no time, the slowest network that has
    both. The chosen network is the best on the frontier that is faster. Photographs that the networks were not trained
    on come first.

    Returns:
        An empty list if one of the two networks is missing, or they have no photograph in common.
    """
    two = _two_networks(results)
    if two is None:
        return []
    pairs = list(islice(_pairs(*two), MOST))
    top = _common_top([pair.differences for pair in pairs])
    return [_comparison(results, *two, pair, top) for pair in pairs]


# --- networks and photographs -----------------------------------------------------------------------------------------


def _two_networks(results: Results) -> tuple[_Network, _Network] | None:
    """The baseline and the network to compare with it, both with photographs."""
    rows = results.variants[results.variants["record"].notna() & (results.variants["trained"] == "completed")]
    rows = rows[rows["cost"].notna()]
    # The paper's baseline first; if trained in several ways, the one under condition A, which most rows share.
    papers = rows[rows["slug"] == BASELINE_SLUG].sort_values("condition", kind="stable")
    slowest = rows.sort_values("cost", ascending=False, kind="stable")
    baseline = _first_with_photographs(results, papers) or _first_with_photographs(results, slowest)
    if baseline is None:
        return None
    faster = rows[rows["on_frontier"] & (rows["cost"] < float(baseline.row["cost"]))]
    quality = results.quality
    by_quality = faster.sort_values(quality.name, ascending=not quality.higher_is_better, kind="stable")
    chosen = _first_with_photographs(results, by_quality)
    if chosen is None:
        return None
    alike = rows[(rows["slug"] == baseline.row["slug"]) & (rows["condition"] == chosen.row["condition"])]
    return _first_with_photographs(results, alike) or baseline, chosen


def _first_with_photographs(results: Results, rows: pd.DataFrame) -> _Network | None:
    """The first of some networks that has photographs."""
    for row in rows.to_dict("records"):
        pictures = pictures_of(results.runs, results.trained[int(row["record"])])
        if by_trained_on(pictures):
            return _Network(row, pictures)
    return None


def _pairs(baseline: _Network, chosen: _Network) -> Iterator[_Pair]:
    """The photographs that both enhanced, of the same shot and undamaged.

    Those that the chosen network was trained on come last.
    """
    for name in by_trained_on(chosen.pictures):
        enhanced, inputs, targets = (
            [pixels for network in (chosen, baseline) if (pixels := _read(network, kind, name)) is not None]
            for kind in ("photograph", "input", "target")
        )
        if len(enhanced) < 2 or not inputs or len({pixels.shape for pixels in (*enhanced, *inputs)}) > 1:
            continue
        if difference(inputs[0], inputs[-1]).mean() > _SAME_SHOT:
            continue
        pictures = [network.pictures["photograph", name] for network in (chosen, baseline)]
        flags = [picture.is_trained_on for picture in pictures]
        yield _Pair(
            name=name,
            title=one_line(pictures[0].said.get("title"), _LONGEST_TEXT) or name,
            credit=one_line(pictures[0].said.get("credit"), _LONGEST_TEXT),
            trained_on=True if True in flags else None if None in flags else False,
            input=inputs[0],
            target=next((pixels for pixels in targets if pixels.shape == inputs[0].shape), None),
            baseline=enhanced[1],
            chosen=enhanced[0],
            differences=difference(*enhanced),
        )


def _read(network: _Network, kind: str, name: str) -> Pixels | None:
    """A picture's pixels; None where it is missing, damaged or too small to compare."""
    image = read_rgb(network.pictures.get((kind, name)))
    if image is None or image.width < SMALLEST[0] or image.height < SMALLEST[1]:
        return None
    return np.asarray(image)


def _common_top(differences: list[Numbers]) -> int:
    """One end of the scale for all maps of differences, so that they can be compared."""
    needed = max((float(np.quantile(values, 1 - _BEYOND_SCALE)) for values in differences), default=0.0)
    return next((top for top in _TOPS if top >= needed), _TOPS[-1])


# --- the figure -------------------------------------------------------------------------------------------------------


def _comparison(results: Results, baseline: _Network, chosen: _Network, pair: _Pair, top: int) -> Comparison:
    crops = choose_crops(pair.chosen, pair.baseline, pair.input if pair.target is None else pair.target)
    facts = {
        "pair": pair,
        "baseline": baseline,
        "chosen": chosen,
        "cost_kind": results.cost_kind,
        "trained_otherwise": baseline.row["condition"] != chosen.row["condition"],
        "sizes": sorted({n.row["size"] for n in (baseline, chosen) if is_number(n.row["latency_ms_median"])}),
        "top": top,
        "mean": float(pair.differences.mean()),
        "largest": float(pair.differences.max()),
        "zoom": ZOOM,
    }
    parts = ("caption", "alt", "scale", "levels", "crops", "credit")
    said = {part: phrase("photographs", part, facts) for part in parts}
    scale = Scale(top, said["scale"], (said["levels"], said["crops"]), said["credit"])
    picture = sheet(_cells(results, baseline, chosen, pair, top), crops, scale)
    image = webp(picture, _QUALITY)
    return Comparison(pair.name, pair.title, said["caption"], said["alt"], image, picture.width, picture.height)


def _cells(results: Results, baseline: _Network, chosen: _Network, pair: _Pair, top: int) -> list[Cell]:
    untouched = results.untouched["ms_ssim"]
    input_score = "" if untouched is None else f"MS-SSIM {decimals(untouched, 4)} untouched"
    role = "Baseline" if baseline.is_papers else "Slowest"
    target = [] if pair.target is None else [Cell(pair.target, "Photograph", "what the phone's shot was made from")]
    return [
        Cell(pair.input, "Simulated phone", input_score),
        Cell(pair.baseline, f"{role} {baseline.label}", _scores(baseline)),
        Cell(pair.chosen, f"Chosen {chosen.label}", _scores(chosen)),
        *target,
        Cell(colored(pair.differences, top), "Difference", f"of {chosen.label} from {baseline.label}"),
    ]


def _scores(network: _Network) -> str:
    """Test score and time, as far as they are known: `MS-SSIM 0.9223 · 580 ms (8.67×)`."""
    ms_ssim, latency_ms, speed_up = (network.row[name] for name in ("ms_ssim", "latency_ms_median", "speed_up"))
    score = f"MS-SSIM {decimals(float(ms_ssim), 4)}" if is_number(ms_ssim) else ""
    time = f"{significant(latency_ms)} ms" if is_number(latency_ms) else ""
    if is_number(speed_up) and not network.is_papers:
        time = f"{time} ({speed_up_text(speed_up)})" if time else speed_up_text(speed_up)
    return " · ".join(part for part in (score, time) if part)
