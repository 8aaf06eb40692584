"""Photographs from files and into files."""

import io
import os
import stat
import struct
import zlib
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from enhance_sweep.enhance.color import color_space
from enhance_sweep.enhance.exif import upright, upright_xmp
from enhance_sweep.enhance.reading import Photo, decode, opened
from enhance_sweep.enhance.writing import write_comparison, write_photo
from tests.unit.enhance.picture_files import SRGB, encoded, exif_of, smooth, wide_profile

FORMATS = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF"}


def read(path: Path) -> Photo:
    with opened(path) as image:
        return decode(image, path)


def through(path: Path, target: Path | None = None) -> Image.Image:
    """A file read and written again as if it had been enhanced, beside it where nothing else is said."""
    target = target or path.with_name(f"result-{path.name}")
    write_photo(read(path), target)
    with Image.open(target) as image:
        image.load()
        return image


def save(path: Path, image: Image.Image, **settings: object) -> Path:
    """A picture in the format that its name says."""
    path.write_bytes(encoded(image, FORMATS[path.suffix], **settings))
    return path


def difference(one: Image.Image, other: Image.Image) -> int:
    assert (one.mode, one.size) == (other.mode, other.size)
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other)).max())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_photographs_are_turned_upright(orientation: int, mode: str, tmp_path: Path) -> None:
    path = save(tmp_path / "photo.jpg", smooth(mode=mode), exif=exif_of(orientation))
    with Image.open(path) as image:
        wanted = ImageOps.exif_transpose(image)
    np.testing.assert_array_equal(read(path).pixels, np.asarray(wanted.convert("RGB")))
    written = through(path)
    assert (written.size, written.mode) == (wanted.size, mode)
    assert dict(written.getexif())[0x0112] == 1
    assert written.getexif()[0x010F] == "maker"
    assert written.getexif().get_ifd(0x8769)[0x9003] == "2024:01:01 00:00:00"


KINDS = {
    "gray.jpg": (smooth(mode="L"), {}, "L", 4),
    "color.jpg": (smooth(), {"quality": 98, "subsampling": 0}, "RGB", 16),
    "gray.png": (smooth(mode="L"), {}, "L", 0),
    "alpha.png": (smooth(mode="RGBA"), {}, "RGBA", 0),
    "gray-alpha.png": (smooth(mode="LA"), {}, "LA", 0),
    "lossless.webp": (smooth(mode="RGBA"), {"lossless": True, "exact": True}, "RGBA", 0),
    "lossy.webp": (smooth(), {"quality": 90}, "RGB", 40),
    "palette.png": (smooth().quantize(8), {"transparency": 2}, "RGBA", 0),
    "cmyk.jpg": (smooth(mode="CMYK"), {"quality": 98, "subsampling": 0}, "RGB", 16),
    "raw.tif": (smooth(), {}, "RGB", 0),
    "lzw.tif": (smooth(mode="RGBA"), {"compression": "tiff_lzw"}, "RGBA", 0),
}


@pytest.mark.parametrize("name", KINDS)
def test_format_mode_and_transparency_are_kept(name: str, tmp_path: Path) -> None:
    image, settings, mode, most = KINDS[name]
    path = save(tmp_path / name, image, **settings)
    written = through(path)
    with Image.open(path) as source:
        assert difference(written, source.convert(mode)) <= most
    assert (written.format, written.mode) == (FORMATS[path.suffix], mode)
    if path.suffix == ".tif":
        assert written.info["compression"] == source.info["compression"]
    if path.suffix == ".webp":
        assert (b"VP8L" in (tmp_path / f"result-{name}").read_bytes()) == ("lossless" in settings)


def test_texts_and_resolution_are_kept(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "somebody")
    texts.add_itxt("Title", "Überschrift", "de", "Titel")
    written = through(save(tmp_path / "a.png", smooth(), pnginfo=texts, dpi=(300, 300)))
    assert written.text["Author"] == "somebody"  # type: ignore[attr-defined]
    assert written.text["Title"].lang == "de"  # type: ignore[attr-defined]
    assert round(written.info["dpi"][0]) == 300


