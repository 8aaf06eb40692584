"""What pictures of networks are drawn with, in inches: boxes, bands, joins, arrows, text, a title and a legend."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

from enhance_sweep.report.architecture.network import Network
from enhance_sweep.report.figures.style import BLUE, GREEN, INK, MUTED, OCHRE, PAPER, PURPLE, VERMILLION, new_figure
from enhance_sweep.report.labels import TIMES, significant

Point = tuple[float, float]

#: Type in points, and the height in inches that a line of it takes.
LABEL, SMALL = 7.5, 7.0
LINE = 0.135
#: A join's radius, a band's thickness, and how far apart parallel connections run.
RADIUS, BAND, LANE = 0.085, 0.055, 0.11
MARGIN = 0.1
_BAND_COLORS = {"norm": GREEN, "activation": OCHRE, "other": PURPLE}
_OPERATIONS = {"add": "sum", "cat": "concatenation", "mul": "product"}
_PALEST, _DEEPEST = 0.12, 0.9
_BAND_DEPTH = 0.8
_KEY_RADIUS = 0.062
_CORNER = 0.045
_MOST_NAMED = 3


@cache
def text_width(text: str, size: float, bold: bool = False) -> float:
    """How many inches a line of text takes."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def fitting(text: str, size: float, width: float, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits into so many inches."""
    if text_width(text, size, bold) <= width:
        return text
    while text and text_width(text + "…", size, bold) > width:
        text = text[:-1].rstrip()
    return text + "…"


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
    """`1280×720`, as photographs are called: width first."""
    return f"{size[1]}{TIMES}{size[0]}"


@dataclass(frozen=True)
class _Entry:
    """A legend's symbol, drawn from a left end at a height, its width, and its text."""

    symbol: str
    look: Any
    width: float
    text: str


