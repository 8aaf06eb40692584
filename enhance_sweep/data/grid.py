"""Square patches of a picture, on a grid that reaches all its edges."""

from collections.abc import Iterator

import numpy as np

from enhance_sweep.data.pairs import Pixels


def grid(height: int, width: int, size: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield the top left corners of patches that are at least ``step`` apart and reach all edges.

    Args:
        height: Of the picture, in pixels, at least ``size``.
        width: Likewise.
        size: The patches' side.
        step: See :func:`step_of`.
    """
    for top in _spread(height - size, step):
        for left in _spread(width - size, step):
            yield top, left


def step_of(split: str, size: int) -> int:
    """How far patches are apart: they overlap by about half in training and not at all elsewhere."""
    return max(1, size // 2) if split == "train" else size


def cut(picture: Pixels, top: int, left: int, size: int) -> Pixels:
    """A patch."""
    return picture[top : top + size, left : left + size]


def _spread(length: int, step: int) -> list[int]:
    if length < step:
        return [length // 2]
    return [int(place) for place in np.linspace(0, length, length // step + 1)]
