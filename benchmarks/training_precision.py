"""A training step's forward and backward pass in fp32 and in bf16, in both memory layouts, in one run.

    python benchmarks/training_precision.py

Prints medians of 7 passes over 8 crops of 64x64, and bf16's time as a ratio to fp32's in the same layout.
"""

import statistics
import time

import torch

from enhance_sweep.models import PlainGenerator, StridedGenerator
from enhance_sweep.system.environment import cpu_flags, cpu_model, prepare_process, usable_cores

PASSES = 7
LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}


def main() -> None:
    torch.set_num_threads(usable_cores())
    features = sorted(flag for flag in cpu_flags() if "bf16" in flag or flag.startswith("amx"))
    print(f"{cpu_model()}, {usable_cores()} cores, {' '.join(features) or 'no bf16'}")
    for name, generator in {
        "plain 3/64/4": PlainGenerator(3, 64, 4),
        "plain 3/16/2": PlainGenerator(3, 16, 2),
        "strided 3-4/16": StridedGenerator(3, 4, 16),
    }.items():
        for layout, memory_format in LAYOUTS.items():
            generator.to(memory_format=memory_format)  # type: ignore[call-overload]
            crops = torch.rand(8, 3, 64, 64).contiguous(memory_format=memory_format)
            times: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(PASSES + 1):
                for bf16, seconds in times.items():
                    start = time.perf_counter()
                    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                        enhanced = generator(crops)
                    enhanced.float().square().mean().backward()
                    seconds.append(time.perf_counter() - start)
            fp32, half = (statistics.median(seconds[1:]) for seconds in times.values())
            print(
                f"{name:15} {layout:15} fp32 {fp32 * 1e3:6.0f} ms, bf16 {half * 1e3:6.0f} ms: {half / fp32:.2f} times"
            )


if __name__ == "__main__":
    prepare_process()
    main()
