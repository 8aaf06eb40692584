"""EXIF of a photograph that has been turned upright."""

import re
import struct

_ORIENTATION = 0x0112
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=\"|='|>))[2-8]")


def upright(exif: bytes) -> bytes:
    """The same EXIF, byte for byte, except that the orientation is 1 and the thumbnail is gone.

    It is patched, not rewritten: rewriting would break offsets inside makers' notes. The thumbnail would show the
    photograph before enhancement. Unreadable EXIF is left as it is.

    Args:
        exif: TIFF structure (CIPA DC-008), with or without the prefix `Exif\\0\\0`.
    """
    changed = bytearray(exif)
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None:
        return exif
    try:
        (first,) = struct.unpack_from(f"{order}I", exif, start + 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start + first)
        entries = start + first + 2
        for entry in range(entries, entries + 12 * count, 12):
            (tag,) = struct.unpack_from(f"{order}H", exif, entry)
            if tag == _ORIENTATION:
                struct.pack_into(f"{order}HIHH", changed, entry + 2, 3, 1, 1, 0)  # one SHORT
        struct.pack_into(f"{order}I", changed, entries + 12 * count, 0)  # no second directory: that is the thumbnail's
    except struct.error:  # cut short
        return exif
    return bytes(changed)


def upright_xmp(xmp: bytes) -> bytes:
    """The same XMP, with its orientation, if any, set to 1."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
