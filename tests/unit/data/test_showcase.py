"""The photographs that every network is shown on: free to be published, always the same, honestly called."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import sklearn.datasets

from enhance_sweep.data import photos, showcase
from enhance_sweep.data.decoding import decode_rgb
from enhance_sweep.data.installed import installed_file
from enhance_sweep.data.pairs import DataError, Pairs, Split
from enhance_sweep.data.showcase import PHOTOGRAPHS, Photograph, shots, was_trained_on


def pairs(dataset: str, **description: object) -> Pairs:
    none = Split(np.zeros((0, 8, 8, 3), np.uint8), np.zeros((0, 8, 8, 3), np.uint8), [])
    return Pairs(dataset, "0" * 16, none, none, dict(description))


def test_the_packages_own_notes_say_what_the_credits_say() -> None:
    notes = {
        "coffee": (inspect.getdoc(skimage.data.coffee), ["CC0", "Rachel Michetti", "Pikolo Espresso Bar"]),
        "cat": (inspect.getdoc(skimage.data.chelsea), ["CC0", "Stefan van der Walt"]),
        "rocket": (inspect.getdoc(skimage.data.rocket), ["public domain", "SpaceX", "spacexphotos/16511594820"]),
        "pagoda": (
            (Path(sklearn.datasets.__file__).parent / "images/README.txt").read_text().partition("flower.jpg")[0],
            ["danielbuechele", "photos/danielbuechele/6061409035"],
        ),
    }
    assert {photograph.name for photograph in PHOTOGRAPHS} == set(notes)
    for photograph in PHOTOGRAPHS:
        note, words = notes[photograph.name]
        for word in words:
            assert word in photograph.credit
            assert word in str(note)
    assert "creativecommons.org/licenses/by/2.0" in str(notes["pagoda"][0])
    assert "CC BY 2.0" in PHOTOGRAPHS[1].credit


def test_shots_are_the_same_always_and_have_their_photographs_own_size() -> None:
    assert shots() is shots()
    again = showcase._shot(PHOTOGRAPHS[0])
    np.testing.assert_array_equal(again.input, shots()[0].input)
    for shot in shots():
        assert shot.input.shape == shot.target.shape
        assert shot.input.dtype == shot.target.dtype == np.uint8
        assert 5 < np.abs(shot.input.astype(float) - shot.target).mean() < 80, "the phone has done something, not all"
    np.testing.assert_array_equal(shots()[0].target, skimage.data.coffee())


def test_a_scene_that_data_photos_trains_on_is_called_so_and_comes_last() -> None:
    for photograph in PHOTOGRAPHS:
        assert photos._INSTALLED[photograph.name] == (photograph.file,)
    scenes = sorted(set(photos._INSTALLED) - photos._INSTALLED_TEST_SCENES)
    flags = [was_trained_on(photograph, pairs("photos", train_scenes=scenes)) for photograph in PHOTOGRAPHS]
    assert flags == [False, False, True, True]
    for other in (pairs("dped-iphone"), pairs("own-photos", train_scenes=["cat"])):
        assert not any(was_trained_on(photograph, other) for photograph in PHOTOGRAPHS)


@pytest.mark.parametrize("file", ["skimage/data/gone.png", "no_such_package/cat.png"])
def test_a_missing_photograph_is_named_with_the_remedy(file: str) -> None:
    with pytest.raises(DataError, match=f"{file} is missing: install or reinstall scikit-image"):
        showcase._shot(Photograph("cat", "A cat", "nobody", file))


def test_the_photographs_are_color_pictures_that_leave_room_for_crops() -> None:
    for photograph in PHOTOGRAPHS:
        pixels = decode_rgb(installed_file(photograph.file))
        assert pixels.shape[0] >= 300
        assert pixels.shape[1] >= 450
        assert np.ptp(pixels.astype(int), axis=2).mean() > 5
