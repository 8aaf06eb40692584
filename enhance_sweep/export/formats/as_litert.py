"""LiteRT (formerly TensorFlow Lite), Google's runtime for phones."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from enhance_sweep.export.exportable import example_of_multiples, for_multiples, sides_of_multiples
from enhance_sweep.export.formats import Form, Runner, Sides, needed

_INSTALL = "litert-torch (in an environment without constraints.txt, with which it cannot be installed)"
_LARGEST = 4096


class LiteRt:
    """A `.tflite`; one photograph at a time, sides of up to 4096 pixels, multiples of the network's `multiple`."""

    name, suffix = "litert", ".tflite"
    precisions = ("fp32", "fp16", "int8")
    refused: ClassVar[Mapping[str, str]] = {
        "bf16": "LiteRT has no bf16 convolution on a CPU: choose fp32, fp16 or int8"
    }
    packages = ("litert-torch", "ai-edge-litert", "ai-edge-quantizer", "litert-converter")
    form: ClassVar[Form | None] = None
    meaning: ClassVar[Mapping[str, str]] = {
        "fp32": "weights and arithmetic in fp32",
        "fp16": "weights in fp16; the device chooses the arithmetic: fp32 on this CPU",
        "int8": "convolutions with 8-bit weights (per channel) and activations, calibrated on training patches; norms "
        "and sums in fp32",
    }

    def sides(self, generator: nn.Module) -> Sides:
        """See `Format.sides`."""
        return sides_of_multiples(generator, _LARGEST)

    def write(self, generator: nn.Module, precision: str, patches: Sequence[Tensor], file: Path) -> None:
        """See `Format.write`."""
        litert_torch = needed("litert_torch", _INSTALL)
        example, shapes = example_of_multiples(generator, _LARGEST)
        with torch.no_grad():
            converted = litert_torch.convert(for_multiples(generator), (example,), dynamic_shapes=(shapes,))
        if precision == "fp32":
            converted.export(str(file))
            return
        with tempfile.TemporaryDirectory() as folder:
            float_file = Path(folder) / "fp32.tflite"
            converted.export(str(float_file))
            _quantize(float_file, precision, patches, file)

    def open(self, file: Path, precision: str, threads: int) -> Runner:
        """See `Format.open`."""
        interpreter = needed("ai_edge_litert.interpreter", _INSTALL).Interpreter(str(file), num_threads=threads)
        (input_details,), (output_details,) = interpreter.get_input_details(), interpreter.get_output_details()
        sizes: list[tuple[int, ...]] = []

        def run(input: Tensor) -> Tensor:
            if sizes != [tuple(input.shape)]:
                interpreter.resize_tensor_input(input_details["index"], tuple(input.shape))
                interpreter.allocate_tensors()
                sizes[:] = [tuple(input.shape)]
            interpreter.set_tensor(input_details["index"], input.numpy())
            interpreter.invoke()
            return torch.from_numpy(interpreter.get_tensor(output_details["index"]))

        return run

    def usage(self, file: str, precision: str) -> str:
        """See `Format.usage`."""
        return (
            "from ai_edge_litert.interpreter import Interpreter\n\n"
            f'interpreter = Interpreter("{file}")\n'
            'index = interpreter.get_input_details()[0]["index"]\n'
            "interpreter.resize_tensor_input(index, photo.shape)\n"
            "interpreter.allocate_tensors()\n"
            "interpreter.set_tensor(index, photo)\n"
            "interpreter.invoke()\n"
            'enhanced = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])'
        )


def _quantize(float_file: Path, precision: str, patches: Sequence[Tensor], file: Path) -> None:
    quantizer = needed("ai_edge_quantizer", _INSTALL)
    kinds = quantizer.qtyping
    recipe = quantizer.recipe_manager.RecipeManager()
    if precision == "int8":
        for operation in (kinds.TFLOperationName.CONV_2D, kinds.TFLOperationName.CONV_2D_TRANSPOSE):
            recipe.add_static_config(regex=".*", operation_name=operation, activation_num_bits=8, weight_num_bits=8)
    else:
        half = kinds.TensorQuantizationConfig(num_bits=16, dtype=kinds.TensorDataType.FLOAT)
        recipe.add_quantization_config(
            regex=".*",
            operation_name=kinds.TFLOperationName.ALL_SUPPORTED,
            op_config=kinds.OpQuantizationConfig(
                weight_tensor_config=half, compute_precision=kinds.ComputePrecision.FLOAT, explicit_dequantize=True
            ),
            algorithm_key=quantizer.recipe.AlgorithmName.FLOAT_CASTING,
        )
    quantising = quantizer.quantizer.Quantizer(str(float_file), recipe.get_quantization_recipe())
    ranges = _ranges(quantising, float_file, patches) if quantising.need_calibration else None
    quantising.quantize(ranges).export_model(str(file))


def _ranges(quantising: Any, float_file: Path, patches: Sequence[Tensor]) -> dict[str, Any]:
    """The smallest and the largest value of each feature over all patches.

    The package's own method, a moving average, would cut off what is brighter than the average patch.
    """
    interpreter = needed("ai_edge_litert.interpreter", _INSTALL).Interpreter(str(float_file))
    ((signature, ends),) = interpreter.get_signature_list().items()
    ranges: dict[str, Any] = {}
    for one in patches:
        for name, found in quantising.calibrate({signature: [{ends["inputs"][0]: one.numpy()}]}).items():
            known = ranges.setdefault(name, dict(found))
            if "min" in known:
                known |= {"min": np.minimum(known["min"], found["min"]), "max": np.maximum(known["max"], found["max"])}
    return ranges
