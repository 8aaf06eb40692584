from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhance_sweep.timing.photograph import photograph


def test_the_installed_photograph_is_a_photograph_and_always_the_same() -> None:
    pixels = photograph(1280, 720)
    assert pixels.shape == (720, 1280, 3)
    assert pixels.dtype == np.uint8
    assert pixels.std() > 30
    assert np.array_equal(pixels, photograph(1280, 720))


def test_a_given_photograph_is_cut_to_shape_and_not_distorted(tmp_path: Path) -> None:
    tall = np.zeros((40, 20, 3), np.uint8)
    tall[10:30] = 255  # the centred square
    Image.fromarray(tall).save(tmp_path / "tall.png")
    assert photograph(20, 20, str(tmp_path / "tall.png")).min() == 255


def test_a_missing_photograph_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jpg: give an image file"):
        photograph(10, 10, str(tmp_path / "nowhere.jpg"))
