"""Ten thousand damaged photographs through the command: no traceback, no hang, memory bounded, nothing half written.

    python benchmarks/fuzz_photos.py [--count 10000] [--seed 0]

Small pictures of every format and kind are changed at random: bits flipped, bytes replaced, cut short, parts left out,
doubled or taken from another file, lengths in headers made enormous. They go through `python -m enhance_sweep.enhance`
in folders of 500, as a person would call it. Before that, what else may be wrong with a file, and what is said of it.
"""

import argparse
import io
import os
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from PIL import Image, ImageCms

from enhance_sweep.config import build
from enhance_sweep.sweep.generator_file import save_generator

FOLDER = 500
MAX_MEMORY_MIB = 1024
#: A folder that takes longer hangs: usually it is done in half a minute.
TIMEOUT_S = 600
MODEL = {
    "_target_": "enhance_sweep.models.PlainGenerator",
    "name": "plain",
    "kernel_size": 3,
    "channels": 2,
    "blocks": 1,
    "prelu": False,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    sources = list(whole_pictures(rng))
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    peak_mib, longest_s = 0.0, 0.0
    with tempfile.TemporaryDirectory() as place:
        weights = Path(place) / "generator.pt"
        torch.manual_seed(0)
        save_generator(weights, build(MODEL, "model"), MODEL)
        print_messages(Path(place), weights, dict(sources))
        for start in range(0, options.count, FOLDER):
            folder, out = Path(place) / f"in{start}", Path(place) / f"out{start}"
            folder.mkdir()
            for number in range(start, min(start + FOLDER, options.count)):
                name, content = sources[rng.integers(len(sources))]
                other = sources[rng.integers(len(sources))][1]
                (folder / f"{number:05d}{Path(name).suffix}").write_bytes(mutated(content, other, rng))
            command = [sys.executable, "-m", "enhance_sweep.enhance", str(folder), "--weights", str(weights)]
            command += ["--out", str(out), "--max-memory", f"{MAX_MEMORY_MIB}MiB"]
            began = time.monotonic()
            with (Path(place) / "said").open("w+") as said:
                status, peak = run(command, said)
                said.seek(0)
                lines = said.read().splitlines()
            longest_s, peak_mib = max(longest_s, time.monotonic() - began), max(peak_mib, peak)
            count_folder(folder, out, status, lines, counts, reasons)
            print(f"{start + FOLDER}: {dict(counts)}, {peak:.0f} MiB", file=sys.stderr, flush=True)
    print(f"{options.count} mutated pictures, seed {options.seed}")
    for name in ("enhanced", "refused in one line", *PROBLEMS):
        print(f"  {name}: {counts[name]}")
    print(f"peak memory {peak_mib:.0f} MiB with --max-memory {MAX_MEMORY_MIB}MiB")
    print(f"longest folder of {FOLDER}: {longest_s:.0f} s")
    print("most frequent reasons:")
    for reason, count in reasons.most_common(12):
        print(f"  {count:5d}  {reason}")
    return 1 if any(counts[name] for name in PROBLEMS) or peak_mib > MAX_MEMORY_MIB else 0


PROBLEMS = (
    *("traceback", "died or hung", "neither enhanced nor refused", "refused and written"),
    *("result that cannot be read", "leftover part"),
)


def print_messages(place: Path, weights: Path, sources: dict[str, bytes]) -> None:
    """Bad files of every kind in one folder, between two good ones, and all that the command says."""
    folder = place / "bad"
    folder.mkdir()
    jpeg, png = sources["plain.jpg"], sources["plain.png"]
    frame = jpeg.index(b"\xff\xc0") + 5  # its height, then its width
    bomb = bytearray(png)
    struct.pack_into(">II", bomb, 16, 300_000, 300_000)
    struct.pack_into(">I", bomb, 29, zlib.crc32(bomb[12:29]))
    pages = io.BytesIO()
    Image.new("RGB", (8, 8)).save(pages, "TIFF", save_all=True, append_images=[Image.new("RGB", (8, 8), "red")])
    files = {
        "a good one.jpg": jpeg,
        "bomb.png": bytes(bomb),
        "cut.jpg": jpeg[: len(jpeg) * 3 // 4],
        "cut.png": png[: len(png) // 2],
        "deep.png": sources["deep.png"],
        "empty.jpg": b"",
        "lying-height.jpg": jpeg[:frame] + (360).to_bytes(2, "big") + jpeg[frame + 2 :],
        "new\nline \x1b[31m.jpg": b"text",
        "pages.tif": pages.getvalue(),
        "text.webp": b"not a picture",
        "zz good too.png": png,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (place / "outside.jpg").write_bytes(jpeg)
    (folder / "link out.jpg").symlink_to(place / "outside.jpg")
    (folder / "link nowhere.jpg").symlink_to(folder / "gone.jpg")
    (folder / "link folder").symlink_to(place)
    os.mkfifo(folder / "pipe.jpg")
    command = [sys.executable, "-m", "enhance_sweep.enhance", "bad", "gone/*.jpg", "--weights", weights.name]
    done = subprocess.run([*command, "--out", "out"], capture_output=True, text=True, cwd=place, check=False)
    print(f"a folder of bad files; exit status {done.returncode}")
    print(done.stderr + done.stdout)


def run(command: list[str], said: io.TextIOWrapper) -> tuple[int, float]:
    """A command's exit status (negative: a signal ended it) and its peak memory in MiB."""
    process = subprocess.Popen(command, stdout=said, stderr=said)
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(0.05)


def count_folder(
    folder: Path, out: Path, status: int, lines: list[str], counts: Counter[str], reasons: Counter[str]
) -> None:
    """Hold what is there against what was said."""
    counts["traceback"] += sum("Traceback" in line for line in lines)
    counts["died or hung"] += status not in (0, 1)
    refused = {}
    for line in lines:
        if line.startswith(f"error: {folder}/"):
            name, _, reason = line.removeprefix(f"error: {folder}/").partition(": ")
            refused[name] = reason
            reasons["".join("#" if letter.isdigit() else letter for letter in reason)] += 1
    for source in folder.iterdir():
        result = out / source.name
        if source.name in refused:
            counts["refused and written" if result.exists() else "refused in one line"] += 1
        elif not result.exists():
            counts["neither enhanced nor refused"] += 1
        else:
            counts["enhanced"] += 1
            try:
                with Image.open(result) as image:
                    image.load()
            except Exception:
                counts["result that cannot be read"] += 1
    counts["leftover part"] += len(list(out.glob(".*")))


def whole_pictures(rng: Generator) -> Iterator[tuple[str, bytes]]:
    """A name and the content of each kind of picture."""
    smooth = Image.fromarray(rng.integers(0, 256, (6, 8, 4), dtype=np.uint8), "RGBA")
    rgba = smooth.resize((48, 36), Image.Resampling.BICUBIC)
    rgb = rgba.convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    exif.get_ifd(0x8769)[0x9003] = "2024:01:01 00:00:00"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kinds: list[tuple[str, Image.Image, dict[str, object]]] = [
        ("plain.jpg", rgb, {"quality": 90}),
        ("described.jpg", rgb, {"exif": exif, "icc_profile": profile, "dpi": (72, 72)}),
        ("progressive.jpg", rgb, {"progressive": True, "subsampling": 0}),
        ("gray.jpg", rgb.convert("L"), {}),
        ("cmyk.jpg", rgb.convert("CMYK"), {}),
        ("plain.png", rgb, {}),
        ("alpha.png", rgba, {"exif": exif, "icc_profile": profile}),
        ("palette.png", rgb.quantize(16), {"transparency": 3}),
        ("gray.png", rgb.convert("L"), {}),
        ("bits.png", rgb.convert("1"), {}),
        ("deep.png", Image.fromarray(rng.integers(0, 2**16, (36, 48), dtype=np.uint16)), {}),
        ("lossy.webp", rgb, {"exif": exif, "icc_profile": profile}),
        ("lossless.webp", rgba, {"lossless": True}),
        ("plain.tif", rgb, {}),
        ("lzw.tif", rgb, {"compression": "tiff_lzw", "exif": exif, "icc_profile": profile}),
        ("deflate.tif", rgba, {"compression": "tiff_adobe_deflate"}),
        ("jpeg.tif", rgb, {"compression": "jpeg"}),
        ("cmyk.tif", rgb.convert("CMYK"), {"compression": "packbits"}),
    ]
    formats = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF"}
    for name, image, settings in kinds:
        file = io.BytesIO()
        image.save(file, formats[name.rpartition(".")[2]], **settings)
        yield name, file.getvalue()


def mutated(content: bytes, other: bytes, rng: Generator) -> bytes:
    """A file with one to four changes."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        if not changed:
            break
        # Headers are short, and where a file is told how it is to be read: a quarter of all changes happens there.
        end = min(len(changed), 96) if rng.random() < 0.25 else len(changed)
        at = int(rng.integers(end))
        length = int(rng.integers(1, 64))
        kind = rng.integers(9)
        if kind == 0:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            changed[at] = int(rng.integers(256))
        elif kind == 2:
            del changed[at:]
        elif kind == 3:
            del changed[at : at + length]
        elif kind == 4:
            changed[at:at] = changed[at : at + length]
        elif kind == 5:
            changed[at : at + length] = bytes(len(changed[at : at + length]))
        elif kind == 6:
            width = int(rng.choice([2, 4]))
            changed[at : at + width] = (b"\xff\xff", b"\x7f\xff\xff\xff")[width == 4]
        elif kind == 7:
            place = int(rng.integers(len(other)))
            changed[at : at + length] = other[place : place + length]
        else:
            changed += rng.integers(0, 256, length, dtype=np.uint8).tobytes()
    return bytes(changed)


if __name__ == "__main__":
    sys.exit(main())
