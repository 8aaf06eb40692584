"""Where names stand beside the points of a page's chart, whose library places them without looking what they cover."""

from collections.abc import Sequence

#: A place as plotly calls it, and how far the name's center is from the point's, in half widths and half heights.
_PLACES = {
    "middle right": (1, 0),
    "top right": (1, -1),
    "bottom right": (1, 1),
    "top center": (0, -1),
    "bottom center": (0, 1),
    "middle left": (-1, 0),
    "top left": (-1, -1),
    "bottom left": (-1, 1),
}
#: A letter's width and a line's height at the chart's size of type, and how far a marker reaches, in pixels.
_LETTER, _LINE, _MARKER = 6.3, 14.0, 7.0
#: How far a name at a corner of its marker is from its center, along either axis.
_CORNER = 3.0

#: Left, top, right and bottom, in pixels from the upper left corner.
Box = tuple[float, float, float, float]


def place_names(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    markers: Sequence[tuple[float, float]],
    width: float,
    height: float,
) -> list[str | None]:
    """A place for each name, the first names first; None where it would cover a name, a marker or the edge.

    Args:
        points: whose names they are, in pixels from the upper left corner.
        names: on one line each.
        markers: what names must not cover.
        width, height: of the chart.
    """
    taken: list[Box] = []
    found: list[str | None] = []
    for point, name in zip(points, names, strict=True):
        others = [(x - _MARKER, y - _MARKER, x + _MARKER, y + _MARKER) for x, y in markers if (x, y) != point]
        boxes = {place: box_of(place, point, name) for place in _PLACES}
        free = (
            place
            for place, (left, top, right, bottom) in boxes.items()
            if left >= 0
            and top >= 0
            and right <= width
            and bottom <= height
            and not any(_overlap(boxes[place], other) for other in (*taken, *others))
        )
        place = next(free, None)
        taken += [] if place is None else [boxes[place]]
        found.append(place)
    return found


def box_of(place: str, point: tuple[float, float], name: str) -> Box:
    """Where plotly puts a name: left, top, right and bottom, in pixels."""
    right, down = _PLACES[place]
    half_width, half_height = len(name) * _LETTER / 2, _LINE / 2
    x = point[0] + right * (half_width + (_MARKER if down == 0 else _CORNER))
    y = point[1] + down * (half_height + (_MARKER if right == 0 else _CORNER))
    return x - half_width, y - half_height, x + half_width, y + half_height


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
