"""Aligned pairs of whole photographs, in two folders with equal names."""

import importlib.metadata
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from enhance_sweep.data.alignment import Shift, shift_of
from enhance_sweep.data.decoding import decode_rgb, refuse, thread_pool
from enhance_sweep.data.grid import cut, grid, step_of
from enhance_sweep.data.packing import Description, Packer, packed, source_digest
from enhance_sweep.data.pairs import DataError, Pairs, Pixels
from enhance_sweep.data.scenes import (
    SUFFIXES,
    Copies,
    Picture,
    choose_scenes,
    digest_of_pixels,
    pictures_in,
    refuse_few_scenes,
)
from enhance_sweep.system.code_meaning import digest_of

# What decides which patches there are, and whether they are accepted.
_MADE_BY = ("aligned.py", "alignment.py", "decoding.py", "grid.py", "scenes.py")
# A pair is seldom wrong alone: whoever has to align them wants to see them all.
_NAMED_PAIRS = 20
_REPLACE = "Replace what cannot be read or is too small, or take it out of both folders"
_ALIGN = (
    "Crop, scale or warp these so that both show the same at the same place, or take them out of both folders. "
    "data.max_shift_px sets how far apart a pair may be; with data.max_shift_px=null nothing is compared"
)


@dataclass(frozen=True)
class _Pair:
    """Two photographs of one name, without suffix."""

    name: str
    input: Picture
    target: Picture


@dataclass(frozen=True)
class _Problem:
    """What is wrong with a pair, in a sentence, and what to do about it."""

    sentence: str
    remedy: str


@dataclass(frozen=True)
class _Examined:
    """What was found in a usable pair; no shift where none was looked for."""

    height: int
    width: int
    digest: bytes | None
    shift: Shift | None


