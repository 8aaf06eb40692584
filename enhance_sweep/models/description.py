"""What a network is made of, for its record: layers, parameters, multiply-adds. Nothing is computed for it."""

import copy
from typing import Any

import torch
from torch import Tensor, nn


def describe(generator: nn.Module, height: int = 720, width: int = 1280) -> dict[str, Any]:
    """Count what one photograph of `height` x `width` costs, on torch's meta device: shapes only, no arithmetic.

    Returns:
        `parameters`: all learned numbers. `macs`: multiply-adds of all convolutions and linear layers (norms and
        activations are not counted, as is usual). `layers`: in the order in which they run, each with its `name`,
        `kind`, `in_channels`, `out_channels`, `kernel_size`, `stride`, output `height` and `width`, `parameters` and
        `macs`.
    """
    on_meta = copy.deepcopy(generator).to("meta")
    layers: list[dict[str, Any]] = []
    for name, module in on_meta.named_modules():
        if not list(module.children()):
            module.register_forward_hook(_note(name, layers))
    with torch.no_grad():
        on_meta(torch.empty(1, 3, height, width, device="meta"))
    return {
        "height": height,
        "width": width,
        "parameters": sum(parameter.numel() for parameter in on_meta.parameters()),
        "macs": sum(layer["macs"] for layer in layers),
        "layers": layers,
    }


def _note(name: str, layers: list[dict[str, Any]]) -> Any:
    """A forward hook that adds a line about its module to `layers`."""

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        layers.append(
            {
                "name": name,
                "kind": type(module).__name__,
                "in_channels": inputs[0].shape[1],
                "out_channels": output.shape[1],
                "kernel_size": getattr(module, "kernel_size", (1,))[0],
                "stride": getattr(module, "stride", (1,))[0],
                "height": output.shape[-2],
                "width": output.shape[-1],
                "parameters": sum(parameter.numel() for parameter in module.parameters()),
                "macs": _macs(module, inputs[0], output),
            }
        )

    return hook


def _macs(module: nn.Module, input: Tensor, output: Tensor) -> int:
    """A convolution uses each of its weights once per output pixel, a transposed one once per input pixel."""
    if isinstance(module, nn.ConvTranspose2d):
        return module.weight.numel() * input.shape[-2] * input.shape[-1]
    if isinstance(module, nn.Conv2d):
        return module.weight.numel() * output.shape[-2] * output.shape[-1]
    return 0
