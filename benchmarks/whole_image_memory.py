"""Memory of networks on whole photographs: the estimate beside what a fresh process takes.

    python benchmarks/whole_image_memory.py

Peak resident memory during one call, minus what the process held before it; with glibc's own allocator settings and
with the tuned ones.
"""

import os
import subprocess
import sys
from pathlib import Path

HEIGHT, WIDTH = 2000, 2400
NETWORKS = ("plain", "strided", "made up: shuffled", "made up: gated", "coefficients", "unet", "separable")


def main() -> None:
    from enhance_sweep.system.environment import ALLOCATORS

    print(f"| {WIDTH}x{HEIGHT} | allocator | estimate MiB | measured MiB | ratio |\n| --- | --- | --- | --- | --- |")
    for name in NETWORKS:
        for allocator in ("stock", "tuned"):
            environment = {key: value for key, value in os.environ.items() if "MALLOC" not in key.upper()}
            environment |= ALLOCATORS[allocator]
            home = Path(__file__).resolve().parent.parent
            command = [sys.executable, "-m", "benchmarks.whole_image_memory", name]
            done = subprocess.run(command, env=environment, cwd=home, check=True, stdout=subprocess.PIPE, text=True)
            estimate, measured = map(float, done.stdout.split())
            ratio = f"{estimate / measured:.2f}"
            print(f"| {name} | {allocator} | {estimate:.0f} | {measured:.0f} | {ratio} |", flush=True)


def one(name: str) -> None:
    """Print estimate and measurement, MiB, of one network."""
    import psutil
    import torch

    from enhance_sweep.enhance.whole import WholeImages

    whole = WholeImages(network(name).eval(), "eager", "fp32", torch.float32)
    rows = torch.rand(64, WIDTH, 3)
    for height in (64, HEIGHT):  # what loads on first use is loaded in the first call
        estimate = whole.bytes_needed(height, WIDTH)
        before = psutil.Process().memory_info().rss
        Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
        whole(lambda first, last: rows[: last - first], lambda first, found: None, height, WIDTH)
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    print(estimate / 2**20, (peak - before) / 2**20)


def network(name: str):
    from enhance_sweep.config import build, compose_config, resolved
    from tests.unit.models.made_up_topologies import Gated, Shuffled

    made_up = {"made up: shuffled": lambda: Shuffled(16), "made up: gated": lambda: Gated(16)}
    if name in made_up:
        return made_up[name]()
    model = [f"model={name}", *(["model.channels=16", "model.blocks=2"] if name == "plain" else [])]
    return build(resolved(compose_config(model), "model"), "model")


if __name__ == "__main__":
    one(sys.argv[1]) if len(sys.argv) > 1 else main()
