"""Where labels go beside their points, so that none covers another label, a point or a line.

This is an iterated local search. Each label has several candidate places around its point. A place has a price, and so
has a pair of places where two labels would collide. Every label moves to its cheapest place, given the others', until
nothing moves. Then a few labels are moved at random and all settle anew; the result is kept if it is cheaper. All
lengths are in one unit, the typographic point in the figures.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Free space around each label.
_MARGIN = 1.0
_ANGLES = np.deg2rad(np.arange(0, 360, 15))
_GAPS = (0.5, 4.0, 9.0, 16.0, 25.0, 36.0, 50.0, 66.0)
#: A label chooses among its cheapest places; all labels together have about `_ALL_PLACES`, as every pair has a price.
_MOST_PLACES, _ALL_PLACES = 64, 1500
_KICKS, _KICKED, _SWEEPS = 200, 3, 30
#: A label keeps off the markers that are nearest to its point: so many of thousands.
_MARKERS = 150

# Prices; 1 is the price of being one unit further away. Worst is a label on a label, then on a marker, then on a line.
_ON_LABEL, _ON_MARKER, _ON_LINE, _OUTSIDE, _LEADER, _TURN = 120.0, 60.0, 9.0, 400.0, 30.0, 3.0
#: For each foreign marker that is nearer than the label's own: a reader would take the label for that marker's.
_MISTAKEN, _NEARER_BY = 14.0, 2.0


def place_labels(
    points: Array, sizes: Array, bounds: Array, obstacles: Array, obstacle_radius: float, lines: Array
) -> Array:
    """Find a center for each label.

    Args:
        points: (N, 2), the points that are labelled.
        sizes: (N, 2), width and height of each label.
        bounds: (N, 4), left, bottom, right, top that each label has to stay within.
        obstacles: (M, 2), all markers of the figure, labelled or not.
        obstacle_radius: how far a marker reaches.
        lines: (K, 2), points along the lines of the figure, a few units apart.

    Returns:
        (N, 2), the labels' centers; the same for the same input.
    """
    count = len(points)
    if not count:
        return np.zeros((0, 2))
    half = sizes / 2 + _MARGIN
    choices = max(8, min(_MOST_PLACES, _ALL_PLACES // count))
    places = np.zeros((count, choices, 2))
    alone = np.zeros((count, choices))
    for index in range(count):
        some, price = _candidates(points[index], half[index], obstacle_radius)
        near = obstacles[np.argsort(np.abs(obstacles - points[index]).max(axis=1), kind="stable")[:_MARKERS]]
        price += _price_alone(some, half[index], bounds[index], near, obstacle_radius, lines, points[index])
        best = np.argsort(price, kind="stable")[:choices]
        places[index], alone[index] = some[best], price[best]
    together = np.stack([_price_together(index, places, half, points) for index in range(count)])
    together += together.transpose(2, 3, 0, 1).copy()  # labels on leaders, seen from either side

    random = np.random.default_rng(0)
    everyone = np.arange(count)
    chosen = np.zeros(count, dtype=int)
    cheapest = _settle(chosen, alone, together)
    for _ in range(_KICKS if count > 1 else 0):
        tried = chosen.copy()
        kicked = random.choice(count, min(_KICKED, count), replace=False)
        tried[kicked] = np.minimum(random.geometric(0.1, len(kicked)) - 1, choices - 1)
        outcome = _settle(tried, alone, together)
        if outcome < cheapest - 1e-9:
            cheapest, chosen = outcome, tried
    return places[everyone, chosen]


def _settle(choice: NDArray[np.int_], alone: Array, together: Array) -> float:
    """Move every label to its cheapest place, given the others', until nothing moves; returns the total price."""
    everyone = np.arange(len(choice))
    for _ in range(_SWEEPS):
        before = choice.copy()
        for index in everyone:
            choice[index] = np.argmin(alone[index] + together[index][:, everyone, choice].sum(axis=1))
        if np.array_equal(before, choice):
            break
    pairs = together[everyone[:, None], choice[:, None], everyone[None], choice[None]]
    return float(alone[everyone, choice].sum() + pairs.sum() / 2)


def _candidates(point: Array, half: Array, radius: float) -> tuple[Array, Array]:
    """Centers of a box near a point, at each angle as close as each gap allows, and their prices."""
    directions = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
    with np.errstate(divide="ignore"):
        reach = np.min(half / np.abs(directions), axis=1)  # from the box's center to its edge
    distance = (reach[None] + radius + np.array(_GAPS)[:, None]).ravel()
    # Straight to the right, to the left, above or below reads best.
    turn = _TURN * np.abs(np.sin(2 * _ANGLES))
    price = (np.array(_GAPS)[:, None] + turn[None]).ravel()
    return point + np.tile(directions, (len(_GAPS), 1)) * distance[:, None], price


def _price_alone(
    places: Array, half: Array, bounds: Array, obstacles: Array, radius: float, lines: Array, point: Array
) -> Array:
    """The price of each place by itself."""
    depth = (half + radius - np.abs(places[:, None] - obstacles[None])).min(axis=2)
    price: Array = _ON_MARKER * np.maximum(depth, 0).sum(axis=1)
    if len(lines):
        price += _ON_LINE * (np.abs(lines[None] - places[:, None]) < half).all(axis=2).sum(axis=1)
    outside = np.maximum(bounds[:2] - (places - half), 0) + np.maximum(places + half - bounds[2:], 0)
    price += _OUTSIDE * outside.sum(axis=1)
    others = obstacles[np.linalg.norm(obstacles - point, axis=1) > radius]
    crossed = (np.linalg.norm(_leaders(places, point)[:, :, None] - others, axis=3) < radius).any(axis=1)
    price += _LEADER * crossed.sum(axis=1)
    own = np.linalg.norm(np.maximum(np.abs(places - point) - half, 0), axis=1)
    theirs = np.linalg.norm(np.maximum(np.abs(places[:, None] - others[None]) - half, 0), axis=2)
    price += _MISTAKEN * (theirs < own[:, None] + _NEARER_BY).sum(axis=1)
    return price


def _price_together(index: int, places: Array, half: Array, points: Array) -> Array:
    """One label's half of the price of each pair of places: (places, labels, places)."""
    own = places[index][:, None, None]
    depth = (half[index] + half[None, :, None] - np.abs(own - places[None])).min(axis=3)
    price: Array = _ON_LABEL / 2 * np.maximum(depth, 0) + _ON_LABEL / 2 * (depth > 0)
    for along in np.moveaxis(_leaders(places[index], points[index]), 1, 0):
        price += _LEADER / 6 * (np.abs(along[:, None, None] - places[None]) < half[None, :, None]).all(axis=3)
    price[:, index] = 0.0
    return price


def _leaders(places: Array, point: Array) -> Array:
    """Points along the leader from a point to each place: (places, 10, 2)."""
    along: Array = point + np.linspace(0.1, 0.9, 10)[None, :, None] * (places - point)[:, None]
    return along
