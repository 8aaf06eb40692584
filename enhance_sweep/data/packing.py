"""The cache of packed pairs: decoded once into ``.npy`` files, opened as memory maps ever after.

An entry is a folder ``<cache_dir>/packed/<dataset>-<source digest>`` with two arrays for each split and a
``manifest.json``. It is built in a ``.partial`` folder beside it, under a lock, with the manifest written last, and
renamed whole. A killed process leaves a ``.partial`` folder, which the next one removes. A second process waits for
the first and then reads the entry that it made. An entry that does not match its manifest is packed again.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from enhance_sweep.data.pairs import DataError, Pairs, Pixels, Split, fingerprint_as_packed

Description = dict[str, Any]

# Part of every source digest: if the layout below changes, older entries are ignored instead of misread.
_LAYOUT_VERSION = 1
_MANIFEST = "manifest.json"
# A data set whose class sets some of its training pairs apart when it is opened packs no validation pairs.
_SPLITS = ("train", "validation", "test")
_SIDES = ("input", "target")

_log = logging.getLogger(__name__)


def default_cache_dir() -> Path:
    """Return ``$ENHANCE_SWEEP_CACHE``, or ``enhance_sweep`` in ``$XDG_CACHE_HOME``, or in ``~/.cache``."""
    if own := os.environ.get("ENHANCE_SWEEP_CACHE"):
        return Path(own).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser() / "enhance_sweep"
    return Path.home() / ".cache" / "enhance_sweep"


def source_digest(files: Mapping[str, str | Path], settings: Mapping[str, Any]) -> str:
    """Hash what a packed data set is made from, without reading any file's content.

    Args:
        files: Every file, by a name that does not change when the folder is moved. Names, sizes and modification
            times count.
        settings: Whatever else determines what is packed (patch size, camera, seed, ...); JSON-serialisable.

    Returns:
        16 hexadecimal digits.

    Raises:
        DataError: A file is not accessible.
    """
    digest = hashlib.blake2b(digest_size=8)
    digest.update(json.dumps([_LAYOUT_VERSION, settings], sort_keys=True).encode())
    for name, file in sorted(files.items()):
        try:
            status = os.stat(file)  # noqa: PTH116 - hundreds of thousands of times
        except OSError as error:
            raise DataError(f"{file} cannot be read ({error.strerror}): restore it, or fix its permissions") from error
        digest.update(f"\n{name}\0{status.st_size}\0{status.st_mtime_ns}".encode())
    return digest.hexdigest()


@dataclass
class _PackedSplit:
    names: list[str]
    input: np.memmap[Any, np.dtype[np.uint8]]
    target: np.memmap[Any, np.dtype[np.uint8]]
    digests: list[bytes]


class Packer:
    """Writes pairs, in any order and from any thread, into one entry of the cache.

    First :meth:`allocate` each split, then :meth:`put` each of its pairs once.
    """

    def __init__(self, folder: Path) -> None:
        """Pack into an empty folder."""
        self._folder = folder
        self._splits: dict[str, _PackedSplit] = {}

    def allocate(self, split: str, names: list[str], patch_shape: tuple[int, int]) -> None:
        """Reserve disk space for a split: ``train``, ``test``, or ``validation``, which a data set need not have.

        Args:
            split: Its name.
            names: One name for each pair.
            patch_shape: Height and width that all its patches share.

        Raises:
            OSError: The disk is full.
        """
        shape = (len(names), *patch_shape, 3)
        input, target = (allocated(self._folder / f"{split}_{side}.npy", shape) for side in _SIDES)
        self._splits[split] = _PackedSplit(names, input, target, digests=[b""] * len(names))

    def put(self, split: str, index: int, input: Pixels, target: Pixels) -> None:
        """Store pair number ``index`` of a split: two uint8 arrays of shape (H, W, 3)."""
        packed = self._splits[split]
        packed.input[index] = input
        packed.target[index] = target
        digest = hashlib.blake2b(packed.names[index].encode(), digest_size=16)
        digest.update(np.ascontiguousarray(input).data)
        digest.update(np.ascontiguousarray(target).data)
        packed.digests[index] = digest.digest()

    def finish(self, dataset: str, description: Description) -> None:
        """Flush everything to the disk, the manifest last."""
        fingerprint = hashlib.blake2b(digest_size=16)
        manifest: dict[str, Any] = {"dataset": dataset, "description": description, "splits": {}}
        for name in (name for name in _SPLITS if name in self._splits):
            packed = self._splits[name]
            assert all(packed.digests), f"a pair of {name} was never put"
            fingerprint.update(json.dumps([name, packed.input.shape]).encode())
            fingerprint.update(b"".join(packed.digests))
            # After a power cut a renamed entry must be whole: do not leave the writing to the kernel.
            packed.input.flush()
            packed.target.flush()
            manifest["splits"][name] = {"shape": list(packed.input.shape), "names": packed.names}
        manifest["fingerprint"] = fingerprint.hexdigest()
        with (self._folder / _MANIFEST).open("w", encoding="utf-8") as file:
            json.dump(manifest, file)
            file.flush()
            os.fsync(file.fileno())


def packed(cache_dir: Path, dataset: str, source: str, pack: Callable[[Packer], Description]) -> Pairs:
    """Open a data set from the cache, packing it first where that has not been done.

    Args:
        cache_dir: The cache's folder; made if missing.
        dataset: The data set's name.
        source: The :func:`source_digest` of what it is made from.
        pack: Puts all pairs into the packer and returns the description; called only if there is no whole entry.

    Returns:
        The pairs, memory-mapped read-only.

    Raises:
        DataError: The cache cannot be written (no space, no permission), or ``pack`` raised one.
    """
    entry = cache_dir.expanduser() / "packed" / f"{dataset}-{source}"
    if (pairs := _open(entry)) is not None:
        return pairs
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with locked(entry):
            # Another process may have packed it while this one waited for the lock.
            if (pairs := _open(entry)) is None:
                _remove_abandoned(entry)
                _pack_into(entry, dataset, pack)
                pairs = _open(entry)
    except OSError as error:
        raise DataError(explained(error, entry.parent)) from error
    if pairs is None:
        raise DataError(f"{entry} changed while it was opened: start again, and let nothing else write there")
    return pairs


def find_packed(cache_dir: Path, dataset: str, fingerprint: str) -> Pairs | None:
    """Return a data set that was packed before, by its content; None if it is not, or no longer, in the cache.

    Pairs that were set apart for validation are among those for training.
    """
    fingerprint = fingerprint_as_packed(fingerprint)
    for entry in sorted((cache_dir.expanduser() / "packed").glob(f"{dataset}-*")):
        pairs = _open(entry)
        if pairs is not None and pairs.fingerprint == fingerprint:
            return pairs
    return None


def _pack_into(entry: Path, dataset: str, pack: Callable[[Packer], Description]) -> None:
    partial = _partial(entry)
    partial.mkdir()
    try:
        packer = Packer(partial)
        packer.finish(dataset, pack(packer))
        if entry.exists():
            _log.warning("%s is incomplete: it was packed again", entry)
            shutil.rmtree(entry)
        partial.rename(entry)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _open(entry: Path) -> Pairs | None:
    """Return the pairs of a whole entry, or None."""
    try:
        manifest = json.loads((entry / _MANIFEST).read_text(encoding="utf-8"))
        splits = {name: _open_split(entry, name, **split) for name, split in manifest["splits"].items()}
        return Pairs(manifest["dataset"], manifest["fingerprint"], **splits, description=manifest["description"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _open_split(entry: Path, split: str, shape: list[int], names: list[str]) -> Split:
    input, target = (np.load(entry / f"{split}_{side}.npy", mmap_mode="r") for side in _SIDES)
    for array in (input, target):
        if array.dtype != np.uint8 or list(array.shape) != shape or len(names) != len(array):
            raise ValueError(f"{split} of {entry} does not fit its manifest")
    return Split(input, target, names)


def allocated(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """A new array in a file, memory-mapped, with disk space reserved; `OSError` where there is none."""
    array: np.memmap[Any, np.dtype[np.uint8]] = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    # The file is sparse so far. On a full disk, writing to a hole through a memory map kills the process (SIGBUS).
    # Reserving the blocks now raises instead.
    size = path.stat().st_size
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    elif shutil.disk_usage(path).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return array


def _partial(entry: Path) -> Path:
    return entry.with_name(entry.name + ".partial")


@contextmanager
def locked(entry: Path) -> Iterator[None]:
    """Hold the lock of an entry. The kernel frees it when a process dies, so a killed process blocks nobody."""
    lock = FileLock(entry.with_name(entry.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.info("waiting for another process that is packing %s", entry.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _remove_abandoned(entry: Path) -> None:
    """Remove half-packed folders of killed processes, this entry's and others'."""
    for partial in entry.parent.glob("*.partial"):
        owner = partial.with_suffix("")
        if owner == entry:
            shutil.rmtree(partial)
            continue
        try:
            with FileLock(owner.with_name(owner.name + ".lock"), timeout=0):
                shutil.rmtree(partial, ignore_errors=True)
        except Timeout:
            pass  # Another process is packing it.


def explained(error: OSError, folder: Path) -> str:
    """What went wrong in the cache, and what to do."""
    remedy = "or set the environment variable ENHANCE_SWEEP_CACHE to another folder"
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return f"no space for packed pairs in {folder} ({error.strerror}): free some, {remedy}"
    return f"packed pairs cannot be written to {folder} ({error}): make it writable, {remedy}"
