"""A generator in a form that can be exported: the same arithmetic, without branches on the photograph's size.

Exporters trace one call. Our layers look at height and width to decide how many zeros to pad on which side ("same"
padding is uneven for some sizes), and a trace would fix the decision for one size. Here the padding is computed by
arithmetic on the sizes, which is part of the trace, or is the same for all sizes allowed.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from msgspec import convert
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.export.formats import ExportError, Sides
from enhance_sweep.models.blocks import Conv2d, ConvTranspose2d
from enhance_sweep.models.description import describe
from enhance_sweep.models.instance_norm import NORM_EPS, InstanceNorm2d
from enhance_sweep.models.statistics import ChannelMoments
from enhance_sweep.records.schema import Description

#: Height and width to trace with, rounded up to a multiple.
_TRACED = (64, 96)


def multiple_of(generator: nn.Module) -> int:
    """What height and width must be multiples of, so that no layer of a network pads or crops by the size.

    It is the network's attribute `multiple`. Trying sizes cannot find it: zeros on the wrong side give the right size.

    Raises:
        ExportError: it has none, or one that is not a positive number.
    """
    multiple = getattr(generator, "multiple", None)
    if type(multiple) is not int or multiple < 1:
        raise ExportError(
            f"{type(generator).__name__} does not say of what number height and width must be multiples: give it an "
            "attribute `multiple`, the factor from its largest to its smallest features (1 if all have the "
            f"photograph's size); got {multiple!r}"
        )
    return multiple


def sides_of_multiples(generator: nn.Module, largest: int) -> Sides:
    """The sides that a network takes in a format that is restricted to multiples, and to `largest` pixels.

    The smallest has at least two of the multiples, and two pixels of each statistic that is taken from every fourth
    one: whether there is one or more would be fixed by a trace.

    Raises:
        ExportError: the network does not say its multiple.
    """
    multiple, smallest = multiple_of(generator), 2
    height, width = 64 * multiple, 96 * multiple
    for layer in convert(describe(generator, height, width), Description).layers:
        if layer.step > 1:
            smallest = max(smallest, -(-(layer.step + 1) * height // (layer.in_height or layer.height)))
    return Sides(multiple, max(2 * multiple, -(-smallest // multiple) * multiple), largest - largest % multiple)


def for_any_size(generator: nn.Module) -> nn.Module:
    """A copy of `generator`, in evaluation mode, that can be exported with a dynamic height and width.

    This package's layers are replaced, others stay. (N, 3, H, W) to the same, with the same result within rounding.

    Raises:
        ValueError: a layer of this package cannot be exported.
    """
    return _replaced(generator, _Strided, _Enlarging, _norm)


def for_multiples(generator: nn.Module) -> nn.Module:
    """As `for_any_size`, but for multiples of `multiple_of(generator)` alone, for runtimes with few operations.

    No slice or padding depends on a size, and instance norm is written as elementary operations.
    """
    return _replaced(generator, _StridedEven, _EnlargingEven, _NormByParts)


def example_of_multiples(generator: nn.Module, largest: int) -> tuple[Tensor, dict[int, Any]]:
    """A photograph to trace a network with, and its dynamic dimensions, for formats that take multiples alone.

    Returns:
        Zeros (1, 3, H, W), and what `torch.export` calls dynamic shapes.
    """
    sides = sides_of_multiples(generator, largest)
    multiple, least, most = sides.multiple, sides.smallest // sides.multiple, largest // sides.multiple
    names = {2: "height", 3: "width"}
    if multiple == 1:
        dimensions: dict[int, Any] = {n: torch.export.Dim(name, min=least, max=most) for n, name in names.items()}
    else:
        dimensions = {
            n: multiple * torch.export.Dim(f"{name}_by_{multiple}", min=least, max=most) for n, name in names.items()
        }
    height, width = (max(-(-side // multiple) * multiple, sides.smallest) for side in _TRACED)
    return torch.zeros(1, 3, height, width + multiple), dimensions


def _replaced(
    generator: nn.Module,
    strided: Callable[[Conv2d], nn.Module],
    enlarging: Callable[[ConvTranspose2d], nn.Module],
    norm: Callable[[InstanceNorm2d], nn.Module],
) -> nn.Module:
    # Converters for phones (ExecuTorch's, LiteRT's) misread channels-last weights.
    network: nn.Module = copy.deepcopy(generator).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    network.eval().requires_grad_(False)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Conv2d):
                _check(child)
                setattr(parent, name, _Convolution(child) if child.stride == (1, 1) else strided(child))
            elif isinstance(child, ConvTranspose2d):
                setattr(parent, name, enlarging(child))
            elif isinstance(child, InstanceNorm2d):
                setattr(parent, name, norm(child))
            elif isinstance(child, ChannelMoments):
                setattr(parent, name, _Moments(child))
            elif isinstance(child, nn.ReLU):
                setattr(parent, name, nn.ReLU())  # quantisers refuse in-place ReLUs
    return network


def _reach(layer: nn.Conv2d) -> tuple[int, int]:
    """Height and width of what a kernel sees, its gaps included."""
    down, across = (d * (k - 1) + 1 for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
    return down, across


def _check(layer: Conv2d) -> None:
    if any(reach < stride for reach, stride in zip(_reach(layer), layer.stride, strict=True)):
        kernel_size, stride = ("x".join(map(str, one)) for one in (layer.kernel_size, layer.stride))
        raise ValueError(
            f"cannot export a {kernel_size} convolution of stride {stride} for any size: expected a kernel that is no "
            "smaller than its stride"
        )


class _Same(nn.Module):
    """A convolution with "same" zero padding: what its forms have in common."""

    def __init__(self, layer: Conv2d) -> None:
        super().__init__()
        self.weight, self.bias, self.groups = layer.weight, layer.bias, layer.groups
        # Lists, which TorchScript takes for any number of sides.
        self.stride, self.dilation = list(layer.stride), list(layer.dilation)
        self.down, self.across = _reach(layer)


class _Convolution(_Same):
    """Stride 1: the zeros depend on the kernel alone. Of an odd number, one more is at the bottom and right."""

    def __init__(self, layer: Conv2d) -> None:
        super().__init__(layer)
        self.before = [(self.down - 1) // 2, (self.across - 1) // 2]
        self.more = [(self.down - 1) % 2, (self.across - 1) % 2]
        self.is_even = self.more == [0, 0]

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, H, W)."""
        if not self.is_even:
            input = F.pad(input, (0, self.more[1], 0, self.more[0]))
        return F.conv2d(input, self.weight, self.bias, [1, 1], self.before, self.dilation, self.groups)


