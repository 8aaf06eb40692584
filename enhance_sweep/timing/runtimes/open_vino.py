"""Intel's OpenVINO on the CPU."""

import time
from typing import Any

import torch
from torch import Tensor, nn

from enhance_sweep.timing.runtimes import LayerTime, Prepared
from enhance_sweep.timing.runtimes.exported import Exported, export, require

#: Calls before those that are profiled.
_WARM_UP = 2
_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVino:
    """OpenVINO on the CPU, tuned for latency; bf16 where the processor has it."""

    form = "onnx"

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        """See `Runtime.prepare`."""
        openvino = require("openvino")
        core = openvino.Core()
        able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and "BF16" not in able:
            raise ValueError(f"OpenVINO has no bf16 on this processor, only {', '.join(able)}: choose precision fp32")
        exported = export(generator, photograph, layout)
        start = time.perf_counter()
        request = _request(exported, precision, threads)
        compile_ms = (time.perf_counter() - start) * 1e3

        def run() -> Any:
            request.infer()
            return request.get_output_tensor().data

        return Prepared(
            run,
            lambda result: exported.to_tensor(torch.from_numpy(result.copy())),
            {"export_ms": exported.export_ms, "compile_ms": compile_ms},
        )

    def layers(
        self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int, calls: int
    ) -> list[LayerTime]:
        """See `Runtime`: OpenVINO's performance counters, of what it executes after fusion."""
        request = _request(export(generator, photograph, layout), precision, threads, PERF_COUNT=True)
        times: dict[str, LayerTime] = {}
        for call in range(_WARM_UP + calls):
            request.infer()
            for node in request.profiling_info if call >= _WARM_UP else ():
                if node.status == node.status.EXECUTED and node.real_time:
                    kind = f"{node.node_type} ({node.exec_type})"
                    ms = node.real_time.total_seconds() * 1e3
                    times.setdefault(node.node_name, LayerTime(node.node_name, kind)).ms.append(ms)
        return list(times.values())


def _request(exported: Exported, precision: str, threads: int, **more: Any) -> Any:
    """A compiled network with its photograph, ready to be called."""
    openvino = require("openvino")
    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = core.compile_model(core.read_model(exported.onnx), "CPU", settings | more).create_infer_request()
    request.set_input_tensor(openvino.Tensor(exported.photograph.numpy(), shared_memory=True))
    return request
