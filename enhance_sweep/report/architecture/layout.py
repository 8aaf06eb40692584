"""Lay a network out: across a wide page with a row for each resolution, or down a narrow one.

Both directions share one layout. A place has two coordinates in inches: `along` the flow of data, and `out` from it,
towards the side with the skip connections. Out is up in a drawing across the page, and left in a drawing down the page.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.figure import Figure

from enhance_sweep.report.architecture.lanes import Outside, Skip, fold_around, fold_entered, skips_of
from enhance_sweep.report.architecture.network import PHOTOGRAPH, Fold, Network, Node
from enhance_sweep.report.architecture.sheet import (
    BAND,
    LABEL,
    LINE,
    MARGIN,
    RADIUS,
    SMALL,
    Point,
    Sheet,
    fitting,
    percent,
    resolution_text,
    text_width,
)
from enhance_sweep.report.figures.style import INK, MUTED
from enhance_sweep.report.labels import TIMES

#: Inches: the smallest side of a box; the length of the dots for layers left out, and the step from one to the next.
_LEAST, _MORE, _DOT_STEP = 0.06, 0.27, 0.075
#: Inches: the thickness of a trapezoid, and how much longer than its end its beginning may be, at most.
_RESIZE, _NARROWS = 0.2, 0.3
#: Inches before a node at which connections leave its input in a frame, or arrive; else they leave within the gap.
_LEAVES, _ARRIVES, _LEAVES_IN_GAP = 0.13, 0.065, 0.38
#: Inches between a frame and the connections in it: along the flow, and further out.
_FRAME_INSET, _FRAME_OUTSET = 0.095, 0.06


@dataclass
class _Place:
    """A node's place, in inches.

    With its label it takes `slot` along the flow, from `start` to `stop`. Its body is in the middle, `body` along the
    flow, from `front` to `back`, and `length` across it. Body and label reach as far out as `reach`.
    """

    lines: tuple[str, ...]
    body: float
    length: float
    slot: float
    reach: float
    row: int
    start: float = 0.0

    @property
    def stop(self) -> float:
        return self.start + self.slot

    @property
    def middle(self) -> float:
        return self.start + self.slot / 2

    @property
    def front(self) -> float:
        return self.middle - self.body / 2

    @property
    def back(self) -> float:
        return self.middle + self.body / 2


class _Layout(ABC):
    """Places every part and draws it. Subclasses set the direction and write the texts."""

    is_wide: bool
    note: str
    #: Which of a node's (height, width) its box is as long as, and how thick the most channels are.
    side: int
    thickest: float
    #: The room for a frame along the flow, before and after, and for its title further out.
    before_frame: float
    after_frame: float
    frame_title: float

    def __init__(self, network: Network, longest: float, sizes: list[tuple[int, int]]) -> None:
        self.network, self.longest, self.sizes = network, longest, sizes
        last = len(network.nodes)
        self.nodes = {
            PHOTOGRAPH: Node("photograph", "input", network.channels, network.size, ()),
            **dict(enumerate(network.nodes)),
            last: Node("photograph", "output", 0, network.nodes[-1].size, (last - 1,)),
        }
        self._largest = max(node.size[self.side] for node in self.nodes.values())
        self._channels = max(node.channels for node in self.nodes.values() if node.kind != "join")
        self.places = {index: self._place(node) for index, node in self.nodes.items()}
        self._starts = {fold.start for fold in network.folds}
        self._stops = {fold.stop for fold in network.folds}
        self._skips, self._not_drawn = skips_of(network)

    # --- depends on the direction -------------------------------------------------------------------------------------

    @abstractmethod
    def point(self, along: float, out: float) -> Point:
        """A place's x and y on the sheet."""

    def lines(self, node: Node) -> tuple[str, ...]:
        """A node's label: `9×9, 64`."""
        if node.kind in ("join", "bands"):
            return ()
        return (f"{node.label}, {node.channels}" if node.kind in ("layer", "resize") else node.label,)

    @abstractmethod
    def label_room(self, node: Node, lines: tuple[str, ...]) -> tuple[float, float]:
        """The room for a label along the flow, and further out than the body."""

    @abstractmethod
    def inner_edge(self, row: int) -> float:
        """How far a row reaches on its inner side, opposite to out, with its frames."""

    @abstractmethod
    def draw_texts(self, sheet: Sheet) -> None:
        """Write labels, resolutions, shares of the multiply-adds and numbers of repetitions."""

    def room_after(self, index: int) -> float:
        """The room after a node for a frame that ends there."""
        return self.after_frame if index + 1 in self._stops else 0.0

    # --- places -------------------------------------------------------------------------------------------------------

    def _place(self, node: Node) -> _Place:
        length = 2 * RADIUS if node.kind == "join" else max(self._lengths(node))
        bands = BAND * len(node.bands)
        fixed = {"join": 2 * RADIUS, "photograph": _LEAST, "more": _MORE, "bands": bands, "resize": _RESIZE + bands}
        body = fixed.get(node.kind, max(self.thickest * node.channels / self._channels, _LEAST) + bands)
        lines = self.lines(node)
        along, out = self.label_room(node, lines) if lines else (0.0, 0.0)
        row = self.sizes.index(node.size) if node.size in self.sizes else 0
        return _Place(lines, body, length, max(body, along), length / 2 + out, row)

    def _lengths(self, node: Node) -> tuple[float, float]:
        """How long a node is where it begins and where it ends: as long as its features are high, or wide."""
        sizes = (node.size_in if node.kind == "resize" else node.size, node.size)
        begins, ends = (max(self.longest * size[self.side] / self._largest, _LEAST) for size in sizes)
        return min(begins, ends + _NARROWS), ends

    def spread(self, gap: float) -> float:
        """Set all places, `gap` apart; returns the total length."""
        self._gap = gap
        along = 0.0
        for index, place in self.places.items():
            if index != PHOTOGRAPH:
                along += gap + (index in self._starts) * self.before_frame + self.room_after(index - 1)
            place.start = along
            along = place.stop
        self._stack()
        return along

    def _stack(self) -> None:
        """Put connections and frames outside the layers that they pass, then the rows below each other."""
        outside = Outside()
        for place in self.places.values():
            outside.take(place.row, place.start, place.stop, place.reach)
        self._lanes: dict[Skip, float] = {}
        self._frames: dict[Fold, float] = {}
        for fold in (*self.network.folds, None):
            for skip in self._skips:
                if fold_around(self.network, skip) == fold:
                    start, stop = self._ends(skip)
                    self._lanes[skip] = outside.lane(self._lane_row(skip), start - 0.02, stop + 0.02)
            if fold:
                row, (start, stop) = self._rows(fold)[0], self._frame_ends(fold)
                self._frames[fold] = outside.reach(row, start, stop) + _FRAME_OUTSET
                outside.take(row, start, stop, self._frames[fold] + self.frame_title)
        self.centres: list[float] = []
        for row in range(len(self.sizes)):
            above = self.centres[-1] - self.inner_edge(row - 1) - 0.15 - LINE if row else 0.0
            self.centres.append(above - outside.reach(row))

    def _before(self, fold: Fold) -> float:
        """Where connections leave the input of a repeated part, within its frame."""
        return self.places[fold.start].start - _LEAVES

    def _after(self, index: int) -> float:
        """Where connections leave a node, after its label and a frame that ends with it."""
        return self.places[index].stop + self.room_after(index) + _LEAVES_IN_GAP * self._gap

    def _ends(self, skip: Skip) -> tuple[float, float]:
        """Where a connection leaves the flow and where it returns."""
        fold, target = fold_entered(self.network, skip), self.places[skip.target]
        is_join = self.nodes[skip.target].kind == "join"
        leaves = self._before(fold) if fold else self._after(skip.source)
        return leaves, target.middle if is_join else target.start - _ARRIVES

    def _frame_ends(self, fold: Fold) -> tuple[float, float]:
        last = fold.stop - 1
        return self._before(fold) - _FRAME_INSET, self.places[last].stop + self.room_after(last) - 0.05

    def _rows(self, fold: Fold) -> tuple[int, int]:
        rows = [self.places[index].row for index in fold.nodes]
        return min(rows), max(rows)

    def _lane_row(self, skip: Skip) -> int:
        return min(self.places[index].row for index in range(skip.source + 1, skip.target + 1))

    # --- what is drawn ------------------------------------------------------------------------------------------------

    def drawn(self, width: float) -> Figure:
        """The figure, `width` inches wide and as high as it needs."""
        sheet = Sheet(self.network)
        self.draw_texts(sheet)
        for fold, out in self._frames.items():
            (highest, lowest), (start, stop) = self._rows(fold), self._frame_ends(fold)
            low, high = self.centres[lowest] - self.inner_edge(lowest), self.centres[highest] + out
            sheet.frame(self.point(start, low), self.point(stop, high))
        for index, node in self.nodes.items():
            self._draw_node(sheet, index, node)
            if index - 1 in node.inputs:
                self._draw_flow(sheet, index)
        for skip, out in self._lanes.items():
            self._draw_skip(sheet, skip, out)
        return sheet.finished(width, self.is_wide, self.note, self._not_drawn)

    def _draw_node(self, sheet: Sheet, index: int, node: Node) -> None:
        place = self.places[index]
        centre = self.centres[place.row]

        def part(start: float, stop: float) -> tuple[Point, Point]:
            return self.point(start, centre - place.length / 2), self.point(stop, centre + place.length / 2)

        bands_start = place.back - BAND * len(node.bands)
        if node.kind == "join":
            sheet.join(self.point(place.middle, centre), node.label)
        elif node.kind == "more":
            for turn in (-1, 0, 1):
                sheet.dot(self.point(place.middle + turn * _DOT_STEP, centre), MUTED)
        elif node.kind == "photograph":
            sheet.photograph(*part(place.front, place.back))
        elif node.kind == "layer":
            sheet.box(*part(place.front, bands_start), self.network.share(index))
        elif node.kind == "resize":
            begins, ends = self._lengths(node)
            along = (place.front, place.front, bands_start, bands_start)
            outs = (-begins / 2, begins / 2, ends / 2, -ends / 2)
            sheet.trapezoid([self.point(a, centre + out) for a, out in zip(along, outs, strict=True)])
        for turn, (role, _) in enumerate(node.bands):
            sheet.band(*part(bands_start + turn * BAND, bands_start + (turn + 1) * BAND), role)

    def _draw_flow(self, sheet: Sheet, index: int) -> None:
        source, target = self.places[index - 1], self.places[index]
        turn, out, end = self._after(index - 1), self.centres[source.row], self.centres[target.row]
        corners = [] if out == end else [(turn, out), (turn, end)]
        sheet.flow(self._points([(source.back, out), *corners, (target.front, end)]))

    def _draw_skip(self, sheet: Sheet, skip: Skip, lane: float) -> None:
        fold, source, target = fold_entered(self.network, skip), self.places[skip.source], self.places[skip.target]
        start, stop = self._ends(skip)
        out = self.centres[self.places[fold.start].row if fold else source.row]
        lane, end = self.centres[self._lane_row(skip)] + lane, self.centres[target.row]
        is_join = self.nodes[skip.target].kind == "join"
        last = [(stop, end + RADIUS)] if is_join else [(stop, end), (target.front, end)]
        sheet.skip(self._points([(start, out), (start, lane), (stop, lane), *last]))
        if not fold:
            sheet.flow(self._points([(source.back, out), (start, out)]), arrives=False)
        sheet.dot(self.point(start, out))

    def _points(self, places: Iterable[tuple[float, float]]) -> list[Point]:
        return [self.point(*place) for place in places]


