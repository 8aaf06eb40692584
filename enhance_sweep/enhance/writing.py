"""Write enhanced photographs in the format of their source, with its metadata, whole or not at all."""

import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from enhance_sweep.enhance.reading import Photo, Pixels

#: JPEG and lossy WebP, with colors at full resolution in JPEG (docs/decisions/enhance-photographs.md).
QUALITY = 95
_STRIP_ROWS = 256
#: Longest side of each half of a comparison, in pixels.
_COMPARED_SIDE = 2048
_GAP = 8
#: Lossless TIFF compressions that Pillow can write; others become Deflate.
_TIFF_COMPRESSIONS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate")


def write_photo(photo: Photo, target: Path) -> None:
    """Write a photograph in its format, mode and colors.

    Args:
        photo: with the result's pixels in place of the source's.
        target: a file that is there already is replaced.

    Raises:
        OSError, ValueError: it cannot be written; no partial file is left.
    """
    _write_whole(_picture(photo), target, photo.format, _settings(photo))


def write_comparison(photo: Pixels, enhanced: Pixels, target: Path) -> None:
    """Write a JPEG of a photograph, left, and its result, right; large ones scaled down.

    Raises:
        OSError: it cannot be written; no partial file is left.
    """
    before, after = _small(photo), _small(enhanced)
    both = Image.new("RGB", (2 * before.width + _GAP, before.height), "white")
    both.paste(before, (0, 0))
    both.paste(after, (before.width + _GAP, 0))
    _write_whole(both, target, "JPEG", {"quality": QUALITY, "subsampling": 0})


def comparison_of(target: Path) -> Path:
    """The path of a result's comparison."""
    return target.with_name(f"{target.name}.before-after.jpg")


def _small(pixels: Pixels) -> Image.Image:
    image = Image.fromarray(pixels)
    image.thumbnail((_COMPARED_SIDE, _COMPARED_SIDE), Image.Resampling.LANCZOS)
    return image


def _picture(photo: Photo) -> Image.Image:
    """A photograph in the mode and the colors of its file, made a few rows at a time."""
    height, width = photo.pixels.shape[:2]
    mode = photo.color_space.mode
    if photo.alpha is not None:
        mode = {"L": "LA", "RGB": "RGBA"}[mode]
    picture = Image.new(mode, (width, height))
    for first in range(0, height, _STRIP_ROWS):
        rows = slice(first, first + _STRIP_ROWS)
        strip = photo.color_space.from_srgb(Image.fromarray(np.ascontiguousarray(photo.pixels[rows])))
        if photo.alpha is not None:
            strip.putalpha(Image.fromarray(np.ascontiguousarray(photo.alpha[rows])))
        picture.paste(strip, (0, first))
    return picture


def _settings(photo: Photo) -> dict[str, Any]:
    settings = dict(photo.keep)
    if photo.color_space.profile:
        settings["icc_profile"] = photo.color_space.profile
    if photo.format == "JPEG":
        settings |= {"quality": QUALITY, "subsampling": 0}
    elif photo.format == "WEBP":
        settings |= {"quality": 100 if settings["lossless"] else QUALITY, "exact": True}
    elif photo.format == "TIFF":
        compression = settings["compression"]
        settings["compression"] = compression if compression in _TIFF_COMPRESSIONS else "tiff_adobe_deflate"
    elif photo.format == "PNG":
        settings.pop("xmp", None)  # already among the texts
        chunks = PngImagePlugin.PngInfo()
        for name, text in settings.pop("text").items():
            if isinstance(text, PngImagePlugin.iTXt):
                chunks.add_itxt(name, text, text.lang or "", text.tkey or "")
            else:
                chunks.add_text(name, text)
        settings["pnginfo"] = chunks
    return settings


def _write_whole(picture: Image.Image, target: Path, format: str, settings: dict[str, Any]) -> None:
    """Write beside the target, then replace it in one step; a replaced file's permissions are kept."""
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            picture.save(file, format, **settings)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
