"""The process that is measured: `python -m enhance_sweep.timing.worker CORES`.

It reads and writes JSON, one line for each command, on stdin and stdout, and does one thing at a time. The other end
is `enhance_sweep.timing.process`. Before the process is pinned and tied to its parent, it imports only the standard
library.

Commands: `load` (a network into a runtime), `call` (time one call), `probe` (time a small, fixed piece of work),
`watch` and `samples` (the cores' speed in the meantime), `check` (compare with eager fp32), `limit` (the cores' highest
rate).
"""

import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from enhance_sweep.system.environment import has_bf16_arithmetic
from enhance_sweep.timing.sentinels import Sentinels

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from enhance_sweep.timing.runtimes import Prepared

_PR_SET_PDEATHSIG = 1  # prctl(2)
#: Sides of the matrices that find the arithmetic limit: each is tried if the one before was quick enough.
_LIMIT_SIDES = (512, 1024, 2048, 4096)
#: Of the array whose copy finds the rate of memory, in fp32 numbers: 256 MiB, larger than the caches.
_COPIED_VALUES = 64 * 2**20
#: The next product, with eight times the arithmetic, is tried if it should take at most this long.
_LONGEST_PRODUCT_MS = 1000.0
#: The probe's matrix product and its stream through memory take about equally long: together a few ms.
_PROBE_SIDE, _PROBE_VALUES, _PROBE_TIMES = 1024, 16 * 2**20, 2


class Session:
    """What the worker keeps between commands."""

    def __init__(self) -> None:
        """Start with nothing loaded."""
        self._prepared: Prepared | None = None
        self._probe: Callable[[], None] | None = None
        self._sentinels: Sentinels | None = None

    def load(self, job: dict[str, Any]) -> dict[str, Any]:
        """Build a network and give it to a runtime, ready to be called.

        `job` has `model` and `runtime` (mappings with a `_target_`), `precision`, `layout`, `threads`, `seed` and the
        photograph's `width`, `height` and `photograph`.
        """
        start = time.perf_counter()
        import torch

        torch.set_num_threads(job["threads"])
        if self._prepared is None:  # torch allows this once in a process
            torch.set_num_interop_threads(1)
        imported = time.perf_counter()
        self._prepared = _prepare(job, job["runtime"], job["precision"], job["layout"])
        # Otherwise garbage collection would be part of a call's time.
        gc.collect()
        gc.freeze()
        gc.disable()
        return {
            "import_ms": (imported - start) * 1e3,
            "load_ms": (time.perf_counter() - imported) * 1e3,
            "preparing_ms": dict(self._prepared.preparing_ms),
        }

    def call(self, memory: bool) -> dict[str, Any]:
        """Time one call; with `memory`, also read the peak of resident memory during it."""
        assert self._prepared is not None
        if not memory:
            return _measured(self._prepared.run)
        from enhance_sweep.timing.memory import PeakMemory

        watch = PeakMemory.watch()
        measured = _measured(self._prepared.run)
        peak_mib = watch.peak_mib()
        return measured | {
            "memory": {
                "peak_rss_mib": peak_mib,
                "peak_rss_delta_mib": peak_mib - watch.base_mib,
                "method": watch.method,
            }
        }

    def probe(self) -> dict[str, Any]:
        """Time a small, fixed piece of work: a matrix product, and a stream through memory.

        One run goes untimed: straight after another process's call it takes a fifth longer, because its threads sleep
        and its data are not in a cache.
        """
        self._probe = self._probe or _probe()
        self._probe()
        return {"probe_ms": _measured(self._probe)["latency_ms"]}

    def watch(self, cores: list[int]) -> dict[str, Any]:
        """Sample the speed of cores from now on."""
        self._sentinels = Sentinels(cores)
        return {}

    def samples(self) -> dict[str, Any]:
        """What was sampled since the last request, CPU milliseconds by core."""
        assert self._sentinels is not None
        return {"samples_ms": self._sentinels.take()}


def main() -> None:
    """Answer commands until stdin ends."""
    _die_with_parent()
    _pin(sys.argv[1] if len(sys.argv) > 1 else "")
    requests, answers = _take_over_standard_streams()
    session = Session()
    commands = {
        "load": session.load,
        "call": lambda job: session.call(job["memory"]),
        "probe": lambda job: session.probe(),
        "watch": lambda job: session.watch(job["cores"]),
        "samples": lambda job: session.samples(),
        "check": check,
        "limit": limit,
    }
    for line in requests:
        job = json.loads(line)
        try:
            answer = commands[job["command"]](job)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def check(job: dict[str, Any]) -> dict[str, Any]:
    """Compare a runtime's result on the photograph with the written network's in eager fp32, channels-first.

    `job` is as for `Session.load`. Gives the largest absolute difference, the PSNR in dB of the clipped images (None
    where they are identical), and the reference's standard deviation, which shows that it was not one flat gray.
    """
    import torch

    torch.set_num_threads(job["threads"])
    eager = {"_target_": "enhance_sweep.timing.runtimes.eager.Eager"}
    reference = _output(_prepare(job, eager, "fp32", "channels_first"))
    result = _output(_prepare(job, job["runtime"], job["precision"], job["layout"]))
    if result.shape != reference.shape:
        raise ValueError(f"the runtime gives {tuple(result.shape)}, eager {tuple(reference.shape)}")
    squared = (result.clip(0, 1) - reference.clip(0, 1)).double().square().mean()
    return {
        "max_abs_error": float((result - reference).abs().max()),
        "psnr_db": float(-10 * squared.log10()) if squared > 0 else None,
        "reference_std": float(reference.std()),
    }