def test_tiff_keeps_what_describes_the_picture(tmp_path: Path) -> None:
    exif = exif_of(6)
    exif[0x8769] = 0  # where the directory stands, for Pillow to fill in
    written = through(save(tmp_path / "a.tif", smooth(), exif=exif, icc_profile=SRGB))
    assert written.size == (36, 48)
    assert written.getexif()[0x010F] == "maker"
    assert written.getexif().get(0x0112, 1) == 1
    assert written.getexif().get_ifd(0x8769)[0x9003] == "2024:01:01 00:00:00"
    assert written.info["icc_profile"] == SRGB


# --- colors -----------------------------------------------------------------------------------------------------------


def test_srgb_by_another_name_changes_nothing() -> None:
    assert color_space("RGB", SRGB).is_srgb
    assert color_space("RGB", SRGB).profile == SRGB
    assert color_space("RGB", None).profile is None


def test_a_wide_profile_is_converted_and_comes_back(tmp_path: Path) -> None:
    muted = Image.eval(smooth(), lambda level: 96 + level // 4)  # inside of sRGB's colors in either profile
    path = save(tmp_path / "photo.png", muted, icc_profile=wide_profile())
    assert np.abs(read(path).pixels.astype(int) - muted).max() > 4, "the profile was not applied"
    # Redder than in the file: sRGB needs more of its own red for the same color.
    red = color_space("RGB", wide_profile()).to_srgb(Image.new("RGB", (1, 1), (200, 100, 100))).getpixel((0, 0))
    assert red[0] > 200  # type: ignore[index]
    assert red[1] < 100  # type: ignore[index]
    written = through(path)
    assert written.info["icc_profile"] == wide_profile()
    assert difference(written, muted) <= 2


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_damaged_profile_is_kept_and_passed_over(mode: str) -> None:
    space = color_space(mode, b"no profile")
    assert (space.profile, space.mode) == (b"no profile", mode)
    image = smooth(mode=mode)
    assert difference(space.to_srgb(image), image.convert("RGB")) == 0


def test_gray_with_a_color_profile_stays_gray() -> None:
    space = color_space("L", wide_profile())
    assert space.mode == "L"
    image = smooth(mode="L")
    assert difference(space.from_srgb(space.to_srgb(image)), image) <= 2


# --- EXIF -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
def test_only_orientation_and_thumbnail_of_exif_change(order: str) -> None:
    start = b"II*\0" if order == "<" else b"MM\0*"
    body = start + struct.pack(f"{order}I", 8) + struct.pack(f"{order}H", 2)
    body += struct.pack(f"{order}HHIHH", 0x0112, 3, 1, 8, 0) + struct.pack(f"{order}HHII", 0x927C, 7, 4, 0x41424344)
    exif = b"Exif\0\0" + body + struct.pack(f"{order}I", 99) + b"rest"
    wanted = bytearray(exif)
    struct.pack_into(f"{order}H", wanted, 6 + 8 + 2 + 8, 1)
    struct.pack_into(f"{order}I", wanted, 6 + 8 + 2 + 24, 0)
    assert upright(exif) == bytes(wanted)
    assert upright(exif[6:]) == bytes(wanted)[6:]


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"no exif at all"])
def test_exif_that_cannot_be_read_is_left(exif: bytes) -> None:
    assert upright(exif) == exif


def test_xmp_is_upright_too() -> None:
    assert upright_xmp(b'<a tiff:Orientation="6" x="6">') == b'<a tiff:Orientation="1" x="6">'
    assert upright_xmp(b"<tiff:Orientation>8</tiff:Orientation>") == b"<tiff:Orientation>1</tiff:Orientation>"


