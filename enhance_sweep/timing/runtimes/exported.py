"""A network as ONNX, for runtimes that read it."""

import importlib
import logging
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


class _ChannelsLast(nn.Module):
    """A network from (N, H, W, 3) to (N, H, W, 3)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self.network(input.permute(0, 3, 1, 2))
        return result.permute(0, 2, 3, 1)


@dataclass(frozen=True)
class Exported:
    """A network in ONNX, with one input named `input`, and its photograph in the same layout."""

    onnx: bytes
    photograph: Tensor
    layout: str
    export_ms: float

    def to_tensor(self, result: Tensor) -> Tensor:
        """A result in the network's layout as fp32 (1, 3, H, W)."""
        return (result if self.layout == "channels_first" else result.permute(0, 3, 1, 2)).float().contiguous()


def export(network: nn.Module, photograph: Tensor, layout: str) -> Exported:
    """Export `network` at the size of `photograph`, fp32 (1, 3, H, W).

    ONNX has no memory formats: channels-last there is a shape, of input and output.

    Raises:
        ModuleNotFoundError: the extra is not installed.
    """
    require("onnxscript")  # torch's exporter needs it, and with it comes onnx
    start = time.perf_counter()
    if layout == "channels_last":
        network, photograph = _ChannelsLast(network), photograph.permute(0, 2, 3, 1).contiguous()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is missing
        file = Path(folder) / "network.onnx"
        torch.onnx.export(
            network, (photograph,), file, input_names=["input"], dynamo=True, external_data=False, verbose=False
        )
        onnx = file.read_bytes()
    return Exported(onnx, photograph, layout, (time.perf_counter() - start) * 1e3)


def require(package: str) -> Any:
    """Import `package`, or say which extra installs it.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error.name} is not installed: pip install 'enhance-sweep[runtimes]'") from error
