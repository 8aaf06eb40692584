"""Draws the parts of a network: boxes, bands, joins, arrows, text, a title and a legend. All sizes are in inches."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

from enhance_sweep.report.architecture.network import Network
from enhance_sweep.report.figures.style import BLUE, GREEN, INK, MUTED, OCHRE, PAPER, PURPLE, VERMILLION, new_figure
from enhance_sweep.report.labels import TIMES, shortened, significant

Point = tuple[float, float]

#: Font sizes in points, and the height of a line in inches.
LABEL, SMALL = 7.5, 7.0
LINE = 0.135
#: A join's radius, a band's thickness, and the distance between parallel connections.
RADIUS, BAND, LANE = 0.085, 0.055, 0.11
MARGIN = 0.1
_BAND_COLORS = {"norm": GREEN, "activation": OCHRE, "other": PURPLE}
_OPERATIONS = {"add": "sum", "sub": "difference", "cat": "concatenation", "mul": "product", "div": "quotient"}
_OPERATIONS |= {"mul+add": "products and sums", "sub+add": "difference and sum", "bmm": "matrix product"}
#: Each sign's strokes from one point (x, y) to another, in radii of the join.
_SIGNS = {
    "add": np.array([(-0.58, 0, 0.58, 0), (0, -0.58, 0, 0.58)]),
    "cat": np.array([(-0.26, -0.58, -0.26, 0.58), (0.26, -0.58, 0.26, 0.58)]),
    "mul": np.array([(-0.435, -0.435, 0.435, 0.435), (-0.435, 0.435, 0.435, -0.435)]),
    "sub": np.array([(-0.58, 0, 0.58, 0)]),
    "sub+add": np.array([(-0.45, 0.15, 0.45, 0.15), (0, -0.2, 0, 0.6), (-0.45, -0.45, 0.45, -0.45)]),
}
#: Behind a kernel: marks, and what they mean.
_MARKS = {r"dw": "depthwise", r"g\d+": "groups of channels", r"d\d+": "dilation"}
#: What a trapezoid does, by its label.
_RESIZING = {
    "unshuffle": "unshuffle: pixels to channels",
    "shuffle": "shuffle: channels to pixels",
    "bilinear": "bilinear: enlarged smoothly",
    "bicubic": "bicubic: enlarged smoothly",
    "nearest": "nearest: pixels repeated",
    "max pool": "max pool: largest of some pixels",
    "mean pool": "mean pool: mean of some pixels",
    "mean": "mean: of each channel",
    "moments": "moments: mean and deviation of each channel",
}
_SIGNS["mul+add"] = np.concatenate([_SIGNS["mul"], _SIGNS["add"]])
_PALEST, _DEEPEST = 0.12, 0.9
_BAND_DEPTH = 0.8
_KEY_RADIUS = 0.062
_CORNER = 0.045
_MOST_NAMED, _MOST_LINES = 3, 3


@cache
def text_width(text: str, size: float, bold: bool = False) -> float:
    """The width of a line of text in inches."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def fitting(text: str, size: float, width: float, bold: bool = False) -> str:
    """The text, cut with an ellipsis where it is wider than `width` inches."""
    return shortened(text, lambda line: text_width(line, size, bold) <= width)


def percent(share: float) -> str:
    """`37%`, `<1%`."""
    return "<1%" if 0 < share < 0.005 else f"{100 * share:.0f}%"


def _macs_text(macs: int) -> str:
    """`368 GMACs`, `5.71 MMACs`, `300 MACs`."""
    for power, prefix in ((9, "G"), (6, "M")):
        if macs >= 10 ** (power - 1):
            return f"{significant(macs / 10**power)} {prefix}MACs"
    return f"{macs:,} MACs"


def resolution_text(size: tuple[int, int]) -> str:
    """`1280×720`: width first, as for photographs."""
    return f"{size[1]}{TIMES}{size[0]}"


@dataclass(frozen=True)
class _Entry:
    """A line of the legend: a symbol of the given width, then its text."""

    text: str
    width: float = 0.0
    draw: Callable[[float, float], None] | None = None


