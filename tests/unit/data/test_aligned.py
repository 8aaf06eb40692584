"""Aligned pairs: which belong together, which patches, and every way in which they can be wrong."""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from enhance_sweep.data import aligned
from enhance_sweep.data.aligned import AlignedPairs
from enhance_sweep.data.decoding import decode_rgb
from enhance_sweep.data.packing import find_packed
from enhance_sweep.data.pairs import DataError, Pairs, Split

SIZE = 20


def _picture(seed: int, width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    values = ndimage.gaussian_filter(rng.normal(size=(height, width, 3)), (2, 2, 0)) * 400 + 128
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _write(root: Path, name: str, seed: int, width: int = 70, height: int = 64, suffix: str = ".png") -> None:
    """A pair: the target is lossless, its input darker and blueish."""
    target = root / "target" / f"{name}.png"
    input = root / "input" / f"{name}{suffix}"
    for path in (target, input):
        path.parent.mkdir(parents=True, exist_ok=True)
    picture = _picture(seed, width, height)
    picture.save(target)
    dark = (np.asarray(picture) / 255.0) ** 1.5 * (150, 160, 220)
    Image.fromarray(dark.astype(np.uint8)).save(input, quality=95)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four single pairs of several sizes and two occasions of two pairs each."""
    folder = tmp_path / "collection"
    for seed, name in enumerate(("bridge", "garden", "harbour", "station")):
        _write(
            folder, name, seed, width=70 + 5 * seed, height=64 - seed, suffix=(".jpg", ".png", ".webp", ".TIF")[seed]
        )
    for seed, name in enumerate(("birthday/cake", "birthday/later/guests", "hike/lake", "hike/summit.2")):
        _write(folder, name, 10 + seed, width=60)
    return folder


def _pairs(root: Path, **changes: object) -> AlignedPairs:
    return AlignedPairs(**{"root": str(root), "patch_size": SIZE} | changes)  # type: ignore[arg-type]


def _refusal(pairs: AlignedPairs, tmp_path: Path) -> str:
    with pytest.raises(DataError) as caught:
        pairs.load(tmp_path / "cache")
    return str(caught.value)


def _splits(pairs: Pairs) -> dict[str, Split]:
    assert pairs.validation is not None
    return {"train": pairs.train, "validation": pairs.validation, "test": pairs.test}


def test_whole_scenes_are_kept_for_testing_and_validation(root: Path, tmp_path: Path) -> None:
    pairs = _pairs(root).load(tmp_path / "cache")
    assert pairs.dataset == "pairs"
    scenes = {split: pairs.description[f"{split}_scenes"] for split in ("train", "validation", "test")}
    assert [len(of) for of in scenes.values()] == [3, 1, 2]
    everything = [scene for of in scenes.values() for scene in of]
    assert sorted(everything) == ["birthday", "bridge", "garden", "harbour", "hike", "station"]
    for split, of in _splits(pairs).items():
        assert {re.split("[/@]", name)[0] for name in of.names} == set(scenes[split])
    assert sum(pairs.description[f"{split}_photos"] for split in scenes) == 8
    assert pairs.description["shift_px_largest"] < 0.3


def test_patches_are_those_of_both_photographs_and_overlap_in_training_only(root: Path, tmp_path: Path) -> None:
    pairs = _pairs(root).load(tmp_path / "cache")
    suffixes = {"bridge": ".jpg", "harbour": ".webp", "station": ".TIF"}
    for split, of in _splits(pairs).items():
        corners: dict[str, list[tuple[int, int]]] = {}
        for index, patch in enumerate(of.names):
            name, corner = patch.split("@")
            left, top = map(int, corner.split(","))
            corners.setdefault(name, []).append((left, top))
            files = {"input": f"{name}{suffixes.get(name, '.png')}", "target": f"{name}.png"}
            for side, file in files.items():
                whole = decode_rgb(root / side / file)
                expected = whole[top : top + SIZE, left : left + SIZE]
                np.testing.assert_array_equal(getattr(of, side)[index], expected)
        for name, places in corners.items():
            with Image.open(root / "target" / f"{name}.png") as file:
                sides = file.size
            for axis in (0, 1):
                ordered = sorted({place[axis] for place in places})
                assert (ordered[0], ordered[-1]) == (0, sides[axis] - SIZE)
                assert np.diff(ordered).min() >= (SIZE // 2 if split == "train" else SIZE)


def test_second_load_reads_no_photograph(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _pairs(root).load(tmp_path / "cache")

    def refuse(*_: object) -> None:
        raise AssertionError("a photograph was read again")

    monkeypatch.setattr(aligned, "decode_rgb", refuse)
    assert _pairs(root).load(tmp_path / "cache").fingerprint == first.fingerprint
    found = find_packed(tmp_path / "cache", "pairs", first.fingerprint)
    assert found is not None
    assert found.train.names == first.train.names


def test_fingerprint_is_of_names_and_pixels(root: Path, tmp_path: Path) -> None:
    first = _pairs(root).load(tmp_path / "cache")
    (root / "input").rename(root / "phone")
    (root / "target").rename(root / "camera")
    moved = root.rename(tmp_path / "moved")
    for name, options in (("moved", {}), ("not compared", {"max_shift_px": None})):
        again = _pairs(moved, input="phone", target="camera", **options).load(tmp_path / name)
        assert again.fingerprint == first.fingerprint
    swapped = _pairs(moved, input="camera", target="phone").load(tmp_path / "cache")
    assert swapped.fingerprint != first.fingerprint


def test_another_name_for_records(root: Path, tmp_path: Path) -> None:
    assert _pairs(root, dataset="city-100").load(tmp_path / "cache").dataset == "city-100"


def test_pairs_that_are_apart_are_named_with_their_shift(root: Path, tmp_path: Path) -> None:
    for name, right, down in (("garden", 3, -2), ("hike/lake", 0, 2)):
        path = root / "target" / f"{name}.png"
        picture = decode_rgb(path)
        Image.fromarray(np.roll(picture, (down, right), (0, 1))).save(path)
    message = _refusal(_pairs(root), tmp_path)
    sentences, _, remedy = message.partition(". Crop, scale or warp these ")
    first, second = sentences.split("; ")
    found = re.fullmatch(
        rf"what {root}/input/garden.png shows lies (\S+) px to the right and (\S+) px above in "
        rf"{root}/target/garden.png",
        first,
    )
    assert found is not None
    assert tuple(map(float, found.groups())) == pytest.approx((3, 2), abs=0.2)
    assert second.startswith(f"what {root}/input/hike/lake.png shows lies ")
    assert " below in " in second
    assert "data.max_shift_px=null" in remedy
    assert len(_pairs(root, max_shift_px=4).load(tmp_path / "cache").train) > 0
    assert len(_pairs(root, max_shift_px=None).load(tmp_path / "cache").train) > 0
    assert "garden" in _refusal(_pairs(root), tmp_path), "packed without a comparison, yet compared when asked"


def test_a_wrong_partner_is_named(root: Path, tmp_path: Path) -> None:
    for seed, name in ((20, "market"), (21, "tower")):
        _write(root, name, seed, width=300, height=300)
    shutil.copy(root / "input" / "market.png", root / "input" / "tower.png")
    message = _refusal(_pairs(root), tmp_path)
    assert message.startswith(f"{root}/input/tower.png and {root}/target/tower.png show different things")


def test_two_sizes_in_a_pair_and_other_problems_come_in_one_message(root: Path, tmp_path: Path) -> None:
    _picture(1, 75, 62).save(root / "target" / "garden.png")
    (root / "input" / "hike" / "lake.png").write_bytes(b"")
    _write(root, "icon", 30, width=50, height=SIZE - 1)
    picture = decode_rgb(root / "target" / "station.png")
    Image.fromarray(np.roll(picture, 4, 1)).save(root / "target" / "station.png")
    message = _refusal(_pairs(root), tmp_path)
    assert f"{root}/input/garden.png is 75x63, but its partner {root}/target/garden.png is 75x62; " in message
    assert f"{root}/input/hike/lake.png cannot be read as an image" in message
    assert f"{root}/input/icon.png and its partner are 50x19, smaller than a patch of 20 (data.patch_size)" in message
    assert f"what {root}/input/station.TIF shows lies " in message
    assert ". Replace what cannot be read or is too small, or take it out of both folders. Crop, scale or w" in message


def test_what_cannot_be_read_is_not_to_be_aligned(root: Path, tmp_path: Path) -> None:
    path = root / "target" / "garden.png"
    path.write_bytes(path.read_bytes()[:-500])
    message = _refusal(_pairs(root), tmp_path)
    assert message.startswith(f"{path} cannot be read as an image")
    assert message.endswith(". Replace what cannot be read or is too small, or take it out of both folders")


@pytest.mark.parametrize(("side", "other"), [("input", "target"), ("target", "input")])
def test_missing_partners_are_named(side: str, other: str, root: Path, tmp_path: Path) -> None:
    (root / other / "garden.png").unlink()
    shutil.rmtree(root / other / "hike")
    message = _refusal(_pairs(root), tmp_path)
    assert message.startswith(f"{root}/{side}/garden.png has no partner in {root}/{other}; {root}/{side}/hike/lake.png")
    assert message.endswith("Delete it or add its partner of the same name; the suffix may differ")
    assert "bridge" not in message


def test_two_files_of_one_name_are_refused(root: Path, tmp_path: Path) -> None:
    _picture(1, 75, 63).save(root / "input" / "garden.jpg")
    message = _refusal(_pairs(root), tmp_path)
    assert message.startswith(f"{root}/input/garden.jpg and {root}/input/garden.png have one name. Keep one of them")


def test_names_with_dots_stay_apart(root: Path, tmp_path: Path) -> None:
    _write(root, "hike/summit.3", 40, width=60)
    names = set()
    for split in _splits(_pairs(root).load(tmp_path / "cache")).values():
        names |= {name.split("@")[0] for name in split.names}
    assert {"hike/summit.2", "hike/summit.3"} <= names


def test_one_picture_in_two_scenes_is_refused_unless_it_is_white(root: Path, tmp_path: Path) -> None:
    for name in ("fog", "snow"):
        for side in ("input", "target"):
            Image.new("RGB", (40, 40), "white").save(root / side / f"{name}.png")
    _pairs(root).load(tmp_path / "cache")
    for side in ("input", "target"):
        shutil.copy(root / side / "garden.png", root / side / "hike" / "again.png")
    message = _refusal(_pairs(root), tmp_path)
    assert f"{root}/target/garden.png and {root}/target/hike/again.png are the same picture" in message


def test_too_few_scenes(root: Path, tmp_path: Path) -> None:
    for side in ("input", "target"):
        for path in (root / side).glob("*.*"):
            path.unlink()
    assert "holds 4 photographs" in _refusal(_pairs(root), tmp_path)
    assert "of 2 scenes, and at least 4 scenes are needed" in _refusal(_pairs(root), tmp_path)


def test_other_files_are_ignored(root: Path, tmp_path: Path) -> None:
    before = _pairs(root).load(tmp_path / "cache")
    (root / "input" / "notes.txt").write_text("summer")
    (root / "input" / "._garden.png").write_bytes(b"\0")
    assert _pairs(root).load(tmp_path / "cache").fingerprint == before.fingerprint


def test_a_link_to_a_folder_is_named(root: Path, tmp_path: Path) -> None:
    (root / "input" / "hike").rename(tmp_path / "elsewhere")
    (root / "input" / "hike").symlink_to(tmp_path / "elsewhere")
    assert _refusal(_pairs(root), tmp_path).startswith(
        f"{root}/input/hike is a link to a folder, which is not followed"
    )


def test_the_folders_themselves_may_be_links(root: Path, tmp_path: Path) -> None:
    before = _pairs(root).load(tmp_path / "cache")
    (root / "input").rename(tmp_path / "elsewhere")
    (root / "input").symlink_to(tmp_path / "elsewhere")
    assert _pairs(root).load(tmp_path / "cache").fingerprint == before.fingerprint


def test_a_folder_that_cannot_be_listed_is_named(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refusing(path: str) -> Any:
        if Path(path).name == "hike":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)  # root, as whom many tests run, may list everything
    assert f"{root}/input/hike cannot be listed (Permission denied)" in _refusal(_pairs(root), tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_a_name_that_is_not_utf_8_is_named(root: Path, tmp_path: Path) -> None:
    for side in ("input", "target"):
        picture = root / side / "garden.png"
        picture.rename(os.fsdecode(os.fsencode(picture.parent) + b"/caf\xe9.png"))
    message = _refusal(_pairs(root), tmp_path)
    assert message.startswith(f"'{root}/input/caf\\udce9.png' has a name that is not UTF-8: rename it")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": None}, "data=pairs needs data.root=FOLDER, the folder that holds input/ and target/"),
        ({"root": "/nowhere"}, "data.root=/nowhere is missing: give the folder that holds"),
        ({"input": "phone"}, "has no folder phone, only input, target: give .*data.input=NAME"),
        ({"input": "a", "target": "b"}, "has no folder a and none b, only input, target"),
    ],
)
def test_missing_folders_are_named(changes: dict[str, str | None], message: str, root: Path, tmp_path: Path) -> None:
    assert re.search(message, _refusal(AlignedPairs(**{"root": str(root)} | changes), tmp_path))  # type: ignore[arg-type]


def test_an_empty_folder_is_named(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / "input")
    (root / "input").mkdir()
    assert f"{root}/input holds no photographs (.jpg" in _refusal(_pairs(root), tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size": 0}, "data.patch_size is 0: choose 1 or more"),
        ({"max_shift_px": 0}, "data.max_shift_px is 0: choose more than 0, or null"),
        ({"max_shift_px": float("nan")}, "data.max_shift_px is nan"),
        ({"dataset": "My pairs"}, "data.dataset is 'My pairs': choose a short name of small letters"),
        ({"input": "target"}, "data.input and data.target are both 'target'"),
        ({"input": "./target/"}, "data.input and data.target are both 'target'"),
    ],
)
def test_impossible_settings_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        AlignedPairs(**arguments)  # type: ignore[arg-type]


def test_the_settings_file_has_the_defaults() -> None:
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    conf = Path(__file__).parents[3] / "conf" / "data" / "pairs.yaml"
    assert vars(instantiate(OmegaConf.load(conf))) == vars(AlignedPairs())


def test_city100(shared: Path, tmp_path: Path) -> None:
    """A part of the real set, whose sizes differ: linked, as nobody copies photographs to choose some."""
    names = sorted(path.name for path in (shared / "city100" / "input").iterdir())[:10]
    for side in ("input", "target"):
        (tmp_path / "part" / side).mkdir(parents=True)
        for name in names:
            (tmp_path / "part" / side / name).symlink_to(shared / "city100" / side / name)
    pairs = AlignedPairs(str(tmp_path / "part")).load(tmp_path / "cache")
    photos = [pairs.description[f"{split}_photos"] for split in ("train", "validation", "test")]
    assert photos == [7, 1, 2]
    for split, of in _splits(pairs).items():
        assert of.input.shape[1:] == (100, 100, 3)
        assert len(of) == pairs.description[f"{split}_photos"] * (150 if split == "train" else 40)
    assert pairs.description["shift_px_largest"] < 0.35
