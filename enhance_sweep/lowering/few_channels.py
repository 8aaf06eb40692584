"""Convolutions to few channels: one that gives blocks of pixels, as many channels, in place of single pixels.

A processor computes 16 channels at once, so an image's three cost as much as 16. A block of 2x2 pixels has 12.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.models.blocks import Conv2d

#: Channels that a processor computes at once (AVX-512, fp32).
_AT_ONCE = 16
#: Sides of the blocks that are tried.
_SIDES = (2, 3, 4)
#: Rearranged if that takes at most this share of the arithmetic; what it saves must pay for moving the pixels.
_WORTH_IT = 0.6


class ToFewChannels(nn.Module):
    """A convolution of stride 1 as one of stride f, whose kernel sees what f x f pixels see, and a pixel shuffle.

    (N, C, H, W) to (N, O, H, W), for any height and width: there is one more block on each side, and the surplus is
    cut off, so that neither padding nor the kernel depends on the size.

    Args:
        layer: a convolution for which `is_faster` holds. It is not changed.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        side = _best_side(layer)
        self.side = side
        self.padding = [(size - 1) // 2 + side for size in layer.kernel_size]
        # Each pixel of a block has the kernel at its own place.
        places = [(down, across) for down in range(side) for across in range(side)]
        last = side - 1
        kernels = [F.pad(layer.weight, (across, last - across, down, last - down)) for down, across in places]
        self.weight = nn.Parameter(torch.stack(kernels, dim=1).flatten(0, 1).detach(), requires_grad=False)
        bias = None if layer.bias is None else layer.bias.detach().repeat_interleave(side**2)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    @staticmethod
    def is_faster(layer: nn.Conv2d) -> bool:
        """Whether `layer` can be computed so, and in clearly less time."""
        if layer.stride != (1, 1) or layer.dilation != (1, 1) or layer.groups != 1 or not _keeps_size(layer):
            return False
        return _cost(layer, _best_side(layer)) <= _WORTH_IT * _cost(layer, 1)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve."""
        height, width = input.shape[2], input.shape[3]
        blocks = F.conv2d(input, self.weight, self.bias, [self.side, self.side], self.padding)
        pixels = F.pixel_shuffle(blocks, self.side)
        return pixels[:, :, self.side : self.side + height, self.side : self.side + width]


def _keeps_size(layer: nn.Conv2d) -> bool:
    """Whether it pads with zeros so that the result has the input's size; of an odd number, one more comes after."""
    if isinstance(layer, Conv2d):
        return True
    centred = tuple(size // 2 for size in layer.kernel_size)
    is_odd = all(size % 2 == 1 for size in layer.kernel_size)
    return layer.padding_mode == "zeros" and (layer.padding == "same" or (is_odd and layer.padding == centred))


def _best_side(layer: nn.Conv2d) -> int:
    return min(_SIDES, key=lambda side: _cost(layer, side))


def _cost(layer: nn.Conv2d, side: int) -> float:
    """Multiply-adds for each pixel and input channel, where a part of `_AT_ONCE` channels costs as much as all."""
    height, width = layer.kernel_size
    at_once = -(-layer.out_channels * side**2 // _AT_ONCE)
    return (height + side - 1) * (width + side - 1) * at_once * _AT_ONCE / side**2