class Sheet:
    """A canvas, y upwards, that grows to fit what is drawn. Rectangles are given by two opposite corners."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._artists: list[Artist] = []
        self._left = self._bottom = self._right = self._top = 0.0
        layers = (index for index, node in enumerate(network.nodes) if node.kind == "layer")
        self._largest_share = max((network.share(index) or 0.0 for index in layers), default=0.0)

    def reserve(self, *points: Point) -> None:
        """Make the figure reach at least to these points."""
        for x, y in points:
            self._left, self._right = min(self._left, x), max(self._right, x)
            self._bottom, self._top = min(self._bottom, y), max(self._top, y)

    def text(self, place: Point, text: str, size: float = LABEL, color: str = INK, **options: Any) -> None:
        """Draw a line of text; `ha` and `va` are matplotlib's."""
        look = {"ha": "center", "va": "baseline"} | options
        self._artists.append(Text(*place, text, fontsize=size, color=color, zorder=5, **look))
        width = text_width(text, size, look.get("fontweight") == "bold")
        left = place[0] - width * {"left": 0.0, "center": 0.5, "right": 1.0}[str(look["ha"])]
        bottom = place[1] - {"baseline": 0.25, "center_baseline": 0.5}[str(look["va"])] * LINE
        self.reserve((left, bottom), (left + width, bottom + LINE))

    def box(self, one: Point, other: Point, share: float | None) -> None:
        """Draw a layer; the more of the multiply-adds it has, the deeper its color."""
        self._rectangle(one, other, zorder=3)  # opaque, so that no line behind it shows through
        self._rectangle(one, other, zorder=3.1, facecolor=BLUE, alpha=self._depth(share), label="depth")
        outline = {"facecolor": "none", "edgecolor": BLUE, "linewidth": 0.8}
        self._rectangle(one, other, zorder=3.2, label="convolution", **outline)

    def trapezoid(self, corners: Sequence[Point], label: str = "resize") -> None:
        """Draw what changes the resolution and multiplies nothing."""
        look: dict[str, Any] = {"facecolor": PAPER, "edgecolor": PURPLE, "linewidth": 0.9, "joinstyle": "miter"}
        self._artists.append(Polygon(corners, closed=True, zorder=3, label=label, **look))
        self.reserve(*corners)

    def photograph(self, one: Point, other: Point) -> None:
        """Draw the photograph, at the input or the output."""
        self._rectangle(one, other, zorder=3, edgecolor=INK, linewidth=0.8, label="photograph")

    def band(self, one: Point, other: Point, role: str) -> None:
        """Draw a norm or an activation."""
        self._rectangle(one, other, zorder=3)
        look = {"facecolor": _BAND_COLORS[role], "alpha": _BAND_DEPTH, "edgecolor": PAPER, "linewidth": 0.4}
        self._rectangle(one, other, zorder=3.3, label=role, **look)

    def join(self, place: Point, operation: str, label: str = "join", radius: float = RADIUS) -> None:
        """Draw a join: a circle with the operation's sign."""
        look = {"facecolor": PAPER, "edgecolor": INK, "linewidth": 0.9, "zorder": 3, "label": f"{label} {operation}"}
        self._artists.append(Circle(place, radius, **look))
        if operation not in _SIGNS:
            self.dot(place, INK)
        x, y = place
        for dx, dy, to_x, to_y in radius * _SIGNS.get(operation, np.empty((0, 4))):
            self._line([(x + dx, y + dy), (x + to_x, y + to_y)], INK, 3.1, 0.9, "stroke")
        self.reserve((x - radius, y - radius), (x + radius, y + radius))

    def dot(self, place: Point, color: str = VERMILLION) -> None:
        """Draw a dot, where a connection branches off; or as part of an ellipsis."""
        self._artists.append(Circle(place, 0.023, facecolor=color, edgecolor="none", zorder=3.1, label="dot"))

    def flow(self, points: Sequence[Point], arrives: bool = True) -> None:
        """Draw the flow into the next layer, with an arrow if it arrives there."""
        self._line(points, INK, 2, 0.9, "flow" if arrives else "stroke", is_arrow=arrives)

    def skip(self, points: Sequence[Point]) -> None:
        """Draw a skip connection."""
        self._line(points, VERMILLION, 2.1, 1.0, "skip", is_arrow=True)
        self.reserve(*points)

    def frame(self, one: Point, other: Point) -> None:
        """Draw a frame around a repeated part."""
        place, width, height = _spanned(one, other)
        look: dict[str, Any] = {"facecolor": "none", "edgecolor": MUTED, "linewidth": 0.8, "linestyle": (0, (3, 2))}
        style = "round,pad=0,rounding_size=0.07"
        self._artists.append(FancyBboxPatch(place, width, height, boxstyle=style, zorder=1, label="frame", **look))
        self.reserve(one, other)

    def finished(self, width: float, is_wide: bool, note: str, not_drawn: int) -> Figure:
        """The figure, with a title above and a legend below what was drawn.

        Args:
            width: in inches.
            is_wide: whether the title may be one line.
            note: what the sizes of boxes mean.
            not_drawn: how many connections have no line.
        """
        left = (self._left + self._right - width) / 2 + MARGIN  # of title and legend; the drawing is in the middle
        self._title(left, width - 2 * MARGIN, is_wide)
        self._legend(left, width - 2 * MARGIN, note, not_drawn)
        bottom, top = self._bottom - MARGIN, self._top + MARGIN
        figure = new_figure(width, top - bottom)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(left - MARGIN, left - MARGIN + width)
        axes.set_ylim(bottom, top)
        for artist in self._artists:
            artist.set_clip_on(False)
            axes.add_artist(artist)
        return figure

    def _title(self, left: float, width: float, is_wide: bool) -> None:
        network = self.network
        parameters = "" if network.parameters is None else f"{network.parameters:,} parameters"
        macs = f"{_macs_text(network.macs)} at {resolution_text(network.size)}" if network.macs else ""
        counts = " · ".join(part for part in (parameters, macs) if part)
        lines = _lines(network.name, 9.5, width)
        beside = text_width(lines[0], 9.5, bold=True) + 0.15 if lines else 0.0
        one_line = not lines or (is_wide and len(lines) == 1 and beside + text_width(counts, 8.5) <= width)
        y = self._top + 0.16
        x = left + beside if one_line else left
        for number, line in enumerate(reversed(lines)):
            self.text((left, y + 0.18 * (number + (not one_line))), line, 9.5, ha="left", fontweight="bold")
        self.text((x, y), fitting(counts, 8.5, width), 8.5, MUTED, ha="left")

    def _legend(self, left: float, width: float, note: str, not_drawn: int) -> None:
        x, y = left, self._bottom - 0.24
        more = [_Entry(f"{not_drawn:,} more connections not drawn")] if not_drawn else []
        for entry in (*self._symbols(), *self._words(), _Entry(note), *more):
            text = fitting(entry.text, SMALL, width - entry.width)
            taken = entry.width + text_width(text, SMALL)
            if x > left and x + taken > left + width:
                x, y = left, y - 0.18
            if entry.draw:
                entry.draw(x, y)
            self.text((x + entry.width, y), text, SMALL, MUTED, ha="left", va="center_baseline")
            x += taken + 0.2

    def _symbols(self) -> Iterator[_Entry]:
        """The legend's entries for colors and signs."""
        nodes = self.network.nodes
        if self._largest_share:
            yield _Entry(f"box: 0 to {percent(self._largest_share)} of multiply-adds", 0.43, self._draw_ramp)
        resizing = dict.fromkeys(node.label for node in nodes if node.kind == "resize")
        for number, label in enumerate(resizing):
            words = _RESIZING.get(label, f"{label}: other resolution")
            yield _Entry(words, 0.0 if number else 0.2, None if number else self._draw_key_trapezoid)
        for role in _BAND_COLORS:
            kinds = dict.fromkeys(kind for node in nodes for each, kind in node.bands if each == role)
            if kinds:
                yield _Entry(_named(list(kinds)), 0.12, partial(self._draw_key_band, role))
        operations = dict.fromkeys(node.label for node in nodes if node.kind == "join")
        names = {operation: _OPERATIONS[operation] for operation in operations if operation in _OPERATIONS}
        unknown = [operation for operation in operations if operation not in _OPERATIONS]
        names |= {unknown[0]: _named(unknown)} if unknown else {}  # all have one sign
        for operation, name in names.items():
            yield _Entry(name, 0.18, partial(self._draw_key_join, operation))

    def _words(self) -> Iterator[_Entry]:
        """The legend's entries for the labels of convolutions."""
        layers = [node for node in self.network.nodes if node.kind == "layer"]
        first = next((node for node in layers if TIMES in node.label), None)
        if first:
            yield _Entry(f"{first.label.partition(' ')[0]} and {first.channels}: kernel and channels")
        labels = [node.label for node in layers]
        for mark, meaning in _MARKS.items():
            mark_shown = next((found for label in labels if (found := re.search(rf"(?<= ){mark}(?= |$)", label))), None)
            if mark_shown:
                yield _Entry(f"{mark_shown[0]}: {meaning}")
        strides = (label.rpartition(" / ")[2] for label in labels if " / " in label and not label.endswith(("½", ")")))
        if stride := next(strides, ""):
            yield _Entry(f"/ {stride}: stride")
        if any(label.endswith("½") for label in labels):
            yield _Entry("/ ½: transposed, stride 2")

    def _draw_ramp(self, x: float, y: float) -> None:
        for step in range(4):
            corners = (x + 0.09 * step, y - 0.045), (x + 0.09 * (step + 1), y + 0.045)
            depth = self._depth(self._largest_share * step / 3)
            self._rectangle(*corners, zorder=3, facecolor=BLUE, alpha=depth, label="key")

    def _draw_key_trapezoid(self, x: float, y: float) -> None:
        corners = [(x, y - 0.025), (x, y + 0.025), (x + 0.13, y + 0.06), (x + 0.13, y - 0.06)]
        self.trapezoid(corners, "key")

    def _draw_key_band(self, role: str, x: float, y: float) -> None:
        look = {"facecolor": _BAND_COLORS[role], "alpha": _BAND_DEPTH, "label": "key"}
        self._rectangle((x, y - 0.055), (x + BAND, y + 0.055), zorder=3, **look)

    def _draw_key_join(self, operation: str, x: float, y: float) -> None:
        self.join((x + _KEY_RADIUS, y), operation, "key", _KEY_RADIUS)

    def _depth(self, share: float | None) -> float:
        part = share / self._largest_share if share and self._largest_share else 0.0
        return round(_PALEST + (_DEEPEST - _PALEST) * part, 3)

    def _rectangle(self, one: Point, other: Point, **look: Any) -> None:
        look.setdefault("facecolor", PAPER)
        look.setdefault("linewidth", 0.0)
        self._artists.append(Rectangle(*_spanned(one, other), **look))
        self.reserve(one, other)

    def _line(
        self, points: Sequence[Point], color: str, zorder: float, linewidth: float, label: str, is_arrow: bool = False
    ) -> None:
        look: dict[str, Any] = {"facecolor": color, "edgecolor": color, "linewidth": linewidth, "label": label}
        look |= {"joinstyle": "miter", "capstyle": "butt", "mutation_scale": 1, "zorder": zorder}
        style = "-|>,head_length=3.6,head_width=1.7" if is_arrow else "-"
        self._artists.append(FancyArrowPatch(path=_rounded(points), arrowstyle=style, **look))


