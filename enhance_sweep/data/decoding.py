"""Image files to RGB pixels, or a :class:`DataError` that says what is wrong with the file."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image, ImageFile, ImageOps

from enhance_sweep.data.pairs import DataError, Pixels

_JPEG_END = b"\xff\xd9"
_NAMED_FILES = 5
#: Above this many pixels it is no patch: Pillow takes over, which refuses decompression bombs.
_PATCH_PIXELS = 2**24
#: Color spaces of JPEGs that are decoded to check that they are whole, each with the output that needs no conversion.
_AS_THEY_ARE = {"YCbCr": "RGB", "Gray": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}


def decode_rgb(path: Path, max_side: int | None = None) -> Pixels:
    """Read an image file as a viewer shows it.

    The EXIF orientation is applied. Grayscale, palette and CMYK pictures become RGB; transparency is dropped. Color
    profiles are not applied.

    Args:
        path: A file in any format that Pillow reads.
        max_side: A picture with a longer side than this is scaled down to it (Lanczos); None keeps every size.

    Returns:
        uint8 RGB of shape (H, W, 3).

    Raises:
        DataError: The file is not an image, is cut short or damaged, or has more than 8 bits in its single channel.
    """
    # Another library in this process may have switched this on; half a photograph would then pass for a whole one.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(path) as file:
            if file.mode.startswith(("I", "F")):
                raise DataError(f"{path} has 16 or 32 bits per pixel in one channel: save it with 8 bits per channel")
            picture = ImageOps.exif_transpose(file).convert("RGB")
    except DataError:
        raise
    except Exception as error:  # Damaged files make decoders raise nearly anything.
        raise DataError(f"{path} cannot be read as an image ({error})") from error
    if max_side is not None and max(picture.size) > max_side:
        scale = max_side / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def decode_patch(path: Path) -> Pixels:
    """Read one JPEG patch; it must pass :func:`decode_rgb`'s checks and have a JPEG's end marker.

    A JPEG that lost only its last bytes may still decode, hence the end marker. Trailing zero bytes, which some disks
    leave, are allowed. The pixels are those of :func:`decode_rgb`, but come faster: Pillow takes longer to open a patch
    than to decode it.

    Raises:
        DataError: As :func:`decode_rgb`, or the file is not a JPEG or has no end marker.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    if not content.startswith(b"\xff\xd8"):
        raise DataError(f"{path} is {'empty' if not content else 'not a JPEG file'}")
    if not content.rstrip(b"\0").endswith(_JPEG_END):
        raise DataError(f"{path} is cut short: it has no JPEG end marker")
    try:
        pixels = _decode_plain(content)
    except ValueError as error:
        raise DataError(f"{path} cannot be read as an image ({error})") from error
    return decode_rgb(path) if pixels is None else pixels


def _decode_plain(content: bytes) -> Pixels | None:
    """The pixels of an ordinary color JPEG; None where it needs :func:`decode_rgb`: EXIF, gray, CMYK and the like.

    Raises:
        ValueError: It is damaged. Pillow would silently fill what is missing with gray.
    """
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(content)
        if colorspace not in _AS_THEY_ARE or height * width > _PATCH_PIXELS:
            return None
        pixels: Pixels = simplejpeg.decode_jpeg(content, colorspace=_AS_THEY_ARE[colorspace], strict=True)
        turned = b"Exif\0\0" in content or b"tiff:Orientation" in content
        return None if turned or colorspace != "YCbCr" else pixels
    except ValueError as error:
        if "Corrupt" in str(error):
            raise
        return None


def is_hidden(name: str) -> bool:
    """Whether a file belongs to the operating system: ``.DS_Store``, ``Thumbs.db``, ``desktop.ini`` and the like."""
    return name.startswith(".") or name.lower() in {"thumbs.db", "desktop.ini"}


def refuse(problems: Iterable[str], remedy: str, named: int = _NAMED_FILES) -> None:
    """Raise one error for all problems; do nothing if there are none.

    Args:
        problems: One sentence for each bad file.
        remedy: What to do about them, in the imperative.
        named: How many are named.

    Raises:
        DataError: Names the first few problems, how many more there are, and the remedy.
    """
    sentences = list(problems)
    if not sentences:
        return
    more = len(sentences) - named
    text = "; ".join(sentences[:named]) + (f"; and {more} more" if more > 0 else "")
    raise DataError(f"{text}. {remedy}")


def thread_pool(most: int = 32) -> ThreadPoolExecutor:
    """A pool of at most this many decoding threads: Pillow releases the interpreter's lock while it decodes."""
    return ThreadPoolExecutor(min(most, os.cpu_count() or 1), thread_name_prefix="decode")
