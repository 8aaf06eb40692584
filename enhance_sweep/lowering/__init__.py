"""A trained network in the form that is fastest at inference: the same results, other operations."""

import copy
from typing import Literal

from torch import nn

from enhance_sweep.lowering import colors, norms, shuffles
from enhance_sweep.lowering.calls import Calls
from enhance_sweep.lowering.few_channels import ToFewChannels

__all__ = ["lowered"]

Runtime = Literal["any", "eager", "onnx"]


def lowered(network: nn.Module, runtime: Runtime = "any") -> nn.Module:
    """A copy of a network, in evaluation mode, that computes the same faster (docs/decisions/lowering.md).

    It is made of ordinary operations on (N, C, H, W), whatever the height and width, so that every runtime and export
    takes it. Parts that are not known stay as they are.

    Args:
        network: (N, 3, H, W) to the same. It is not changed.
        runtime: where it will run. `eager`, torch's eager mode on channels-last memory, and `onnx`, ONNX for OpenVINO
            and ONNX Runtime, have norms and color matrices of their own; they would be right elsewhere, too, but slow.
            `any` leaves these as they are.

    Returns:
        A network whose results differ from those of `network` by rounding only, 1e-4 at most.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    calls = Calls(network)
    shuffles.fold(calls)
    if runtime == "eager":
        norms.centre(calls)
        network = colors.convolve(network)
    elif runtime == "onnx":
        norms.name(network)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d) and ToFewChannels.is_faster(child):
                setattr(parent, name, ToFewChannels(child))
    return network.requires_grad_(False)
