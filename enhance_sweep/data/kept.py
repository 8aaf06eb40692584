"""Arrays in the cache that take long to compute: made once, whole or not at all, and read by many processes.

An entry is one `.npy` file. It grows under another name, beside the number of rows that are done, under a lock; an
interrupted maker goes on there. A second process waits for the first, and then reads what it made.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from enhance_sweep.data.packing import allocated, explained, locked
from enhance_sweep.data.pairs import DataError, Pixels
from enhance_sweep.system.files import write_whole

#: Rows after which progress is written down.
_CHUNK = 500


def kept_array(
    path: Path, shape: tuple[int, ...], rows: Callable[[int, int], Pixels], progress: str, unit: str = "patch"
) -> Pixels:
    """A uint8 array from the cache, memory-mapped; computed first where it is not there.

    Args:
        path: of the `.npy` file.
        shape: of the array, the number of rows first.
        rows: computes those from a first up to, and without, a last one; in this order.
        progress: what the bar on stderr says.
        unit: what a row is.

    Raises:
        DataError: the cache cannot be written, or `rows` raised one.
    """
    if (array := _opened(path, shape)) is not None:
        return array
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):
            # Another process may have made it while this one waited for the lock.
            if (array := _opened(path, shape)) is None:
                _make(path, shape, rows, progress, unit)
                array = _opened(path, shape)
    except OSError as error:
        raise DataError(explained(error, path.parent)) from error
    if array is None:
        raise DataError(f"{path} changed while it was opened: start again, and let nothing else write there")
    return array


def is_kept(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether `kept_array` has nothing to compute."""
    return _opened(path, shape) is not None


def _make(path: Path, shape: tuple[int, ...], rows: Callable[[int, int], Pixels], progress: str, unit: str) -> None:
    partial, done_file = (path.with_name(f"{path.name}.{suffix}") for suffix in ("partial", "done"))
    array, done = _opened(partial, shape, mode="r+"), 0
    with suppress(OSError, ValueError):
        done = min(int(done_file.read_text()), len(array)) if array is not None else 0
    if array is None:
        done_file.unlink(missing_ok=True)
        array = allocated(partial, shape)
    with tqdm(total=len(array), initial=done, desc=progress, unit=unit) as bar:
        while done < len(array):
            last = min(done + _CHUNK, len(array))
            array[done:last] = rows(done, last)
            array.flush()
            write_whole(done_file, str(last))
            bar.update(last - done)
            done = last
    # After a power cut a renamed file must be whole.
    with partial.open("r+b") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    done_file.unlink(missing_ok=True)


def _opened(path: Path, shape: tuple[int, ...], mode: Any = "r") -> np.memmap[Any, np.dtype[np.uint8]] | None:
    """The memory map of a file that holds such an array, or None."""
    try:
        array: np.memmap[Any, np.dtype[np.uint8]] = np.load(path, mmap_mode=mode)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.dtype == np.uint8 and array.shape == shape else None
