"""Simulated pairs: which scenes, which patches, and what is refused."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhance_sweep.config import build, compose_settings
from enhance_sweep.data import photos as photos_module
from enhance_sweep.data.camera import Camera
from enhance_sweep.data.dped import Dped
from enhance_sweep.data.pairs import DataError, Pairs, Split
from enhance_sweep.data.photos import Photos
from enhance_sweep.training.evaluation import score
from tests.unit.enhance.picture_files import exif_of

MakePhoto = Callable[..., Path]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """The default data set as it ships."""
    return Photos().load(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def album(tmp_path: Path, make_photo: MakePhoto) -> Path:
    """A person's folder: four single photographs and two occasions of two photographs each."""
    root = tmp_path / "album"
    for seed, name in enumerate(("bridge.jpg", "garden.png", "harbour.webp", "station.tif")):
        make_photo(root / name, width=50, height=44, seed=seed)
    for seed, name in enumerate(("birthday/cake.jpg", "birthday/later/guests.jpg", "hike/lake.JPG", "hike/top.jpeg")):
        make_photo(root / name, width=44, height=50, seed=10 + seed)
    return root


def _photos(root: Path, **changes: object) -> Photos:
    return Photos(**{"root": str(root), "patch_size": 20, "shots": 2, **changes})  # type: ignore[arg-type]


def _refusal(photos: Photos, tmp_path: Path) -> str:
    with pytest.raises(DataError) as caught:
        photos.load(tmp_path / "cache")
    return str(caught.value)


def _scenes(names: list[str]) -> set[str]:
    return {name.split("/")[0] for name in names}


def test_installed_photographs_are_split_by_scene(installed: Pairs) -> None:
    assert installed.dataset == "photos"
    assert installed.validation is not None
    assert _scenes(installed.train.names) == {"astronaut", "dahlia", "motorcycle", "rocket"}
    assert _scenes(installed.validation.names) == {"cat"}
    assert _scenes(installed.test.names) == {"coffee", "pagoda"}
    assert installed.description["test_scenes"] == ["coffee", "pagoda"]
    assert installed.description["train_photos"] == 5
    assert installed.train.input.shape == installed.train.target.shape == (len(installed.train.names), 100, 100, 3)
    assert len(set(installed.train.names)) == len(installed.train.names)


def test_no_test_patch_was_trained_on(installed: Pairs) -> None:
    seen = {patch.tobytes() for side in (installed.train.input, installed.train.target) for patch in side}
    assert not any(patch.tobytes() in seen for patch in installed.test.target)
    assert not any(patch.tobytes() in seen for patch in installed.test.input)


def test_installed_photographs_are_their_own_targets(installed: Pairs) -> None:
    import skimage

    with Image.open(Path(skimage.__file__).parent / "data" / "coffee.png") as file:
        coffee = np.asarray(file)
    index = installed.test.names.index("coffee/coffee#0@200,100")
    np.testing.assert_array_equal(installed.test.target[index], coffee[100:200, 200:300])
    assert (installed.test.input[index] != installed.test.target[index]).mean() > 0.9


def test_simulated_pairs_score_as_real_ones(installed: Pairs, shared: Path, tmp_path: Path) -> None:
    """The mean of DPED's untouched inputs, within 1.5 dB and 0.03, for training and testing alike."""
    dped = Dped(str(shared / "dped-sample"), validation=0).load(tmp_path)
    both = (np.concatenate([getattr(split, side) for split in (dped.train, dped.test)]) for side in ("input", "target"))
    real = score(None, Split(*both, [*dped.train.names, *dped.test.names])).means()
    assert (real["psnr_db"], real["ms_ssim"]) == pytest.approx((17.31, 0.846), abs=0.01)
    # Every 17th training patch stands for all 2036: it meets every photograph, shot, row and column.
    for split, every in ((installed.train, 17), (installed.test, 3)):
        means = score(None, Split(split.input[::every], split.target[::every], split.names[::every])).means()
        assert means["psnr_db"] == pytest.approx(real["psnr_db"], abs=1.5)
        assert means["ms_ssim"] == pytest.approx(real["ms_ssim"], abs=0.03)


def test_own_photographs_are_split_by_scene(album: Path, tmp_path: Path) -> None:
    pairs = _photos(album).load(tmp_path / "cache")
    assert pairs.validation is not None
    train, validation, test = (pairs.description[f"{split}_scenes"] for split in ("train", "validation", "test"))
    assert pairs.dataset == "own-photos"
    assert (len(validation), len(test)) == (1, 2)
    assert sorted(train + validation + test) == ["birthday", "bridge", "garden", "harbour", "hike", "station"]
    for split, scenes in ((pairs.train, train), (pairs.validation, validation), (pairs.test, test)):
        assert {name.split("#")[0].split("/")[0].split(".")[0] for name in split.names} == set(scenes)