# --- across -----------------------------------------------------------------------------------------------------------

#: Inches: the height of the largest resolution; gaps at least and at most.
_HIGHEST, _GAP, _LARGEST_GAP = 1.25, 0.18, 0.5
#: With more resolutions than this, all layers share a row.
_MOST_ROWS = 4


def draw_across(network: Network, width: float) -> Figure | None:
    """A figure `width` inches wide; None where the network is too long for that."""
    for label_lines in (1, 2):
        layout = _Across(network, label_lines)
        spare = width - 2 * MARGIN - layout.spread(_GAP)
        if spare >= 0:
            layout.spread(min(_GAP + spare / (len(network.nodes) + 1), _LARGEST_GAP))
            return layout.drawn(width)
    return None


class _Across(_Layout):
    """To the right: labels of one line or two above the boxes, shares below."""

    is_wide, note = True, "height: resolution, width: channels"
    side, thickest = 0, 0.42
    before_frame, after_frame, frame_title = 0.26, 0.15, 0.05 + LINE

    def __init__(self, network: Network, label_lines: int) -> None:
        self._label_lines = label_lines
        sizes = sorted({network.size, *(node.size for node in network.nodes)}, key=lambda size: -size[0] * size[1])
        super().__init__(network, _HIGHEST, sizes if len(sizes) <= _MOST_ROWS else [network.size])

    def point(self, along: float, out: float) -> Point:
        return along, out

    def lines(self, node: Node) -> tuple[str, ...]:
        lines = super().lines(node)
        if self._label_lines == 1 or not lines:
            return lines
        return tuple(node.label.split(" ", 1) if node.kind == "more" else lines[0].rsplit(", ", 1))

    def label_room(self, node: Node, lines: tuple[str, ...]) -> tuple[float, float]:
        widths = [text_width(line, LABEL) for line in lines]
        if node.label == "input":
            widths.append(text_width(resolution_text(node.size), SMALL))
        return max(widths) + 0.04, 0.05 + LINE * len(lines)

    def inner_edge(self, row: int) -> float:
        is_framed = any(row in self._rows(fold) for fold in self.network.folds)
        return max(place.length / 2 for place in self.places.values() if place.row == row) + 0.09 * is_framed

    def draw_texts(self, sheet: Sheet) -> None:
        for index, place in self.places.items():
            color = MUTED if self.nodes[index].kind == "photograph" else INK
            for line, text in enumerate(reversed(place.lines)):
                y = self.centres[place.row] + place.length / 2 + 0.075 + line * LINE
                sheet.text((place.middle, y), text, LABEL, color)
        first = self.places[PHOTOGRAPH]
        self._write_below(sheet, first.middle, first.row, resolution_text(self.network.size), SMALL)
        for row, size in enumerate(self.sizes):
            if row != first.row:  # these rows begin further right, so there is room
                left = (first.start, self.centres[row])
                sheet.text(left, resolution_text(size), SMALL, MUTED, ha="left", va="center_baseline")
        frames = {fold.nodes: self._frame_ends(fold) for fold in self.network.folds}
        for part, share in self.network.shares():
            place = self.places[part.start]
            middle = sum(frames.get(part, (place.start, place.stop))) / 2
            self._write_below(sheet, middle, max(self.places[index].row for index in part), percent(share), LABEL)
        for fold, out in self._frames.items():
            corner = (self._frame_ends(fold)[1], self.centres[self._rows(fold)[0]] + out + 0.05)
            sheet.text(corner, f"{TIMES} {fold.times:,}", 8.5, ha="right", fontweight="bold")

    def _write_below(self, sheet: Sheet, x: float, row: int, text: str, size: float) -> None:
        sheet.text((x, self.centres[row] - self.inner_edge(row) - 0.15), text, size, MUTED)


