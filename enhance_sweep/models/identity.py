"""What a topology's `start_as_identity` is made of: initial weights with which a network repeats its photograph.

The DPED code's initial weights make every network start as flat gray, and most of a short training goes by until it
has found the photograph again. Here the first three channels carry red, green and blue through the network; all
others start as random features, which the last layer hardly shows (docs/decisions/start.md).
"""

import math

import torch
from torch import Tensor, nn

from enhance_sweep.models.instance_norm import InstanceNorm2d

#: Red, green and blue.
PICTURE_CHANNELS = 3

#: Scales of the norms at the end of a branch that is added: small, so that the sum starts as what it is added to.
_BRANCH_SCALE, _PICTURE_SCALE = 0.03, 0.01
#: `tanh(slope * x + offset) * 0.58 + 0.5` is close to x.
_SLOPE, _OFFSET = 2.0, -1.0
#: How much the last layer shows of the random features, relative to He et al. 2015.
_SHOWN = 0.04


class CannotCarryError(ValueError):
    """A network has too few channels to carry a photograph."""


def features(layer: nn.Module) -> None:
    """Random features (He et al. 2015), and no bias.

    Each filter sums to zero, so that it sees edges and color rather than brightness. Otherwise brightness would drive
    about half of the filters below zero everywhere, and behind a ReLU those never learn.

    Args:
        layer: `nn.Conv2d` or `nn.ConvTranspose2d`.
    """
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    with torch.no_grad():
        layer.weight.normal_(std=_he_std(layer))
        inputs_and_kernel = (0, 2, 3) if isinstance(layer, nn.ConvTranspose2d) else (1, 2, 3)
        if layer.weight[0].numel() > 1:
            layer.weight -= layer.weight.mean(inputs_and_kernel, keepdim=True)
        if layer.bias is not None:
            layer.bias.zero_()


def carry(layer: nn.Module) -> None:
    """Random features, but the first three output channels repeat the first three input channels.

    Args:
        layer: `nn.Conv2d`.

    Raises:
        CannotCarryError: there are fewer.
    """
    assert isinstance(layer, nn.Conv2d)
    _check_carries(layer)
    features(layer)
    with torch.no_grad():
        layer.weight[:PICTURE_CHANNELS] = _deltas(layer)


def show(layer: nn.Conv2d) -> None:
    """The last convolution before `to_unit_range`: it shows the first three channels, and a little of all others.

    Raises:
        CannotCarryError: there are fewer.
    """
    _check_carries(layer)
    features(layer)
    with torch.no_grad():
        layer.weight *= _SHOWN
        layer.weight += _SLOPE * _deltas(layer)
        assert layer.bias is not None
        layer.bias.fill_(_OFFSET)


def add_little(norm: InstanceNorm2d, has_picture: bool) -> None:
    """The norm at the end of a branch: the branch adds little to what it is added to.

    Args:
        norm: of the branch.
        has_picture: the first three channels of the sum carry the photograph, so the branch adds even less there.
    """
    with torch.no_grad():
        norm.weight.fill_(_BRANCH_SCALE)
        norm.bias.zero_()
        if has_picture:
            norm.weight[:PICTURE_CHANNELS] = _PICTURE_SCALE


def add_little_of(layer: nn.Module, has_picture: bool = False) -> None:
    """A convolution without a norm at the end of a branch: random features, as small as `add_little` makes them."""
    features(layer)
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    with torch.no_grad():
        scale = torch.full((layer.out_channels,), _BRANCH_SCALE)
        scale[: PICTURE_CHANNELS if has_picture else 0] = _PICTURE_SCALE
        layer.weight *= scale[:, None, None, None] if isinstance(layer, nn.Conv2d) else scale[:, None, None]


def _deltas(layer: nn.Conv2d) -> Tensor:
    """Kernels that repeat one input channel each: (3, in_channels, k, k), one at "same" padding's center."""
    kernels = torch.zeros_like(layer.weight[:PICTURE_CHANNELS])
    down, across = ((size - 1) // 2 for size in layer.kernel_size)
    for channel in range(PICTURE_CHANNELS):
        kernels[channel, channel, down, across] = 1
    return kernels


def _check_carries(layer: nn.Conv2d) -> None:
    fewest = min(layer.in_channels, layer.out_channels)
    if fewest < PICTURE_CHANNELS:
        raise CannotCarryError(
            f"expected at least 3 channels, which carry red, green and blue at the start, got {fewest}"
        )


def _he_std(layer: nn.Conv2d | nn.ConvTranspose2d) -> float:
    pixels = math.prod(layer.kernel_size)
    reached = pixels / math.prod(layer.stride) if isinstance(layer, nn.ConvTranspose2d) else pixels
    return math.sqrt(2 / (layer.in_channels // layer.groups * reached))
