"""Find the photographs that the command line names, and decide where their results go."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from enhance_sweep.data.decoding import is_hidden

_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff")


@dataclass(frozen=True)
class Task:
    """One photograph and the file that its result goes into."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Failure:
    """What failed, and why, in one line."""

    name: str
    reason: str


def find(photos: Sequence[str], out: Path | None) -> tuple[list[Task], list[Failure]]:
    """Find the photographs that the command line names.

    A file is taken whatever its name. In a folder and those below it, files named like photographs are taken. A link in
    a folder is followed only if it points into that folder. Results keep their names, and their places below a folder.

    Args:
        photos: files, folders, and patterns such as `holiday/*.jpg`.
        out: folder of the results; None means in place of the photographs.

    Returns:
        The tasks in order, each source once, and the failures.
    """
    tasks: dict[str, Task] = {}
    failures: list[Failure] = []
    for source, place in _named(photos, out, failures):
        # Replace the file that a link points to, not the link.
        target = Path(os.path.realpath(source)) if out is None else out / place
        tasks.setdefault(os.path.abspath(source), Task(source, target))  # noqa: PTH100  # links stay links
    return _without_collisions(tasks.values(), in_place=out is None, failures=failures), failures


def _named(photos: Sequence[str], out: Path | None, failures: list[Failure]) -> Iterator[tuple[Path, Path]]:
    """Photographs, each with its place below the folder of results."""
    for name in photos:
        paths = [name] if os.path.lexists(name) else sorted(glob.glob(name, recursive=True))  # noqa: PTH207  # it takes absolute ones too
        if not paths:
            reason = "no photograph fits" if glob.has_magic(name) else "is not there"
            failures.append(Failure(name, reason))
        for path in map(Path, paths):
            if path.is_dir():
                found = sorted(_below(path, out, failures))
                if not found:
                    failures.append(Failure(str(path), f"contains no photograph ({', '.join(_SUFFIXES)})"))
                yield from ((photo, photo.relative_to(path)) for photo in found)
            else:
                yield path, Path(path.name)


def _below(folder: Path, out: Path | None, failures: list[Failure]) -> Iterator[Path]:
    """Photographs in a folder and those below it; earlier results among them are left out."""
    own = Path(os.path.realpath(folder))
    results = None if out is None else os.path.realpath(out)
    unread: list[OSError] = []
    for place, folders, files in os.walk(folder, onerror=unread.append):
        here = Path(place)
        for name in folders:
            if (here / name).is_symlink() and not is_hidden(name):
                failures.append(Failure(str(here / name), "is a link to a folder and not followed: name it itself"))
        folders[:] = [
            name
            for name in folders
            if not is_hidden(name) and (os.path.realpath(here / name) != results or results == str(own))
        ]
        for name in files:
            path = here / name
            if is_hidden(name) or not name.lower().endswith(_SUFFIXES):
                continue
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(own):
                failures.append(Failure(str(path), f"is a link to a file outside of {folder}: name it itself"))
            else:
                yield path
    failures += [Failure(str(error.filename), str(error.strerror)) for error in unread]


def _without_collisions(tasks: Iterable[Task], in_place: bool, failures: list[Failure]) -> list[Task]:
    """Leave out tasks that would overwrite a photograph or another result."""
    tasks = list(tasks)
    sources = {_identity(task.source): task.source for task in tasks if task.source.exists()}
    kept: dict[Path, Task] = {}
    for task in tasks:
        taken = None if in_place else sources.get(_identity(task.target))
        if taken is not None:
            what = "it" if taken == task.source else printable(str(taken))
            failures.append(Failure(str(task.source), f"its result would replace {what}: choose another --out"))
        elif task.target in kept:
            other = printable(str(kept[task.target].source))
            failures.append(Failure(str(task.source), f"its result would replace that of {other}: rename one"))
        else:
            kept[task.target] = task
    return list(kept.values())


def _identity(path: Path) -> tuple[int, int] | None:
    """A file's device and inode, the same under all its names; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def printable(text: str) -> str:
    """A name or a message on one line, whatever is in it."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode("ascii")
        for letter in text
    )
