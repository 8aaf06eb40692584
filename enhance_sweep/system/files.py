"""Files: write them whole or not at all, read thousands of them, recognise a full disk."""

import errno
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
#: Small files that the disk makes wait for, this many seconds each, are read by this many threads at once. What memory
#: still holds of them one thread reads in a third of the time.
_WAITING, _READERS = 1e-4, 8
_FILES_EACH = 64


class NoSpaceError(OSError):
    """The disk is full: no variant's fault, and the next would fail as well."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` through a temporary file beside it, so that no reader ever sees only part of it.

    Raises:
        NoSpaceError: the disk is full, or a quota used up; `path` keeps its old content.
        OSError: it cannot be written for another reason.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise_if_full(error, path)
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left in `folder`; nobody else may be writing there."""
    for path in folder.glob(".*.part"):
        path.unlink(missing_ok=True)


def raise_if_full(error: BaseException, path: Path) -> None:
    """Raise a `NoSpaceError` that says what to do, if `error` came from a full disk or a used-up quota."""
    if isinstance(error, OSError) and error.errno in _NO_SPACE and not isinstance(error, NoSpaceError):
        raise NoSpaceError(
            f"no space left to write {path}: free some and start the same command again; finished work is kept, "
            "and an interrupted training continues from its last checkpoint"
        ) from error


def files_below(folder: Path, suffix: str) -> list[str]:
    """`folder/*/*` with names that end in `suffix`, sorted; empty if there is no folder.

    Skips files and folders that begin with a dot: they are being written or removed.
    """
    found: list[str] = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                found += files_in(entry.path, suffix)
    return sorted(found)


def files_named(folder: Path, name: str) -> list[str]:
    """`folder/*/name`, sorted, whether there or not, since looking takes as long as reading; else as `files_below`."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return sorted(f"{entry.path}{os.sep}{name}" for entry in entries if not entry.name.startswith("."))
    return []


def files_in(folder: str | Path, suffix: str) -> list[str]:
    """`folder/*` with names that end in `suffix` and do not begin with a dot, sorted; empty if there is no folder."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return sorted(e.path for e in entries if e.name.endswith(suffix) and not e.name.startswith("."))
    return []


def contents(paths: Sequence[str]) -> Iterator[bytes | None]:
    """Each file's content, in the order of `paths`; None for a file that cannot be read."""
    parts = [paths[start : start + _FILES_EACH] for start in range(0, len(paths), _FILES_EACH)]
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(parts), _READERS):  # keeps only these in memory
            first, *others = parts[start : start + _READERS]
            began = time.perf_counter()
            found = _read(first)
            waits = time.perf_counter() - began > _WAITING * len(first)
            yield from found
            for some in pool.map(_read, others) if waits else map(_read, others):
                yield from some


def _read(paths: Sequence[str]) -> list[bytes | None]:
    return [_bytes(path) for path in paths]


def _bytes(path: str) -> bytes | None:
    """Uses system calls directly: each releases the interpreter's lock, and a Python file makes four times as many."""
    parts = []
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            left = os.fstat(descriptor).st_size  # a larger buffer than needed costs page faults
            while left > 0 and (part := os.read(descriptor, left)):
                parts.append(part)
                left -= len(part)
        finally:
            os.close(descriptor)
        return b"".join(parts)
    return None
