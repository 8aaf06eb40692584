"""Photographs without partners: any sizes, packed once, known by their content, and never those of test pairs."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhance_sweep.data.decoding import decode_rgb
from enhance_sweep.data.leaks import KeptPixels, refuse_kept_photographs
from enhance_sweep.data.pairs import DataError, Pairs, Pixels, Split
from enhance_sweep.data.unlabelled import load_unlabelled
from tests.unit.data.conftest import MakePhoto


@pytest.fixture
def folder(tmp_path: Path, make_photo: MakePhoto) -> Path:
    """Three photographs of three sizes, one in a subfolder."""
    for number, (name, width, height) in enumerate((("a.png", 50, 40), ("b.jpg", 33, 64), ("trip/c.png", 32, 32))):
        make_photo(tmp_path / "phone" / name, width, height, seed=number)
    return tmp_path / "phone"


def test_photographs_of_any_size_are_cut_into_patches_that_reach_all_edges(folder: Path, tmp_path: Path) -> None:
    unlabelled = load_unlabelled(str(folder), 16, tmp_path / "cache")
    assert (unlabelled.folder, unlabelled.photographs) == ("phone", 3)
    assert unlabelled.patches.shape == (len(unlabelled.names), 16, 16, 3)
    far = dict.fromkeys(("a.png", "b.jpg", "trip/c.png"), (0, 0))
    for name, patch in zip(unlabelled.names, unlabelled.patches, strict=True):
        photo, _, place = name.partition("@")
        left, top = map(int, place.split(","))
        np.testing.assert_array_equal(patch, decode_rgb(folder / photo)[top : top + 16, left : left + 16])
        far[photo] = max(far[photo][0], left + 16), max(far[photo][1], top + 16)
    assert far == {"a.png": (50, 40), "b.jpg": (33, 64), "trip/c.png": (32, 32)}


def test_the_fingerprint_is_of_the_content_not_of_the_place(
    folder: Path, tmp_path: Path, make_photo: MakePhoto
) -> None:
    cache = tmp_path / "cache"
    first = load_unlabelled(str(folder), 16, cache)
    moved = shutil.copytree(folder, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert load_unlabelled(str(moved), 16, cache).fingerprint == first.fingerprint
    assert load_unlabelled(str(folder), 24, cache).fingerprint != first.fingerprint
    make_photo(moved / "a.png", 50, 40, seed=9)
    load_unlabelled.cache_clear()  # as a new process would
    assert load_unlabelled(str(moved), 16, cache).fingerprint != first.fingerprint


def test_a_folder_that_cannot_be_used_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.unlabelled=.*nowhere is missing: give a folder"):
        load_unlabelled(str(tmp_path / "nowhere"), 16, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no photographs"):
        load_unlabelled(str(tmp_path / "empty"), 16, tmp_path)
    (folder / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"c\.png is 32x32, smaller than a patch of 40.*Move these") as caught:
        load_unlabelled(str(folder), 40, tmp_path)
    assert "broken.jpg cannot be read" in str(caught.value)
    assert "b.jpg is 33x64" in str(caught.value)


# --- test photographs -------------------------------------------------------------------------------------------------

SIZE = 48


def _photograph(seed: int, height: int = 150, width: int = 170) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _split(*patches: Pixels) -> Split:
    """Pairs whose targets are brighter than their inputs."""
    inputs = np.stack(patches)
    return Split(inputs, np.minimum(inputs // 2 + 100, 255).astype(np.uint8), [str(i) for i in range(len(inputs))])


@pytest.fixture
def pairs() -> Pairs:
    """A training, a test and a validation pair, from photographs 0, 1 and 2; the test split has a white patch, too."""
    cut = [_photograph(seed)[31 : 31 + SIZE, 57 : 57 + SIZE] for seed in range(3)]
    white = np.full_like(cut[0], 255)
    return Pairs("made-up", "f1", train=_split(cut[0]), test=_split(cut[1], white), validation=_split(cut[2]))


def _written(folder: Path, **photographs: Pixels) -> Path:
    folder.mkdir()
    for name, pixels in photographs.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def test_photographs_that_test_and_validation_patches_were_cut_from_are_refused(pairs: Pairs, tmp_path: Path) -> None:
    target = np.zeros((60, 60, 3), np.uint8)
    target[7 : 7 + SIZE, 3 : 3 + SIZE] = pairs.test.target[0]
    folder = _written(
        tmp_path / "phone",
        of_train=_photograph(0),
        of_test=_photograph(1),
        of_validation=_photograph(2),
        a_target=target,
        another=_photograph(7),
        white=np.full((60, 60, 3), 255, np.uint8),
    )
    with pytest.raises(DataError, match=r"Move these out") as caught:
        refuse_kept_photographs(folder, pairs, [], tmp_path / "cache")
    named = {
        name
        for name in ("of_train", "of_test", "of_validation", "a_target", "another", "white")
        if name in str(caught.value)
    }
    assert named == {"of_test", "of_validation", "a_target"}


def test_a_photograph_that_the_data_set_scales_down_is_looked_for_at_that_size(pairs: Pairs, tmp_path: Path) -> None:
    large = np.asarray(Image.fromarray(_photograph(5, 40, 60)).resize((300, 200), Image.Resampling.BICUBIC))
    folder = _written(tmp_path / "phone", large=large)
    scaled = decode_rgb(folder / "large.png", 150)
    of_scaled = Pairs("made-up", "f2", pairs.train, _split(scaled[20 : 20 + SIZE, 30 : 30 + SIZE]))
    refuse_kept_photographs(folder, of_scaled, [], tmp_path / "cache")
    with pytest.raises(DataError, match=r"large\.png has pixels of a test or validation pair"):
        refuse_kept_photographs(folder, of_scaled, [150], tmp_path / "cache")


def test_what_is_clean_is_looked_through_once(pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _written(tmp_path / "phone", another=_photograph(7))
    refuse_kept_photographs(folder, pairs, [], tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr(KeptPixels, "are_in_photograph", None)
        refuse_kept_photographs(folder, pairs, [], tmp_path / "cache")
    Image.fromarray(_photograph(1)).save(folder / "new.png")
    with pytest.raises(DataError, match=r"new\.png"):
        refuse_kept_photographs(folder, pairs, [], tmp_path / "cache")


def test_packed_patches_that_overlap_a_test_patch_by_half_are_counted(pairs: Pairs) -> None:
    kept, photograph = KeptPixels(pairs), _photograph(1)
    tops = range(31 - SIZE // 2, 31 + SIZE // 2 + 1, 4)
    overlapping = np.stack([photograph[top : top + SIZE, 57 : 57 + SIZE] for top in tops])
    assert kept.count_in(overlapping) == len(overlapping)
    assert kept.count_in(np.stack([_photograph(8)[:SIZE, :SIZE], pairs.train.input[0]])) == 0
