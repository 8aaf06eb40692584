"""The photograph that every network is timed on: always the same, and never downloaded."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

#: Natural color photographs inside scikit-image's wheel; the first, the largest (Middlebury stereo, 741 x 500), is the
#: one that is timed on.
INSTALLED = ("motorcycle_left.png", "coffee.png", "chelsea.png", "astronaut.png")


def photograph(width: int, height: int, file: str | None = None) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """A photograph of exactly `width` x `height`: `file`, or an installed one.

    The largest centred piece of the right shape is cut out and resized, so nothing is distorted.

    Returns:
        RGB, uint8, (height, width, 3).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not an image that can be read, with its path.
    """
    path = Path(file) if file else installed(INSTALLED[0])
    if not path.is_file():
        raise FileNotFoundError(f"no photograph at {path}: give an image file, or none to take an installed one")
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is not a photograph that can be read ({error}): give another") from error
    return np.asarray(ImageOps.fit(upright, (width, height), Image.Resampling.BICUBIC))


def installed(name: str) -> Path:
    """The place of one of scikit-image's photographs, without importing scikit-image."""
    spec = find_spec("skimage")
    folders = list(spec.submodule_search_locations or []) if spec else []
    if not folders:
        raise FileNotFoundError(
            "scikit-image, whose photograph is timed on, is not installed: pip install scikit-image"
        )
    return Path(folders[0]) / "data" / name