def test_split_stays_when_folder_moves_or_seed_changes(album: Path, tmp_path: Path) -> None:
    first = _photos(album).load(tmp_path / "cache")
    moved = album.rename(tmp_path / "pictures")
    assert _photos(moved).load(tmp_path / "other cache").fingerprint == first.fingerprint
    reseeded = _photos(moved, seed=1).load(tmp_path / "cache")
    assert reseeded.description["test_scenes"] == first.description["test_scenes"]
    np.testing.assert_array_equal(reseeded.test.target, first.test.target)
    assert (reseeded.test.input != first.test.input).any()
    assert reseeded.fingerprint != first.fingerprint


def test_a_fifth_of_many_scenes_is_tested_on_and_a_tenth_validates(tmp_path: Path, make_photo: MakePhoto) -> None:
    for seed in range(20):
        make_photo(tmp_path / "album" / f"street {seed}.png", seed=seed)
    pairs = _photos(tmp_path / "album", patch_size=16, shots=1).load(tmp_path / "cache")
    counts = [len(pairs.description[f"{split}_scenes"]) for split in ("test", "validation", "train")]
    assert counts == [4, 2, 14]


def test_patches_overlap_in_training_only_and_are_aligned(album: Path, tmp_path: Path) -> None:
    pairs = _photos(album, camera=replace(Camera(), blur_px=0.0)).load(tmp_path / "cache")
    assert pairs.validation is not None
    for split, step in ((pairs.train, 10), (pairs.validation, 20), (pairs.test, 20)):
        corners: dict[str, list[tuple[int, int]]] = {}
        for index, name in enumerate(split.names):
            shot, corner = name.split("@")
            left, top = map(int, corner.split(","))
            corners.setdefault(shot, []).append((left, top))
            with Image.open(album / shot.split("#")[0]) as file:
                whole = np.asarray(file.convert("RGB"))
            np.testing.assert_array_equal(split.target[index], whole[top : top + 20, left : left + 20])
        for places in corners.values():
            for axis in (0, 1):
                ordered = sorted({place[axis] for place in places})
                assert step <= np.diff(ordered).min() <= np.diff(ordered).max() < 2 * step
                assert ordered[0] == 0


def test_each_shot_is_another_exposure_of_the_same_target(album: Path, tmp_path: Path) -> None:
    split = _photos(album, shots=3).load(tmp_path / "cache").train
    first, second, third = (split.names.index(f"hike/lake.JPG#{shot}@0,0") for shot in range(3))
    np.testing.assert_array_equal(split.target[first], split.target[second])
    brightness = {split.input[index].mean() for index in (first, second, third)}
    assert len(brightness) == 3


def test_a_shot_does_not_depend_on_the_other_photographs(album: Path, tmp_path: Path, make_photo: MakePhoto) -> None:
    before = _photos(album).load(tmp_path / "cache")
    make_photo(album / "hike" / "valley.png", width=50, height=44, seed=50)
    after = _photos(album).load(tmp_path / "cache")
    for old, new in ((before.train, after.train), (before.test, after.test)):
        for index, name in enumerate(old.names):
            np.testing.assert_array_equal(old.input[index], new.input[new.names.index(name)])


