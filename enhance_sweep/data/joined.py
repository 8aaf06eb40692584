"""Patches of several data sets, read as one array; nothing is copied."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Joined:
    """Several uint8 arrays of shape (N, H, W, 3), one after the other.

    It is indexed as NumPy's arrays are, by what training and scoring need: a patch's number, a slice or an array of
    numbers, and after that by rows and columns of pixels. What it returns is NumPy's.

    Args:
        arrays: at least one, memory-mapped or not, whose patches have one size.
    """

    def __init__(self, arrays: Sequence[NDArray[np.uint8]]) -> None:
        self.arrays = tuple(arrays)
        self._ends = np.cumsum([len(array) for array in self.arrays])
        self.shape: tuple[Any, ...] = (int(self._ends[-1]), *self.arrays[0].shape[1:])
        self.dtype = np.result_type(*self.arrays)
        self.nbytes = sum(array.nbytes for array in self.arrays)

    def __len__(self) -> int:
        """Return the number of patches, N."""
        return int(self.shape[0])

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        """Return one patch (a view), a part of one patch (a view), or several patches (a copy)."""
        if isinstance(index, tuple):
            first, *within = index
            one = isinstance(first, int | np.integer)
            part: NDArray[np.uint8] = self[first][tuple(within) if one else (slice(None), *within)]
            return part
        if isinstance(index, int | np.integer):
            array, row = self._find(int(index))
            patch: NDArray[np.uint8] = array[row]
            return patch
        rows = np.arange(len(self))[index]
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for place, row in enumerate(rows):
            found[place] = self[int(row)]
        return found

    def _find(self, index: int) -> tuple[NDArray[np.uint8], int]:
        """The array that holds a patch, and its number there."""
        row = index + (len(self) if index < 0 else 0)
        if not 0 <= row < len(self):
            raise IndexError(f"there are {len(self)} patches, none has number {index}")
        which = int(np.searchsorted(self._ends, row, side="right"))
        return self.arrays[which], row - int(self._ends[which]) + len(self.arrays[which])
