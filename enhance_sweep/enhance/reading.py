"""Read photographs from files, upright and in sRGB, with their metadata; or say in one line what is wrong."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from enhance_sweep.enhance.color import ColorSpace, color_space
from enhance_sweep.enhance.exif import upright, upright_xmp
from enhance_sweep.enhance.memory import anonymous_pixels

Pixels = NDArray[np.uint8]

FORMATS = "JPEG, PNG, WebP or TIFF"
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")  # a JPEG of several pictures, MPO, is opened as JPEG
_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258
_STRIP_ROWS = 256
#: Tags that describe a picture: its title, camera, makers, dates (TIFF 6.0; Microsoft's 0x9C9B to 0x9C9F).
_TIFF_TAGS = {269, 270, 271, 272, 285, 305, 306, 315, 316, 33432, 33723, 700, *range(0x9C9B, 0x9CA0)}
#: The directories of EXIF and of GPS.
_TIFF_DIRECTORIES = {0x8769, 0x8825}

#: Bytes a pixel that a photograph holds at most from being read to being written: at last the result (3), the picture
#: that Pillow makes of it (4), transparency (1), and what is encoded (2 for JPEG).
_BYTES_PER_PIXEL = 10
#: A TIFF may be one strip, and turned by Pillow. WebP's library alone needs much (measured: 49).
_BYTES_PER_PIXEL_OF = {"TIFF": 15, "WEBP": 52}


@dataclass(frozen=True)
class Photo:
    """A photograph as a network takes or makes it, and what belongs to it.

    Attributes:
        pixels: uint8 RGB (H, W, 3) in sRGB, upright.
        alpha: uint8 (H, W), or None.
        color_space: of the file.
        format: JPEG, PNG, WEBP or TIFF.
        keep: further arguments of Pillow's `save`: EXIF, resolution, texts, compression.
    """

    pixels: Pixels
    alpha: Pixels | None
    color_space: ColorSpace
    format: str
    keep: dict[str, Any]


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a photograph's file and read its header, not yet its pixels.

    Raises:
        ValueError: the file cannot be enhanced; says why.
        OSError: it cannot be read.
    """
    kind = path.stat()
    if not stat.S_ISREG(kind.st_mode):
        raise ValueError("is not a file")  # reading a pipe could wait forever
    if kind.st_size == 0:
        raise ValueError("is empty")
    # Another library in this process may have switched this on; half a photograph would then pass as a whole one.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        image = Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"is no picture in {FORMATS} that can be read") from None
    except Exception as error:  # decoders raise nearly anything on a damaged file
        if isinstance(error, OSError) and error.errno:  # the system's, not Pillow's
            raise
        raise _DamagedError(f"is damaged or cut short ({error})") from error
    try:
        if _bits(image) > 8:
            raise ValueError(f"has {_bits(image)} bits a channel: save it with 8")
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # a phone's second picture is its own
        if frames > 1:
            raise ValueError(f"holds {frames} pictures: save each as a file of its own")
        yield image
    finally:
        image.close()  # its pixels too, which leaving `with` would keep


def bytes_needed(image: Image.Image, path: Path, comparison: bool = False) -> int:
    """The most memory, in bytes, that a photograph takes between reading and writing, without the network's features.

    For a comparison, the source stays in memory too.
    """
    per_pixel = _BYTES_PER_PIXEL_OF.get(str(image.format), _BYTES_PER_PIXEL) + (3 if comparison else 0)
    return image.width * image.height * per_pixel + path.stat().st_size


def decode(image: Image.Image, path: Path) -> Photo:
    """Read the pixels of an opened photograph.

    The EXIF orientation is honoured, transparency kept apart, an ICC profile applied.

    Raises:
        ValueError: the file is damaged or cut short.
    """
    try:
        return _decoded(image, path)
    except (_DamagedError, MemoryError):
        raise
    except Exception as error:  # decoders raise nearly anything on a damaged file
        raise _DamagedError(f"is damaged or cut short ({error})") from error


class _DamagedError(ValueError):
    """A damaged file; the message already says what is wrong."""


def _decoded(image: Image.Image, path: Path) -> Photo:
    is_jpeg = image.format in ("JPEG", "MPO")
    orientation = _orientation(image)
    space = color_space(_plain_mode(image), image.info.get("icc_profile"))
    raw = _decode_jpeg(path, image) if is_jpeg else None
    if raw is not None and image.mode == "RGB" and space.is_srgb:
        pixels, alpha = _turned(raw, orientation), None
    else:
        del raw
        pixels, alpha = _decode_by_strips(image, space, orientation)
    if image.format == "PNG":
        image.load()  # also reads the metadata that follows the pixels
    return Photo(pixels, alpha, space, "JPEG" if is_jpeg else str(image.format), _kept(image, path))


def _plain_mode(image: Image.Image) -> str:
    if image.mode in ("L", "LA", "La", "1"):
        return "L"
    return "CMYK" if image.mode == "CMYK" else "RGB"


def _bits(image: Image.Image) -> int:
    """Bits of a channel in the file; Pillow reads many deeper files as 8 bits."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,))))
    if isinstance(image, PngImagePlugin.PngImageFile) and image.tile and "16B" in str(image.tile[0].args):
        return 16
    return {"I": 32, "F": 32}.get(image.mode, 16 if image.mode.startswith("I;") else 8)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation of the pixels as Pillow gives them; it turns TIFFs itself."""
    if image.format == "TIFF":
        return 1
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF makes Pillow raise nearly anything
        return 1
    return orientation if orientation in range(1, 9) else 1