class AlignedPairs:
    """Pairs of photographs that show the same at the same place: ``<root>/input`` and ``<root>/target``.

    Partners have equal names; their suffixes may differ, as a phone's JPEG and a camera's TIFF do. Sizes may differ
    from pair to pair, not within one. Each pair directly in the folders is a scene, and each subfolder, with everything
    in it, is one scene. About a fifth of the scenes, at least two, are for testing, and a tenth, at least one, for
    validation; a hash of their names chooses them.
    """

    def __init__(
        self,
        root: str | None = None,
        input: str = "input",
        target: str = "target",
        patch_size: int = 100,
        max_shift_px: float | None = 1.0,
        dataset: str = "pairs",
    ) -> None:
        """Store the settings; nothing is read before :meth:`load`.

        Args:
            root: The folder that holds both folders.
            input: The folder of what the phone took, inside ``root``.
            target: The folder of what the network should make of it.
            patch_size: Side of the square patches, in pixels. Patches overlap by about half in training and not at
                all elsewhere.
            max_shift_px: How far apart the two photographs of a pair may be; None does not compare them.
            dataset: What records and reports call the data.

        Raises:
            DataError: A setting is out of its range.
        """
        if patch_size < 1:
            raise DataError(f"data.patch_size is {patch_size}: choose 1 or more")
        if max_shift_px is not None and not max_shift_px > 0:
            raise DataError(f"data.max_shift_px is {max_shift_px}: choose more than 0, or null to compare nothing")
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", dataset):
            raise DataError(
                f"data.dataset is {dataset!r}: choose a short name of small letters, digits and hyphens, which becomes "
                "part of folders' names"
            )
        if Path(input) == Path(target):
            raise DataError(f"data.input and data.target are both {target!r}: name two folders")
        self.root = root
        self.input = input
        self.target = target
        self.patch_size = patch_size
        self.max_shift_px = max_shift_px
        self.dataset = dataset

    def load(self, cache_dir: Path) -> Pairs:
        """Return all pairs; the first call compares and cuts them into the cache, with progress bars on stderr.

        Args:
            cache_dir: The cache's folder, see :func:`enhance_sweep.data.packing.default_cache_dir`.

        Raises:
            DataError: A folder is missing or holds too few scenes; a photograph has no partner or several, cannot be
                read, is smaller than a patch or is in two scenes; the photographs of a pair differ in size or are
                apart; or the cache cannot be written. The message names the files and the remedy.
        """
        pairs = self._partners()
        test, validation = choose_scenes(pair.target.scene for pair in pairs)
        splits = {
            "train": [pair for pair in pairs if pair.target.scene not in test | validation],
            "validation": [pair for pair in pairs if pair.target.scene in validation],
            "test": [pair for pair in pairs if pair.target.scene in test],
        }
        settings: dict[str, Any] = {"patch_size": self.patch_size, "max_shift_px": self.max_shift_px}

        def pack(packer: Packer) -> Description:
            found = self._examine(pairs)
            for split, members in splits.items():
                self._pack_split(packer, split, members, found)
            shifts = [one.shift.distance_px for one in found.values() if one.shift is not None and one.shift.is_certain]
            return {
                "source": "aligned pairs",
                **{f"{split}_scenes": sorted({pair.target.scene for pair in of}) for split, of in splits.items()},
                **{f"{split}_photos": len(members) for split, members in splits.items()},
                **settings,
                "shift_px_median": round(statistics.median(shifts), 2) if shifts else None,
                "shift_px_largest": round(max(shifts), 2) if shifts else None,
            }

        files = {
            f"{side}/{photo.name}": photo.path
            for pair in pairs
            for side, photo in (("input", pair.input), ("target", pair.target))
        }
        source = source_digest(files, {**settings, "dataset": self.dataset, "made_by": _version()})
        return packed(cache_dir, self.dataset, source, pack)

    def _partners(self) -> list[_Pair]:
        """The pairs, ordered by name."""
        root = self._existing_root()
        sides = {side: _by_stem(root / side) for side in (self.input, self.target)}
        problems = [
            f"{sides[side][name].path} has no partner in {root / other}"
            for side, other in ((self.input, self.target), (self.target, self.input))
            for name in sides[side]
            if name not in sides[other]
        ]
        refuse(problems, "Delete it or add its partner of the same name; the suffix may differ", _NAMED_PAIRS)
        refuse_few_scenes(root / self.target, list(sides[self.target].values()))
        return [_Pair(name, sides[self.input][name], sides[self.target][name]) for name in sorted(sides[self.input])]

    def _existing_root(self) -> Path:
        layout = f"the folder that holds {self.input}/ and {self.target}/, with equal names in both"
        if not self.root:
            raise DataError(f"data=pairs needs data.root=FOLDER, {layout}")
        root = Path(self.root).expanduser()
        if not root.is_dir():
            state = "not a folder" if root.exists() else "missing"
            raise DataError(f"data.root={root} is {state}: give {layout}")
        missing = [side for side in (self.input, self.target) if not (root / side).is_dir()]
        if missing:
            folders = sorted(path.name for path in root.iterdir() if path.is_dir())
            raise DataError(
                f"{root} has no folder {' and none '.join(missing)}, only {', '.join(folders) or 'no folder at all'}: "
                f"give {layout}, or name them with data.input=NAME data.target=NAME"
            )
        return root

    def _examine(self, pairs: list[_Pair]) -> dict[_Pair, _Examined]:
        """Read every pair once, and refuse unusable ones."""
        problems: list[_Problem] = []
        found: dict[_Pair, _Examined] = {}
        copies = Copies()
        # Few threads: each holds two whole photographs and their transforms.
        with thread_pool(most=4) as threads:
            results = threads.map(self._examined, pairs)
            for pair, result in tqdm(zip(pairs, results, strict=True), "Comparing pairs", len(pairs), unit="pair"):
                if isinstance(result, _Problem):
                    problems.append(result)
                    continue
                found[pair] = result
                if result.digest is not None:
                    copies.note(pair.target, result.digest)
        remedies = [one for one in (_REPLACE, _ALIGN) if one in {problem.remedy for problem in problems}]
        refuse([problem.sentence for problem in problems], ". ".join(remedies), _NAMED_PAIRS)
        copies.refuse()
        return found

    def _examined(self, pair: _Pair) -> _Examined | _Problem:
        """What a pair is like, or what is wrong with it."""
        try:
            input, target = _decoded(pair)
        except DataError as error:
            return _Problem(str(error), _REPLACE)
        height, width = target.shape[:2]
        if input.shape != target.shape:
            return _Problem(
                f"{pair.input.path} is {input.shape[1]}x{input.shape[0]}, but its partner {pair.target.path} is "
                f"{width}x{height}",
                _ALIGN,
            )
        if min(height, width) < self.patch_size:
            return _Problem(
                f"{pair.input.path} and its partner are {width}x{height}, smaller than a patch of {self.patch_size} "
                "(data.patch_size)",
                _REPLACE,
            )
        shift = None
        if self.max_shift_px is not None:
            shift = shift_of(input, target)
            if shift.is_better and shift.distance_px > self.max_shift_px:
                return _Problem(f"what {pair.input.path} shows lies {shift} in {pair.target.path}", _ALIGN)
            if shift.shows_something_else:
                said = f"{pair.input.path} and {pair.target.path} show different things: no shift makes them agree"
                return _Problem(said, _ALIGN)
        # Many pictures may be white all over: these are no copies of each other.
        digest = digest_of_pixels(target) if np.ptp(target) else None
        return _Examined(height, width, digest, shift)

    def _pack_split(self, packer: Packer, split: str, pairs: list[_Pair], found: dict[_Pair, _Examined]) -> None:
        size = self.patch_size
        step = step_of(split, size)
        corners = [list(grid(found[pair].height, found[pair].width, size, step)) for pair in pairs]
        firsts = np.cumsum([0] + [len(places) for places in corners])
        names = [
            f"{pair.name}@{left},{top}" for pair, places in zip(pairs, corners, strict=True) for top, left in places
        ]
        packer.allocate(split, names, (size, size))

        def put(number: int) -> None:
            input, target = _decoded(pairs[number])
            for index, (top, left) in enumerate(corners[number], start=int(firsts[number])):
                packer.put(split, index, cut(input, top, left, size), cut(target, top, left, size))

        with thread_pool(most=4) as threads:
            for _ in tqdm(threads.map(put, range(len(pairs))), f"Packing {split} pairs", len(pairs), unit="pair"):
                pass


def _by_stem(folder: Path) -> dict[str, Picture]:
    """The photographs in a folder by their names without suffix."""
    photos: dict[str, Picture] = {}
    problems = []
    for photo in pictures_in(folder):
        name = str(Path(photo.name).with_suffix("").as_posix())
        if name in photos:
            problems.append(f"{photos[name].path} and {photo.path} have one name")
        photos[name] = photo
    refuse(problems, "Keep one of them: a partner is found by its name without the suffix", _NAMED_PAIRS)
    if not photos:
        raise DataError(f"{folder} holds no photographs ({', '.join(SUFFIXES)}): copy them there")
    return photos


def _decoded(pair: _Pair) -> Iterator[Pixels]:
    return map(decode_rgb, (pair.input.path, pair.target.path))


def _version() -> list[str]:
    """What else determines the patches: this code, and the library that decodes."""
    code = [Path(__file__).with_name(name).read_text("utf-8") for name in _MADE_BY]
    return [digest_of(code), importlib.metadata.version("pillow")]