def test_second_load_reads_no_photograph(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _photos(album).load(tmp_path / "cache")

    def refuse(*_: object) -> None:
        raise AssertionError("a photograph was read again")

    monkeypatch.setattr(photos_module, "decode_rgb", refuse)
    assert _photos(album).load(tmp_path / "cache").fingerprint == first.fingerprint


def test_camera_is_part_of_the_data(album: Path, tmp_path: Path) -> None:
    usual = _photos(album).load(tmp_path / "cache")
    noisy = _photos(album, camera=replace(Camera(), noise_gaussian=0.05)).load(tmp_path / "cache")
    assert noisy.fingerprint != usual.fingerprint
    assert noisy.description["camera"]["noise_gaussian"] == 0.05


def test_large_photographs_are_scaled_down_and_turned_upright(tmp_path: Path, make_photo: MakePhoto) -> None:
    root = tmp_path / "album"
    for seed, name in enumerate(("bridge.png", "garden.png", "harbour.png")):
        make_photo(root / name, seed=seed)
    make_photo(root / "tower.jpg", width=80, height=40, seed=2, exif=exif_of(6), quality=95)
    pairs = _photos(root, patch_size=16, max_side=40, shots=1).load(tmp_path / "cache")
    splits = [one for one in (pairs.train, pairs.validation, pairs.test) if one is not None]
    split = next(one for one in splits if any(name.startswith("tower") for name in one.names))
    with Image.open(root / "tower.jpg") as file:
        upright = file.convert("RGB").transpose(Image.Transpose.ROTATE_270).resize((20, 40), Image.Resampling.LANCZOS)
    towers = {index: name.split("@")[1] for index, name in enumerate(split.names) if name.startswith("tower")}
    lefts, tops = zip(*(map(int, place.split(",")) for place in towers.values()), strict=True)
    assert max(lefts) <= 4
    assert max(tops) >= 16
    first = np.asarray(upright)[tops[0] : tops[0] + 16, lefts[0] : lefts[0] + 16]
    np.testing.assert_array_equal(split.target[next(iter(towers))], first)


def test_too_few_scenes(tmp_path: Path, make_photo: MakePhoto) -> None:
    for seed in range(5):
        make_photo(tmp_path / "album" / "wedding" / f"{seed}.jpg", seed=seed)
    make_photo(tmp_path / "album" / "bridge.jpg", seed=9)
    message = _refusal(_photos(tmp_path / "album"), tmp_path)
    assert "holds 6 photographs" in message
    assert "of 2 scenes, and at least 4 scenes are needed" in message


def test_two_formats_of_one_picture_are_one_scene(tmp_path: Path, make_photo: MakePhoto) -> None:
    for name in ("bridge.jpg", "bridge.png", "garden.jpg"):
        make_photo(tmp_path / "album" / name)
    assert "of 2 scenes" in _refusal(_photos(tmp_path / "album"), tmp_path)


def test_missing_folder(tmp_path: Path) -> None:
    assert "nowhere is missing: give a folder of photographs" in _refusal(_photos(tmp_path / "nowhere"), tmp_path)


def test_unreadable_photographs_are_named(album: Path, tmp_path: Path) -> None:
    (album / "blank.png").write_bytes(b"")
    whole = (album / "bridge.jpg").read_bytes()
    (album / "half.jpg").write_bytes(whole[: len(whole) // 2])
    message = _refusal(_photos(album), tmp_path)
    assert f"{album / 'blank.png'} cannot be read as an image" in message
    assert f"{album / 'half.jpg'} cannot be read as an image" in message
    assert message.endswith("Move these out of the folder, or replace them")


def test_photograph_of_16_bits_is_named(album: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 40), np.uint16)).save(album / "scan.tif")
    message = "scan.tif has 16 or 32 bits per pixel in one channel: save it with 8 bits"
    assert message in _refusal(_photos(album), tmp_path)


def test_photograph_smaller_than_a_patch_is_named(album: Path, tmp_path: Path, make_photo: MakePhoto) -> None:
    make_photo(album / "icon.png", width=50, height=19)
    assert f"{album / 'icon.png'} is 50x19 here, smaller than a patch of 20" in _refusal(_photos(album), tmp_path)


def test_one_picture_in_two_scenes_is_refused(album: Path, tmp_path: Path) -> None:
    shutil.copy(album / "garden.png", album / "hike" / "IMG_0001.png")
    message = _refusal(_photos(album), tmp_path)
    assert f"{album / 'garden.png'} and {album / 'hike' / 'IMG_0001.png'} are the same picture" in message
    assert "put them into one subfolder" in message


def test_one_picture_twice_in_one_scene_is_allowed(album: Path, tmp_path: Path) -> None:
    shutil.copy(album / "hike" / "lake.JPG", album / "hike" / "copy of lake.jpg")
    assert len(_photos(album).load(tmp_path / "cache").train) > 0


def test_other_files_are_ignored(album: Path, tmp_path: Path) -> None:
    before = _photos(album).load(tmp_path / "cache")
    (album / "notes.txt").write_text("summer")
    (album / ".thumbnails").mkdir()
    shutil.copy(album / "garden.png", album / ".thumbnails" / "garden.png")
    assert _photos(album).load(tmp_path / "cache").fingerprint == before.fingerprint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size": 0}, "data.patch_size is 0: choose 1 or more"),
        ({"shots": 0}, "data.shots is 0"),
        ({"seed": -1}, "data.seed is -1"),
        ({"max_side": 50}, "data.max_side is 50, less than data.patch_size, 100"),
    ],
)
def test_impossible_numbers_are_named(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Photos(**arguments)  # type: ignore[arg-type]


def test_the_settings_file_has_the_calibrated_camera() -> None:
    assert vars(build(compose_settings(["data=photos"]).data_set, "data")) == vars(Photos())
