"""DPED's layout: every way in which it can be wrong, and the real sample."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from enhance_sweep.data import dped
from enhance_sweep.data.decoding import decode_patch, decode_rgb
from enhance_sweep.data.dped import Dped
from enhance_sweep.data.packing import find_packed
from enhance_sweep.data.pairs import DataError
from tests.unit.enhance.picture_files import encoded, exif_of, smooth

INPUTS = Path("iphone/training_data/iphone")
TARGETS = Path("iphone/training_data/canon")


def _refusal(root: Path | str | None, tmp_path: Path, phone: str = "iphone") -> str:
    with pytest.raises(DataError) as caught:
        Dped(None if root is None else str(root), phone).load(tmp_path / "cache")
    return str(caught.value)


def test_pairs_stand_in_numeric_order(dped_root: Path, tmp_path: Path) -> None:
    pairs = Dped(str(dped_root), validation=0).load(tmp_path / "cache")
    assert pairs.dataset == "dped-iphone"
    assert pairs.validation is None
    assert pairs.train.names == [str(number) for number in range(12)]
    assert pairs.test.names == [str(number) for number in range(11)]
    assert pairs.description["train_pairs"] == 12
    assert pairs.description["test_pairs"] == 11
    for number in range(12):
        for side, folder in ((pairs.train.input, INPUTS), (pairs.train.target, TARGETS)):
            with Image.open(dped_root / folder / f"{number}.jpg") as file:
                np.testing.assert_array_equal(side[number], np.asarray(file))


@pytest.mark.parametrize(("validation", "most", "learned"), [(0.25, 400, 9), (0.9, 2, 10), (0.1, 400, 11)])
def test_the_last_training_pairs_are_set_apart(
    validation: float, most: int, learned: int, dped_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dped, "_MOST_VALIDATION_PAIRS", most)
    whole = Dped(str(dped_root), validation=0).load(tmp_path)
    pairs = Dped(str(dped_root), validation=validation).load(tmp_path)
    assert pairs.validation is not None
    assert [*pairs.train.names, *pairs.validation.names] == whole.train.names
    for side in ("input", "target"):
        parts = [getattr(split, side) for split in (pairs.train, pairs.validation)]
        np.testing.assert_array_equal(np.concatenate(parts), getattr(whole.train, side))
    assert len(pairs.train) == pairs.description["train_pairs"] == learned
    assert len(pairs.validation) == pairs.description["validation_pairs"] == 12 - learned
    assert pairs.fingerprint != whole.fingerprint, "it is learned from less"
    found = find_packed(tmp_path, pairs.dataset, pairs.fingerprint)
    assert found is not None
    assert found.fingerprint == whole.fingerprint


@pytest.mark.parametrize("validation", [-0.1, 1, 0.01, 0.99])
def test_a_share_that_leaves_nothing_is_refused(validation: float, dped_root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.validation(=| is )0?.*choose"):
        Dped(str(dped_root), validation=validation).load(tmp_path)


@pytest.mark.parametrize(
    ("place", "phone", "message"),
    [
        (None, "iphone", r"data=dped needs data\.root=FOLDER"),
        ("nowhere", "iphone", r"data\.root=.*/nowhere is missing: give the folder that holds"),
        (INPUTS / "0.jpg", "iphone", "is not a folder"),
        (INPUTS, "iphone", f"{INPUTS}/iphone/training_data is missing"),
        ("iphone", "iphone", "is a phone's own folder: give the folder above it.*ROOT$"),
        ("", "sony", "has no sony folder: choose data.phone=iphone"),
        ("", "nokia", "choose one of iphone, blackberry, sony"),
    ],
)
def test_no_root_is_named(place: Path | None, phone: str, message: str, dped_root: Path, tmp_path: Path) -> None:
    refusal = _refusal(None if place is None else dped_root / place, tmp_path, phone)
    assert re.search(message.replace("ROOT", str(dped_root.resolve())), refusal)


@pytest.mark.parametrize(
    ("files", "content", "message"),
    [
        ("../test_data", None, r"test_data/patches/iphone cannot be listed \(No such file"),
        ("canon/7.jpg", None, "^IPHONE/7.jpg has no partner in CANON.*Delete it or add its partner of the same name$"),
        ("iphone/7.jpg", None, "^CANON/7.jpg has no partner in IPHONE.*Delete it or add its partner of the same name$"),
        ("canon/*.jpg", None, "CANON is empty"),
        ("iphone/notes.txt", b"taken in Zurich", "notes.txt is not a .jpg file. Move it elsewhere"),
        ("iphone/3.jpg", encoded(smooth(24, 16), "PNG"), "IPHONE/3.jpg is not a JPEG file. Delete each"),
        ("iphone/3.jpg", b"", "IPHONE/3.jpg is empty"),
        ("iphone/[0-8].jpg", b"\xff\xd8 no more", r"([^;]*is cut short[^;]*; ){5}and 4 more\. Delete each"),
        ("canon/5.jpg", {"width": 20}, "CANON/5.jpg is 20x16, not 24x16 like the others"),
        ("*/0.jpg", {"width": 32, "height": 32}, r"^IPHONE/0.jpg is 32x32, not 24x16 like the others(?!.*1\.jpg)"),
    ],
)
def test_what_is_wrong_with_files_is_named_and_nothing_is_packed(
    files: str, content: Any, message: str, dped_root: Path, tmp_path: Path, make_photo: Callable[..., Path]
) -> None:
    """`content` is a file's; or options of `make_photo`; None: the file is missing."""
    training = dped_root / "iphone" / "training_data"
    for file in [*training.glob(files)] or [training / files]:
        if isinstance(content, dict):
            make_photo(file, **content)
        elif content is not None:
            file.write_bytes(content)
        else:
            file.rename(tmp_path / file.name)
    for name in ("iphone", "canon"):
        message = message.replace(name.upper(), str(training / name))
    assert re.search(message, _refusal(dped_root, tmp_path))
    assert list((tmp_path / "cache").glob("packed/*/")) == []


