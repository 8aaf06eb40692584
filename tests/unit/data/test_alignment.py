"""Shifts between two photographs of a scene: known ones, whatever light and camera did, and none where none is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from enhance_sweep.data.alignment import shift_of
from enhance_sweep.data.camera import Camera
from enhance_sweep.data.decoding import decode_rgb
from enhance_sweep.data.pairs import Pixels


def scene(height: int = 200, width: int = 260, seed: int = 0) -> Pixels:
    """Blurred blots of color at two scales, so there are edges everywhere."""
    rng = np.random.default_rng(seed)
    picture = sum(
        weight * ndimage.gaussian_filter(rng.normal(size=(height, width, 3)), (sigma, sigma, 0)) * sigma
        for sigma, weight in ((2.0, 1.0), (8.0, 2.0))
    )
    return _as_pixels(128 + 90 * np.asarray(picture))


def _as_pixels(values: np.ndarray) -> Pixels:
    return values.round().clip(0, 255).astype(np.uint8)


def _darker(picture: Pixels) -> Pixels:
    """A gamma of 2.2 and half the light: most of the picture is nearly black."""
    return _as_pixels(120 * (picture / 255) ** 2.2)


def _without_color(picture: Pixels) -> Pixels:
    return np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)


def _by_a_phone(picture: Pixels) -> Pixels:
    """Haze, blur, color cast, noise, sharpening and JPEG's blocks, which lie on the same grid in every picture."""
    return Camera(noise_gaussian=0.01).take(picture, np.random.default_rng(0))


def _vignetted(picture: Pixels) -> Pixels:
    across = np.linspace(-1, 1, picture.shape[1])[None, :, None]
    return _as_pixels(picture * (1 - 0.7 * across**2))


@pytest.mark.parametrize("taken", [_darker, _without_color, _by_a_phone, _vignetted])
@pytest.mark.parametrize(("right", "down"), [(0, 0), (2, 0), (0, -3), (-5, 4), (40, 23)])
def test_a_shift_of_whole_pixels_is_found_whatever_the_camera_did(
    taken: Callable[[Pixels], Pixels], right: int, down: int
) -> None:
    whole = scene(260, 340)
    height, width = 200, 260
    input = taken(whole)[30 : 30 + height, 50 : 50 + width]
    target = whole[30 - down : 30 - down + height, 50 - right : 50 - right + width]
    shift = shift_of(input, target)
    assert (shift.right_px, shift.down_px) == pytest.approx((right, down), abs=0.15)
    assert shift.is_certain
    assert shift.is_better == (right != 0 or down != 0)


@pytest.mark.parametrize(("right", "down"), [(0.4, 0.0), (-1.3, 0.6), (2.5, -2.5)])
def test_a_shift_between_pixels_is_found_to_a_tenth(right: float, down: float) -> None:
    picture = scene()
    moved = _as_pixels(ndimage.shift(picture.astype(float), (down, right, 0), order=3, mode="nearest"))
    shift = shift_of(_darker(picture), moved)
    assert (shift.right_px, shift.down_px) == pytest.approx((right, down), abs=0.1)


@pytest.mark.parametrize(
    ("right", "down", "words"),
    [
        (3, -2, "3.0 px to the right and 2.0 px above"),
        (-3, 0, "3.0 px to the left"),
        (0, 1, "1.0 px below"),
        (0, 0, "0.0 px"),
    ],
)
def test_in_words(right: int, down: int, words: str) -> None:
    picture = scene()
    assert str(shift_of(picture[20:-20, 20:-20], np.roll(picture, (down, right), (0, 1))[20:-20, 20:-20])) == words


def test_other_scenes_show_something_else_unless_they_are_too_small_or_too_flat_to_tell() -> None:
    one, other = scene(300, 300, seed=1), scene(300, 300, seed=2)
    assert shift_of(one, other).shows_something_else
    assert not shift_of(one, _darker(one)).shows_something_else
    assert not shift_of(one[:100, :100], other[:100, :100]).shows_something_else
    noise = np.random.default_rng(0).normal(250, 2, (300, 300, 3))
    assert not shift_of(one, _as_pixels(noise)).shows_something_else
    for shift in (shift_of(one, other), shift_of(one, _as_pixels(noise))):
        assert not shift.is_better


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 200, 3), (64, 64, 3)])
def test_flat_pictures_are_at_no_distance(shape: tuple[int, ...]) -> None:
    white, gray = np.full(shape, 255, np.uint8), np.full(shape, 90, np.uint8)
    for shift in (shift_of(white, gray), shift_of(white, white)):
        assert shift.distance_px == 0
        assert not shift.is_certain


def test_large_photographs_are_compared_smaller_and_found_as_far_apart() -> None:
    picture = np.kron(scene(150, 600), np.ones((4, 4, 1), np.uint8))
    shift = shift_of(_darker(picture)[8:, :-12], picture[:-8, 12:])
    assert (shift.right_px, shift.down_px) == pytest.approx((-12, 8), abs=0.3)
    assert shift.side_px < 1000


def test_real_pairs_of_a_phone_and_a_camera_are_close_and_shifted_ones_are_not(shared: Path) -> None:
    """City100 is registered to 0.13 px in the median, 0.30 at the 90th percentile."""
    root = shared / "city100"
    names = sorted(path.name for path in (root / "input").iterdir())[::10]
    for name, following in zip(names, names[1:] + names[:1], strict=True):
        input, target = (decode_rgb(root / side / name) for side in ("input", "target"))
        shift = shift_of(input, target)
        assert shift.distance_px < 0.35
        assert shift.is_certain
        assert not shift.is_better
        for right, down in ((1, 1), (2, 0), (-3, 2), (0, -12)):
            one, other = (_cropped(picture, sign * right, sign * down) for picture, sign in ((input, 1), (target, -1)))
            moved = shift_of(one, other)
            assert (moved.right_px, moved.down_px) == pytest.approx((right, down), abs=0.4)
            assert moved.is_better
        another = decode_rgb(root / "target" / following)
        height, width = (min(sides) for sides in zip(input.shape[:2], another.shape[:2], strict=True))
        assert shift_of(input[:height, :width], another[:height, :width]).shows_something_else


def _cropped(picture: Pixels, right: int, down: int) -> Pixels:
    height, width = picture.shape[:2]
    return picture[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
