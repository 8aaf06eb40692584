"""How long each metric takes, and all of them, on 100 patches of 100x100 and on four photographs of 1280x720.

    python benchmarks/panel.py [--rounds N] [--threads N]

Pieces of photographs that are installed with scikit-image, with noise, against themselves. Patches are scored in tens,
as evaluation does, photographs one by one. Each round runs every metric in random order. Prints seconds by the clock
and seconds of CPU time, which other work on the machine hardly changes: medians over rounds, with the least and the
largest; then the largest resident set.
"""

import argparse
import random
import resource
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from enhance_sweep.data.installed import installed_file
from enhance_sweep.metrics import METRICS, chroma
from enhance_sweep.system.environment import cpu_model, prepare_process, usable_cores

PHOTOGRAPHS = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg")
PATCHES, PATCH, BATCH, NOISE = 100, 100, 10, 0.03

PANEL: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    **METRICS,
    "chroma": lambda enhanced, target: chroma(enhanced) / chroma(target),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--threads", type=int, default=usable_cores(), metavar="N", help="default: all usable cores")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{cpu_model()}, {options.threads} threads, {options.rounds} rounds after one that warms up")
    with torch.inference_mode():
        measure(f"{PATCHES} patches of {PATCH}x{PATCH}", patches(), options.rounds)
        measure("4 photographs of 1280x720", photographs(), options.rounds)
    print(f"largest resident set: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def patches() -> list[Tensor]:
    """Batches of patches, cut at random places."""
    cut = random.Random(0)
    sources = [read(name) for name in PHOTOGRAPHS]
    found = []
    for number in range(PATCHES):
        source = sources[number % len(sources)]
        top, left = (cut.randrange(side - PATCH + 1) for side in source.shape[-2:])
        found.append(source[..., top : top + PATCH, left : left + PATCH])
    return list(torch.cat(found).split(BATCH))


def photographs() -> list[Tensor]:
    return [read(name, (1280, 720)) for name in PHOTOGRAPHS]


def read(name: str, size: tuple[int, int] | None = None) -> Tensor:
    image = Image.open(installed_file(f"skimage/data/{name}")).convert("RGB")
    pixels = np.array(image.resize(size, Image.Resampling.BICUBIC) if size else image)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def measure(what: str, targets: list[Tensor], rounds: int) -> None:
    noise = torch.Generator().manual_seed(0)
    pairs = [((target + NOISE * torch.randn(target.shape, generator=noise)).clamp(0, 1), target) for target in targets]
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in PANEL}
    for _ in range(rounds + 1):
        for name in random.sample(list(PANEL), len(PANEL)):
            start, cpu_start = time.perf_counter(), time.process_time()
            for enhanced, target in pairs:
                PANEL[name](enhanced, target)
            seconds[name].append((time.perf_counter() - start, time.process_time() - cpu_start))
    print(what)
    totals = np.sum(list(seconds.values()), axis=0)
    for name, taken in [*seconds.items(), ("all", totals)]:
        clock, cpu = zip(*taken[1:], strict=True)
        print(f"  {name:10} {spread(clock)}, CPU time {spread(cpu)}")


def spread(seconds: Sequence[float]) -> str:
    """The median, with the least and the largest."""
    return f"{statistics.median(seconds):6.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


if __name__ == "__main__":
    prepare_process()
    main()
