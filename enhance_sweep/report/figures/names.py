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
    taken: list[tuple[float, float, float, float]] = []
    found: list[str | None] = []
    for (x, y), name in zip(points, names, strict=True):
        half = len(name) * _LETTER / 2, _LINE / 2
        place = None
        for candidate, (right, down) in _PLACES.items():
            reach = (half[0] + _MARKER) if down == 0 else half[0] + 3
            center = x + right * reach, y + down * (half[1] + (_MARKER if right == 0 else 3))
            box = center[0] - half[0], center[1] - half[1], center[0] + half[0], center[1] + half[1]
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height
            others = (
                (mx - _MARKER, my - _MARKER, mx + _MARKER, my + _MARKER) for mx, my in markers if (mx, my) != (x, y)
            )
            if inside and not any(_overlap(box, other) for other in (*taken, *others)):
                place = candidate
                taken.append(box)
                break
        found.append(place)
    return found


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
