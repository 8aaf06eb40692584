"""Ask the system to read crops before they are cut, so that the disk reads many at once during training."""

import mmap
import os
from contextlib import ExitStack
from typing import Any

import numpy as np

from enhance_sweep.data.crops import Crops
from enhance_sweep.data.joined import Joined
from enhance_sweep.data.pairs import Split


class ReadAhead:
    """Tells the system which parts of packed pairs are needed soon.

    Cutting from a memory map reads one page after the other, and waits for each: half a second for a batch of 50 from
    a slow disk. Does nothing where the pairs are in memory already, are not memory maps, or the system takes no advice.

    Args:
        split: pairs that crops are cut from.
    """

    def __init__(self, split: Split) -> None:
        self._height, self._width = split.input.shape[1:3]
        self._files: list[tuple[int, int, int, int]] = []
        self._opened = ExitStack()
        for images in split.images:
            end = 0
            for array in images.arrays if isinstance(images, Joined) else (images,):
                first, end = end, end + len(array)
                if isinstance(array, np.memmap) and _starts_as_its_map(array) and hasattr(os, "posix_fadvise"):
                    file = os.open(str(array.filename), os.O_RDONLY)
                    self._opened.callback(os.close, file)
                    self._files.append((file, array.offset, first, end))

    def __call__(self, crops: Crops) -> None:
        """Ask for the rows of pixels that hold these crops; returns at once."""
        row_bytes = self._width * 3
        for file, offset, first, end in self._files:
            here = (crops.rows >= first) & (crops.rows < end)
            starts = ((crops.rows[here] - first) * self._height + crops.tops[here]) * row_bytes
            for start in starts.tolist():
                os.posix_fadvise(file, offset + start, crops.side * row_bytes, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        """Close the files."""
        self._opened.close()


def _starts_as_its_map(array: "np.memmap[Any, Any]") -> bool:
    """Whether this is a whole map or its first rows: any slice reports the offset of the whole map."""
    whole = array if isinstance(array.base, mmap.mmap) else array.base
    if not isinstance(whole, np.memmap) or not isinstance(whole.base, mmap.mmap):
        return False
    return array.flags.c_contiguous and whole.ctypes.data == array.ctypes.data
