"""Photographs without partners, which only a teacher judges: any folder of them, cut into patches and packed."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from tqdm import tqdm

from enhance_sweep.data.decoding import decode_rgb, refuse, thread_pool
from enhance_sweep.data.grid import cut, grid
from enhance_sweep.data.kept import kept_array
from enhance_sweep.data.packing import explained, locked, source_digest
from enhance_sweep.data.pairs import DataError, Pixels
from enhance_sweep.data.scenes import SUFFIXES, Picture, digest_of_pixels, pictures_in
from enhance_sweep.system.files import write_whole

#: If what the files below hold changes, older ones are ignored instead of misread.
_LAYOUT_VERSION = 1


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Packed patches of photographs without partners.

    Attributes:
        folder: its name, without its place.
        fingerprint: a hash of the photographs' names and pixels, and of the patches' size.
        photographs: how many there are.
        patches: uint8 (N, size, size, 3), memory-mapped.
        names: of the patches: `photograph@left,top`.
    """

    folder: str
    fingerprint: str
    photographs: int
    patches: Pixels
    names: list[str]


class _Examined(msgspec.Struct):
    """Heights and widths of the photographs, in order, and their fingerprint."""

    sizes: list[tuple[int, int]]
    fingerprint: str


@cache
def load_unlabelled(folder: str, size: int, cache_dir: Path) -> Unlabelled:
    """The photographs in a folder and its subfolders, cut into patches that reach all edges and hardly overlap.

    The first call decodes them into the cache, with progress bars on stderr.

    Args:
        folder: of photographs, in the formats of `data=photos`; each may have its own size.
        size: the side of a patch, in pixels.
        cache_dir: the cache's folder.

    Raises:
        DataError: the folder is missing or empty, a photograph cannot be read or is smaller than a patch, or the cache
            cannot be written; names the files and the remedy.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        state = "not a folder" if root.exists() else "missing"
        raise DataError(f"data.unlabelled={root} is {state}: give a folder of photographs ({', '.join(SUFFIXES)})")
    photos = pictures_in(root)
    if not photos:
        raise DataError(f"data.unlabelled={root} holds no photographs ({', '.join(SUFFIXES)}): copy some there")
    source = source_digest({photo.name: photo.path for photo in photos}, {"size": size, "layout": _LAYOUT_VERSION})
    entry = cache_dir.expanduser() / "unlabelled" / source
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with locked(entry):
            examined = _examined(photos, size, entry.with_suffix(".json"))
    except OSError as error:
        raise DataError(explained(error, entry.parent)) from error
    places = [
        (photo, top, left)
        for photo, (height, width) in zip(photos, examined.sizes, strict=True)
        for top, left in grid(height, width, size, step=size)
    ]
    opened: dict[Picture, Pixels] = {}

    def rows(first: int, last: int) -> Pixels:
        patches = np.empty((last - first, size, size, 3), np.uint8)
        for row, (photo, top, left) in enumerate(places[first:last]):
            if photo not in opened:
                opened.clear()
                opened[photo] = decode_rgb(photo.path)
            patches[row] = cut(opened[photo], top, left, size)
        return patches

    shape = (len(places), size, size, 3)
    patches = kept_array(entry.with_suffix(".npy"), shape, rows, "Packing photographs without partners")
    names = [f"{photo.name}@{left},{top}" for photo, top, left in places]
    return Unlabelled(root.resolve().name, examined.fingerprint, len(photos), patches, names)


def _examined(photos: list[Picture], size: int, file: Path) -> _Examined:
    """What `file` says of these photographs; first read all of them, and refuse unusable ones, where there is none."""
    try:
        known = msgspec.json.decode(file.read_bytes(), type=_Examined)
        if len(known.sizes) == len(photos):
            return known
    except (OSError, msgspec.MsgspecError):
        pass

    def examine(photo: Picture) -> tuple[tuple[int, int], bytes] | str:
        try:
            pixels = decode_rgb(photo.path)
        except DataError as error:
            return str(error)
        height, width = pixels.shape[:2]
        if min(height, width) < size:
            return f"{photo.path} is {width}x{height}, smaller than a patch of {size}"
        return (height, width), digest_of_pixels(pixels)

    problems: list[str] = []
    sizes: list[tuple[int, int]] = []
    fingerprint = hashlib.blake2b(f"{size}".encode(), digest_size=16)
    with thread_pool(most=4) as threads:
        found = threads.map(examine, photos)
        title = "Reading photographs without partners"
        for photo, result in tqdm(zip(photos, found, strict=True), title, len(photos), unit="photo"):
            if isinstance(result, str):
                problems.append(result)
                continue
            sizes.append(result[0])
            fingerprint.update(f"{photo.name}\0{result[0]}".encode() + result[1])
    refuse(problems, "Move these out of the folder of data.unlabelled, or replace them")
    examined = _Examined(sizes, fingerprint.hexdigest())
    write_whole(file, msgspec.json.encode(examined))
    return examined