# --- down -------------------------------------------------------------------------------------------------------------

#: Inches: the width of the largest resolution, at most and at least; labels at most; gaps between nodes and columns.
_WIDEST, _NARROWEST, _LONGEST_LABEL, _DOWN_GAP, _COLUMN_GAP = 2.0, 0.7, 1.3, 0.21, 0.1


def draw_down(network: Network, width: float) -> Figure:
    """A figure `width` inches wide and as high as the network is long."""
    # A layout with narrow boxes shows how much room connections and texts leave for the boxes.
    room = width - 2 * MARGIN - _Down(network, _NARROWEST).beside
    return _Down(network, min(max(room, _NARROWEST), _WIDEST)).drawn(width)


class _Down(_Layout):
    """Downwards: texts in columns to the right of the boxes."""

    is_wide, note = False, "width: resolution, height: channels"
    side, thickest = 1, 0.26
    before_frame, after_frame, frame_title = 0.2, 0.13, 0.0

    def __init__(self, network: Network, widest: float) -> None:
        super().__init__(network, widest, [network.size])
        labels = max(text_width(line, LABEL) for place in self.places.values() for line in place.lines)
        resolutions = max(text_width(resolution_text(node.size), SMALL) for node in self.nodes.values())
        shares = text_width("100%", LABEL) if network.macs else 0.0
        self._columns = [column + _COLUMN_GAP for column in (labels, resolutions, shares)]
        self.spread(_DOWN_GAP)

    @property
    def beside(self) -> float:
        """The width of all that is beside the boxes."""
        return -self.centres[0] - self.longest / 2 + sum(self._columns)

    def point(self, along: float, out: float) -> Point:
        return -out, -along

    def lines(self, node: Node) -> tuple[str, ...]:
        return tuple(fitting(line, LABEL, _LONGEST_LABEL) for line in super().lines(node))

    def label_room(self, node: Node, lines: tuple[str, ...]) -> tuple[float, float]:
        return LINE + 0.02, 0.0

    def inner_edge(self, row: int) -> float:
        return self.longest / 2 + sum(self._columns) + 0.05

    def room_after(self, index: int) -> float:
        room = super().room_after(index)
        return room + LINE if room and self.nodes[index].kind != "join" else room  # texts fit beside a join

    def draw_texts(self, sheet: Sheet) -> None:
        left = self.longest / 2 - self.centres[0] + _COLUMN_GAP
        middle = left + self._columns[0]
        right = middle + self._columns[1] + self._columns[2] - _COLUMN_GAP
        shown = None
        look = {"ha": "left", "va": "center_baseline"}
        for index, place in self.places.items():
            node = self.nodes[index]
            for line in place.lines:
                color = MUTED if node.kind == "photograph" else INK
                sheet.text((left, -place.middle), line, LABEL, color, **look)
                if node.size != shown:
                    sheet.text((middle, -place.middle), resolution_text(node.size), SMALL, MUTED, **look)
                shown = node.size
        for part, share in self.network.shares():
            sheet.text((right, self._text_y(part)), percent(share), LABEL, MUTED, **look | {"ha": "right"})
        for fold in self.network.folds:
            y = self._text_y(fold.nodes)
            sheet.text((left, y), f"{TIMES} {fold.times:,}", 8.5, fontweight="bold", **look)
        sheet.reserve((right, 0.0))

    def _text_y(self, part: range) -> float:
        """The height of a layer's texts; those of a repeated part are beside its join or below its last layer."""
        last = self.places[part.stop - 1]
        is_below = self.room_after(part.stop - 1) > self.after_frame
        return -last.stop - 0.6 * LINE if is_below else -last.middle
