"""ExecuTorch, PyTorch's runtime for phones, with XNNPACK for the processor."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from enhance_sweep.export.exportable import example_of_multiples, for_multiples, sides_of_multiples
from enhance_sweep.export.formats import Form, Runner, Sides, needed

_INSTALL = "'enhance-sweep[executorch]'"
_LARGEST = 1280


class ExecuTorch:
    """A `.pte`; one photograph at a time, sides of up to 1280 pixels, multiples of the network's `multiple`.

    ExecuTorch plans memory for the largest size declared at export.
    """

    name, suffix = "executorch", ".pte"
    precisions = ("fp32",)
    refused: ClassVar[Mapping[str, str]] = {
        "fp16": "with ExecuTorch 1.5.1 the half-precision result was garbage: choose fp32",
        "bf16": "XNNPACK has no bf16 convolution: choose fp32",
        "int8": "tried with ExecuTorch 1.5.1, its XNNPACK refuses a quantised convolution of a dynamic size "
        "(xnn_status_invalid_parameter): choose fp32, or --format litert or onnx",
    }
    packages = ("executorch", "torch")
    form: ClassVar[Form | None] = None
    meaning: ClassVar[Mapping[str, str]] = {"fp32": "weights and arithmetic in fp32"}

    def sides(self, generator: nn.Module) -> Sides:
        """See `Format.sides`."""
        return sides_of_multiples(generator, _LARGEST)

    def write(self, generator: nn.Module, precision: str, patches: Sequence[Tensor], file: Path) -> None:
        """See `Format.write`."""
        exir = needed("executorch.exir", _INSTALL)
        xnnpack = needed("executorch.backends.xnnpack.partition.xnnpack_partitioner", _INSTALL)
        example, shapes = example_of_multiples(generator, _LARGEST)
        with torch.no_grad():
            program = torch.export.export(for_multiples(generator), (example,), dynamic_shapes=(shapes,))
            lowered = exir.to_edge_transform_and_lower(program, partitioner=[xnnpack.XnnpackPartitioner()])
        file.write_bytes(lowered.to_executorch().buffer)

    def open(self, file: Path, precision: str, threads: int) -> Runner:
        """See `Format.open`; ExecuTorch chooses the number of threads itself."""
        runtime = needed("executorch.runtime", _INSTALL)
        method = runtime.Runtime.get().load_program(str(file)).load_method("forward")
        return lambda input: method.execute([input])[0].clone()

    def usage(self, file: str, precision: str) -> str:
        """See `Format.usage`."""
        return (
            "import torch\nfrom executorch.runtime import Runtime\n\n"
            f'method = Runtime.get().load_program("{file}").load_method("forward")\n'
            "enhanced = method.execute([torch.from_numpy(photo)])[0]"
        )
