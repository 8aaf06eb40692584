"""A network from top to bottom, a line for each layer with its text beside it: for a phone, or one that is long."""

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
    fitting,
    percent,
    resolution_text,
    text_width,
)
from enhance_sweep.report.figures.style import INK, MUTED
from enhance_sweep.report.labels import TIMES

#: Inches: the width of the full resolution, at most and at least, the height of the most channels, the least of either.
_WIDEST, _NARROWEST, _THICKEST, _LEAST = 2.0, 0.7, 0.26, 0.06
_LONGEST_LABEL = 1.3
_GAP = 0.21
_BEFORE_FRAME, _AFTER_FRAME = 0.2, 0.12
_COLUMN_GAP = 0.1
_NOTE = "width: resolution, height: channels"


@dataclass
class _Place:
    """Where a node is: its slot along the flow, downwards, its body in the middle, its label beside it."""

    body: float
    width: float
    label: str
    top: float = 0.0

    @property
    def slot(self) -> float:
        return max(self.body, LINE + 0.02 if self.label else 0.0)

    @property
    def bottom(self) -> float:
        return self.top + self.slot

    @property
    def middle(self) -> float:
        return self.top + self.slot / 2


def draw_down(network: Network, width: float) -> Figure:
    """The figure, so wide and as high as it needs."""
    # Connections take their room from the boxes: how much, narrow boxes show.
    beside = _Down(network, width, _NARROWEST).beside
    return _Down(network, width, max(beside, _NARROWEST)).drawn()


