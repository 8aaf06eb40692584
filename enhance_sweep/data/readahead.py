"""Asking the system for crops before they are cut, so that a disk reads many at once while training goes on."""

import mmap
import os
from contextlib import ExitStack

import numpy as np

from enhance_sweep.data.crops import Crops
from enhance_sweep.data.pairs import Split


class Prefetch:
    """Tells the system which parts of packed pairs are wanted soon.

    Cutting from a memory map reads one page after the other, and waits for each: half a second for a batch of 50 from
    a slow disk. Where the pairs are in memory already, or are no memory maps, or the system takes no advice, nothing
    happens.

    Args:
        split: pairs that crops are cut from.
    """

    def __init__(self, split: Split) -> None:
        self._height, self._width = split.input.shape[1:3]
        self._files: list[tuple[int, int]] = []
        self._opened = ExitStack()
        for array in (split.input, split.target):
            # A part of a map says that it begins where the whole does, so only whole ones.
            if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap) and hasattr(os, "posix_fadvise"):
                file = os.open(str(array.filename), os.O_RDONLY)
                self._opened.callback(os.close, file)
                self._files.append((file, array.offset))

    def __call__(self, crops: Crops) -> None:
        """Ask for the rows of pixels that these crops lie in; returns at once."""
        row_bytes = self._width * 3
        starts = (crops.rows * self._height + crops.tops) * row_bytes
        for file, offset in self._files:
            for start in starts.tolist():
                os.posix_fadvise(file, offset + start, crops.side * row_bytes, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        """Close the files."""
        self._opened.close()
