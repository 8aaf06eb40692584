"""ONNX Runtime's CPU provider."""

import time

import torch
from torch import Tensor, nn

from enhance_sweep.timing.runtimes import Prepared
from enhance_sweep.timing.runtimes.exported import export, require


class OnnxRuntime:
    """ONNX Runtime on the CPU, whose convolutions are fp32 only."""

    form = "onnx"

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        """See `Runtime.prepare`."""
        if precision != "fp32":
            raise ValueError(
                f"ONNX Runtime's convolutions are fp32 only on a CPU, got {precision}: choose fp32 or openvino"
            )
        onnxruntime = require("onnxruntime")
        exported = export(generator, photograph, layout)
        start = time.perf_counter()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(exported.onnx, options, providers=["CPUExecutionProvider"])
        compile_ms = (time.perf_counter() - start) * 1e3
        feed = {"input": exported.photograph.numpy()}
        return Prepared(
            lambda: session.run(None, feed)[0],
            lambda result: exported.to_tensor(torch.from_numpy(result)),
            {"export_ms": exported.export_ms, "compile_ms": compile_ms},
        )
