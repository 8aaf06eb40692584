"""Photographs of 1, 12 and 100 megapixels through the command: time, peak memory, difference from the whole image.

    ENHANCE_SWEEP_SHARED=FOLDER python benchmarks/enhance_photos.py --runs DIR --plain KEY --strided KEY --shallow KEY

FOLDER holds the DPED sample and the published weights. The large photographs are its four full-size ones, side by side
and mirrored, as PNG, so that nothing but the network changes a byte. Up to 12 megapixels results are held against the
network on the whole image in memory. At 100 they are held, in crops, against a reference that shares no code with the
command: statistics of every norm gathered in float64 over square tiles, all from the photograph anew, then the crops
alone.
"""

import argparse
import copy
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
SIZES = {"12": (4032, 3024), "100": (11648, 8736)}
MAX_MEMORY = "2GiB"
TILE, CROP, CROPS = 1024, 256, 24
#: More than the reach of any network here (plain 3/16/4: 18 pixels).
HALO = 32
PUBLISHED = ["model.channels=64", "model.blocks=4"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--plain", required=True, metavar="KEY", help="a plain network of 16 channels")
    parser.add_argument("--strided", required=True, metavar="KEY")
    parser.add_argument("--shallow", required=True, metavar="KEY", help="a plain one of 16 channels, at 100 megapixels")
    parser.add_argument("--scratch", type=Path, help="folder for the large files (a temporary one)")
    parser.add_argument("--parts", nargs="+", choices=("1", "12", "100"), default=["1", "12", "100"])
    options = parser.parse_args()
    shared = Path(os.environ["ENHANCE_SWEEP_SHARED"])
    weights = shared / "reference" / "golden" / "dped_resnet_64x4.npz"
    networks: dict[str, list[str]] = {
        "strided": ["--runs", str(options.runs), "--run", options.strided],
        "plain": ["--runs", str(options.runs), "--run", options.plain],
        "published baseline": ["--weights", str(weights), *PUBLISHED],
    }
    print(f"strided: {options.strided}\nplain: {options.plain}\nshallow: {options.shallow}")
    print(f"published baseline: {weights.name}")
    print(f"--max-memory {MAX_MEMORY}; time and peak memory are of the whole command\n")
    print(f"{'photographs':12} {'network':20} {'s':>7} {'peak MiB':>9} {'largest difference':>19} {'equal bytes':>12}")
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        for part in options.parts:
            folder = photographs(part, shared, Path(scratch))
            # The reference costs as much again for every norm: a network with two of them.
            chosen = networks if part != "100" else {"shallow": ["--runs", str(options.runs), "--run", options.shallow]}
            for name, arguments in chosen.items():
                out = Path(scratch) / f"{part}-{name.replace(' ', '-')}"
                seconds, peak = enhance(folder, arguments, out)
                line = f"{label(part):12} {name:20} {seconds:7.1f} {peak:9.0f}"
                largest, equal = measured_beside(part, name, arguments, folder, out)
                print(f"{line} {largest:>15.0f}/255 {equal:12.4%}", flush=True)


def label(part: str) -> str:
    return "4 of 0.9 MP" if part == "1" else f"1 of {part} MP"


def photographs(part: str, shared: Path, scratch: Path) -> Path:
    """A folder of photographs: the full-size ones themselves, or one large made of them."""
    folder = shared / "dped-sample" / "iphone" / "test_data" / "full_size_test_images"
    if part == "1":
        return folder
    made = scratch / f"photo{part}"
    made.mkdir()
    width, height = SIZES[part]
    photos = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png"))]
    pair = [np.concatenate([photos[i], photos[i + 1][:, ::-1]], axis=1) for i in (0, 2)]
    block = np.concatenate([pair[0], pair[1][::-1]])
    repeats = (-(-height // block.shape[0]), -(-width // block.shape[1]), 1)
    Image.fromarray(np.tile(block, repeats)[:height, :width]).save(made / "photo.png", compress_level=1)
    return made


def enhance(folder: Path, arguments: list[str], out: Path) -> tuple[float, float]:
    """Wall seconds and peak memory, MiB, of the command."""
    command = [sys.executable, "-m", "enhance_sweep.enhance", str(folder), *arguments]
    command += ["--out", str(out), "--max-memory", MAX_MEMORY]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(command)} failed")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def measured_beside(part: str, name: str, arguments: list[str], folder: Path, out: Path) -> tuple[float, float]:
    """Compare in a process of its own: this one stays small, since a child's peak memory counts its parent's."""
    code = (
        "import sys, benchmarks.enhance_photos as one\n"
        "print(*one.compared(sys.argv[1], sys.argv[2], sys.argv[5:], one.Path(sys.argv[3]), one.Path(sys.argv[4])))"
    )
    command = [sys.executable, "-c", code, part, name, str(folder), str(out), *arguments]
    home = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=home)
    largest, equal = map(float, done.stdout.split())
    return largest, equal


def compared(part: str, name: str, arguments: list[str], folder: Path, out: Path) -> tuple[float, float]:
    """The largest difference of a byte, and the share of equal ones."""
    import torch

    from enhance_sweep.weights.loading import load_network, load_weights

    if arguments[0] == "--weights":
        network = load_weights(arguments[1], arguments[2:])
    else:
        network = load_network(Path(arguments[1]) / "trained" / arguments[3])
    network = network.to(memory_format=torch.channels_last)
    largest, equal, count = 0, 0, 0
    for path in sorted(folder.glob("*.png")):
        photo = np.asarray(Image.open(path).convert("RGB"))
        result = np.asarray(Image.open(out / path.name))
        pairs = crops(network, photo, result) if part == "100" else [(whole(network, photo), result)]
        for wanted, found in pairs:
            difference = np.abs(wanted.astype(np.int16) - found)
            largest = max(largest, int(difference.max()))
            equal += int((difference == 0).sum())
            count += difference.size
    return largest, equal / count


def whole(network: Any, photo: Any) -> Any:
    """The network on a whole image, or a crop: uint8 (H, W, 3) to the same."""
    import torch

    with torch.inference_mode():
        input = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255
        enhanced = network(input.contiguous(memory_format=torch.channels_last))
        return (enhanced[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def crops(network: Any, photo: Any, result: Any) -> Iterator[tuple[Any, Any]]:
    """Crops of the reference and of a result; at the corners, on the edges and anywhere."""
    network = with_fixed_statistics(network, photo)
    height, width = photo.shape[:2]
    rng = np.random.default_rng(0)
    corners = [(y, x) for y in (0, height - CROP) for x in (0, width - CROP)]
    others = [(int(rng.integers(height - CROP)), int(rng.integers(width - CROP))) for _ in range(CROPS - len(corners))]
    for y, x in [*corners, *others]:
        (rows, columns), (inner_rows, inner_columns) = around(y, x, CROP, height, width)
        enhanced = whole(network, photo[rows, columns])[inner_rows, inner_columns]
        yield enhanced, result[y : y + CROP, x : x + CROP]


def around(y: int, x: int, side: int, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """A tile with its halo, as far as the image goes, and the tile's place therein."""
    top, left = max(y - HALO, 0), max(x - HALO, 0)
    outer = slice(top, min(y + side + HALO, height)), slice(left, min(x + side + HALO, width))
    inner = slice(y - top, min(y + side, height) - top), slice(x - left, min(x + side, width) - left)
    return outer, inner


def with_fixed_statistics(network: Any, photo: Any) -> Any:
    """The network with the statistics of a whole photograph in place of each instance norm's own."""
    import torch
    from torch import nn

    from enhance_sweep.models.instance_norm import NORM_EPS, InstanceNorm2d

    class ReachedError(Exception):
        """Carries what comes into a norm."""

    class Fixed(nn.Module):
        def __init__(self, norm: Any) -> None:
            super().__init__()
            self.norm, self.mean, self.variance = norm, None, None

        def forward(self, input: Any) -> Any:
            if self.mean is None:
                raise ReachedError(input)
            scale = (self.variance + NORM_EPS).rsqrt()
            normed = (input - self.mean.float()[:, None, None]) * scale.float()[:, None, None]
            return normed * self.norm.weight[:, None, None] + self.norm.bias[:, None, None]

    network = copy.deepcopy(network)
    fixed = []
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, InstanceNorm2d):
                fixed.append(Fixed(child))
                setattr(module, name, fixed[-1])
    height, width = photo.shape[:2]
    for norm in fixed:  # in the order in which they run
        sums, squares = 0, 0
        for y in range(0, height, TILE):
            for x in range(0, width, TILE):
                (rows, columns), (inner_rows, inner_columns) = around(y, x, TILE, height, width)
                try:
                    whole(network, photo[rows, columns])
                    raise AssertionError("a norm was passed over")
                except ReachedError as reached:
                    features = reached.args[0][0, :, inner_rows, inner_columns].double()
                sums = sums + features.sum(dim=(1, 2))
                squares = squares + features.square().sum(dim=(1, 2))
        norm.mean = sums / (height * width)
        norm.variance = torch.clamp(squares / (height * width) - norm.mean.square(), min=0)
    return network


if __name__ == "__main__":
    main()
