"""Real image files, small enough to be made for every test."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakePhoto = Callable[..., Path]


@pytest.fixture
def make_photo() -> MakePhoto:
    """Write a smooth colored picture, another for every seed, in the format of the path's suffix."""

    def write(
        path: Path, width: int = 24, height: int = 16, seed: int = 0, mode: str = "RGB", **options: object
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).convert(mode)
        picture.save(path, **options)
        return path

    return write


@pytest.fixture
def dped_root(tmp_path: Path, make_photo: MakePhoto) -> Path:
    """A folder in DPED's layout: 12 training and 11 test pairs of 24x16 patches, so names are not in text order."""
    root = tmp_path / "dped"
    for part, count, first_seed in (("training_data", 12, 0), ("test_data/patches", 11, 100)):
        for number in range(count):
            for offset, side in ((0, "iphone"), (1000, "canon")):
                make_photo(
                    root / "iphone" / part / side / f"{number}.jpg", seed=first_seed + offset + number, quality=95
                )
    return root
