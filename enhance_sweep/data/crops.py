"""Square crops of pairs: where they are, and two ways to cut them out, which give the same pixels.

On the CPU they are cut from a memory map, slice by slice; on a GPU from a copy of all pairs there, in one gather.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enhance_sweep.data.joined import Joined
from enhance_sweep.data.pairs import Pixels, Split

TURNS = 8
#: Pairs copied to a device at once: mapped pairs need not fit into memory.
_CHUNK = 4096


@dataclass(frozen=True)
class Crops:
    """Where N crops of a split lie, and how each is turned.

    Attributes:
        side: in pixels.
        rows: (N,), the pair.
        tops: (N,), the first row of pixels.
        lefts: (N,), the first column.
        turns: (N,), one of the eight symmetries of the square: `turn // 4` flips, `turn % 4` right angles.
    """

    side: int
    rows: NDArray[np.int64]
    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    turns: NDArray[np.int64]


def draw(rng: np.random.Generator, split: Split, count: int, side: int, augment: bool) -> Crops:
    """Crops at random places in the split, randomly turned if `augment`; each from a part with the part's share."""
    height, width = split.input.shape[1:3]
    return Crops(
        side,
        rows=_rows(rng, split, count),
        tops=rng.integers(height - side + 1, size=count),
        lefts=rng.integers(width - side + 1, size=count),
        turns=rng.integers(TURNS, size=count) if augment else np.zeros(count, dtype=np.int64),
    )


def _rows(rng: np.random.Generator, split: Split, count: int) -> NDArray[np.int64]:
    if not split.parts:
        return rng.integers(len(split), size=count)
    pairs = np.array([part.pairs for part in split.parts])
    chosen = rng.choice(len(pairs), size=count, p=[part.share for part in split.parts])
    firsts = np.cumsum(pairs) - pairs
    rows: NDArray[np.int64] = firsts[chosen] + rng.integers(pairs[chosen])
    return rows


def cut(split: Split, crops: Crops) -> tuple[Tensor, ...]:
    """All of `Split.images`, each uint8 (N, 3, side, side) in channels-last memory, on the CPU."""
    places = list(zip(crops.rows, crops.tops, crops.lefts, crops.turns, strict=True))
    return tuple(
        torch.from_numpy(
            np.stack(
                [
                    _turned(pixels[row, top : top + crops.side, left : left + crops.side], turn)
                    for row, top, left, turn in places
                ]
            )
        ).permute(0, 3, 1, 2)  # (N, H, W, 3) in memory is channels-last already, so no value moves
        for pixels in split.images
    )


class Resident:
    """A split in a device's memory, uint8; crops are cut there.

    Args:
        split: the pairs, copied once.
        device: where they go.
    """

    def __init__(self, split: Split, device: torch.device) -> None:
        self.device = device
        self.height, self.width = split.input.shape[1:3]
        self._pixels = [_copied(pixels, device).reshape(-1, 3) for pixels in split.images]
        self._turned: dict[int, Tensor] = {}

    @staticmethod
    def fits(device: torch.device, *splits: Split) -> bool:
        """Whether splits take at most half of a GPU's free memory: training needs the rest."""
        size = sum(pixels.nbytes for split in splits for pixels in split.images)
        return device.type == "cuda" and size <= torch.cuda.mem_get_info(device)[0] / 2

    def cut(self, crops: Crops) -> tuple[Tensor, ...]:
        """Like the function `cut`, on the device."""
        rows, tops, lefts, turns = (
            torch.from_numpy(values).to(self.device, non_blocking=True)[:, None, None]
            for values in (crops.rows, crops.tops, crops.lefts, crops.turns)
        )
        within = self._positions(crops.side)[turns[:, 0, 0]]
        down, across = within // crops.side, within % crops.side
        positions = (rows * self.height + tops + down) * self.width + lefts + across
        return tuple(pixels[positions].permute(0, 3, 1, 2) for pixels in self._pixels)

    def _positions(self, side: int) -> Tensor:
        """(8, side, side): for each turn and pixel of a turned crop, where in the crop the pixel comes from."""
        if side not in self._turned:
            positions = np.arange(side * side).reshape(side, side)
            turned = np.stack([_turned(positions, turn) for turn in range(TURNS)])
            self._turned[side] = torch.from_numpy(turned).to(self.device)
        return self._turned[side]


def _turned(pixels: NDArray[Any], turn: int) -> NDArray[Any]:
    quarters = np.rot90(pixels, turn % 4)
    return quarters[:, ::-1] if turn >= 4 else quarters


def _copied(pixels: Pixels | Joined, device: torch.device) -> Tensor:
    copy = torch.empty(pixels.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(pixels), _CHUNK):
        copy[start : start + _CHUNK] = torch.from_numpy(np.array(pixels[start : start + _CHUNK]))
    return copy