class _Down:
    """All places, with boxes so wide."""

    def __init__(self, network: Network, width: float, widest: float) -> None:
        self._network, self._width, self._widest = network, width, widest
        largest = max([network.size[1], *(node.size[1] for node in network.nodes)])
        channels = max([network.channels, *(node.channels for node in network.nodes if node.kind != "join")])
        self._end = len(network.nodes)
        self._stops = {fold.stop: fold for fold in network.folds}
        self._starts = {fold.start for fold in network.folds}
        last = network.nodes[-1]
        ends = {
            PHOTOGRAPH: _Place(_LEAST, self._scaled(network.size[1], largest), "input"),
            self._end: _Place(_LEAST, self._scaled(last.size[1], largest), "output"),
        }
        self._places = {index: self._place(node, largest, channels) for index, node in enumerate(network.nodes)} | ends
        self._set_along()
        self._skips, self._not_drawn = skips_of(network)
        self._lanes, self._frames = self._set_across()

    @property
    def beside(self) -> float:
        """How wide boxes can be beside their connections and texts."""
        lanes = self._reach - self._widest / 2
        free = self._width - 2 * MARGIN - lanes - sum(self._columns) - (len(self._columns)) * _COLUMN_GAP
        return min(free, _WIDEST)

    def drawn(self) -> Figure:
        """Everything in its place."""
        sheet = Sheet(self._network)
        for fold, left in self._frames.items():
            self._draw_frame(sheet, fold, left)
        for index in range(PHOTOGRAPH, self._end + 1):
            self._draw_node(sheet, index)
            if index == self._end or (index >= 0 and goes_on(self._network, index)):
                sheet.flow([(0.0, -self._edge(index - 1, 1)), (0.0, -self._edge(index, -1))])
        self._draw_texts(sheet)
        for skip, out in self._lanes.items():
            self._draw_skip(sheet, skip, out)
        return sheet.finished(self._width, False, _NOTE, self._not_drawn)

    # --- places -------------------------------------------------------------------------------------------------------

    def _scaled(self, width: int, largest: int) -> float:
        return max(self._widest * width / largest, _LEAST)

    def _place(self, node: Node, largest: int, channels: int) -> _Place:
        if node.kind == "join":
            return _Place(2 * RADIUS, 2 * RADIUS, "")
        bands = BAND * len(node.bands)
        body = {"more": 0.24, "bands": bands}.get(node.kind, max(_THICKEST * node.channels / channels, _LEAST) + bands)
        label = {"layer": f"{node.label}, {node.channels}", "more": node.label}.get(node.kind, "")
        width = self._scaled(node.size[1], largest)
        return _Place(body, width, fitting(label, LABEL, _LONGEST_LABEL))

    def _set_along(self) -> None:
        y = 0.0
        for index in range(PHOTOGRAPH, self._end + 1):
            if index > PHOTOGRAPH:
                y += _GAP + (index in self._starts) * _BEFORE_FRAME + self._after(index - 1)
            self._places[index].top = y
            y = self._places[index].bottom

    def _after(self, index: int) -> float:
        """What a frame takes after a node, with a line for its text where a join leaves none."""
        fold = self._stops.get(index + 1)
        if fold is None:
            return 0.0
        return _AFTER_FRAME + (0.0 if self._network.nodes[index].kind == "join" else LINE)

    def _set_across(self) -> tuple[dict[Skip, float], dict[Fold, float]]:
        """How far to the left connections and frames are."""
        outside = Outside()
        for place in self._places.values():
            outside.take(0, place.top, place.bottom, place.width / 2)
        lanes: dict[Skip, float] = {}
        frames: dict[Fold, float] = {}
        for fold in self._network.folds:
            for skip in (skip for skip in self._skips if fold_of(self._network, skip) == fold):
                lanes[skip] = outside.lane(0, self._leaves(skip), self._arrives(skip))
            start, stop = self._frame_ends(fold)
            frames[fold] = outside.reach(0, start, stop) + 0.06
            outside.take(0, start, stop, frames[fold])
        for skip in self._skips:
            if skip not in lanes:
                lanes[skip] = outside.lane(0, self._leaves(skip), self._arrives(skip))
        self._reach = outside.reach(0, -1.0, 1e9)
        return lanes, frames

    def _out(self, index: int) -> float:
        return self._places[index].bottom + self._after(index) + 0.35 * _GAP

    def _inner(self, fold: Fold) -> float:
        return self._places[fold.start].top - 0.13

    def _leaves(self, skip: Skip) -> float:
        fold = starts_at(self._network, skip)
        return self._inner(fold) if fold else self._out(skip.source)

    def _arrives(self, skip: Skip) -> float:
        place = self._places[skip.target]
        return place.middle if self._network.nodes[skip.target].kind == "join" else place.top - 0.07

    def _frame_ends(self, fold: Fold) -> tuple[float, float]:
        last = fold.stop - 1
        return self._inner(fold) - 0.09, self._places[last].bottom + self._after(last) - 0.04

    def _edge(self, index: int, side: int) -> float:
        """The end of a node's body downwards (1) or upwards (-1)."""
        place = self._places[index]
        return place.middle + side * place.body / 2

    # --- text ---------------------------------------------------------------------------------------------------------

    @property
    def _columns(self) -> tuple[float, float, float]:
        """How wide the texts are: labels, resolutions, shares."""
        labels = max(text_width(place.label, LABEL) for place in self._places.values())
        sizes = {self._network.size, *(node.size for node in self._network.nodes)}
        resolutions = max(text_width(resolution_text(size), SMALL) for size in sizes)
        return labels, resolutions, text_width("100%", LABEL) if self._network.macs else 0.0

    def _draw_texts(self, sheet: Sheet) -> None:
        labels, resolutions, shares = self._columns
        left = self._widest / 2 + _COLUMN_GAP
        middle = left + labels + _COLUMN_GAP
        right = middle + resolutions + _COLUMN_GAP + shares
        size = None
        for index in range(PHOTOGRAPH, self._end + 1):
            place = self._places[index]
            look = {"ha": "left", "va": "center_baseline"}
            node = self._network.nodes[index] if 0 <= index < self._end else None
            if place.label:
                color = INK if node else MUTED
                sheet.text((left, -place.middle), place.label, LABEL, color, **look)
            here = self._network.size if index == PHOTOGRAPH else node.size if node else size
            if here != size and here is not None and place.label:
                sheet.text((middle, -place.middle), resolution_text(here), SMALL, MUTED, **look)
                size = here
            share = self._network.share(index) if node else None
            if node and node.kind in ("layer", "more") and share is not None and self._network.times(index) == 1:
                sheet.text((right, -place.middle), percent(share), LABEL, MUTED, ha="right", va="center_baseline")
        for fold in self._network.folds:
            last = fold.stop - 1
            is_join = self._network.nodes[last].kind == "join"
            y = -(self._places[last].middle if is_join else self._places[last].bottom + LINE * 0.6)
            sheet.text((left, y), f"{TIMES} {fold.times:,}", 8.5, fontweight="bold", **look)
            parts = [self._network.share(index) for index in range(fold.start, fold.stop)]
            if None not in parts:
                total = percent(sum(part or 0.0 for part in parts))
                sheet.text((right, y), total, LABEL, MUTED, ha="right", va="center_baseline")
        sheet.reserve(0.0, 0.0, right, 0.0)

    # --- what is drawn ------------------------------------------------------------------------------------------------

    def _draw_node(self, sheet: Sheet, index: int) -> None:
        place = self._places[index]
        left, top = -place.width / 2, -self._edge(index, -1)
        if index in (PHOTOGRAPH, self._end):
            sheet.slab(left, top - place.body, place.width, place.body)
            return
        node = self._network.nodes[index]
        if node.kind == "join":
            sheet.join(0.0, -place.middle, node.label)
        if node.kind == "more":
            sheet.dots(0.0, -place.middle, (0.0, 0.07))
        thickness = place.body - BAND * len(node.bands)
        if node.kind == "layer":
            sheet.box(left, top - thickness, place.width, thickness, self._network.share(index), "convolution")
        for turn, (role, _) in enumerate(node.bands):
            sheet.band(left, top - thickness - (turn + 1) * BAND, place.width, BAND, role)

    def _draw_frame(self, sheet: Sheet, fold: Fold, left: float) -> None:
        start, stop = self._frame_ends(fold)
        right = self._widest / 2 + sum(self._columns) + len(self._columns) * _COLUMN_GAP + 0.05
        sheet.frame(-left, -stop, right, -start)

    def _draw_skip(self, sheet: Sheet, skip: Skip, out: float) -> None:
        start, stop = -self._leaves(skip), -self._arrives(skip)
        ways = [(0.0, start), (-out, start), (-out, stop)]
        if self._network.nodes[skip.target].kind == "join":
            sheet.skip([*ways, (-RADIUS, stop)])
        else:
            sheet.skip([*ways, (0.0, stop), (0.0, -self._edge(skip.target, -1))])
        if not starts_at(self._network, skip):
            sheet.flow_on([(0.0, -self._edge(skip.source, 1)), (0.0, start)])
        sheet.dot(0.0, start)
