from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhance_sweep.settings import TimingSettings
from enhance_sweep.timing.photograph import fingerprint_of, photograph
from enhance_sweep.timing.recording import measurement_of


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


def test_the_photograph_is_part_of_a_measurement_wherever_it_lies(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.png", "copy.png", "other.png")]
    for file, value in zip(files, (0, 0, 9), strict=True):
        Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(file)
    one, copy, other = (measurement_of(TimingSettings(photograph=str(file)), {"name": "eager"}) for file in files)
    assert one == copy != other
    assert "photograph" not in measurement_of(TimingSettings(), {"name": "eager"}), "keys on the installed one stand"
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jpg"):
        fingerprint_of(str(tmp_path / "nowhere.jpg"))
