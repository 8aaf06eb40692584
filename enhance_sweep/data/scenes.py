"""The pictures in a user's folder, the scenes that they show, and which scenes are kept from training."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from enhance_sweep.data.decoding import is_hidden, refuse
from enhance_sweep.data.pairs import DataError, Pixels

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
"""File names that end like this are photographs."""

_FEWEST_SCENES = 4
_FEWEST_TEST_SCENES = 2


@dataclass(frozen=True)
class Picture:
    """A photograph: the scene it shows, its name relative to the root, and its file."""

    scene: str
    name: str
    path: Path


def pictures_in(folder: Path) -> list[Picture]:
    """The photographs in a folder, ordered by name.

    Each file directly in the folder is a scene, and each subfolder, with everything in it, is one scene. A picture
    saved in two formats, holiday.jpg and holiday.png, is one scene.

    Raises:
        DataError: Photographs would be left out without a word: a folder in it is a link or cannot be listed, or a
            name is not text.
    """
    pictures: list[Picture] = []
    problems: list[str] = []
    for path in sorted(_below(folder, problems)):
        inside = path.relative_to(folder)
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        if not _is_text(str(inside)):
            problems.append(f"{str(path)!r} has a name that is not UTF-8: rename it")
        scene = inside.stem if len(inside.parts) == 1 else inside.parts[0]
        pictures.append(Picture(scene, inside.as_posix(), path))
    refuse(problems, "Else photographs would be left out")
    return pictures


def _below(folder: Path, problems: list[str]) -> Iterator[Path]:
    """All files in a folder and its subfolders but hidden ones; what cannot be followed goes to the problems."""

    def note(error: OSError) -> None:
        problems.append(f"{error.filename} cannot be listed ({error.strerror}): fix its permissions")

    for place, folders, files in os.walk(folder, onerror=note):
        here = Path(place)
        folders[:] = [name for name in folders if not is_hidden(name)]
        problems.extend(
            f"{here / name} is a link to a folder, which is not followed: put the folder itself there"
            for name in sorted(folders)
            if (here / name).is_symlink()
        )
        yield from (here / name for name in files if not is_hidden(name))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8, as old archives have them
        return False
    return True


def refuse_few_scenes(folder: Path, pictures: list[Picture]) -> None:
    """Raise a :class:`DataError` unless there are enough scenes to learn from, to validate and to test on."""
    scenes = {picture.scene for picture in pictures}
    if len(scenes) < _FEWEST_SCENES:
        raise DataError(
            f"{folder} holds {len(pictures)} photographs ({', '.join(SUFFIXES)}) of {len(scenes)} scenes, and at least "
            f"{_FEWEST_SCENES} scenes are needed, one of them for validation and two for testing: add some. Each file "
            "in the folder is a scene, and each subfolder, with everything in it, is one scene"
        )


def choose_scenes(scenes: Iterable[str]) -> tuple[set[str], set[str]]:
    """Choose scenes for testing, a fifth and at least two, and for validation, a tenth and at least one.

    A hash of their names decides: the same on every machine.
    """
    shuffled = sorted(set(scenes), key=lambda scene: hashlib.blake2b(scene.encode()).digest())
    tests = max(_FEWEST_TEST_SCENES, round(len(shuffled) / 5))
    return set(shuffled[:tests]), set(shuffled[tests : tests + max(1, round(len(shuffled) / 10))])


class Copies:
    """Finds pictures with equal pixels that stand in different scenes."""

    def __init__(self) -> None:
        self._pictures: dict[bytes, list[Picture]] = defaultdict(list)

    def note(self, picture: Picture, digest: bytes) -> None:
        """Take a picture in, with the :func:`digest_of_pixels` of what it shows."""
        self._pictures[digest].append(picture)

    def refuse(self) -> None:
        """Raise a :class:`DataError` that names pictures in two scenes; do nothing if there are none."""
        refuse(
            (
                " and ".join(str(picture.path) for picture in copies) + " are the same picture, in different scenes"
                for copies in self._pictures.values()
                if len({picture.scene for picture in copies}) > 1
            ),
            "Keep one of them, or put them into one subfolder: else a network is tested on what it was trained on",
        )


def digest_of_pixels(pixels: Pixels) -> bytes:
    """16 bytes that tell a picture from all others."""
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
