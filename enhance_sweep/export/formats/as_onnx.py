"""ONNX, run by ONNX Runtime's CPU provider."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from enhance_sweep.export.exportable import for_any_size
from enhance_sweep.export.formats import INPUT, OUTPUT, Form, Runner, Sides, needed

_INSTALL = "'enhance-sweep[export]'"


class Onnx:
    """ONNX; any batch, height and width."""

    name, suffix = "onnx", ".onnx"
    precisions = ("fp32", "fp16", "int8")
    refused: ClassVar[Mapping[str, str]] = {
        "bf16": "ONNX Runtime refuses a bf16 convolution as an invalid graph (tried with 1.32): choose fp32, fp16 or "
        "int8, or --format openvino",
    }
    packages = ("onnx", "onnxscript", "onnxruntime")
    form: ClassVar[Form | None] = "onnx"
    meaning: ClassVar[Mapping[str, str]] = {
        "fp32": "weights and arithmetic in fp32",
        "fp16": "weights in fp16; input and output stay fp32, and ONNX Runtime's CPU provider casts to fp32 and back "
        "around each convolution: half the size, not faster on a CPU",
        "int8": "convolutions with 8-bit weights (per channel) and activations (QDQ), calibrated on training patches; "
        "norms and sums in fp32",
    }

    def sides(self, generator: nn.Module) -> Sides:
        """See `Format.sides`."""
        return Sides()

    def write(self, generator: nn.Module, precision: str, patches: Sequence[Tensor], file: Path) -> None:
        """See `Format.write`."""
        network = for_any_size(generator)
        if precision == "fp16":
            network = _InHalf(network)
        if precision != "int8":
            write_onnx(network, file)
            return
        with tempfile.TemporaryDirectory() as folder:
            float_file = Path(folder) / "fp32.onnx"
            write_onnx(network, float_file)
            _quantize(float_file, patches, file)

    def open(self, file: Path, precision: str, threads: int) -> Runner:
        """See `Format.open`."""
        onnxruntime = needed("onnxruntime", _INSTALL)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        return lambda input: torch.from_numpy(session.run(None, {INPUT: input.numpy()})[0])

    def usage(self, file: str, precision: str) -> str:
        """See `Format.usage`."""
        return (
            "import onnxruntime\n\n"
            f'session = onnxruntime.InferenceSession("{file}")\n'
            f'(enhanced,) = session.run(None, {{"{INPUT}": photo}})'
        )


class _InHalf(nn.Module):
    """A network that computes in fp16, with an input and an output in fp32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.half()

    def forward(self, input: Tensor) -> Tensor:
        enhanced: Tensor = self.network(input.half())
        return enhanced.float()


def write_onnx(network: nn.Module, file: Path) -> None:
    """Export with dynamic batch, height and width.

    Raises:
        ExportError: the packages are not installed.
    """
    needed("onnxscript", _INSTALL)
    onnx = needed("onnx", _INSTALL)
    dimensions = {0: torch.export.Dim("batch"), 2: torch.export.Dim("height"), 3: torch.export.Dim("width")}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is missing, which is not needed
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, 64, 96),),
            file,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({**dimensions},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(file)
    _forget_where_it_was_made(model)
    onnx.save(model, file)


def _forget_where_it_was_made(model: Any) -> None:
    """Remove the stack traces of every operation, which contain paths of this computer."""
    del model.metadata_props[:]
    for part in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]
        part.doc_string = ""


def _quantize(float_file: Path, patches: Sequence[Tensor], file: Path) -> None:
    quantization = needed("onnxruntime.quantization", _INSTALL)

    class Patches(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]  # the package has no types
        """The patches, one after the other."""

        def __init__(self) -> None:
            self._feeds: Iterator[dict[str, np.ndarray[Any, Any]]] = ({INPUT: one.numpy()} for one in patches)

        def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
            return next(self._feeds, None)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.quantize_static(
            str(float_file),
            str(file),
            Patches(),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["Conv", "ConvTranspose"],
        )