def _spanned(one: Point, other: Point) -> tuple[Point, float, float]:
    """The bottom left corner, width and height of a rectangle."""
    (left, right), (bottom, top) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    return (left, bottom), right - left, top - bottom


def _rounded(points: Sequence[Point]) -> Path:
    """A line through points with slightly rounded corners; a point equal to the one before it is left out."""
    distinct = [point for index, point in enumerate(points) if not index or point != points[index - 1]]
    vertices, codes = [distinct[0]], [Path.MOVETO]
    for before, corner, after in zip(distinct, distinct[1:], distinct[2:], strict=False):
        vertices += [_towards(corner, before), corner, _towards(corner, after)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, distinct[-1]], [*codes, Path.LINETO])


def _towards(corner: Point, end: Point) -> Point:
    """The point where a corner's rounding begins: at most half the way to the line's next point."""
    dx, dy = end[0] - corner[0], end[1] - corner[1]
    length = max(abs(dx), abs(dy))
    part = min(_CORNER / length, 0.5)
    return corner[0] + dx * part, corner[1] + dy * part


def _lines(text: str, size: float, width: float) -> list[str]:
    """Break a bold text between words into lines that fit; the last of `_MOST_LINES` is cut with an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        fits = lines and text_width(longer, size, bold=True) <= width
        if fits or len(lines) == _MOST_LINES:
            lines[-1] = longer
        else:
            lines.append(word)
    return [fitting(line, size, width, bold=True) for line in lines]


def _named(kinds: list[str]) -> str:
    """Class names as a legend says them: `instance norm`, `ReLU, SiLU`."""
    words = [re.sub(r"^(\w)(\w*?)Norm(\dd)?$", lambda part: f"{part[1].lower()}{part[2]} norm", kind) for kind in kinds]
    rest = "" if len(words) <= _MOST_NAMED else ", …"
    return ", ".join(words[:_MOST_NAMED]) + rest
