"""A contact sheet: photographs side by side, two enlarged crops of each, and the scale of the map of differences.

input          baseline       chosen
A    B         A    B         A    B         the two crops of each, enlarged
target         difference     scale
A    B         A    B
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from enhance_sweep.report.figures.style import INK, MUTED, PAPER
from enhance_sweep.report.labels import shortened

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.float64]
#: Left, top, right, bottom, in pixels; the last two are the first outside.
Box = tuple[int, int, int, int]

WIDTH = 1600
#: How many times crops are enlarged. Pixels are repeated, not blended, so that each can be seen.
ZOOM = 3
_COLUMNS, _MARGIN, _GAP, _NARROW_GAP = 3, 24, 24, 6
_CELL = (WIDTH - 2 * _MARGIN - (_COLUMNS - 1) * _GAP) // _COLUMNS
#: A crop's width and height in pixels: two of them, enlarged, are as wide as a cell.
CROP = ((_CELL - _NARROW_GAP) // 2 // ZOOM, 56)
#: Crops stay this many pixels away from the edge, where the padding's zeros show.
_EDGE = 16
#: A photograph at least this large has room for two crops that do not overlap, wherever the first one lies.
SMALLEST = (3 * CROP[0] + 2 * _EDGE, 3 * CROP[1] + 2 * _EDGE)
#: Okabe and Ito's yellow and sky blue (2008), seen on any photograph with dark lines beside them.
_FRAMES = (("A", "#f0e442"), ("B", "#56b4e9"))
_SHADOW = "#101010"
_TITLE_PX, _NOTE_PX, _SMALL_PX, _LEADING = 25, 21, 18, 1.35
_CAPTION_PX = 8 + round((_TITLE_PX + _NOTE_PX) * _LEADING)
_SCALE_PX = 30
#: Perceptually uniform, from black for no difference to light.
_COLORS = "inferno"


@dataclass(frozen=True)
class Cell:
    """A photograph, uint8 RGB (H, W, 3), and the two lines under it."""

    pixels: Pixels
    title: str
    note: str


@dataclass(frozen=True)
class Scale:
    """What the colors of the map of differences mean.

    Attributes:
        top: gray levels, of 255, at the bright end.
        title: the line under the numbers.
        lines: further text.
        credit: the last line, in small type.
    """

    top: int
    title: str
    lines: tuple[str, ...]
    credit: str


def difference(one: Pixels, other: Pixels) -> Numbers:
    """The absolute difference of two pictures in gray levels, (H, W): the mean of red, green and blue."""
    apart: Numbers = np.abs(one.astype(np.float64) - other.astype(np.float64)).mean(axis=2)
    return apart


def colored(differences: Numbers, top: int) -> Pixels:
    """A map of differences as a picture, uint8 RGB: black where there is none, the brightest color from `top` on."""
    index = np.rint(np.clip(differences / top, 0, 1) * 255).astype(np.uint8)
    picture: Pixels = _color_table()[index]
    return picture


@cache
def _color_table() -> Pixels:
    table: Pixels = np.rint(mpl.colormaps[_COLORS](np.arange(256))[:, :3] * 255).astype(np.uint8)
    return table


def choose_crops(one: Pixels, other: Pixels, photograph: Pixels) -> tuple[Box, Box]:
    """The crop in which two networks' details differ most, and another in which the photograph has most detail.

    A difference that is the same all over a crop is one of tone and does not count: the whole picture shows it better.

    Args:
        one: one network's output, uint8 RGB (H, W, 3), at least as large as `SMALLEST`.
        other: the other network's output.
        photograph: the picture that both enhanced, or its target, of the same size.
    """
    signed, gray = _gray(one) - _gray(other), _gray(photograph)
    slopes = np.abs(np.diff(gray, axis=0, append=gray[-1:])) + np.abs(np.diff(gray, axis=1, append=gray[:, -1:]))
    first = _fullest(_sums(signed**2) - _sums(signed) ** 2 / (CROP[0] * CROP[1]))
    detail = _sums(slopes)
    rows, columns = np.ogrid[: detail.shape[0], : detail.shape[1]]
    overlaps = (np.abs(rows + _EDGE - first[1]) < CROP[1]) & (np.abs(columns + _EDGE - first[0]) < CROP[0])
    return first, _fullest(np.where(overlaps, -1.0, detail))


def _gray(picture: Pixels) -> Numbers:
    mean: Numbers = picture.astype(np.float64).mean(axis=2)
    return mean


def _sums(values: Numbers) -> Numbers:
    """The sum of values in each crop that keeps away from the edge, by its top left corner."""
    width, height = CROP
    values = values[_EDGE:-_EDGE, _EDGE:-_EDGE]
    total = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    sums: Numbers = (
        total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    )
    return sums


def _fullest(sums: Numbers) -> Box:
    top, left = (int(place) + _EDGE for place in np.unravel_index(int(sums.argmax()), sums.shape))
    return _box(left, top, CROP)


# --- places -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slot:
    """Where a cell's parts are on the sheet: the picture, its two crops, and the top left corner of its caption."""

    picture: Box
    crops: tuple[Box, Box]
    caption: tuple[int, int]