class _Strided(_Same):
    """A longer stride, (N, C, H, W) to (N, O, ceil(H / stride), ceil(W / stride)).

    TensorFlow's "same" has k - r zeros where r pixels are left for the last step, 1 to stride: (size - 1) % stride + 1.
    The smaller half of them is before.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Pad, then convolve."""
        down = self.down - 1 - (input.shape[2] - 1) % self.stride[0]
        across = self.across - 1 - (input.shape[3] - 1) % self.stride[1]
        top, left = down // 2, across // 2
        padded = F.pad(input, (left, across - left, top, down - top))
        return F.conv2d(padded, self.weight, self.bias, self.stride, [0, 0], self.dilation, self.groups)


class _StridedEven(_Same):
    """As `_Strided`, for multiples of the stride alone: the number of zeros does not depend on the size."""

    def __init__(self, layer: Conv2d) -> None:
        super().__init__(layer)
        down, across = self.down - self.stride[0], self.across - self.stride[1]
        self.before = [down // 2, across // 2]
        self.after = [down - down // 2, across - across // 2]

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, H / stride, W / stride)."""
        if self.before == self.after:
            return F.conv2d(input, self.weight, self.bias, self.stride, self.before, self.dilation, self.groups)
        padded = F.pad(input, (self.before[1], self.after[1], self.before[0], self.after[0]))
        return F.conv2d(padded, self.weight, self.bias, self.stride, [0, 0], self.dilation, self.groups)


class _Enlarging(nn.Module):
    """The stride-2 transposed convolution, cropped to exactly the size of `like`."""

    def __init__(self, layer: ConvTranspose2d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.is_even = layer.kernel_size[0] % 2 == 0
        self.surplus = max(layer.kernel_size[0] // 2 - 1, 0)

    def forward(self, input: Tensor, like: Tensor) -> Tensor:
        """(N, C, ceil(H / 2), ceil(W / 2)) to (N, O, H, W), where `like` is (N, *, H, W)."""
        whole = F.conv_transpose2d(input, self.weight, self.bias, stride=2, padding=self.surplus)
        height, width = like.shape[2], like.shape[3]
        if not self.is_even:
            whole = whole[:, :, height % 2 :, width % 2 :]
        return whole[:, :, :height, :width]


class _EnlargingEven(_Enlarging):
    """As `_Enlarging`, for even sizes alone, where the surplus is always one row and column, or none."""

    def forward(self, input: Tensor, like: Tensor) -> Tensor:
        """(N, C, H / 2, W / 2) to (N, O, H, W); `like` is ignored."""
        whole = F.conv_transpose2d(input, self.weight, self.bias, stride=2, padding=self.surplus)
        return whole if self.is_even else whole[:, :, :-1, :-1]


def _norm(layer: InstanceNorm2d) -> nn.Module:
    """The form for large runtimes: torch's own where its statistics are of every pixel."""
    return _NormByParts(layer) if layer.step > 1 else _Norm(layer)


class _Norm(nn.Module):
    """`InstanceNorm2d` in the form that torch's fastest kernel and large runtimes know; statistics in fp32."""

    def __init__(self, layer: InstanceNorm2d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.channels, self.eps = layer.weight.numel(), NORM_EPS

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        features = input.to(torch.float32)
        weight, bias = self.weight.to(torch.float32), self.bias.to(torch.float32)
        normed = torch.group_norm(features, self.channels, weight, bias, self.eps)
        return normed.to(input.dtype)


class _NormByParts(nn.Module):
    """As `_Norm`, in elementary operations, and with statistics of every `step`-th pixel of every `step`-th row.

    Deviations come first: E[x^2] - E[x]^2 would cancel on a flat picture. They are those of all pixels: exporters would
    fix whether a single pixel is left of every fourth.
    """

    def __init__(self, layer: InstanceNorm2d) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Parameter(one[:, None, None], False) for one in (layer.weight, layer.bias))
        self.eps, self.step = NORM_EPS, layer.step

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        features = input.to(torch.float32)
        weight, bias = self.weight.to(torch.float32), self.bias.to(torch.float32)
        centred = features - _sampled(features, self.step).mean(dim=(2, 3), keepdim=True)
        deviations = _sampled(centred, self.step)
        variance = (deviations * deviations).mean(dim=(2, 3), keepdim=True)
        normed = centred * (torch.rsqrt(variance + self.eps) * weight) + bias
        return normed.to(input.dtype)


class _Moments(nn.Module):
    """`ChannelMoments`, with deviations as in `_NormByParts`."""

    def __init__(self, layer: ChannelMoments) -> None:
        super().__init__()
        self.step, self.eps = layer.step, layer.eps

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 2 C, 1, 1)."""
        features = input.to(torch.float32)
        mean = _sampled(features, self.step).mean(dim=(2, 3), keepdim=True)
        deviations = _sampled(features - mean, self.step)
        variance = (deviations * deviations).mean(dim=(2, 3), keepdim=True)
        return torch.cat([mean, torch.sqrt(variance + self.eps)], dim=1).to(input.dtype)


def _sampled(features: Tensor, step: int) -> Tensor:
    """Every `step`-th pixel of every `step`-th row."""
    return features if step == 1 else features[:, :, ::step, ::step]
