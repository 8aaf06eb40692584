"""The building blocks of generators and the discriminator.

Padding, normalisation and initial weights are the DPED code's (Ignatov et al. 2017), so its published weights give its
published outputs.
"""

from collections.abc import Callable
from typing import get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.models import identity, rearranged
from enhance_sweep.models.instance_norm import InstanceNorm2d

#: Initial weights: normal with this deviation, cut at two deviations; and the bias (DPED code, `models.py`).
INITIAL_WEIGHT_STD = 0.01
INITIAL_BIAS = 0.01

_PICTURE_CHANNELS = 3

Activation = Callable[[int], nn.Module]


def same_padding(size: int, kernel_size: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an axis, so that a convolution gives ceil(size / stride); an odd zero comes after.

    TensorFlow's "SAME". With stride 1 it does not depend on `size`.
    """
    total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


class Conv2d(nn.Conv2d):
    """A convolution with "same" zero padding and the DPED code's initial weights.

    (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride)).

    Args:
        in_channels: of the input.
        out_channels: of the result.
        kernel_size: of both axes, or height and width.
        stride: of both axes.
        dilation: pixels from one of the kernel's to the next.
        groups: parts into which both sides' channels are split; `in_channels` of them make a depthwise convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation=dilation, groups=groups)
        initialise(self)

    def padding_for(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Zeros above and below, left and right of an input of this size."""
        down, across = (
            same_padding(size, dilation * (kernel_size - 1) + 1, stride)
            for size, kernel_size, stride, dilation in zip(
                (height, width), self.kernel_size, self.stride, self.dilation, strict=True
            )
        )
        return down, across

    def forward(self, input: Tensor) -> Tensor:
        """Pad, then convolve; the convolution itself does symmetric padding, without a copy.

        When training in bf16, the layer that gives a picture computes in fp32: from 0.5 to 1, bf16 has only whole gray
        levels.
        """
        device = input.device.type
        if self.out_channels <= _PICTURE_CHANNELS and torch.is_grad_enabled() and torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return self._convolved(input.float())
        return self._convolved(input)

    def _convolved(self, input: Tensor) -> Tensor:
        weight = self.weight  # once: with branches (`models.branches`) it is computed
        if torch.is_grad_enabled() and self._is_simple and rearranged.is_faster(input, weight, self.stride[0]):
            return rearranged.conv2d(input, weight, self.bias, self.stride[0])
        (top, bottom), (left, right) = self.padding_for(input.shape[-2], input.shape[-1])
        padding = (top, left)
        if (top, left) != (bottom, right):
            input, padding = F.pad(input, (left, right, top, bottom)), (0, 0)
        return F.conv2d(input, weight, self.bias, self.stride, padding, self.dilation, self.groups)

    @property
    def _is_simple(self) -> bool:
        """Whether it has a square kernel without gaps, and each output sees every input channel."""
        return self.kernel_size[0] == self.kernel_size[1] and self.dilation == (1, 1) and self.groups == 1


class ConvTranspose2d(nn.ConvTranspose2d):
    """The stride-2 transposed convolution that reverses a stride-2 `Conv2d`, to exactly the size of `like`.

    Raises:
        ValueError: the kernel is smaller than the stride, which would leave gaps between the outputs.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        if kernel_size < 2:
            raise ValueError(f"strided_kernel_size: expected at least 2, the stride, got {kernel_size}")
        super().__init__(in_channels, out_channels, kernel_size, stride=2)
        initialise(self)

    # A transposed convolution needs the size to restore, which torch takes in another form.
    def forward(self, input: Tensor, like: Tensor) -> Tensor:  # type: ignore[override]
        """(N, in_channels, ceil(H/2), ceil(W/2)) to (N, out_channels, H, W), where `like` is (N, *, H, W)."""
        kernel_size = self.kernel_size[0]
        height, width = like.shape[-2:]
        top, bottom = same_padding(height, kernel_size, 2)
        left, right = same_padding(width, kernel_size, 2)
        if top == bottom and left == right:
            return F.conv_transpose2d(input, self.weight, self.bias, 2, (top, left))
        whole = F.conv_transpose2d(input, self.weight, self.bias, 2)
        return whole[:, :, top : top + height, left : left + width]


class ResidualBlock(nn.Module):
    """conv k, norm, act, conv k, norm, act, + input; no activation after the sum (Ignatov et al. 2017).

    (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, kernel_size: int, activation: Activation) -> None:
        super().__init__()
        self.conv1 = Conv2d(channels, channels, kernel_size)
        self.norm1 = InstanceNorm2d(channels)
        self.act1 = activation(channels)
        self.conv2 = Conv2d(channels, channels, kernel_size)
        self.norm2 = InstanceNorm2d(channels)
        self.act2 = activation(channels)

    def forward(self, input: Tensor) -> Tensor:
        """The input plus the output of the two convolutions."""
        features: Tensor = self.act2(self.norm2(self.conv2(self.act1(self.norm1(self.conv1(input))))))
        return input + features

    def start_as_identity(self, has_picture: bool) -> None:
        """Start with little beside the input; `has_picture`: its first three channels carry the photograph."""
        identity.features(self.conv1)
        identity.features(self.conv2)
        identity.add_little(self.norm2, has_picture)


def activation(prelu: bool) -> Activation:
    """ReLU, or PReLU with a learned slope per channel that starts at 0, that is, as ReLU."""
    return (lambda channels: nn.PReLU(channels, init=0.0)) if prelu else (lambda _: nn.ReLU(inplace=True))


def tail(channels: int, kernel_size: int, act: Activation) -> nn.Sequential:
    """k x k conv, act, k x k conv, act: every generator's layers before its last convolution."""
    convolutions = (Conv2d(channels, channels, kernel_size) for _ in range(2))
    return nn.Sequential(*(layer for convolution in convolutions for layer in (convolution, act(channels))))


def start_as_identity(layers: nn.Sequential) -> None:
    """Let every convolution and residual block in a row carry the photograph in the first three channels."""
    for layer in layers:
        if isinstance(layer, ResidualBlock):
            layer.start_as_identity(has_picture=True)
        elif isinstance(layer, Conv2d):
            identity.carry(layer)


def to_unit_range(features: Tensor) -> Tensor:
    """`tanh(x) * 0.58 + 0.5`: a little beyond [0, 1], so that black and white are within reach (DPED code)."""
    return torch.tanh(features) * 0.58 + 0.5


def initialise(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> None:
    """Initial weights and bias of the DPED code."""
    nn.init.trunc_normal_(layer.weight, std=INITIAL_WEIGHT_STD, a=-2 * INITIAL_WEIGHT_STD, b=2 * INITIAL_WEIGHT_STD)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, INITIAL_BIAS)


def check_at_least(minimum: int, **arguments: int) -> None:
    """Raise a `ValueError` naming the first argument below `minimum`."""
    for name, value in arguments.items():
        if value < minimum:
            raise ValueError(f"{name}: expected at least {minimum}, got {value}")


def check_one_of(literal: object, **arguments: str) -> None:
    """Raise a `ValueError` naming the first argument that is none of a `Literal`'s values."""
    for name, value in arguments.items():
        if value not in get_args(literal):
            raise ValueError(f"{name}: expected one of {', '.join(get_args(literal))}, got {value!r}")
