"""Pictures and profiles for tests."""

import io
import struct

import numpy as np
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def smooth(width: int = 48, height: int = 36, mode: str = "RGB") -> Image.Image:
    """A picture without noise, so that lossy formats keep it nearly as it is."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 5, 4), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def wide_profile() -> bytes:
    """sRGB's profile with red and green farther out, as in Display P3 (X, Y and Z of the primaries)."""
    profile = bytearray(SRGB)
    (count,) = struct.unpack_from(">I", profile, 128)
    columns = {b"rXYZ": (0.5151, 0.2412, -0.0011), b"gXYZ": (0.2920, 0.6922, 0.0419), b"bXYZ": (0.1571, 0.0666, 0.7841)}
    for entry in range(132, 132 + 12 * count, 12):
        name, offset = bytes(profile[entry : entry + 4]), struct.unpack_from(">I", profile, entry + 4)[0]
        if name in columns:
            struct.pack_into(">3i", profile, offset + 8, *(round(value * 65536) for value in columns[name]))
    return bytes(profile)


def encoded(image: Image.Image, format: str, **settings: object) -> bytes:
    """A picture as the content of a file."""
    file = io.BytesIO()
    image.save(file, format, **settings)
    return file.getvalue()


def exif_of(orientation: int) -> Image.Exif:
    """EXIF as a phone writes it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "maker"
    exif.get_ifd(0x8769)[0x9003] = "2024:01:01 00:00:00"
    return exif