# --- what is no photograph --------------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises((ValueError, OSError)) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_bad_files_are_refused_in_a_line_each(tmp_path: Path) -> None:
    whole = encoded(smooth(), "JPEG", quality=90)
    size = whole.index(b"\xff\xc0") + 5  # of the frame: height, then width
    taller = whole[:size] + (360).to_bytes(2, "big") + whole[size + 2 :]
    deep = Image.fromarray(np.zeros((4, 4), np.uint16))
    frames = [smooth(), smooth(mode="L").convert("RGB")]
    cases = {
        "empty.jpg": (b"", "is empty"),
        "text.jpg": (b"not a picture", "is no picture in JPEG, PNG, WebP or TIFF that can be read"),
        "picture.bmp": (encoded(smooth(), "BMP"), "is no picture in"),
        "cut.jpg": (whole[: len(whole) // 2], "is damaged or cut short"),
        "lying.jpg": (taller, "is damaged or cut short"),
        "cut.png": (encoded(smooth(), "PNG")[:-200], "is damaged or cut short"),
        "cut.webp": (encoded(smooth(), "WEBP")[:-50], ""),
        "cut.tif": (encoded(smooth(), "TIFF")[:-500], ""),
        "deep.png": (encoded(deep, "PNG"), "has 16 bits a channel: save it with 8"),
        "deep.tif": (encoded(deep, "TIFF"), "has 16 bits a channel"),
        "float.tif": (encoded(Image.new("F", (4, 4)), "TIFF"), "has 32 bits a channel"),
        "pages.tif": (encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:]), "holds 2 pictures"),
        "moving.webp": (encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]), "holds 2 pictures"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        assert message in refused(tmp_path / name), name
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refused(tmp_path / "pipe.jpg") == "is not a file"


def test_a_deep_color_png_is_refused(tmp_path: Path) -> None:
    content = bytearray(encoded(Image.new("RGB", (1, 1)), "PNG"))
    content[24] = 16
    struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    (tmp_path / "deep.png").write_bytes(content)
    assert refused(tmp_path / "deep.png") == "has 16 bits a channel: save it with 8"


def test_bytes_behind_a_jpegs_pixels_do_no_harm(tmp_path: Path) -> None:
    whole = encoded(smooth(), "JPEG")
    (tmp_path / "a.jpg").write_bytes(whole + b"\0" * 100 + b"a maker's own")
    (tmp_path / "b.jpg").write_bytes(whole[:-2] + b"\0\0\0" + whole[-2:])
    wanted = np.asarray(Image.open(io.BytesIO(whole)))
    np.testing.assert_array_equal(read(tmp_path / "a.jpg").pixels, wanted)
    np.testing.assert_array_equal(read(tmp_path / "b.jpg").pixels, wanted)


def test_a_phones_second_picture_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(smooth(), "MPO", save_all=True, append_images=[smooth(20, 10)]))
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.format == "MPO"
    written = through(tmp_path / "a.jpg")
    assert (written.format, written.size) == ("JPEG", (48, 36))


# --- whole or not at all ----------------------------------------------------------------------------------------------


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo, target = read(save(tmp_path / "a.png", smooth())), tmp_path / "b.png"
    target.write_bytes(b"earlier")
    full = Mock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr("enhance_sweep.enhance.writing.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_photo(photo, target)
    assert target.read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_permissions_are_the_replaced_files(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", smooth())
    path.chmod(0o640)
    through(path, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_comparison_shows_both(tmp_path: Path) -> None:
    photo = read(save(tmp_path / "a.png", Image.new("RGB", (40, 30), "black")))
    write_comparison(photo.pixels, np.full_like(photo.pixels, 200), tmp_path / "both.jpg")
    with Image.open(tmp_path / "both.jpg") as both:
        assert both.size == (40 + 8 + 40, 30)
        assert max(both.getpixel((10, 10))) < 5  # type: ignore[arg-type]
        assert abs(both.getpixel((70, 10))[0] - 200) < 5  # type: ignore[index]