def test_partner_that_disappears_after_packing(dped_root: Path, tmp_path: Path) -> None:
    Dped(str(dped_root)).load(tmp_path / "cache")
    (dped_root / TARGETS / "7.jpg").unlink()
    assert "has no partner" in _refusal(dped_root, tmp_path)


@pytest.mark.parametrize("lost", [1, 2, 40, 200])
@pytest.mark.parametrize("tolerant", [False, True])
def test_cut_short(lost: int, tolerant: bool, dped_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", tolerant)
    file = dped_root / TARGETS / "5.jpg"
    file.write_bytes(file.read_bytes()[:-lost])
    assert f"{file} is cut short" in _refusal(dped_root, tmp_path)


def test_jpeg_with_a_hole_but_an_end(dped_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    file = dped_root / TARGETS / "5.jpg"
    file.write_bytes(file.read_bytes()[:100] + b"\xff\xd9")
    assert f"{file} cannot be read as an image" in _refusal(dped_root, tmp_path)


def test_files_of_the_operating_system_are_ignored(dped_root: Path, tmp_path: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", "._3.jpg", "desktop.ini"):
        (dped_root / INPUTS / name).write_bytes(b"\0")
    assert len(Dped(str(dped_root), validation=0).load(tmp_path / "cache").train) == 12


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_color_modes_become_rgb(mode: str, dped_root: Path, tmp_path: Path, make_photo: Callable[..., Path]) -> None:
    as_rgb = make_photo(dped_root / INPUTS / "5.jpg", seed=9, quality=95)
    with Image.open(as_rgb) as file:
        gray = np.asarray(file.convert("L"), dtype=int)
        rgb = np.asarray(file, dtype=int)
    make_photo(dped_root / INPUTS / "5.jpg", seed=9, mode=mode, quality=95)
    got = Dped(str(dped_root)).load(tmp_path / "cache").train.input[5].astype(int)
    expected = np.stack([gray] * 3, axis=-1) if mode == "L" else rgb
    # Color is stored at full resolution in CMYK and at half in RGB, so the two differ a little; inverted ink by > 100.
    assert np.abs(got - expected).mean() < (1 if mode == "L" else 8)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        *(("RGB", {"subsampling": halved}) for halved in range(3)),
        ("L", {}),
        ("CMYK", {}),
        ("RGB", {"exif": exif_of(6)}),
    ],
)
def test_patches_are_what_pillow_reads_and_not_without_their_middle(
    mode: str, options: dict[str, Any], tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).normal(128, 40, (25, 25, 3)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(noise).resize((100, 90), Image.Resampling.BICUBIC).convert(mode)
    patch = tmp_path / "patch.jpg"
    picture.save(patch, quality=85, **options)
    np.testing.assert_array_equal(decode_patch(patch), decode_rgb(patch))
    content = patch.read_bytes()
    patch.write_bytes(content[: len(content) // 2] + b"\xff\xd9")
    with pytest.raises(DataError, match="cannot be read as an image"):
        decode_patch(patch)


def test_a_patch_that_says_its_turn_in_xmp_alone_is_turned(tmp_path: Path) -> None:
    patch = tmp_path / "patch.jpg"
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(patch, xmp=packet)
    assert decode_rgb(patch).shape == (60, 40, 3)
    np.testing.assert_array_equal(decode_patch(patch), decode_rgb(patch))


def test_the_real_sample(shared: Path, tmp_path: Path) -> None:
    pairs = Dped(str(shared / "dped-sample"), validation=0).load(tmp_path)
    assert pairs.train.input.shape == pairs.train.target.shape == (200, 100, 100, 3)
    assert pairs.test.input.shape == pairs.test.target.shape == (100, 100, 100, 3)
    assert pairs.train.names == [str(number) for number in range(200)]
    assert pairs.test.names == [str(number) for number in range(100)]
    # What the public DPED code scored on these patches tells that they stand in its order.
    golden = np.load(shared / "reference" / "golden" / "scores_test100.npz")["identity__psnr"]
    error = ((pairs.test.input / 255.0 - pairs.test.target / 255.0) ** 2).mean((1, 2, 3))
    finite = np.isfinite(golden)
    assert finite.sum() == 99
    np.testing.assert_allclose(-10 * np.log10(error[finite]), golden[finite], atol=5e-3)
