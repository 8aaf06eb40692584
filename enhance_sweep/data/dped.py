"""DPED: patches of the same scenes, photographed by a phone and a Canon 70D (Ignatov et al. 2017)."""

import os
import re
import statistics
from contextlib import suppress
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from enhance_sweep.data.decoding import decode_patch, is_hidden, refuse, thread_pool
from enhance_sweep.data.packing import Description, Packer, packed, source_digest
from enhance_sweep.data.pairs import DataError, Pairs, Pixels

PHONES = ("iphone", "blackberry", "sony")
"""The phones of DPED."""

_CANON = "canon"
_PATCHES = {"train": Path("training_data"), "test": Path("test_data", "patches")}
# Pairs given to the threads at once: queueing all 160k would hold as many futures.
_CHUNK = 1024
# A curve is scored on all validation pairs, again and again.
_MOST_VALIDATION_PAIRS = 400


class Dped:
    """DPED in its own folder layout, JPEG patches with equal names on both sides.

    ``<root>/<phone>/training_data/{<phone>,canon}/*.jpg`` is for training and
    ``<root>/<phone>/test_data/patches/{<phone>,canon}/*.jpg`` for testing. Pairs are in numeric order of their names.

    The last of the training pairs, at most 400, are set apart for validation. DPED's names do not tell which patches
    are of one photograph, so a photograph may have patches on both sides.
    """

    def __init__(self, root: str | None = None, phone: str = "iphone", validation: float = 0.1) -> None:
        """Store where the pairs are; nothing is read before :meth:`load`.

        Args:
            root: The folder that holds the phone's folder.
            phone: ``iphone``, ``blackberry`` or ``sony``.
            validation: The share of the training pairs that is set apart for validation, 0 to below 1.
        """
        self.root = root
        self.phone = phone
        self.validation = validation

    def load(self, cache_dir: Path) -> Pairs:
        """Return all pairs; the first call decodes them into the cache, with a progress bar on stderr.

        Args:
            cache_dir: The cache's folder, see :func:`enhance_sweep.data.packing.default_cache_dir`.

        Raises:
            DataError: A folder is not DPED's; a patch has no partner, cannot be read or has another size than the
                rest; or the cache cannot be written. The message names the files and the remedy.
        """
        root = self._phone_root()
        names = {split: _partnered_names(root / patches, self.phone) for split, patches in _PATCHES.items()}
        # Strings: 320k path objects would take seconds at every start.
        files = {
            f"{split}/{side}/{name}": f"{root}/{patches.as_posix()}/{side}/{name}"
            for split, patches in _PATCHES.items()
            for side in (self.phone, _CANON)
            for name in names[split]
        }

        def pack(packer: Packer) -> Description:
            for split, patches in _PATCHES.items():
                self._pack_split(packer, split, root / patches, names[split])
            return {"source": "DPED (Ignatov et al. 2017)", "phone": self.phone} | {
                f"{split}_pairs": len(names[split]) for split in _PATCHES
            }

        dataset = f"dped-{self.phone}"
        pairs = packed(cache_dir, dataset, source_digest(files, {"dataset": dataset}), pack)
        return pairs.validated_by_last(self.validation, _MOST_VALIDATION_PAIRS)

    def _phone_root(self) -> Path:
        if self.phone not in PHONES:
            raise DataError(f"data.phone is {self.phone!r}: choose one of {', '.join(PHONES)}")
        layout = f"<root>/{self.phone}/training_data/{{{self.phone},canon}}/*.jpg"
        if not self.root:
            raise DataError(f"data=dped needs data.root=FOLDER, the folder that holds {layout}")
        root = Path(self.root).expanduser()
        if not root.is_dir():
            state = "not a folder" if root.exists() else "missing"
            raise DataError(f"data.root={root} is {state}: give the folder that holds {layout}")
        if (root / self.phone / "training_data").is_dir():
            return root / self.phone
        if (root / "training_data").is_dir():
            raise DataError(
                f"data.root={root} is a phone's own folder: give the folder above it, {root.resolve().parent}"
            )
        if present := [phone for phone in PHONES if (root / phone / "training_data").is_dir()]:
            raise DataError(f"{root} has no {self.phone} folder: choose data.phone={' or '.join(present)}")
        raise DataError(
            f"{root / self.phone / 'training_data'} is missing: data.root must be the folder that holds {layout}"
        )

    def _pack_split(self, packer: Packer, split: str, folder: Path, names: list[str]) -> None:
        input_folder, target_folder = folder / self.phone, folder / _CANON
        height, width = _usual_size([input_folder / name for name in names])
        packer.allocate(split, [Path(name).stem for name in names], (height, width))

        def decode(path: Path) -> Pixels:
            pixels = decode_patch(path)
            if pixels.shape[:2] != (height, width):
                raise DataError(f"{path} is {pixels.shape[1]}x{pixels.shape[0]}, not {width}x{height} like the others")
            return pixels

        def put(index: int) -> str | None:
            name = names[index]
            try:
                packer.put(split, index, decode(input_folder / name), decode(target_folder / name))
            except DataError as error:
                return str(error)
            return None

        problems: list[str] = []
        title = f"Packing {self.phone} {split} pairs"
        with thread_pool() as threads, tqdm(total=len(names), desc=title, unit="pair") as progress:
            for start in range(0, len(names), _CHUNK):
                for problem in threads.map(put, range(start, min(start + _CHUNK, len(names)))):
                    progress.update()
                    problems.extend([problem] if problem else [])
        refuse(problems, "Delete each with its partner of the same name, or copy both from DPED again")


def _partnered_names(folder: Path, phone: str) -> list[str]:
    """Return the file names that both sides have, in numeric order."""
    sides = {side: _jpeg_names(folder / side) for side in (phone, _CANON)}
    problems = [
        f"{folder / side / name} has no partner in {folder / other}"
        for side, other in ((phone, _CANON), (_CANON, phone))
        for name in sorted(sides[side] - sides[other], key=_numeric_order)
    ]
    refuse(problems, "Delete it or add its partner of the same name")
    return sorted(sides[phone], key=_numeric_order)


def _jpeg_names(folder: Path) -> set[str]:
    try:
        names = [name for name in os.listdir(folder) if not is_hidden(name)]  # noqa: PTH208 - as above
    except OSError as error:
        raise DataError(
            f"{folder} cannot be listed ({error.strerror}): DPED's layout has JPEG patches there"
        ) from error
    strangers = sorted(name for name in names if not name.lower().endswith((".jpg", ".jpeg")))
    problems = [f"{folder / name} is not a .jpg file" for name in strangers]
    refuse(problems, "Move it elsewhere: only patches may be there")
    if not names:
        raise DataError(f"{folder} is empty: copy DPED's JPEG patches there")
    return set(names)


def _numeric_order(name: str) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d+", name)], name


def _usual_size(paths: list[Path]) -> tuple[int, int]:
    """Return the most common height and width of the first patches, so that one odd patch does not set the size."""
    sizes = []
    for path in paths[:25]:
        with suppress(OSError, SyntaxError), Image.open(path) as file:
            sizes.append((file.height, file.width))
    return statistics.mode(sizes) if sizes else (100, 100)
