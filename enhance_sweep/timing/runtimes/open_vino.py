"""Intel's OpenVINO on the CPU."""

import time
from typing import Any

import torch
from torch import Tensor, nn

from enhance_sweep.timing.runtimes import Prepared
from enhance_sweep.timing.runtimes.exported import export, require

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
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        request = core.compile_model(core.read_model(exported.onnx), "CPU", settings).create_infer_request()
        compile_ms = (time.perf_counter() - start) * 1e3
        request.set_input_tensor(openvino.Tensor(exported.photograph.numpy(), shared_memory=True))

        def run() -> Any:
            request.infer()
            return request.get_output_tensor().data

        return Prepared(
            run,
            lambda result: exported.to_tensor(torch.from_numpy(result.copy())),
            {"export_ms": exported.export_ms, "compile_ms": compile_ms},
        )
