"""TorchScript, which libtorch runs without Python."""

import copy
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from enhance_sweep.export.exportable import for_any_size
from enhance_sweep.export.formats import Form, Runner, Sides

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class TorchScript:
    """TorchScript; any batch, height and width. torch calls it deprecated, and still reads it."""

    name, suffix = "torchscript", ".pt"
    precisions = ("fp32", "fp16", "bf16")
    refused: ClassVar[Mapping[str, str]] = {
        "int8": "torch's own quantisation of TorchScript is deprecated: choose onnx or openvino"
    }
    packages = ("torch",)
    form: ClassVar[Form | None] = "any"
    meaning: ClassVar[Mapping[str, str]] = {
        "fp32": "weights and arithmetic in fp32",
        "fp16": "weights and arithmetic in fp16, instance norm in fp32; input and output stay fp32",
        "bf16": "weights and arithmetic in bf16, instance norm in fp32; input and output stay fp32",
    }

    def sides(self, generator: nn.Module) -> Sides:
        """See `Format.sides`."""
        return Sides()

    def write(self, generator: nn.Module, precision: str, patches: Sequence[Tensor], file: Path) -> None:
        """See `Format.write`."""
        network = copy.deepcopy(for_any_size(generator)).to(_DTYPES[precision])
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            # Traced, not compiled: a network may be any Python. Arithmetic on sizes is part of the trace.
            whole = _Cast(network, _DTYPES[precision]).eval()
            photograph = torch.zeros(1, 3, 64, 96)
            scripted = torch.jit.trace(whole, photograph, check_trace=False)  # type: ignore[no-untyped-call]
            torch.jit.freeze(scripted).save(str(file))

    def open(self, file: Path, precision: str, threads: int) -> Runner:
        """See `Format.open`."""
        torch.set_num_threads(threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = torch.jit.load(str(file), map_location="cpu")  # type: ignore[no-untyped-call]

        def run(input: Tensor) -> Tensor:
            with torch.inference_mode():
                enhanced: Tensor = network(input)
                return enhanced

        return run

    def usage(self, file: str, precision: str) -> str:
        """See `Format.usage`."""
        return (
            "import torch\n\n"
            f'network = torch.jit.load("{file}", map_location="cpu")\n'
            "enhanced = network(torch.from_numpy(photo)).numpy()"
        )


class _Cast(nn.Module):
    """A network in another dtype, with an input and an output in fp32."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype

    def forward(self, input: Tensor) -> Tensor:
        return self.network(input.to(self.dtype)).to(torch.float32)  # type: ignore[no-any-return]
