"""A network from left to right, a row for each resolution: the paper's Fig. 1 and Fig. 3."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from enhance_sweep.report.architecture.lanes import Outside, Skip, fold_of, goes_on, skips_of, starts_at
from enhance_sweep.report.architecture.network import PHOTOGRAPH, Fold, Network, Node
from enhance_sweep.report.architecture.sheet import (
    BAND,
    LABEL,
    LINE,
    MARGIN,
    RADIUS,
    SMALL,
    Sheet,
    percent,
    resolution_text,
    text_width,
)
from enhance_sweep.report.figures.style import INK, MUTED
from enhance_sweep.report.labels import TIMES

#: Inches: the height of the full resolution, the width of the most channels, the least of either.
_HIGHEST, _WIDEST, _LEAST = 1.25, 0.42, 0.06
#: Between two neighbours, at least and at most; what a frame around a repetition takes before and after.
_GAP, _LARGEST_GAP = 0.18, 0.5
_BEFORE_FRAME, _AFTER_FRAME = 0.26, 0.16
_MOST_ROWS = 4
_NOTE = "height: resolution, width: channels"


@dataclass
class _Place:
    """Where a node is: its slot along the flow, which its label may fill, its body in the middle, and its row."""

    body: float
    height: float
    slot: float
    lines: tuple[str, ...]
    row: int
    left: float = 0.0

    @property
    def right(self) -> float:
        return self.left + self.slot

    @property
    def middle(self) -> float:
        return self.left + self.slot / 2

    @property
    def top(self) -> float:
        """How far up it reaches from the middle of its row, with its label."""
        return self.height / 2 + (0.05 + LINE * len(self.lines) if self.lines else 0.0)


def draw_across(network: Network, width: float) -> Figure | None:
    """The figure, so wide; None where the network is too long for that."""
    for lines in (1, 2):
        picture = _Across(network, lines)
        if picture.spread(width - 2 * MARGIN):
            return picture.drawn(width)
    return None


class _Across:
    """One way to write the labels, in one line or in two, and all places that follow from it."""

    def __init__(self, network: Network, label_lines: int) -> None:
        self._network = network
        self._sizes = _rows(network)
        largest = max(height for height, _ in [network.size, *(node.size for node in network.nodes)])
        channels = max([network.channels, *(node.channels for node in network.nodes if node.kind != "join")])
        self._places = {
            index: _place(node, label_lines, largest, channels, self._row(node.size))
            for index, node in enumerate(network.nodes)
        }
        high, row = max(_HIGHEST * network.size[0] / largest, _LEAST), self._row(network.size)
        slot = max(text_width("input", LABEL), text_width(resolution_text(network.size), SMALL)) + 0.04
        self._places[PHOTOGRAPH] = _Place(_LEAST, high, slot, ("input",), row)
        last = network.nodes[-1]
        high = max(_HIGHEST * last.size[0] / largest, _LEAST)
        self._end = len(network.nodes)
        slot = text_width("output", LABEL) + 0.04
        self._places[self._end] = _Place(_LEAST, high, slot, ("output",), self._row(last.size))
        self._starts = {fold.start for fold in network.folds}
        self._stops = {fold.stop for fold in network.folds}
        self._gap = _GAP
        self._centres: list[float] = []
        self._outside = Outside()

    def spread(self, width: float) -> bool:
        """Set everything along the flow, as far apart as fits; False where it does not."""
        frames = len(self._network.folds) * (_BEFORE_FRAME + _AFTER_FRAME)
        least = frames + sum(place.slot for place in self._places.values())
        gaps = self._end + 1
        if least + gaps * _GAP > width:
            return False
        self._gap = min((width - least) / gaps, _LARGEST_GAP)
        x = 0.0
        for index in range(PHOTOGRAPH, self._end + 1):
            if index > PHOTOGRAPH:
                x += self._gap
                x += (index in self._starts) * _BEFORE_FRAME + (index in self._stops) * _AFTER_FRAME
            self._places[index].left = x
            x = self._places[index].right
        return True

    def drawn(self, width: float) -> Figure:
        """Everything in its place."""
        sheet = Sheet(self._network)
        skips, not_drawn = skips_of(self._network)
        lanes, frames = self._stack(skips)
        self._draw_resolutions(sheet)
        for fold, top in frames.items():
            self._draw_frame(sheet, fold, top)
        for index in range(PHOTOGRAPH, self._end + 1):
            self._draw_node(sheet, index)
            if index == self._end or (index >= 0 and goes_on(self._network, index)):
                self._draw_flow(sheet, index)
        for skip, out in lanes.items():
            self._draw_skip(sheet, skip, out)
        return sheet.finished(width, True, _NOTE, not_drawn)

    # --- along the flow -----------------------------------------------------------------------------------------------

    def _out(self, index: int) -> float:
        """Where connections leave a node, after its label and its frame."""
        frame = _AFTER_FRAME if index + 1 in self._stops else 0.0
        return self._places[index].right + frame + 0.4 * self._gap

    def _inner(self, fold: Fold) -> float:
        """Where connections leave the input of what is repeated, within its frame."""
        return self._places[fold.start].left - 0.12

    def _leaves(self, skip: Skip) -> float:
        fold = starts_at(self._network, skip)
        return self._inner(fold) if fold else self._out(skip.source)

    def _arrives(self, skip: Skip) -> float:
        place = self._places[skip.target]
        return place.middle if self._network.nodes[skip.target].kind == "join" else place.left - 0.06

    def _frame_ends(self, fold: Fold) -> tuple[float, float]:
        return self._inner(fold) - 0.1, self._places[fold.stop - 1].right + 0.1

    # --- across it ----------------------------------------------------------------------------------------------------

    def _stack(self, skips: list[Skip]) -> tuple[dict[Skip, float], dict[Fold, float]]:
        """Rows below each other, with room for what runs above each; how far up connections and frames are."""
        for place in self._places.values():
            self._outside.take(place.row, place.left, place.right, place.top)
        lanes: dict[Skip, float] = {}
        frames: dict[Fold, float] = {}
        for fold in self._network.folds:
            for skip in (skip for skip in skips if fold_of(self._network, skip) == fold):
                lanes[skip] = self._lane(skip)
            start, stop = self._frame_ends(fold)
            row = self._frame_row(fold)
            frames[fold] = self._outside.reach(row, start, stop) + 0.06
            self._outside.take(row, start, stop, frames[fold] + 0.05 + LINE)
        for skip in skips:
            if skip not in lanes:
                lanes[skip] = self._lane(skip)
        for row in range(len(self._sizes)):
            above = self._outside.reach(row, -1.0, 1e9)
            if row:
                above += 0.1 + self._below(row - 1) + 0.05 + LINE
            self._centres.append((self._centres[-1] if row else 0.0) - above)
        return lanes, frames

    def _lane(self, skip: Skip) -> float:
        return self._outside.lane(self._lane_row(skip), self._leaves(skip) - 0.02, self._arrives(skip) + 0.02)

    def _lane_row(self, skip: Skip) -> int:
        return min(self._places[index].row for index in range(skip.source + 1, skip.target + 1))

    def _frame_row(self, fold: Fold) -> int:
        return min(self._places[index].row for index in range(fold.start, fold.stop))

    def _below(self, row: int) -> float:
        """How far down a row reaches from its middle, without the shares under it."""
        height = max(place.height / 2 for place in self._places.values() if place.row == row)
        is_framed = any(
            self._places[index].row == row for fold in self._network.folds for index in range(fold.start, fold.stop)
        )
        return height + (0.09 if is_framed else 0.0)

    def _row(self, size: tuple[int, int]) -> int:
        return self._sizes.index(size) if size in self._sizes else 0

    # --- what is drawn ------------------------------------------------------------------------------------------------

    def _draw_node(self, sheet: Sheet, index: int) -> None:
        place, centre = self._places[index], self._centres[self._places[index].row]
        left, bottom = place.middle - place.body / 2, centre - place.height / 2
        for line, text in enumerate(reversed(place.lines)):
            color = MUTED if index in (PHOTOGRAPH, self._end) else INK
            sheet.text((place.middle, centre + place.height / 2 + 0.075 + line * LINE), text, LABEL, color)
        if index in (PHOTOGRAPH, self._end):
            sheet.slab(left, bottom, place.body, place.height)
            return
        node = self._network.nodes[index]
        if node.kind == "join":
            sheet.join(place.middle, centre, node.label)
            return
        if node.kind == "more":
            sheet.dots(place.middle, centre, (0.08, 0.0))
        thickness = place.body - BAND * len(node.bands)
        if node.kind == "layer":
            sheet.box(left, bottom, thickness, place.height, self._network.share(index), "convolution")
        for turn, (role, _) in enumerate(node.bands):
            sheet.band(left + thickness + turn * BAND, bottom, BAND, place.height, role)
        share = self._network.share(index)
        if share is not None and node.kind != "bands" and self._network.times(index) == 1:
            self._draw_share(sheet, place.middle, place.row, share)

    def _draw_resolutions(self, sheet: Sheet) -> None:
        """Under the photograph its own; the others before their rows, where nothing is but it."""
        own = self._places[PHOTOGRAPH]
        for row, size in enumerate(self._sizes):
            if row != own.row:
                place = (own.left, self._centres[row])
                sheet.text(place, resolution_text(size), SMALL, MUTED, ha="left", va="center_baseline")
        y = self._centres[own.row] - self._below(own.row) - 0.05
        sheet.text((own.middle, y - 0.1), resolution_text(self._network.size), SMALL, MUTED)

    def _draw_share(self, sheet: Sheet, x: float, row: int, share: float) -> None:
        y = self._centres[row] - self._below(row) - 0.05
        sheet.text((x, y - 0.1), percent(share), LABEL, MUTED)

    def _draw_frame(self, sheet: Sheet, fold: Fold, top: float) -> None:
        left, right = self._frame_ends(fold)
        rows = [self._places[index].row for index in range(fold.start, fold.stop)]
        high = self._centres[min(rows)] + top
        low = self._centres[max(rows)] - self._below(max(rows))
        sheet.frame(left, low, right, high)
        sheet.text((right, high + 0.05), f"{TIMES} {fold.times:,}", 8.5, ha="right", fontweight="bold")
        shares = [self._network.share(index) for index in range(fold.start, fold.stop)]
        if None not in shares:
            self._draw_share(sheet, (left + right) / 2, max(rows), sum(share or 0.0 for share in shares))

    def _draw_flow(self, sheet: Sheet, index: int) -> None:
        source, target = self._places[index - 1], self._places[index]
        start, stop = self._edge(index - 1, 1), self._edge(index, -1)
        turn = self._out(index - 1)
        y, end = self._centres[source.row], self._centres[target.row]
        sheet.flow([(start, y), (stop, y)] if y == end else [(start, y), (turn, y), (turn, end), (stop, end)])

    def _edge(self, index: int, side: int) -> float:
        """The end of a node's body to the right (1) or to the left (-1)."""
        place = self._places[index]
        return place.middle + side * place.body / 2

    def _draw_skip(self, sheet: Sheet, skip: Skip, out: float) -> None:
        start, stop = self._leaves(skip), self._arrives(skip)
        fold = starts_at(self._network, skip)
        y = self._centres[self._places[fold.start if fold else skip.source].row]
        end = self._centres[self._places[skip.target].row]
        lane = self._centres[self._lane_row(skip)] + out
        ways = [(start, y), (start, lane), (stop, lane)]
        if self._network.nodes[skip.target].kind == "join":
            sheet.skip([*ways, (stop, end + RADIUS)])
        else:
            sheet.skip([*ways, (stop, end), (self._edge(skip.target, -1), end)])
        if not fold:
            sheet.flow_on([(self._edge(skip.source, 1), y), (start, y)])
        sheet.dot(start, y)


def _rows(network: Network) -> list[tuple[int, int]]:
    """The resolutions that have a row of their own, the highest first; one row where there are too many of them."""
    sizes = sorted({network.size, *(node.size for node in network.nodes)}, key=lambda size: -size[0] * size[1])
    return sizes if len(sizes) <= _MOST_ROWS else [network.size]


def _place(node: Node, label_lines: int, largest: int, channels: int, row: int) -> _Place:
    if node.kind == "join":
        return _Place(2 * RADIUS, 2 * RADIUS, 2 * RADIUS, (), row)
    height = max(_HIGHEST * node.size[0] / largest, _LEAST)
    if node.kind == "more":
        first, _, rest = node.label.partition(" ")
        lines: tuple[str, ...] = (node.label,) if label_lines == 1 else (first, rest)
        body = 0.3
    elif node.kind == "bands":
        lines, body = (), BAND * len(node.bands)
    else:
        one, two = (f"{node.label}, {node.channels}",), (node.label, f"{node.channels}")
        lines = one if label_lines == 1 else two
        body = max(_WIDEST * node.channels / channels, _LEAST) + BAND * len(node.bands)
    slot = max([body, *(text_width(line, LABEL) + 0.04 for line in lines)])
    return _Place(body, height, slot, lines, row)
