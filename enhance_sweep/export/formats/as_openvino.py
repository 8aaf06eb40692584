"""OpenVINO's IR, run on the CPU."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from enhance_sweep.export.exportable import for_any_size
from enhance_sweep.export.formats import ExportError, Form, Runner, Sides, needed
from enhance_sweep.export.formats.as_onnx import write_onnx

_INSTALL = "'enhance-sweep[export]'"
#: The precision hint for OpenVINO, which would otherwise run an fp32 file in bf16 where the processor has it.
_HINTS = {"fp32": "f32", "fp16": "f32", "bf16": "bf16", "int8": "f32"}


class OpenVino:
    """OpenVINO's IR: an `.xml`, and the weights in a `.bin` beside it; any batch, height and width."""

    name, suffix = "openvino", ".xml"
    precisions = ("fp32", "fp16", "bf16", "int8")
    refused: ClassVar[Mapping[str, str]] = {}
    packages = ("openvino", "nncf", "onnx")
    form: ClassVar[Form | None] = "onnx"
    meaning: ClassVar[Mapping[str, str]] = {
        "fp32": "weights and arithmetic in fp32 (set by the hint below; OpenVINO prefers bf16 where available)",
        "fp16": "weights in fp16, arithmetic in fp32 on a CPU: half the size, the same speed",
        "bf16": "weights stored in fp16, arithmetic in bf16; needs a processor that has it",
        "int8": "convolutions with 8-bit weights and activations, calibrated on training patches; norms and sums in "
        "fp32",
    }

    def sides(self, generator: nn.Module) -> Sides:
        """See `Format.sides`."""
        return Sides()

    def write(self, generator: nn.Module, precision: str, patches: Sequence[Tensor], file: Path) -> None:
        """See `Format.write`."""
        openvino = needed("openvino", _INSTALL)
        with tempfile.TemporaryDirectory() as folder:
            # Convert through ONNX: OpenVINO's own converter of torch modules sends telemetry.
            onnx_file = Path(folder) / "fp32.onnx"
            write_onnx(for_any_size(generator), onnx_file)
            model = openvino.Core().read_model(onnx_file)
            if precision == "int8":
                os.environ["NNCF_CI"] = "1"  # otherwise the package sends telemetry
                nncf = needed("nncf", _INSTALL)
                parameters = needed("nncf.quantization.advanced_parameters", _INSTALL)
                estimators = needed("nncf.quantization.range_estimator", _INSTALL).RangeEstimatorParametersSet
                model = nncf.quantize(
                    model,
                    nncf.Dataset([one.numpy() for one in patches]),
                    preset=nncf.QuantizationPreset.MIXED,
                    subset_size=len(patches),
                    # The default, the patches' mean range, would cut off what is brighter than the average patch.
                    advanced_parameters=parameters.AdvancedQuantizationParameters(
                        activations_range_estimator_params=estimators.MINMAX
                    ),
                )
            openvino.save_model(model, file, compress_to_fp16=precision in ("fp16", "bf16"))

    def open(self, file: Path, precision: str, threads: int) -> Runner:
        """See `Format.open`."""
        openvino = needed("openvino", _INSTALL)
        core = openvino.Core()
        able = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bf16" and "BF16" not in able:
            raise ExportError(f"OpenVINO has no bf16 on this processor, only {', '.join(able)}: choose another")
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        request = core.compile_model(core.read_model(file), "CPU", settings).create_infer_request()

        def run(input: Tensor) -> Tensor:
            request.set_input_tensor(openvino.Tensor(input.numpy(), shared_memory=True))
            request.infer()
            return torch.from_numpy(request.get_output_tensor().data.copy())

        return run

    def usage(self, file: str, precision: str) -> str:
        """See `Format.usage`."""
        return (
            "import openvino\n\n"
            f'settings = {{"INFERENCE_PRECISION_HINT": "{_HINTS[precision]}"}}\n'
            f'model = openvino.Core().compile_model("{file}", "CPU", settings)\n'
            "enhanced = model(photo)[0]"
        )