def limit(job: dict[str, Any]) -> dict[str, Any]:
    """The rates that bound a network: `fp32_gflops` and `bf16_gflops` of a large matrix product, `copy_gb_per_s`.

    Each multiply-add counts as two operations, each copied byte twice, as it is read and written. bf16 is measured only
    where `precision` asks for it or the processor computes in it: elsewhere torch emulates it, up to a hundred times
    slower than fp32.

    `job` has `threads`, `precision`, and, unless it is the CPU, `device`.
    """
    import torch

    torch.set_num_threads(job["threads"])
    device = torch.device(job.get("device", "cpu"))
    rates = {"fp32_gflops": _product_gflops(torch.float32, device)}
    if job["precision"] == "bf16" or device.type != "cpu" or has_bf16_arithmetic():
        rates["bf16_gflops"] = _product_gflops(torch.bfloat16, device)
    return rates | {"copy_gb_per_s": _copy_gb_per_s(device)}


def _copy_gb_per_s(device: "torch.device") -> float:
    """The best of five copies of an array that fits into no cache."""
    import torch

    values = torch.zeros(_COPIED_VALUES, device=device)
    copied = torch.empty_like(values)

    def copy() -> None:
        copied.copy_(values)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    copy()
    fastest_ms = min(_measured(copy)["latency_ms"] for _ in range(5))
    return float(2 * values.numel() * values.element_size() / fastest_ms / 1e6)


def _product_gflops(dtype: "torch.dtype", device: "torch.device") -> float:
    """The best of five products of square matrices, the largest that take at most a second each.

    On a CPU also as a convolution with a kernel of one pixel: it is the same product by oneDNN, which on AMD's
    processors is a sixth faster than the library behind `torch.mm`.
    """
    import torch

    for side in _LIMIT_SIDES:
        matrix = torch.rand(side, side, device=device).to(dtype)

        def product(matrix: "Tensor" = matrix) -> None:
            torch.mm(matrix, matrix)
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        ways: list[Callable[[], None]] = [product]
        if device.type == "cpu":
            kernel = matrix.view(side, side, 1, 1).contiguous(memory_format=torch.channels_last)
            pixels = matrix.view(1, side, side // 32, 32).contiguous(memory_format=torch.channels_last)

            def convolution(pixels: "Tensor" = pixels, kernel: "Tensor" = kernel) -> None:
                torch.conv2d(pixels, kernel)

            ways.append(convolution)
        for way in ways:
            way()
        fastest_ms = min(_measured(way)["latency_ms"] for way in ways for _ in range(5))
        if 8 * fastest_ms > _LONGEST_PRODUCT_MS:
            break
    return float(2 * side**3 / fastest_ms / 1e6)


def _probe() -> Callable[[], None]:
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    matrix, product = torch.rand(_PROBE_SIDE, _PROBE_SIDE), torch.empty(_PROBE_SIDE, _PROBE_SIDE)
    values = torch.rand(_PROBE_VALUES)
    sums = torch.empty_like(values)

    def work() -> None:
        for _ in range(_PROBE_TIMES):
            torch.mm(matrix, matrix, out=product)
            torch.add(values, 1.0, out=sums)

    return work


def _prepare(job: dict[str, Any], runtime: dict[str, Any], precision: str, layout: str) -> "Prepared":
    import torch

    from enhance_sweep.timing.photograph import photograph
    from enhance_sweep.timing.runtimes import lowered_for

    torch.manual_seed(job["seed"])
    generator = build(job["model"]).eval()
    spread(generator)
    made = build(runtime)
    if runtime.get("lowered"):
        generator = lowered_for(made, generator, layout)
    pixels = photograph(job["width"], job["height"], job["photograph"])
    input = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float().contiguous() / 255
    return made.prepare(generator, input, precision, layout, job["threads"])  # type: ignore[no-any-return]


def _output(prepared: "Prepared") -> "Tensor":
    return prepared.to_tensor(prepared.run())


def build(config: dict[str, Any]) -> Any:
    """An object of the class that `_target_` names; all entries but `name` and `lowered` are its arguments."""
    module, _, name = config["_target_"].rpartition(".")
    arguments = {key: value for key, value in config.items() if key not in ("_target_", "name", "lowered")}
    return getattr(importlib.import_module(module), name)(**arguments)


def spread(generator: "nn.Module") -> None:
    """Widen the initial weights, so that an untrained network's output is an image.

    With the initial deviation of 0.01 every output is one gray, which any broken runtime would match. Speed does not
    depend on the values. Kaiming's deviation preserves the features' scale. A quarter of it in the last layer gives the
    contrast of an image without saturating tanh.
    """
    import torch

    convolutions = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    layers = [module for module in generator.modules() if isinstance(module, convolutions)]
    for layer in layers:
        torch.nn.init.kaiming_normal_(layer.weight)
    with torch.no_grad():
        layers[-1].weight.mul_(0.25)


def _measured(run: Callable[[], Any]) -> dict[str, Any]:
    """One call: wall and CPU time of the whole process, and the kernel's page faults and switches meanwhile."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
    result = run()
    wall_ns, cpu_ns = time.perf_counter_ns() - wall_ns, time.process_time_ns() - cpu_ns
    after = resource.getrusage(resource.RUSAGE_SELF)
    del result
    return {
        "latency_ms": wall_ns / 1e6,
        "cpu_s": cpu_ns / 1e9,
        "page_faults": after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt,
        "involuntary_switches": after.ru_nivcsw - before.ru_nivcsw,
    }


def _pin(cores: str) -> None:
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})


def _die_with_parent() -> None:
    """On Linux, die with the parent, even in the middle of a call; elsewhere the end of stdin ends this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _take_over_standard_streams() -> tuple[IO[str], IO[str]]:
    """Private copies of stdin and stdout; what libraries print goes to stderr, and they find nothing to read."""
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


if __name__ == "__main__":
    main()