class Sheet:
    """Collects what is drawn, y upwards, and becomes a figure around it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._artists: list[Artist] = []
        self._bounds = [0.0, 0.0, 0.0, 0.0]  # left, bottom, right, top
        boxes = (index for index, node in enumerate(network.nodes) if node.kind == "layer")
        self._largest_share = max((network.share(index) or 0.0 for index in boxes), default=0.0)

    def reserve(self, left: float, bottom: float, right: float, top: float) -> None:
        """Make the figure reach at least so far."""
        low, high = self._bounds[:2], self._bounds[2:]
        self._bounds = [min(low[0], left), min(low[1], bottom), max(high[0], right), max(high[1], top)]

    def text(self, place: Point, text: str, size: float = LABEL, color: str = INK, **options: Any) -> None:
        """A line of text; `ha` and `va` as matplotlib's."""
        look = {"ha": "center", "va": "baseline"} | options
        self._artists.append(Text(*place, text, fontsize=size, color=color, zorder=5, **look))
        width = text_width(text, size, look.get("fontweight") == "bold")
        left = place[0] - width * {"left": 0.0, "center": 0.5, "right": 1.0}[str(look["ha"])]
        down = {"baseline": 0.25, "center_baseline": 0.5}[str(look["va"])] * LINE
        self.reserve(left, place[1] - down, left + width, place[1] - down + LINE)

    def box(self, left: float, bottom: float, width: float, height: float, share: float | None, label: str) -> None:
        """A layer, the deeper in color the more of the multiply-adds it has."""
        # On paper of its own, so that a line behind it does not show through.
        self._rectangle(left, bottom, width, height, facecolor=PAPER, linewidth=0.0, zorder=3)
        look = {"facecolor": BLUE, "alpha": self._depth(share), "linewidth": 0.0, "label": "depth"}
        self._rectangle(left, bottom, width, height, zorder=3.1, **look)
        outline = {"facecolor": "none", "edgecolor": BLUE, "linewidth": 0.8}
        self._rectangle(left, bottom, width, height, zorder=3.2, label=label, **outline)

    def slab(self, left: float, bottom: float, width: float, height: float) -> None:
        """A photograph."""
        look = {"facecolor": PAPER, "edgecolor": INK, "linewidth": 0.8, "label": "photograph"}
        self._rectangle(left, bottom, width, height, zorder=3, **look)

    def band(self, left: float, bottom: float, width: float, height: float, role: str) -> None:
        """A norm or an activation."""
        self._rectangle(left, bottom, width, height, facecolor=PAPER, linewidth=0.0, zorder=3)
        look = {"facecolor": _BAND_COLORS[role], "alpha": _BAND_DEPTH, "edgecolor": PAPER, "linewidth": 0.4}
        self._rectangle(left, bottom, width, height, zorder=3.3, label=role, **look)

    def join(self, x: float, y: float, operation: str, label: str = "join", radius: float = RADIUS) -> None:
        """Where features meet: a circle with the operation's sign."""
        look = {"facecolor": PAPER, "edgecolor": INK, "linewidth": 0.9, "zorder": 3, "label": f"{label} {operation}"}
        self._artists.append(Circle((x, y), radius, **look))
        arm = radius * 0.58
        if operation == "mul":
            arm *= 0.75
            strokes = [[(x - arm, y - arm), (x + arm, y + arm)], [(x - arm, y + arm), (x + arm, y - arm)]]
        elif operation == "cat":
            side = arm * 0.45
            strokes = [[(x - side, y - arm), (x - side, y + arm)], [(x + side, y - arm), (x + side, y + arm)]]
        elif operation == "add":
            strokes = [[(x - arm, y), (x + arm, y)], [(x, y - arm), (x, y + arm)]]
        else:
            strokes = []
            self.dot(x, y, INK)
        self._artists += [self._arrow(stroke, INK, "-", 3.1, 0.9, "stroke") for stroke in strokes]
        self.reserve(x - radius, y - radius, x + radius, y + radius)

    def dot(self, x: float, y: float, color: str = VERMILLION) -> None:
        """Where a connection leaves another."""
        self._artists.append(Circle((x, y), 0.023, facecolor=color, edgecolor="none", zorder=3.1, label="dot"))

    def dots(self, x: float, y: float, step: Point) -> None:
        """An ellipsis along the way."""
        for turn in (-1, 0, 1):
            self.dot(x + turn * step[0], y + turn * step[1], MUTED)

    def flow(self, points: Sequence[Point]) -> None:
        """What runs from one layer into the next."""
        self._artists.append(self._arrow(points, INK, "-|>", 2, 0.9, "flow"))

    def flow_on(self, points: Sequence[Point]) -> None:
        """What runs on to where a connection leaves."""
        self._artists.append(self._arrow(points, INK, "-", 2, 0.9, "stroke"))

    def skip(self, points: Sequence[Point]) -> None:
        """What runs past some layers."""
        self._artists.append(self._arrow(points, VERMILLION, "-|>", 2.1, 1.0, "skip"))
        for x, y in points:
            self.reserve(x, y, x, y)

    def frame(self, left: float, bottom: float, right: float, top: float) -> None:
        """Around what is repeated."""
        look: dict[str, Any] = {"facecolor": "none", "edgecolor": MUTED, "linewidth": 0.8, "linestyle": (0, (3, 2))}
        style = "round,pad=0,rounding_size=0.07"
        place = (left, bottom)
        frame = FancyBboxPatch(place, right - left, top - bottom, boxstyle=style, zorder=1, label="frame", **look)
        self._artists.append(frame)
        self.reserve(left, bottom, right, top)

    def finished(self, width: float, is_wide: bool, note: str, not_drawn: int) -> Figure:
        """The figure, of that width, with a title above and a legend below what was drawn.

        Args:
            width: in inches.
            is_wide: whether there is room for the whole title in one line.
            note: what sizes mean.
            not_drawn: how many connections have no line.
        """
        left, _, right, _ = self._bounds
        edge = (left + right - width) / 2 + MARGIN  # of title and legend; the drawing is in the middle
        self._title(edge, width - 2 * MARGIN, is_wide)
        self._legend(edge, width - 2 * MARGIN, note, not_drawn)
        bottom, top = self._bounds[1] - MARGIN, self._bounds[3] + MARGIN
        figure = new_figure(width, top - bottom)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(edge - MARGIN, edge - MARGIN + width)
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
        name = fitting(network.name, 9.5, width, bold=True)
        beside = text_width(name, 9.5, bold=True) + 0.15 if name else 0.0
        one_line = not name or (is_wide and beside + text_width(counts, 8.5) <= width)
        y = self._bounds[3] + 0.16 + (0.0 if one_line else 0.18)
        if name:
            self.text((left, y), name, 9.5, ha="left", fontweight="bold")
        x, y = (left + beside, y) if one_line else (left, y - 0.18)
        self.text((x, y), fitting(counts, 8.5, width, bold=False), 8.5, MUTED, ha="left")

    def _legend(self, left: float, width: float, note: str, not_drawn: int) -> None:
        x, y = left, self._bounds[1] - 0.24
        for entry in self._entries(note, not_drawn):
            room = width - entry.width
            text = fitting(entry.text, SMALL, room)
            taken = entry.width + text_width(text, SMALL)
            if x > left and x + taken > left + width:
                x, y = left, y - 0.18
            self._symbol(entry, x, y)
            self.text((x + entry.width, y), text, SMALL, MUTED, ha="left", va="center_baseline")
            x += taken + 0.2

    def _entries(self, note: str, not_drawn: int) -> list[_Entry]:
        network = self.network
        entries = []
        if self._largest_share:
            text = f"box: 0 to {percent(self._largest_share)} of multiply-adds"
            entries.append(_Entry("ramp", None, 0.43, text))
        for role in _BAND_COLORS:
            kinds = dict.fromkeys(kind for node in network.nodes for each, kind in node.bands if each == role)
            if kinds:
                entries.append(_Entry("band", role, 0.12, _named(list(kinds))))
        operations = list(dict.fromkeys(node.label for node in network.nodes if node.kind == "join"))
        known = [operation for operation in operations if operation in _OPERATIONS]
        entries += [_Entry("join", operation, 0.18, _OPERATIONS[operation]) for operation in known]
        unknown = [operation for operation in operations if operation not in _OPERATIONS]
        entries += [_Entry("join", unknown[0], 0.18, _named(unknown))] if unknown else []
        layers = [(node.label, node.channels) for node in network.nodes if node.kind == "layer"]
        labels = [label for label, _ in layers]
        first = next(((label.partition(" ")[0], channels) for label, channels in layers if TIMES in label), None)
        if first:  # one explains all
            entries.append(_Entry("", None, 0.0, f"{first[0]} and {first[1]}: kernel and channels"))
        if any(" / " in label and not label.endswith(("½", ")")) for label in labels):
            entries.append(_Entry("", None, 0.0, "/ 2: stride"))
        if any(label.endswith("½") for label in labels):
            entries.append(_Entry("", None, 0.0, "/ ½: transposed, stride 2"))
        entries.append(_Entry("", None, 0.0, note))
        if not_drawn:
            entries.append(_Entry("", None, 0.0, f"{not_drawn:,} more connections not drawn"))
        return entries

    def _symbol(self, entry: _Entry, x: float, y: float) -> None:
        if entry.symbol == "ramp":
            for step in range(4):
                look = {"facecolor": BLUE, "alpha": self._depth(self._largest_share * step / 3), "linewidth": 0.0}
                self._rectangle(x + 0.09 * step, y - 0.045, 0.09, 0.09, zorder=3, label="key", **look)
        elif entry.symbol == "band":
            look = {"facecolor": _BAND_COLORS[entry.look], "alpha": _BAND_DEPTH, "linewidth": 0.0}
            self._rectangle(x, y - 0.055, BAND, 0.11, zorder=3, label="key", **look)
        elif entry.symbol == "join":
            self.join(x + _KEY_RADIUS, y, entry.look, "key", _KEY_RADIUS)

    def _depth(self, share: float | None) -> float:
        part = share / self._largest_share if share and self._largest_share else 0.0
        return round(_PALEST + (_DEEPEST - _PALEST) * part, 3)

    def _rectangle(self, left: float, bottom: float, width: float, height: float, **look: Any) -> None:
        self._artists.append(Rectangle((left, bottom), width, height, **look))
        self.reserve(left, bottom, left + width, bottom + height)

    def _arrow(
        self, points: Sequence[Point], color: str, head: str, zorder: float, linewidth: float, label: str
    ) -> FancyArrowPatch:
        style = f"{head},head_length=3.6,head_width=1.7" if head != "-" else head
        look: dict[str, Any] = {"facecolor": color, "edgecolor": color, "linewidth": linewidth, "label": label}
        look |= {"joinstyle": "miter", "capstyle": "butt", "mutation_scale": 1, "arrowstyle": style}
        return FancyArrowPatch(path=_rounded(points), zorder=zorder, **look)


def _rounded(points: Sequence[Point]) -> Path:
    """A line through points, its corners a little rounded; points that lie on another are left out."""
    distinct = [point for index, point in enumerate(points) if not index or point != points[index - 1]]
    vertices, codes = [distinct[0]], [Path.MOVETO]
    for before, corner, after in zip(distinct, distinct[1:], distinct[2:], strict=False):
        vertices += [_towards(corner, before), corner, _towards(corner, after)]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, distinct[-1]], [*codes, Path.LINETO])


def _towards(corner: Point, end: Point) -> Point:
    """The place a corner's radius away from it, at most half the way to the next."""
    dx, dy = end[0] - corner[0], end[1] - corner[1]
    length = max(abs(dx), abs(dy))
    part = min(_CORNER / length, 0.5)
    return corner[0] + dx * part, corner[1] + dy * part


def _named(kinds: list[str]) -> str:
    """Class names as a legend says them: `instance norm`, `ReLU, SiLU`."""
    words = [re.sub(r"^(\w)(\w*?)Norm(\dd)?$", lambda part: f"{part[1].lower()}{part[2]} norm", kind) for kind in kinds]
    rest = "" if len(words) <= _MOST_NAMED else ", …"
    return ", ".join(words[:_MOST_NAMED]) + rest
