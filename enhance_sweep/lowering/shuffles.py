"""Pixels that become channels and are then convolved: one convolution with a stride."""

import torch
from torch import nn

from enhance_sweep.lowering.calls import Calls
from enhance_sweep.models.blocks import Conv2d


def fold(calls: Calls) -> None:
    """Make one layer of each `nn.PixelUnshuffle` and the convolution behind it."""
    for pair in list(calls.pairs()):
        unshuffle, layer = (calls.layer(name) for name in pair)
        if isinstance(unshuffle, nn.PixelUnshuffle) and isinstance(layer, Conv2d) and _is_simple(layer):
            calls.replace(pair, _strided(layer, unshuffle.downscale_factor))


def _is_simple(layer: Conv2d) -> bool:
    return (layer.stride, layer.dilation, layer.groups) == ((1, 1), (1, 1), 1) and all(
        size % 2 == 1 for size in layer.kernel_size
    )


def _strided(layer: Conv2d, factor: int) -> nn.Conv2d:
    """(N, C, H, W) to (N, O, H / factor, W / factor), where both are multiples."""
    outputs, inputs = layer.weight.shape[:2]
    down, across = layer.kernel_size
    strided = nn.Conv2d(
        inputs // factor**2,
        outputs,
        (down * factor, across * factor),
        stride=factor,
        padding=(down // 2 * factor, across // 2 * factor),
        bias=layer.bias is not None,
    )
    kernel = layer.weight.detach().reshape(outputs, -1, factor, factor, down, across).permute(0, 1, 4, 2, 5, 3)
    with torch.no_grad():
        strided.weight = nn.Parameter(kernel.reshape(strided.weight.shape))
        if layer.bias is not None:
            strided.bias = nn.Parameter(layer.bias.detach().clone())
    return strided
