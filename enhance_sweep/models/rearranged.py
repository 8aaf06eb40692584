"""Convolutions with very few channels, rearranged into ones with more: the same sums, computed faster.

A CPU computes 16 channels of a convolution at once, so one channel, or an image's three, cost as much as 16
(docs/decisions/training-speed.md). This is done only in training: what is timed, scored and exported is the convolution
as written.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F

#: Channels that a CPU computes at once.
_AT_ONCE = 16
#: Neighbouring pixels in a row that become one: an image's 3 channels become 12, and the kernel grows little.
_FOLD = 4

_is_on = True


@contextmanager
def as_written() -> Iterator[None]:
    """Rearrange nothing in this process, to count the operations that a network needs."""
    global _is_on
    _is_on = False
    try:
        yield
    finally:
        _is_on = True


def is_faster(input: Tensor, weight: Tensor, stride: int) -> bool:
    """Whether `conv2d` can compute this convolution, and faster than torch's own."""
    outputs, inputs, kernel_size, _ = weight.shape
    if not _is_on or input.device.type != "cpu":
        return False
    if stride == 1:
        folds = kernel_size % 2 == 1 and input.shape[3] % _FOLD == 0
        return folds and outputs * _FOLD <= _AT_ONCE and input.is_contiguous(memory_format=torch.channels_last)
    fits = input.shape[2] % stride == 0 and input.shape[3] % stride == 0
    return fits and inputs * stride**2 <= _AT_ONCE and kernel_size >= stride


def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """A convolution for which `is_faster` holds, with TensorFlow's "SAME" zero padding.

    Args:
        input: (N, C, H, W).
        weight: (O, C, k, k).
        bias: (O,).
        stride: 1, or a divisor of H and W.

    Returns:
        (N, O, H / stride, W / stride) in channels-last memory.
    """
    return _to_few(input, weight, bias) if stride == 1 else _strided(input, weight, bias, stride)


def _to_few(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Few outputs: neighbours in a row become one pixel with more channels; channels-last memory stays in place."""
    count, channels, height, width = input.shape
    outputs, _, kernel_size, _ = weight.shape
    reach = kernel_size // 2
    beside = -(-reach // _FOLD)  # folded pixels that the kernel reaches on each side
    across = 2 * beside + 1
    folded = input.permute(0, 2, 3, 1).reshape(count, height, width // _FOLD, _FOLD * channels).permute(0, 3, 1, 2)
    kernels = []
    for position in range(_FOLD):  # of the output among its neighbours; its taps move along
        before = _FOLD * beside + position - reach
        taps = F.pad(weight, (before, _FOLD * across - kernel_size - before))
        taps = taps.view(outputs, channels, kernel_size, across, _FOLD).permute(0, 4, 1, 2, 3)
        kernels.append(taps.reshape(outputs, _FOLD * channels, kernel_size, across))
    kernel = torch.cat(kernels).contiguous(memory_format=torch.channels_last)
    together = F.conv2d(folded, kernel, None if bias is None else bias.repeat(_FOLD), padding=(reach, beside))
    return together.permute(0, 2, 3, 1).reshape(count, height, width, outputs).permute(0, 3, 1, 2)


def _strided(input: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """Few inputs and a stride: the pixels that the stride skips become channels."""
    outputs, channels, kernel_size, _ = weight.shape
    before = (kernel_size - stride) // 2
    # Pad the kernel with zeros, so that it too begins and ends at multiples of the stride.
    shift = -before % stride
    taps = -(-(shift + kernel_size) // stride)
    after = taps * stride - shift - kernel_size
    kernel = F.pad(weight, (shift, after, shift, after)).view(outputs, channels, taps, stride, taps, stride)
    kernel = kernel.permute(0, 1, 3, 5, 2, 4).reshape(outputs, channels * stride * stride, taps, taps)
    first = (before + shift) // stride
    last = taps - 1 - first
    passed_over = F.pad(F.pixel_unshuffle(input, stride), (first, last, first, last))
    passed_over, kernel = (one.contiguous(memory_format=torch.channels_last) for one in (passed_over, kernel))
    return F.conv2d(passed_over, kernel, bias)
