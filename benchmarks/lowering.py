"""Networks as written and lowered (docs/decisions/lowering.md): how long they take, in turns, and how far they differ.

    python benchmarks/lowering.py [--runtime eager --runtime openvino ...] [--network pick ...] [--rounds 9]

Prints, for each network and runtime at 1280x720 in fp32: milliseconds as written and lowered (medians), the median of
the rounds' ratios lowered / as written with its quartiles, and the largest difference of the results.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from enhance_sweep import models
from enhance_sweep.lowering import lowered
from enhance_sweep.system.environment import prepare_process, usable_cores
from enhance_sweep.timing.photograph import photograph
from enhance_sweep.timing.runtimes import Prepared, compiled, eager, onnx_runtime, open_vino
from enhance_sweep.timing.worker import spread

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: models.PlainGenerator(3, 64, 4),
    "pick": lambda: models.StridedGenerator(3, 4, 16, 2),
    "srcnn": models.SRCNN,
    "shuffled": models.ShuffledGenerator,
    "shuffled, norm": lambda: models.ShuffledGenerator(norm="instance"),
    "shuffled, gate": lambda: models.ShuffledGenerator(gate="spatial"),
    "coefficients": models.CoefficientsGenerator,
    "separable": models.SeparableGenerator,
    "unet": models.UNetGenerator,
    "tone": models.ToneGenerator,
}
RUNTIMES = {
    "eager": (eager.Eager, "channels_last", "eager"),
    "compile": (compiled.Compiled, "channels_last", "any"),
    "onnxruntime": (onnx_runtime.OnnxRuntime, "channels_first", "onnx"),
    "openvino": (open_vino.OpenVino, "channels_first", "onnx"),
}


def prepared(name: str, runtime: str, is_lowered: bool, size: tuple[int, int]) -> Prepared:
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    spread(network)
    network.requires_grad_(False)
    kind, layout, form = RUNTIMES[runtime]
    if is_lowered:
        network = lowered(network, form)
    image = torch.from_numpy(photograph(*size).copy()).permute(2, 0, 1)[None].float().contiguous() / 255
    return kind().prepare(network, image, "fp32", layout, usable_cores())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", action="append", choices=RUNTIMES)
    parser.add_argument("--network", action="append", choices=NETWORKS)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("WIDTH", "HEIGHT"))
    options = parser.parse_args()
    torch.set_num_threads(usable_cores())
    for runtime in options.runtime or ["eager", "onnxruntime", "openvino"]:
        for name in options.network or NETWORKS:
            both = [prepared(name, runtime, is_lowered, tuple(options.size)) for is_lowered in (False, True)]
            written, other = (one.to_tensor(one.run()) for one in both)
            difference = float((written - other).abs().max())
            times: list[list[float]] = [[], []]
            for turn in range(options.rounds + 1):
                for one, seconds in zip(both, times, strict=True):
                    start = time.perf_counter()
                    one.run()
                    if turn:  # the first is warm-up
                        seconds.append(time.perf_counter() - start)
            ratios = [after / before for before, after in zip(*times, strict=True)]
            first, middle, last = statistics.quantiles(ratios, n=4)
            as_written, now = (statistics.median(seconds) * 1e3 for seconds in times)
            print(
                f"{runtime:12} {name:15} {as_written:7.1f} ms as written, {now:7.1f} lowered, "
                f"ratio {middle:.2f} ({first:.2f} to {last:.2f}), largest difference {difference:.1e}",
                flush=True,
            )


if __name__ == "__main__":
    prepare_process()
    main()
