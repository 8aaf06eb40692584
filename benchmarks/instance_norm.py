"""Ways to compute an instance norm on a CPU: how far off and how fast, in one run.

    python benchmarks/instance_norm.py

Prints, for a bright flat image at 1280x720 and for a training batch: the largest error against float64, and the median
time of 9 calls in turn, as a ratio to the way that `enhance_sweep.models` takes.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from enhance_sweep.models.instance_norm import NORM_EPS, InstanceNorm2d
from enhance_sweep.system.environment import prepare_process, usable_cores

CALLS = 9


def ways(norm: InstanceNorm2d) -> dict[str, Callable[[Tensor], Tensor]]:
    weight, bias = norm.weight, norm.bias

    def group_norm(x: Tensor) -> Tensor:
        return torch.group_norm(x, x.shape[1], weight, bias, NORM_EPS)

    def group_norm_reordered(x: Tensor) -> Tensor:
        return torch.group_norm(x.contiguous(), x.shape[1], weight, bias, NORM_EPS)

    def instance_norm(x: Tensor) -> Tensor:
        return torch.instance_norm(x, weight, bias, None, None, True, 0.0, NORM_EPS, False)

    return {
        "ours": norm,
        "group norm": group_norm,
        "group norm, reordered": group_norm_reordered,
        "instance norm": instance_norm,
    }


def main() -> None:
    torch.set_num_threads(usable_cores())
    torch.manual_seed(0)
    for shape, backward in (((1, 64, 720, 1280), False), ((16, 64, 64, 64), True), ((50, 16, 100, 100), True)):
        norm = InstanceNorm2d(shape[1])
        for name, layout in (("channels last", torch.channels_last), ("channels first", torch.contiguous_format)):
            images = (1 + 0.05 * torch.randn(*shape)).contiguous(memory_format=layout).requires_grad_(backward)
            wide = images.detach().double()
            mean, variance = wide.mean((2, 3), keepdim=True), wide.var((2, 3), correction=0, keepdim=True)
            exact = (wide - mean) / (variance + NORM_EPS).sqrt()
            times: dict[str, list[float]] = {}
            errors = {}
            for _ in range(CALLS):
                for way, call in ways(norm).items():
                    with torch.set_grad_enabled(backward):
                        start = time.perf_counter()
                        output = call(images)
                        if backward:
                            output.sum().backward()
                        times.setdefault(way, []).append(time.perf_counter() - start)
                    errors[way] = float((output.detach() - exact).abs().max())
            ours = statistics.median(times["ours"])
            print(f"{shape} {name}{', forward and backward' if backward else ''}: ours takes {ours * 1e3:.1f} ms")
            for way, seconds in times.items():
                print(f"  {way:24} {statistics.median(seconds) / ours:5.2f} times ours, off by {errors[way]:.1e}")


if __name__ == "__main__":
    prepare_process()
    main()
