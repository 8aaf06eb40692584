"""The photograph that every network is timed on: always the same, never downloaded."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from enhance_sweep.data.installed import installed_file

#: Natural color photographs in scikit-image's wheel. Timing uses the first, which is the largest (Middlebury stereo,
#: 741 x 500); the challenge uses all four.
INSTALLED = tuple(f"skimage/data/{name}.png" for name in ("motorcycle_left", "coffee", "chelsea", "astronaut"))


def photograph(width: int, height: int, file: str | None = None) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """A photograph of exactly `width` x `height`: `file`, or an installed one.

    The largest centred piece of the right shape is cut out and resized, without distortion.

    Returns:
        RGB, uint8, (height, width, 3).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a readable image, or none is installed; names the path.
    """
    path = Path(file) if file else installed_file(INSTALLED[0])
    _check_is_file(path)
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is not a readable photograph ({error}): give another") from error
    return np.asarray(ImageOps.fit(upright, (width, height), Image.Resampling.BICUBIC))


def fingerprint_of(file: str) -> str:
    """What a measurement calls a photograph: the first hexadecimal digits of its file's SHA-256, wherever it lies.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path = Path(file)
    _check_is_file(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def _check_is_file(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"no photograph at {path}: give an image file, or none to take an installed one")
