"""How well shifts between the photographs of a pair are found (docs/decisions/data-pairs.md).

    python benchmarks/alignment.py FOLDER [--side PIXELS]

FOLDER holds input/ and target/ with equal names. Prints what is found in the pairs as they are, in copies that are
shifted by known distances, and in pairs whose partners are exchanged; with --side, in square crops of that size.
"""

import argparse
from pathlib import Path

import numpy as np

from enhance_sweep.data.alignment import Shift, shift_of
from enhance_sweep.data.decoding import decode_rgb
from enhance_sweep.data.pairs import Pixels
from enhance_sweep.data.scenes import pictures_in

#: To the right and below, in pixels.
SHIFTS = ((1, 1), (2, 0), (3, -2), (0, 12))


def main() -> None:
    """Read the pairs and print a line for each way of spoiling them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int)
    parser.add_argument("--input", default="input")
    parser.add_argument("--target", default="target")
    options = parser.parse_args()
    sides = [
        [decode_rgb(one.path) for one in pictures_in(options.folder / side)] for side in (options.input, options.target)
    ]
    pairs = [(cropped(one, options.side), cropped(other, options.side)) for one, other in zip(*sides, strict=True)]
    show("as they are", [shift_of(*pair) for pair in pairs])
    for right, down in SHIFTS:
        found = [shift_of(moved(input, right, down), moved(target, -right, -down)) for input, target in pairs]
        show(f"{right:+} right, {down:+} down", found, right, down)
    exchanged = [common(input, pairs[number - 1][1]) for number, (input, _) in enumerate(pairs)]
    show("exchanged", [shift_of(*pair) for pair in exchanged])


def cropped(picture: Pixels, side: int | None) -> Pixels:
    """The middle of a picture."""
    if side is None:
        return picture
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def moved(picture: Pixels, right: int, down: int) -> Pixels:
    """A picture without so many rows and columns at one end."""
    height, width = picture.shape[:2]
    return picture[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]


def common(one: Pixels, other: Pixels) -> tuple[Pixels, Pixels]:
    """Both in the size that they share."""
    height, width = (min(lengths) for lengths in zip(one.shape[:2], other.shape[:2], strict=True))
    return one[:height, :width], other[:height, :width]


def show(title: str, shifts: list[Shift], right: float = 0, down: float = 0) -> None:
    """Print how far off the shifts are, and how many pairs would be named."""
    errors = [np.hypot(one.right_px - right, one.down_px - down) for one in shifts]
    median, most, worst = np.percentile(errors, [50, 90, 100])
    named = sum(one.is_better and one.distance_px > 1 for one in shifts)
    strange = sum(one.shows_something_else for one in shifts)
    agreements = np.percentile([one.agreement for one in shifts], [0, 50, 100])
    print(
        f"{title:18} off by {median:.2f} px median, {most:.2f} 90th percentile, {worst:.2f} worst; agreement "
        f"{agreements[0]:.2f} to {agreements[2]:.2f}, median {agreements[1]:.2f}; named as apart {named}, as different "
        f"things {strange} of {len(shifts)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
