"""Figures 4 to 8 of the paper, remade: whole photographs as the baseline and the chosen network enhance them.

Everything is read from pictures that evaluation left beside the records, see `enhance_sweep.training.pictures`.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from enhance_sweep.paper import BASELINE_SLUG
from enhance_sweep.report.labels import decimals, is_number, significant, speed_up_text
from enhance_sweep.report.photographs.gallery import data_uri, named_pictures
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
from enhance_sweep.report.results.gather import Record, Results

SUFFIX = ".webp"
#: WebP's quality of the finished figure: type stays sharp, and a figure of a photograph has 150 to 350 kB.
_QUALITY = 88
_FORMATS = ("JPEG", "PNG", "WEBP")
#: A larger picture is no photograph of ours; 4 MiB of file may hide one that fills the memory.
_LARGEST_SIDE = 2048
#: Mean gray levels: as JPEG, one shot may differ a little between libraries; another exposure differs by far more.
_SAME_SHOT = 2.0
#: Ends of the scale, in gray levels. All figures share the smallest that leaves out only this share of the pixels.
_TOPS = (4, 8, 16, 32, 64, 128, 255)
_BEYOND_SCALE = 0.01
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LONGEST_TEXT = 160


@dataclass(frozen=True)
class Comparison:
    """One photograph's figure.

    Attributes:
        name: of the photograph, fit for a file's name: small letters, digits, hyphens and underscores.
        title, caption: plain text, made of what records say: to be escaped.
        alt: what a reader who cannot see it is told; to be escaped.
        image: the figure as WebP.
        width, height: its size in pixels.
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
        """What its file is called in a report's folder."""
        return f"photograph_{self.name}{SUFFIX}"

    @property
    def uri(self) -> str:
        """The figure as a part of a page."""
        return data_uri(SUFFIX, self.image)


@dataclass(frozen=True)
class _Network:
    """A network that has photographs: its row of `Results.variants`, and their files by (kind, photograph)."""

    row: Mapping[Any, Any]
    pictures: Mapping[tuple[str, str], tuple[Path, Mapping[str, Any]]]

    @property
    def label(self) -> str:
        return _text(self.row["label"])

    @property
    def is_papers(self) -> bool:
        return bool(self.row["slug"] == BASELINE_SLUG)


@dataclass(frozen=True)
class _Pair:
    """One photograph from two networks, all pictures uint8 RGB of one size."""

    name: str
    title: str
    credit: str
    trained_on: bool | None
    input: Pixels
    target: Pixels | None
    baseline: Pixels
    chosen: Pixels
    differences: Numbers


def comparisons(results: Results, most: int = 5, chosen: str | None = None) -> list[Comparison]:
    """A figure for each photograph that both the baseline and the chosen network have enhanced.

    The baseline is the paper's, plain 3/64/4; where that has no photographs or no time, the slowest network that has
    both. Photographs that the networks were not trained on come first.

    Args:
        results: what `gather` found.
        most: so many photographs at most.
        chosen: the `slug` of the network to compare with the baseline; None takes the best one on the frontier that is
            faster.

    Returns:
        Nothing where one of the two networks is lacking, or they have no photograph in common.

    Raises:
        ValueError: no network of these results is called `chosen`.
    """
    slugs = list(results.variants["slug"])
    if chosen is not None and chosen not in slugs:
        raise ValueError(
            f"no network {chosen!r} in {results.runs}: expected a slug of its variants, such as {slugs[0]}"
        )
    two = _two_networks(results, chosen)
    if two is None:
        return []
    pairs = _pairs(*two, most)
    top = _common_top([pair.differences for pair in pairs])
    return [_comparison(results, *two, pair, top, by_hand=chosen is not None) for pair in pairs]


# --- which ------------------------------------------------------------------------------------------------------------


def _two_networks(results: Results, chosen: str | None) -> tuple[_Network, _Network] | None:
    """The baseline and the network to compare with it, of those that have photographs."""
    rows = results.variants[results.variants["record"].notna() & (results.variants["trained"] == "completed")]
    others = rows[rows["cost"].notna() & (rows["slug"] != chosen)]
    # The paper's first; of several trainings of it that which most rows share, which is marked A.
    papers = others[others["slug"] == BASELINE_SLUG].sort_values("condition", kind="stable")
    slowest = others.sort_values("cost", ascending=False, kind="stable")
    baseline = _first_with_photographs(results, papers) or _first_with_photographs(results, slowest)
    if baseline is None:
        return None
    if chosen is None:
        candidates = rows[rows["on_frontier"] & (rows["cost"] < float(baseline.row["cost"]))]
    else:
        candidates = rows[rows["slug"] == chosen]
    other = _first_with_photographs(results, candidates.sort_values("ms_ssim", ascending=False, kind="stable"))
    if other is None:
        return None
    alike = others[(others["slug"] == baseline.row["slug"]) & (others["condition"] == other.row["condition"])]
    return _first_with_photographs(results, alike) or baseline, other


