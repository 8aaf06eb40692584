"""Packing at DPED's size, with made-up JPEG patches: how fast, how far from the decoder's own rate, how soon again.

    python benchmarks/packing.py [--pairs 160000] [--folder DIR] [--memory-gib 3]

Writes that many pairs of 100x100 patches in DPED's layout (7 kB each, as DPED's are) and prints: the rate at which all
cores decode such files from memory and do nothing else; the rate of packing; the time of a second start; and how long
training would wait for its batches: with everything in the page cache, and from the disk where the process, page cache
included, may use less memory than the packed pairs (a cgroup of its own, which takes root; else that is left out).
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from enhance_sweep.data.decoding import decode_patch, decode_rgb, thread_pool
from enhance_sweep.data.dped import Dped

DIFFERENT, TEST_SHARE, BATCH, CROP, STEPS = 500, 0.027, 50, 100, 200
_MEMORY = Path("/sys/fs/cgroup/memory")  # of version 1; in version 2 there is one tree for everything
_CGROUP = (_MEMORY if _MEMORY.is_dir() else _MEMORY.parent) / "enhance_sweep_packing"
_LIMIT = "memory.limit_in_bytes" if _MEMORY.is_dir() else "memory.max"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=160_000)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--memory-gib", type=float, default=3.0)
    parser.add_argument("--draw", nargs=2, metavar=("ROOT", "CACHE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        draw(*options.draw)
        return
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        measure(folder, options.pairs, options.memory_gib)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(folder: Path, pairs: int, memory_gib: float) -> None:
    """Everything, in order."""
    root, cache = folder / "dped", folder / "cache"
    files = make(root, pairs)
    print(f"{pairs} pairs of made-up patches, {files[0].stat().st_size / 1e3:.1f} kB the first; {os.cpu_count()} cores")
    limit = decoding_rate(files[:4000])
    print(f"decoding alone: {limit:.0f} files/s; by Pillow {decoding_rate(files[:2000], decode_rgb):.0f} files/s")
    start = time.perf_counter()
    loaded = Dped(str(root)).load(cache)
    seconds = time.perf_counter() - start
    size = sum(array.nbytes for split in (loaded.train, loaded.test) for array in (split.input, split.target))
    rate = 2 * pairs / seconds
    print(f"packing: {seconds:.1f} s, {rate:.0f} files/s, {rate / limit:.2f} of the rate of decoding alone")
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"packed: {size / 2**30:.2f} GiB; peak resident {peak_gib:.2f} GiB, mapped pages among it")
    again = []
    for _ in range(3):
        start = time.perf_counter()
        Dped(str(root)).load(cache)
        again.append(time.perf_counter() - start)
    print(f"a second start: {statistics.median(again):.2f} s ({min(again):.2f} to {max(again):.2f})")
    for limit_gib in (None, memory_gib):
        drawn_in_a_process(root, cache, limit_gib)


def make(root: Path, pairs: int) -> list[Path]:
    """DPED's layout, from a few hundred different pictures."""
    rng = np.random.default_rng(0)
    contents = []
    for index in range(DIFFERENT):
        noise = rng.normal(size=(100, 100, 3))
        picture = ndimage.gaussian_filter(noise, (2, 2, 0)) * 400 + 20 * noise + 128
        path = root.with_name(f"{index}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        contents.append(path.read_bytes())
    test = max(1, int(pairs * TEST_SHARE))
    files = []
    for place, count in (("training_data", pairs - test), ("test_data/patches", test)):
        for side, shift in (("iphone", 0), ("canon", 1)):
            folder = root / "iphone" / place / side
            folder.mkdir(parents=True)
            for index in range(count):
                path = folder / f"{index}.jpg"
                path.write_bytes(contents[(index + shift) % DIFFERENT])
                files.append(path)
    return files


def decoding_rate(files: list[Path], decode=decode_patch) -> float:
    """Files a second, on all cores; the files are in the page cache."""
    with thread_pool() as threads:
        list(threads.map(decode, files))
        start = time.perf_counter()
        list(threads.map(decode, files))
        return len(files) / (time.perf_counter() - start)


def drawn_in_a_process(root: Path, cache: Path, limit_gib: float | None) -> None:
    """Draw batches in a fresh process, in a cgroup with so much memory."""
    join = []
    if limit_gib is not None:
        try:
            _CGROUP.mkdir()
            (_CGROUP / _LIMIT).write_text(str(int(limit_gib * 2**30)))
        except OSError as error:
            print(f"no cgroup with less memory ({error})")
            return
        join = ["sh", "-c", f'echo $$ > {_CGROUP}/cgroup.procs && exec "$@"', "sh"]
        # What packing left in the page cache is charged to packing, and would be there for nothing.
        for file in cache.rglob("*.npy"):
            with file.open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    print("all in memory: " if limit_gib is None else f"from the disk, in {limit_gib:g} GiB: ", end="", flush=True)
    try:
        subprocess.run([*join, sys.executable, __file__, "--draw", str(root), str(cache)], check=True)
    finally:
        if limit_gib is not None:
            _CGROUP.rmdir()


def draw(root: str, cache: str) -> None:
    """How long a batch takes to draw, and how long a step of 100 ms waits for it."""
    from enhance_sweep.data.batches import Batches

    pairs = Dped(root).load(Path(cache))
    batches = iter(Batches(pairs.train, BATCH, CROP, augment=True, seed=0))
    waits = []
    for _ in range(STEPS):
        start = time.perf_counter()
        next(batches)
        waits.append(time.perf_counter() - start)
        time.sleep(0.1)
    straight = Batches(pairs.train, BATCH, CROP, augment=True, seed=1)
    drawn = []
    for step in range(STEPS):
        start = time.perf_counter()
        straight.at(step)
        drawn.append(time.perf_counter() - start)
    ms = [1e3 * value for value in (statistics.median(drawn), max(drawn), statistics.median(waits), max(waits[1:]))]
    print(
        f"a batch of {BATCH} takes {ms[0]:.1f} ms to draw (at most {ms[1]:.0f}); "
        f"a step of 100 ms waits {ms[2]:.2f} ms for it (at most {ms[3]:.0f})",
        flush=True,
    )


if __name__ == "__main__":
    main()
