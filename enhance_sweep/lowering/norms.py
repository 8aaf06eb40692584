"""Instance norms: for channels-last memory with fewer passes over the features, for ONNX as one operation.

torch's group norm takes both moments in one pass, as E[x^2] - E[x]^2, and adds up naively. It loses digits where the
mean is large (docs/decisions/instance-norm.md), or the image. Here neither is: a norm does not see a shift of its
input, so the convolution's bias may be any, and is what makes the mean about zero; and the image is normed in strips.
"""

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.lowering.calls import Calls
from enhance_sweep.models.blocks import Conv2d, ConvTranspose2d, same_padding
from enhance_sweep.models.instance_norm import NORM_EPS, InstanceNorm2d

#: Pixels of a row, and rows, from one that is looked at to the next. The first is in the middle of a step, because what
#: the edges have seen of their padding would count too much.
_STEP = 8
#: Smaller features than of so many rows or columns are normed as written: it is fast enough, and edges count more.
_FEWEST_ROWS = 32
#: Pixels of a strip: torch's group norm is slow for fewer, and inexact for more.
_FEWEST_PIXELS, _MOST_PIXELS = 1024, 16384


def centre(calls: Calls) -> None:
    """Make one layer of each convolution and the norm behind it."""
    for pair in list(calls.pairs()):
        layer, norm = (calls.layer(name) for name in pair)
        if isinstance(layer, Conv2d | ConvTranspose2d) and layer.groups == 1 and _is_whole(norm):
            calls.replace(pair, Normed(layer, norm))


def name(network: nn.Module) -> None:
    """Let each norm be the one operation that ONNX has for it, in place; as written it becomes five, or twelve."""
    for parent in list(network.modules()):
        for key, child in list(parent.named_children()):
            if isinstance(child, InstanceNorm2d) and child.step == 1:
                setattr(parent, key, _Named(child))


class _Named(nn.Module):
    """`InstanceNorm2d` in the form that exporters know by its name. (N, C, H, W) to the same."""

    def __init__(self, norm: InstanceNorm2d) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, input: Tensor) -> Tensor:
        """Norm; statistics in fp32."""
        weight, bias = self.weight.float(), self.bias.float()
        # `F.instance_norm` refuses a single pixel.
        normed = torch.instance_norm(input.float(), weight, bias, None, None, True, 0.0, NORM_EPS, False)
        return normed.to(input.dtype)


def _is_whole(layer: nn.Module) -> TypeGuard[InstanceNorm2d]:
    return isinstance(layer, InstanceNorm2d) and layer.step == 1


class Normed(nn.Module):
    """A convolution and its instance norm.

    The mean of a convolution's result is, but for the edges, the sums of its kernels times the mean of its input. A
    sample of the input's pixels is enough: the norm takes away what is left of the mean.

    Args:
        layer: the convolution; a transposed one is called with its second argument, too.
        norm: of its results, with statistics from all pixels.
    """

    def __init__(self, layer: Conv2d | ConvTranspose2d, norm: InstanceNorm2d) -> None:
        super().__init__()
        self.layer, self.norm = layer, norm
        self.channels = layer.out_channels
        sums = layer.weight.detach().double().sum((2, 3)).float()
        if isinstance(layer, ConvTranspose2d):
            sums = sums.T / 4  # of the kernel, each output sees a quarter
        self.towards_zero = nn.Parameter(-sums, requires_grad=False)

    def forward(self, input: Tensor, *like: Tensor) -> Tensor:
        """Convolve and norm, for one image on channels-last memory in the fast way."""
        if input.shape[0] > 1 or min(input.shape[2:]) < _FEWEST_ROWS or input.is_contiguous():
            return self.norm(self.layer(input, *like))  # type: ignore[no-any-return]
        mean = input[:, :, _STEP // 2 :: _STEP, _STEP // 2 :: _STEP].mean(dim=(2, 3))
        centred = self._convolved(input, F.linear(mean, self.towards_zero)[0], *like)
        rows = _rows_of_strip(*centred.shape[2:])
        if not rows or not centred.is_contiguous(memory_format=torch.channels_last):
            return self.norm(centred)  # type: ignore[no-any-return]
        return _normed(centred, rows, self.norm.weight, self.norm.bias)

    def _convolved(self, input: Tensor, bias: Tensor, *like: Tensor) -> Tensor:
        """As the layer does, with another bias."""
        layer = self.layer
        height, width = (like or (input,))[0].shape[2:]
        (top, bottom), (left, right) = (
            same_padding(size, apart * (kernel - 1) + 1, stride)
            for size, kernel, stride, apart in zip(
                (height, width), layer.kernel_size, layer.stride, layer.dilation, strict=True
            )
        )
        is_even = (top, left) == (bottom, right)
        padding = (top, left) if is_even else (0, 0)
        if isinstance(layer, ConvTranspose2d):
            enlarged = F.conv_transpose2d(input, layer.weight, bias, 2, padding)
            return enlarged if is_even else enlarged[:, :, top : top + height, left : left + width]
        if not is_even:
            input = F.pad(input, (left, right, top, bottom))
        return F.conv2d(input, layer.weight, bias, layer.stride, padding, layer.dilation)


def _rows_of_strip(height: int, width: int) -> int:
    """How many rows make a strip that torch's group norm takes fast and exactly; 0 where no number does."""
    fitting = (rows for rows in range(1, height + 1) if height % rows == 0 and rows * width > _FEWEST_PIXELS)
    return next((rows for rows in fitting if rows * width <= _MOST_PIXELS), 0)


def _normed(features: Tensor, rows: int, weight: Tensor, bias: Tensor) -> Tensor:
    """Norm each strip of so many rows, and then correct that: (1, C, H, W) on channels-last memory to the same."""
    _, channels, height, width = features.shape
    strips = features.permute(0, 2, 3, 1).reshape(-1, rows, width, channels).permute(0, 3, 1, 2)
    normed, means, per_deviation = torch.native_group_norm(
        strips, None, None, len(strips), channels, rows * width, channels, NORM_EPS
    )
    mean = means.mean(dim=0)
    variance = (per_deviation.pow(-2) - NORM_EPS + (means - mean).square()).mean(dim=0)
    scale = torch.rsqrt(variance + NORM_EPS) * weight
    back, shift = ((scale / per_deviation), (means - mean) * scale + bias)
    normed = torch.addcmul(shift[:, :, None, None], normed, back[:, :, None, None])
    return normed.permute(0, 2, 3, 1).reshape(1, height, width, channels).permute(0, 3, 1, 2)