def _first_with_photographs(results: Results, rows: pd.DataFrame) -> _Network | None:
    """The first of some networks beside whose record there are photographs."""
    for row in rows.to_dict("records"):
        pictures = _pictures(results.runs, results.trained[int(row["record"])])
        if any(kind == "photograph" for kind, _ in pictures):
            return _Network(row, pictures)
    return None


def _pictures(runs: Path, record: Record) -> dict[tuple[str, str], tuple[Path, Mapping[str, Any]]]:
    """A record's pictures of photographs, by (kind, photograph); the first where it names one twice."""
    found: dict[tuple[str, str], tuple[Path, Mapping[str, Any]]] = {}
    for path, named in named_pictures(runs, record):
        name = named.get("photograph")
        if isinstance(name, str) and _NAME.fullmatch(name):
            found.setdefault((str(named.get("kind")), name), (path, named))
    return found


def _pairs(baseline: _Network, chosen: _Network, most: int) -> list[_Pair]:
    """The first photographs that both have and that can be compared; those that were trained on come last."""
    named = [
        (said.get("trained_on") is True, name)
        for (kind, name), (_, said) in chosen.pictures.items()
        if kind == "photograph"
    ]
    found: list[_Pair] = []
    for _, name in sorted(named, key=lambda one: one[0]):
        if len(found) < most and (pair := _pair(baseline, chosen, name)) is not None:
            found.append(pair)
    return found


def _pair(baseline: _Network, chosen: _Network, name: str) -> _Pair | None:
    """One photograph; None where a picture is missing or damaged, or the two networks were not shown the same shot."""
    by_chosen, by_baseline = _read(chosen, "photograph", name), _read(baseline, "photograph", name)
    inputs = [pixels for network in (chosen, baseline) if (pixels := _read(network, "input", name)) is not None]
    if by_chosen is None or by_baseline is None or not inputs:
        return None
    if len({pixels.shape for pixels in (by_chosen, by_baseline, *inputs)}) > 1:
        return None
    if difference(inputs[0], inputs[-1]).mean() > _SAME_SHOT:
        return None
    targets = [pixels for network in (chosen, baseline) if (pixels := _read(network, "target", name)) is not None]
    target = next((pixels for pixels in targets if pixels.shape == by_chosen.shape), None)
    said = [network.pictures["photograph", name][1] for network in (chosen, baseline)]
    flags = [named.get("trained_on") for named in said]
    trained_on = True if True in flags else False if flags == [False, False] else None
    return _Pair(
        name,
        _text(said[0].get("title")) or name,
        _text(said[0].get("credit")),
        trained_on,
        inputs[0],
        target,
        by_baseline,
        by_chosen,
        difference(by_chosen, by_baseline),
    )


def _read(network: _Network, kind: str, name: str) -> Pixels | None:
    """A picture's pixels; None where there is none, or it is damaged, too small to compare, or enormous."""
    path, _ = network.pictures.get((kind, name), (None, None))
    if path is None:
        return None
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            width, height = picture.size
            if width < SMALLEST[0] or height < SMALLEST[1] or max(width, height) > _LARGEST_SIDE:
                return None
            return np.asarray(picture.convert("RGB"))
    except Exception:  # damaged files make decoders raise nearly anything
        return None


def _text(value: Any) -> str:
    """What a record says as a line that can be drawn: no control characters, and not too long."""
    if not isinstance(value, str):
        return ""
    clean = "".join(letter if letter.isprintable() else " " for letter in value[: 2 * _LONGEST_TEXT])
    return " ".join(clean.split())[:_LONGEST_TEXT]


def _common_top(differences: list[Numbers]) -> int:
    """Where the scale of all maps ends, so that they can be compared with each other too."""
    needed = max((float(np.quantile(values, 1 - _BEYOND_SCALE)) for values in differences), default=0.0)
    return next((top for top in _TOPS if top >= needed), _TOPS[-1])


# --- what is shown ----------------------------------------------------------------------------------------------------


