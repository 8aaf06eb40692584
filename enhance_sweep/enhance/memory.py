"""Where features are kept while a photograph is enhanced: in memory as far as a bound allows, else on the disk."""

import mmap
import shutil
import tempfile
from pathlib import Path
from threading import Condition
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MIB = 2**20


class Budget:
    """A bound on the bytes that all threads together may take.

    Args:
        size: of the whole budget, in bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._taken = 0
        self._changed = Condition()

    def take(self, size: int) -> bool:
        """Take so many bytes if they are free; returns whether they were."""
        with self._changed:
            fits = self._taken + size <= self.size
            self._taken += size if fits else 0
            return fits

    def wait_and_take(self, size: int) -> None:
        """Take so many bytes as soon as they are free.

        Raises:
            ValueError: the whole budget is smaller.
        """
        if size > self.size:
            raise ValueError(f"expected at most {self.size} bytes, got {size}")
        with self._changed:
            self._changed.wait_for(lambda: self._taken + size <= self.size)
            self._taken += size

    def give_back(self, size: int) -> None:
        """Return bytes that were taken."""
        with self._changed:
            self._taken -= size
            self._changed.notify_all()


class Store(Protocol):
    """The rows of one layer's output. A row is its pixels' channels one after the other, (W C)."""

    def read(self, first: int, last: int) -> Tensor:
        """Rows `first` up to `last`, without `last`: (rows, W C). May share the store's memory: not to be changed."""
        ...

    def write(self, first: int, rows: Tensor) -> None:
        """Put rows (rows, W C) from `first` on."""
        ...

    def close(self) -> None:
        """Release the memory or file."""
        ...


class _InMemory:
    """Rows in a memory mapping, returned to the system at once; the process's allocator might keep the memory."""

    def __init__(self, rows: int, row_length: int, dtype: torch.dtype, budget: Budget, size: int) -> None:
        self._budget, self._size = budget, size
        self._rows = torch.frombuffer(anonymous(size), dtype=dtype).view(rows, row_length)

    def read(self, first: int, last: int) -> Tensor:
        return self._rows[first:last]

    def write(self, first: int, rows: Tensor) -> None:
        self._rows[first : first + len(rows)] = rows

    def close(self) -> None:
        del self._rows
        self._budget.give_back(self._size)


class _OnDisk:
    """Rows in a temporary file without a name, so that nothing remains however the process ends.

    Read and written, not mapped: mapped pages would count as the process's memory.
    """

    def __init__(self, row_length: int, dtype: torch.dtype, size: int, folder: Path) -> None:
        free = shutil.disk_usage(folder).free
        if free < size:
            raise OSError(
                f"{size / 2**30:.1f} GiB are needed in {folder}, {free / 2**30:.1f} are free: "
                "raise --max-memory, or set TMPDIR to a folder on another disk"
            )
        self._row_length, self._dtype = row_length, dtype
        self._row_bytes = row_length * dtype.itemsize
        # Closed in `close`; the file goes with its last handle.
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115

    def read(self, first: int, last: int) -> Tensor:
        rows = torch.empty(last - first, self._row_length, dtype=self._dtype)
        place = rows.view(torch.uint8).numpy().data.cast("B")
        self._file.seek(first * self._row_bytes)
        while place.nbytes:
            count = self._file.readinto(place)
            if not count:
                raise OSError("a temporary file is shorter than what was written into it")
            place = place[count:]
        return rows

    def write(self, first: int, rows: Tensor) -> None:
        content = rows.contiguous().view(torch.uint8).numpy().data.cast("B")
        self._file.seek(first * self._row_bytes)
        while content.nbytes:
            content = content[self._file.write(content) :]

    def close(self) -> None:
        self._file.close()


def store(rows: int, row_length: int, dtype: torch.dtype, budget: Budget, folder: Path) -> Store:
    """A place for `rows` times `row_length` numbers: in memory if the budget has room, else on the disk in `folder`.

    Raises:
        OSError: the disk has no room either.
    """
    size = rows * row_length * dtype.itemsize
    if budget.take(size):
        return _InMemory(rows, row_length, dtype, budget, size)
    return _OnDisk(row_length, dtype, size, folder)


def anonymous(size: int) -> mmap.mmap:
    """So many zero bytes, returned to the system as soon as nothing refers to them."""
    memory = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE") and size >= 2 * MIB:
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def anonymous_pixels(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """A black picture, uint8 (height, width, channels), in memory that goes back to the system with it."""
    return np.frombuffer(anonymous(height * width * channels), np.uint8).reshape(height, width, channels)
