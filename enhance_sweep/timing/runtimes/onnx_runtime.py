"""ONNX Runtime's CPU provider."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from enhance_sweep.timing.runtimes import LayerTime, Prepared
from enhance_sweep.timing.runtimes.exported import export, require

#: Calls before those that are profiled, and the end of an event's name that is a node's own time.
_WARM_UP, _KERNEL = 2, "_kernel_time"


class OnnxRuntime:
    """ONNX Runtime on the CPU, whose convolutions are fp32 only."""

    form = "onnx"

    def prepare(self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int) -> Prepared:
        """See `Runtime.prepare`."""
        if precision != "fp32":
            raise ValueError(
                f"ONNX Runtime's convolutions are fp32 only on a CPU, got {precision}: choose fp32 or openvino"
            )
        exported = export(generator, photograph, layout)
        start = time.perf_counter()
        session = _session(exported.onnx, threads)
        compile_ms = (time.perf_counter() - start) * 1e3
        feed = {"input": exported.photograph.numpy()}
        return Prepared(
            lambda: session.run(None, feed)[0],
            lambda result: exported.to_tensor(torch.from_numpy(result)),
            {"export_ms": exported.export_ms, "compile_ms": compile_ms},
        )

    def layers(
        self, generator: nn.Module, photograph: Tensor, precision: str, layout: str, threads: int, calls: int
    ) -> list[LayerTime]:
        """See `Runtime`: ONNX Runtime's own profile, its nodes after fusion."""
        exported = export(generator, photograph, layout)
        feed = {"input": exported.photograph.numpy()}
        with tempfile.TemporaryDirectory() as folder:
            session = _session(exported.onnx, threads, enable_profiling=True, profile_file_prefix=f"{folder}/profile")
            for _ in range(_WARM_UP + calls):
                session.run(None, feed)
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        times: dict[str, LayerTime] = {}
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
                name = event["name"].removesuffix(_KERNEL)
                times.setdefault(name, LayerTime(name, event["args"]["op_name"])).ms.append(event["dur"] / 1e3)
        for one in times.values():
            del one.ms[:-calls]
        return list(times.values())


def _session(onnx: bytes, threads: int, **settings: Any) -> Any:
    onnxruntime = require("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    for name, value in settings.items():
        setattr(options, name, value)
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
