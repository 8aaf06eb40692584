"""One timing at a time on a host, and none beside training.

A file lock (flock) that the kernel releases when its holder dies, however it dies. Timing holds it alone; trainings
share it among themselves.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no flock: nothing is locked there.
    fcntl = None  # type: ignore[assignment]


def lock_path() -> Path:
    """The lock's file: the same for all users and checkouts of a host."""
    return Path(tempfile.gettempdir()) / "enhance_sweep-timing.lock"


@contextlib.contextmanager
def host_lock(shared: bool = False, path: Path | None = None) -> Iterator[None]:
    """Hold the host for timing (`shared=False`: nobody else times or trains) or for training (`shared=True`).

    Waits, and says on stderr for whom, until it is free.
    """
    if fcntl is None:
        yield
        return
    handle = open_lock(path or lock_path())
    try:
        _acquire(handle, shared)
        if not shared:
            _name_holder(handle, f"timing in process {os.getpid()}")
        try:
            yield
        finally:
            if not shared:
                _name_holder(handle, "")
            # Said aloud, because a forked child may hold a copy of the handle.
            fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        os.close(handle)


def _acquire(handle: int, shared: bool) -> None:
    """Lock now, or say who holds it and wait."""
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 100, 0).decode(errors="replace").strip() or "a training run"
        purpose = "training" if shared else "timing"
        print(f"{purpose} waits for {holder}: timing needs this host to itself", file=sys.stderr, flush=True)
        fcntl.flock(handle, kind)


def open_lock(path: Path) -> int:
    """Open the file for reading and writing, by whichever user made it."""
    try:
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        with contextlib.suppress(OSError):
            os.fchmod(handle, 0o666)
        return handle


def _name_holder(handle: int, text: str) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)
