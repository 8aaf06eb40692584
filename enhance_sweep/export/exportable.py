"""A generator in a form that can be exported: the same arithmetic, without branches on the photograph's size.

Exporters trace one call. Our layers look at height and width to decide how many zeros to pad on which side ("same"
padding is uneven for some sizes), and a trace would fix the decision for one size. Here the padding is computed by
arithmetic on the sizes, which is part of the trace, or is the same for all sizes allowed.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.models.blocks import Conv2d, ConvTranspose2d
from enhance_sweep.models.instance_norm import NORM_EPS, InstanceNorm2d

#: What height and width must be multiples of where sizes are restricted: our topologies halve them twice.
MULTIPLE = 4


def for_any_size(generator: nn.Module) -> nn.Module:
    """A copy of `generator`, in evaluation mode, that can be exported with a dynamic height and width.

    This package's layers are replaced, others stay. (N, 3, H, W) to the same, with the same result within rounding.

    Raises:
        ValueError: a layer of this package cannot be exported.
    """
    return _replaced(generator, _Halving, _Enlarging, _Norm)


def for_multiples(generator: nn.Module) -> nn.Module:
    """As `for_any_size`, but for heights and widths that are multiples of `MULTIPLE`, for runtimes with few operations.

    No slice or padding depends on a size, and instance norm is written as elementary operations.
    """
    return _replaced(generator, _HalvingEven, _EnlargingEven, _NormByParts)


def _replaced(
    generator: nn.Module,
    halving: Callable[[Conv2d], nn.Module],
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
                setattr(parent, name, _Convolution(child) if child.stride[0] == 1 else halving(child))
            elif isinstance(child, ConvTranspose2d):
                setattr(parent, name, enlarging(child))
            elif isinstance(child, InstanceNorm2d):
                setattr(parent, name, norm(child))
            elif isinstance(child, nn.ReLU):
                setattr(parent, name, nn.ReLU())  # quantisers refuse in-place ReLUs
    return network


def _check(layer: Conv2d) -> None:
    kernel_size, stride = layer.kernel_size[0], layer.stride[0]
    if stride > 2 or kernel_size < stride:
        raise ValueError(
            f"cannot export a {kernel_size}x{kernel_size} convolution of stride {stride} for any size: expected "
            "stride 1 or 2, and a kernel that is no smaller"
        )


class _Convolution(nn.Module):
    """Stride 1: the zeros depend on the kernel alone. An even kernel has the odd one at the bottom and right."""

    def __init__(self, layer: Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.before = (layer.kernel_size[0] - 1) // 2
        self.is_even = layer.kernel_size[0] % 2 == 0

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, H, W)."""
        if self.is_even:
            input = F.pad(input, (0, 1, 0, 1))
        return F.conv2d(input, self.weight, self.bias, padding=self.before)


class _Halving(nn.Module):
    """Stride 2, (N, C, H, W) to (N, O, ceil(H / 2), ceil(W / 2)).

    TensorFlow's "same" has k - 2 zeros for an even size and k - 1 for an odd one, the smaller half before. For an even
    kernel k / 2 - 1 are before any size, and one too many after an even size is never reached. For an odd one
    (k - 3) / 2 are before an even size, and one more before an odd one.
    """

    def __init__(self, layer: Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.after = layer.kernel_size[0] // 2
        self.is_even = layer.kernel_size[0] % 2 == 0

    def forward(self, input: Tensor) -> Tensor:
        """Pad, then convolve."""
        top, left = self.after - 1, self.after - 1
        if not self.is_even:
            top, left = top + input.shape[2] % 2, left + input.shape[3] % 2
        padded = F.pad(input, (left, self.after, top, self.after))
        return F.conv2d(padded, self.weight, self.bias, stride=2)


class _HalvingEven(nn.Module):
    """As `_Halving`, for even sizes alone: the number of zeros does not depend on the size."""

    def __init__(self, layer: Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        total = layer.kernel_size[0] - 2
        self.before, self.after = total // 2, total - total // 2

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, H / 2, W / 2)."""
        if self.before == self.after:
            return F.conv2d(input, self.weight, self.bias, stride=2, padding=self.before)
        padded = F.pad(input, (self.before, self.after, self.before, self.after))
        return F.conv2d(padded, self.weight, self.bias, stride=2)


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
    """As `_Norm`, in elementary operations. Deviations come first: E[x^2] - E[x]^2 would cancel on a flat picture."""

    def __init__(self, layer: InstanceNorm2d) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Parameter(one[:, None, None], False) for one in (layer.weight, layer.bias))
        self.eps = NORM_EPS

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        features = input.to(torch.float32)
        weight, bias = self.weight.to(torch.float32), self.bias.to(torch.float32)
        centred = features - features.mean(dim=(2, 3), keepdim=True)
        variance = (centred * centred).mean(dim=(2, 3), keepdim=True)
        normed = centred * (torch.rsqrt(variance + self.eps) * weight) + bias
        return normed.to(input.dtype)
