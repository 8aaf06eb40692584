"""Thousands of small files, read several at once: one after the other, each waits for the disk."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

_READERS = 8
_FILES_EACH = 64
_AT_A_TIME = 2**17  # bytes; most records are smaller


def files_below(folder: Path, suffix: str) -> list[str]:
    """`folder/*/*` with names that end in `suffix`, sorted; empty without the folder. Neither file nor folder begins
    with a dot: that is what somebody still writes, or removes.
    """
    found: list[str] = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                found += files_in(entry.path, suffix)
    return sorted(found)


def files_in(folder: str | Path, suffix: str) -> list[str]:
    """`folder/*` with names that end in `suffix` and do not begin with a dot, sorted; empty without the folder."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return sorted(e.path for e in entries if e.name.endswith(suffix) and not e.name.startswith("."))
    return []


def contents(paths: Sequence[str]) -> Iterator[bytes | None]:
    """What is in each file, in the order of `paths`; None for one that cannot be read."""
    parts = [paths[start : start + _FILES_EACH] for start in range(0, len(paths), _FILES_EACH)]
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(parts), _READERS):  # no more in memory than is worked on
            for some in pool.map(_read, parts[start : start + _READERS]):
                yield from some


def _read(paths: Sequence[str]) -> list[bytes | None]:
    return [_bytes(path) for path in paths]


def _bytes(path: str) -> bytes | None:
    """By the system's own calls: each gives the interpreter away, and a Python file makes four times as many."""
    parts = []
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while part := os.read(descriptor, _AT_A_TIME):
                parts.append(part)
        finally:
            os.close(descriptor)
        return b"".join(parts)
    return None
