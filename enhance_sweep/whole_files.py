"""Files that are written whole or not at all, and a disk that is full."""

import errno
import os
import tempfile
from pathlib import Path

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class NoSpaceError(OSError):
    """Nothing more can be written: no variant's fault, and the next would fail as well."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` through a temporary file beside it, so that no reader ever sees a part of it.

    Raises:
        NoSpaceError: the disk is full, or a quota used up; what was at `path` is there still.
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
    """Remove what processes that were killed while they wrote have left in `folder`; nobody else may write there."""
    for path in folder.glob(".*.part"):
        path.unlink(missing_ok=True)


def raise_if_full(error: BaseException, path: Path) -> None:
    """Raise a `NoSpaceError` with what to do, if `error` came of a full disk or a used-up quota."""
    if isinstance(error, OSError) and error.errno in _NO_SPACE and not isinstance(error, NoSpaceError):
        raise NoSpaceError(
            f"no space left to write {path}: free some and start the same command again; what is finished is kept, "
            "and what was interrupted goes on from its last checkpoint"
        ) from error