def _as_in_file(canvas: Pixels, orientation: int) -> Pixels:
    """A view of an upright picture as it lies in a file of this EXIF orientation."""
    views = {
        2: canvas[:, ::-1],
        3: canvas[::-1, ::-1],
        4: canvas[::-1],
        5: canvas.swapaxes(0, 1),
        6: np.rot90(canvas, 1),
        7: canvas[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(canvas, -1),
    }
    return views.get(orientation, canvas)


def _turned(raw: Pixels, orientation: int) -> Pixels:
    if orientation == 1:
        return raw
    height, width = raw.shape[:2]
    pixels = anonymous_pixels(*((width, height) if orientation > 4 else (height, width)), 3)
    _as_in_file(pixels, orientation)[:] = raw
    return pixels


def _decode_jpeg(path: Path, image: Image.Image) -> Pixels | None:
    """A JPEG, checked to be whole: Pillow fills what is missing with gray and says nothing.

    Returns:
        uint8 RGB (H, W, 3) as in the file; None for CMYK and others that Pillow has to convert.
    """
    content = path.read_bytes()
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return None  # Pillow knows kinds that this library does not
    if (width, height) != image.size:
        raise _DamagedError(f"is damaged: it says that it is both {image.width}x{image.height} and {width}x{height}")
    wanted = {"YCbCr": "RGB", "RGB": "RGB", "Gray": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}.get(colorspace)
    if wanted is None:
        return None
    channels = {"RGB": 3, "GRAY": 1, "CMYK": 4}[wanted]
    canvas = anonymous_pixels(height, width, channels)
    try:
        simplejpeg.decode_jpeg(content, colorspace=wanted, buffer=canvas, strict=True)
    except ValueError as error:
        if "extraneous bytes before marker 0xd9" not in str(error):  # these bytes follow the last pixel
            raise _DamagedError(f"is damaged or cut short ({error})") from error
        simplejpeg.decode_jpeg(content, colorspace=wanted, buffer=canvas, strict=False)
    return canvas if channels == 3 else None


def _decode_by_strips(image: Image.Image, space: ColorSpace, orientation: int) -> tuple[Pixels, Pixels | None]:
    """Convert a few rows at a time: a second whole picture in Pillow would double the memory."""
    image.load()
    with_alpha = image.has_transparency_data
    height, width = (image.width, image.height) if orientation > 4 else (image.height, image.width)
    pixels = anonymous_pixels(height, width, 3)
    alpha = anonymous_pixels(height, width, 1)[..., 0] if with_alpha else None
    for first in range(0, image.height, _STRIP_ROWS):
        last = min(first + _STRIP_ROWS, image.height)
        strip = image.crop((0, first, image.width, last))
        if alpha is not None:
            strip = strip.convert("LA" if _plain_mode(image) == "L" else "RGBA")
            _as_in_file(alpha, orientation)[first:last] = np.asarray(strip.getchannel("A"))
        plain = strip.convert(_plain_mode(image))
        _as_in_file(pixels, orientation)[first:last] = np.asarray(space.to_srgb(plain))
    return pixels, alpha


def _kept(image: Image.Image, path: Path) -> dict[str, Any]:
    """The metadata and settings that the result keeps, as arguments of Pillow's `save`."""
    keep: dict[str, Any] = {}
    if image.info.get("dpi"):
        keep["dpi"] = image.info["dpi"]
    if image.info.get("exif") and image.format != "TIFF":
        keep["exif"] = upright(image.info["exif"])
    if isinstance(image.info.get("xmp"), bytes):
        keep["xmp"] = upright_xmp(image.info["xmp"])
    if image.format in ("JPEG", "MPO"):
        keep |= {"comment": image.info["comment"]} if image.info.get("comment") else {}
    elif image.format == "PNG":
        keep["text"] = dict(getattr(image, "text", {}))
    elif image.format == "WEBP":
        keep["lossless"] = _is_lossless_webp(path)
    elif image.format == "TIFF":
        keep["exif"] = _tiff_exif(image)
        # Pillow's compressed TIFFs cannot hold EXIF's directories: a TIFF with EXIF is written uncompressed.
        has_directories = bool(_TIFF_DIRECTORIES & set(keep["exif"]))
        keep["compression"] = "raw" if has_directories else image.info.get("compression")
    return keep


def _tiff_exif(image: Image.Image) -> Image.Exif:
    """A TIFF's tags on the picture, without those on how the file stores it."""
    theirs, kept = image.getexif(), Image.Exif()
    for tag in _TIFF_TAGS & set(theirs):
        kept[tag] = theirs[tag]
    for directory in _TIFF_DIRECTORIES & set(theirs):
        kept.get_ifd(directory).update(theirs.get_ifd(directory))
        kept[directory] = 0  # so that Pillow writes it; it sets the offset itself
    return kept


def _is_lossless_webp(path: Path) -> bool:
    """Whether pixels are in a VP8L chunk (WebP container specification)."""
    with path.open("rb") as file:
        file.seek(12)
        while len(header := file.read(8)) == 8:
            if header[:4] in (b"VP8L", b"VP8 "):
                return header[:4] == b"VP8L"
            size = int.from_bytes(header[4:], "little")
            file.seek(size + size % 2, 1)
    return False