def places(size: tuple[int, int], cells: int) -> list[Slot]:
    """Where photographs of one `size` (width, height) are on the sheet, row by row.

    Each picture fills the width of its cell; one that is taller than wide is as high as the cell is wide.
    """
    scale = min(_CELL / size[0], _CELL / size[1])
    width, height = (max(1, round(side * scale)) for side in size)
    crop = CROP[0] * ZOOM, CROP[1] * ZOOM
    step = height + _NARROW_GAP + crop[1] + _CAPTION_PX + _GAP
    slots = []
    for index in range(cells):
        row, column = divmod(index, _COLUMNS)
        left, top = _MARGIN + column * (_CELL + _GAP), _MARGIN + row * step
        below = top + height + _NARROW_GAP
        picture = _box(left + (_CELL - width) // 2, top, (width, height))
        crops = _box(left, below, crop), _box(left + _CELL - crop[0], below, crop)
        slots.append(Slot(picture, crops, (left, below + crop[1] + 8)))
    return slots


def _box(left: int, top: int, size: tuple[int, int]) -> Box:
    return left, top, left + size[0], top + size[1]


# --- drawing ----------------------------------------------------------------------------------------------------------


def sheet(cells: Sequence[Cell], crops: tuple[Box, Box], scale: Scale) -> Image.Image:
    """Lay photographs of one size side by side, with the same two crops of each below it, and the scale after them.

    Args:
        cells: in reading order; the scale takes the place after the last one.
        crops: in pixels of the photographs, each of `CROP`'s size.
        scale: what the colors of a map of differences among them mean.
    """
    height, width = cells[0].pixels.shape[:2]
    *slots, last = places((width, height), len(cells) + 1)
    canvas = Image.new("RGB", (WIDTH, last.caption[1] + _CAPTION_PX + _MARGIN), PAPER)
    draw = ImageDraw.Draw(canvas)
    for cell, slot in zip(cells, slots, strict=True):
        _draw_cell(canvas, draw, cell, slot, crops)
    _draw_scale(canvas, draw, scale, last)
    return canvas


def _draw_cell(canvas: Image.Image, draw: ImageDraw.ImageDraw, cell: Cell, slot: Slot, crops: tuple[Box, Box]) -> None:
    picture = Image.fromarray(cell.pixels)
    left, top, right, bottom = slot.picture
    canvas.paste(picture.resize((right - left, bottom - top), Image.Resampling.LANCZOS), (left, top))
    scale = (right - left) / picture.width
    for (letter, color), crop, place in zip(_FRAMES, crops, slot.crops, strict=True):
        enlarged = picture.crop(crop).resize((place[2] - place[0], place[3] - place[1]), Image.Resampling.NEAREST)
        canvas.paste(enlarged, place[:2])
        shown = [round(start + side * scale) for start, side in zip((left, top) * 2, crop, strict=True)]
        _draw_frame(draw, shown, letter, color)
        _draw_frame(draw, place, letter, color)
    x, y = slot.caption
    draw.text((x, y), _fitted(cell.title, _font(_TITLE_PX, bold=True), _CELL), INK, _font(_TITLE_PX, bold=True))
    y += round(_TITLE_PX * _LEADING)
    draw.text((x, y), _fitted(cell.note, _font(_NOTE_PX), _CELL), MUTED, _font(_NOTE_PX))


def _draw_frame(draw: ImageDraw.ImageDraw, box: Any, letter: str, color: str) -> None:
    """A frame between two dark lines just inside a box, with its letter in the top left corner."""
    left, top, right, bottom = box
    for inset, ink, width in ((0, _SHADOW, 1), (1, color, 3), (4, _SHADOW, 1)):
        draw.rectangle((left + inset, top + inset, right - 1 - inset, bottom - 1 - inset), outline=ink, width=width)
    side = _SMALL_PX + 6
    draw.rectangle((left, top, left + side, top + side), fill=color, outline=_SHADOW)
    draw.text((left + side / 2, top + side / 2), letter, _SHADOW, _font(_SMALL_PX, bold=True), anchor="mm")


def _draw_scale(canvas: Image.Image, draw: ImageDraw.ImageDraw, scale: Scale, slot: Slot) -> None:
    """A bar of colors with numbers under it, and the text that explains them."""
    left, top = slot.crops[0][0], slot.picture[1]
    colors = _color_table()[np.linspace(0, 255, _CELL).round().astype(int)]
    canvas.paste(Image.fromarray(np.repeat(colors[None], _SCALE_PX, axis=0)), (left, top))
    draw.rectangle((left, top, left + _CELL - 1, top + _SCALE_PX - 1), outline=MUTED, width=1)
    y = top + _SCALE_PX
    for part, anchor in enumerate(("la", "ma", "ma", "ma", "ra")):
        x = left + round(part / 4 * (_CELL - 1))
        draw.line((x, y, x, y + 7), MUTED, 2)
        more = "+" if part == 4 and scale.top < 255 else ""
        draw.text((x, y + 10), f"{scale.top * part / 4:g}{more}", INK, _font(_NOTE_PX), anchor=anchor)
    y += 10 + round(_NOTE_PX * _LEADING) + 4
    for text, color, font in (
        (scale.title, INK, _font(_TITLE_PX, bold=True)),
        *((line, INK, _font(_NOTE_PX)) for line in scale.lines),
        (scale.credit, MUTED, _font(_SMALL_PX)),
    ):
        for line in _wrapped(text, font, _CELL):
            draw.text((left, y), line, color, font)
            y += round(font.size * _LEADING)
        y += 10


# --- type -------------------------------------------------------------------------------------------------------------


@cache
def _font(size_px: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The figures' typeface, from matplotlib's own files."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    # Pillow's other layout engine depends on a system library, and sets type differently.
    return ImageFont.truetype(
        str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size_px, layout_engine=ImageFont.Layout.BASIC
    )


def _fitted(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, cut with an ellipsis where it is wider than `width` pixels."""
    return shortened(text, lambda line: font.getlength(line) <= width)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """A text broken between words into lines no wider than `width` pixels."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(_fitted(word, font, width))
    return lines