def _comparison(
    results: Results, baseline: _Network, chosen: _Network, pair: _Pair, top: int, *, by_hand: bool
) -> Comparison:
    crops = choose_crops(pair.chosen, pair.baseline, pair.input if pair.target is None else pair.target)
    untouched = results.untouched["ms_ssim"]
    cells = [
        Cell(pair.input, "Simulated phone", "" if untouched is None else f"MS-SSIM {decimals(untouched, 4)} untouched"),
        Cell(pair.baseline, f"{'Baseline' if baseline.is_papers else 'Slowest'} {baseline.label}", _scores(baseline)),
        Cell(pair.chosen, f"Chosen {chosen.label}", _scores(chosen)),
        Cell(colored(pair.differences, top), "Difference", f"of {chosen.label} from {baseline.label}"),
    ]
    if pair.target is not None:
        cells.insert(3, Cell(pair.target, "Photograph", "what the phone's shot was made from"))
    mean, largest = float(pair.differences.mean()), float(pair.differences.max())
    amplified = f", {round(255 / top)} times amplified" if top < 255 else ""
    scale = Scale(
        top,
        "Difference in gray levels of 255",
        (
            f"Absolute, the mean of R, G and B{amplified}. Here {decimals(mean, 1)} on average, {decimals(largest, 0)} "
            "at most.",
            f"A: where the two networks' details differ most. B: where else the photograph has most detail. Both "
            f"{ZOOM} times enlarged.",
        ),
        f"Photograph: {pair.credit}; altered as described." if pair.credit else "",
    )
    picture = sheet(cells, crops, scale)
    data = io.BytesIO()
    picture.save(data, format="WEBP", quality=_QUALITY, method=4)
    return Comparison(
        pair.name,
        pair.title,
        _caption(baseline, chosen, pair, top, results.cost_kind, by_hand=by_hand),
        f"{pair.title}: as a simulated phone took it, enhanced by {baseline.label} and by {chosen.label}, two crops of "
        f"each, and a map of the two networks' difference, {decimals(mean, 1)} gray levels on average",
        data.getvalue(),
        *picture.size,
    )


def _scores(network: _Network) -> str:
    """`MS-SSIM 0.9223 · 580 ms (8.67×)`: test score and time, of what there is."""
    latency_ms, speed_up = network.row["latency_ms_median"], network.row["speed_up"]
    parts = [f"MS-SSIM {decimals(float(network.row['ms_ssim']), 4)}"] if is_number(network.row["ms_ssim"]) else []
    time = f"{significant(latency_ms)} ms" if is_number(latency_ms) else ""
    if is_number(speed_up) and not network.is_papers:
        time = f"{time} ({speed_up_text(speed_up)})" if time else speed_up_text(speed_up)
    return " · ".join([*parts, *([time] if time else [])])


def _caption(baseline: _Network, chosen: _Network, pair: _Pair, top: int, cost_kind: str, *, by_hand: bool) -> str:
    """What the figure shows and how its networks were chosen, in sentences."""
    role = "the baseline" if baseline.is_papers else "the slowest network that has photographs here"
    less = "takes fewer multiply-adds" if cost_kind == "macs" else "is faster"
    why = "" if by_hand else f", the best one of the frontier that {less}"
    below = "" if pair.target is None else " (below it)"
    sentences = [
        f"What a simulated phone made of a photograph{below}, enhanced by {role}, {baseline.label}, and by "
        f"{chosen.label}{why}.",
        "MS-SSIM is the mean over the test pairs, not this photograph's" + _timed_size(baseline, chosen) + ".",
        f"The scale of the difference ends at {top} of 255 gray levels and is the same for all photographs.",
    ]
    if baseline.row["condition"] != chosen.row["condition"]:
        sentences.append("The two were trained in different ways, see the table of all networks.")
    if not baseline.is_papers:
        sentences.append("The paper's baseline, {3, 64, 4}, has no photographs or no time here.")
    if pair.trained_on is not None:
        sentences.append(
            "The networks were trained on other shots of this very photograph."
            if pair.trained_on
            else "The networks were not trained on it."
        )
    if pair.credit:
        sentences.append(f"Photograph: {pair.credit}; altered as described.")
    return " ".join(sentences)


def _timed_size(*networks: _Network) -> str:
    """`; times are for 1280x720 pixels`, where there are any times."""
    sizes = sorted({str(n.row["size"]) for n in networks if is_number(n.row["latency_ms_median"])})
    return f"; times are for {' and '.join(sizes)} pixels" if sizes else ""
