"""Whether photographs or patches hold pixels of test or validation pairs.

A test patch may lie anywhere in a photograph, so small windows of it are looked for at every place: by a hash that is
computed for all places at once, and each hit is compared pixel by pixel. Only equal pixels are found: not those of a
photograph that was turned, scaled, or saved again with losses.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from enhance_sweep.data.decoding import decode_rgb, refuse
from enhance_sweep.data.joined import Joined
from enhance_sweep.data.pairs import Pairs, Pixels, Split
from enhance_sweep.data.scenes import pictures_in
from enhance_sweep.system.files import write_whole

#: The side of a window, in pixels: two photographs do not agree in 256 pixels by chance.
_WINDOW = 16
#: Windows along a side of a patch: one of them lies within each half of it.
_ALONG = 3
#: Values of a window must spread by this much: flat sky and overexposed white are in every photograph.
_SPREAD = 24
#: Rows of a photograph that are looked through at once, and patches.
_ROWS, _PATCHES = 256, 64


class KeptPixels:
    """Windows of the inputs and targets of test and validation pairs.

    Args:
        pairs: the data set.
    """

    def __init__(self, pairs: Pairs) -> None:
        windows = [w for split in (pairs.test, pairs.validation) if split is not None for w in _windows(split.images)]
        self._exact = {window.tobytes() for window in windows}
        self._hashes = np.unique(_hashes(np.stack(windows))[:, 0, 0]) if windows else np.empty(0, np.uint64)

    def are_in(self, images: Pixels) -> NDArray[np.bool_]:
        """Of each of several images, (N, H, W, 3), whether it holds such a window: (N,)."""
        found = np.zeros(len(images), bool)
        if min(images.shape[1:3]) < _WINDOW or not len(self._hashes):
            return found
        for index, top, left in zip(*np.nonzero(np.isin(_hashes(images), self._hashes)), strict=True):
            window = images[index, top : top + _WINDOW, left : left + _WINDOW]
            found[index] = found[index] or np.ascontiguousarray(window).tobytes() in self._exact
        return found

    def are_in_photograph(self, pixels: Pixels) -> bool:
        """Whether a photograph of any size, (H, W, 3), holds such a window."""
        tops = range(0, max(1, len(pixels) - _WINDOW + 1), _ROWS)
        return any(self.are_in(pixels[None, top : top + _ROWS + _WINDOW - 1]).any() for top in tops)

    def count_in(self, patches: Pixels | Joined) -> int:
        """How many of packed patches, (N, H, W, 3), hold such a window."""
        starts = range(0, len(patches), _PATCHES)
        return sum(int(self.are_in(np.asarray(patches[start : start + _PATCHES])).sum()) for start in starts)


def count_shared(pairs: Pairs, others: Mapping[str, Split], cache_dir: Path) -> int:
    """How many pairs of other splits hold pixels of this data set's test or validation pairs.

    Looked through once for each data set and others; the cache remembers where there are none.

    Args:
        pairs: whose test and validation pairs are looked for.
        others: by the fingerprint of the data set that each is of.
        cache_dir: the cache's folder.
    """
    mark = _mark(cache_dir, pairs, sorted(others))
    if mark.exists():
        return 0
    kept = KeptPixels(pairs)
    images = [(split.input, split.target) for split in others.values()]
    bar = tqdm(images, "Looking for test pairs among those that a teacher learned from", unit="data set")
    shared = sum(max(map(kept.count_in, both)) for both in bar)
    if not shared:
        write_whole(mark, "")
    return shared


def _mark(cache_dir: Path, pairs: Pairs, others: Any) -> Path:
    """The file that says that nothing was found."""
    told = json.dumps([pairs.fingerprint, others, _WINDOW, _ALONG, _SPREAD])
    return cache_dir.expanduser() / "clean" / hashlib.blake2b(told.encode(), digest_size=12).hexdigest()


def refuse_kept_photographs(folder: Path, pairs: Pairs, max_sides: Sequence[int], cache_dir: Path) -> None:
    """Raise a `DataError` that names those photographs without partners that are for testing or validation here.

    Looked through once for each data set and state of the folder; the cache remembers those without fault.

    Args:
        folder: `data.unlabelled`.
        pairs: whose test and validation pairs are looked for.
        max_sides: to which a data set scales larger photographs before it cuts them.
        cache_dir: the cache's folder.
    """
    photos = pictures_in(folder)
    state = [(photo.name, photo.path.stat().st_size, photo.path.stat().st_mtime_ns) for photo in photos]
    mark = _mark(cache_dir, pairs, [sorted(max_sides), state])
    if mark.exists():
        return
    kept = KeptPixels(pairs)
    problems = []
    for photo in tqdm(photos, "Looking for test photographs among those without partners", unit="photo"):
        sizes = [decode_rgb(photo.path)]
        sizes += [decode_rgb(photo.path, side) for side in max_sides if side < max(sizes[0].shape)]
        if any(map(kept.are_in_photograph, sizes)):
            problems.append(f"{photo.path} has pixels of a test or validation pair of {pairs.dataset}")
    refuse(
        problems,
        "Move these out of the folder of data.unlabelled: nothing is to be learned from a test photograph",
    )
    write_whole(mark, "")


def _windows(images: Sequence[Pixels | Joined]) -> Iterator[Pixels]:
    """Windows of patches that are not flat."""
    for pixels in images:
        for index in range(len(pixels)):
            patch = pixels[index]
            for top in _spread(patch.shape[0]):
                for left in _spread(patch.shape[1]):
                    window = np.ascontiguousarray(patch[top : top + _WINDOW, left : left + _WINDOW])
                    if int(np.ptp(window)) >= _SPREAD:
                        yield window


def _spread(length: int) -> list[int]:
    """Where windows begin: in the middle of each third; of a small patch only in its middle."""
    parts = _ALONG if length >= _ALONG * _WINDOW else int(length >= _WINDOW)
    return [(2 * part + 1) * length // (2 * parts) - _WINDOW // 2 for part in range(parts)]


def _hashes(images: Pixels) -> NDArray[np.uint64]:
    """A hash of the window at each place of (N, H, W, 3): (N, H - 15, W - 15), a weighted sum modulo 2**64."""
    rng = np.random.default_rng(0)
    of_channel, across, down = (
        rng.integers(1, 2**63, size, np.uint64) * np.uint64(2) + np.uint64(1) for size in (3, _WINDOW, _WINDOW)
    )
    height, width = images.shape[1] - _WINDOW + 1, images.shape[2] - _WINDOW + 1
    mixed = reduce(add, (images[..., one].astype(np.uint64) * of_channel[one] for one in range(3)))
    mixed = reduce(add, (mixed[:, :, step : step + width] * across[step] for step in range(_WINDOW)))
    hashes: NDArray[np.uint64] = reduce(add, (mixed[:, step : step + height] * down[step] for step in range(_WINDOW)))
    return hashes
