"""Residual blocks of networks after the paper, with a choice of norm and gate."""

from typing import Literal

import torch
from torch import Tensor, nn

from enhance_sweep.models import identity
from enhance_sweep.models.blocks import Activation, Conv2d
from enhance_sweep.models.instance_norm import InstanceNorm2d
from enhance_sweep.models.statistics import ChannelMoments, statistics_act

#: `sampled` is the instance norm with statistics from a sixteenth of the pixels.
Norm = Literal["instance", "sampled", "none"]
#: What weighs features: one number for each channel from the whole image, or one for each pixel.
Gate = Literal["none", "channel", "spatial"]

_SAMPLED = 4
#: Features of a channel gate's hidden layer: a quarter, but not fewer than these.
_LEAST_HIDDEN = 4


def norm_layers(norm: Norm, channels: int) -> list[nn.Module]:
    """The norm of so many channels, in a list that is empty for `none`."""
    if norm == "none":
        return []
    return [InstanceNorm2d(channels, _SAMPLED if norm == "sampled" else 1)]


def gate_layers(gate: Gate, channels: int) -> list[nn.Module]:
    """The gate of so many channels, in a list that is empty for `none`."""
    gates: dict[str, type[ChannelGate] | type[SpatialGate]] = {"channel": ChannelGate, "spatial": SpatialGate}
    return [] if gate == "none" else [gates[gate](channels)]


class Residual(nn.Module):
    """conv k, norm, act, conv k, norm, gate, + input; norm and gate are optional. (N, channels, H, W) to the same."""

    def __init__(self, channels: int, kernel_size: int, activation: Activation, norm: Norm, gate: Gate) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            Conv2d(channels, channels, kernel_size),
            *norm_layers(norm, channels),
            activation(channels),
            Conv2d(channels, channels, kernel_size),
            *norm_layers(norm, channels),
            *gate_layers(gate, channels),
        )

    def forward(self, input: Tensor) -> Tensor:
        """The input plus the output of the branch."""
        features: Tensor = self.branch(input)
        return input + features

    def start_as_identity(self) -> None:
        """Start with little beside the input."""
        start_branch(self.branch)


def start_branch(branch: nn.Sequential, has_picture: bool = False) -> None:
    """Start a branch that is added: random features in all but its end, which adds little.

    Args:
        branch: convolutions, norms, activations and gates.
        has_picture: the first three channels of the sum carry the photograph, so the branch adds even less there.
    """
    convolutions = [layer for layer in branch if isinstance(layer, Conv2d)]
    for convolution in convolutions:
        identity.features(convolution)
    for layer in branch:
        if isinstance(layer, ChannelGate | SpatialGate):
            layer.start_open()
    after = list(branch)[list(branch).index(convolutions[-1]) :]
    norms = [layer for layer in after if isinstance(layer, InstanceNorm2d)]
    if norms:
        identity.add_little(norms[0], has_picture)
    else:
        identity.add_little_of(convolutions[-1], has_picture)


class ChannelGate(nn.Module):
    """Weigh each channel by a number from 0 to 2, from the statistics of all (Hu et al. 2018; deviations added).

    ::

        features (c) -> mean and deviation of each channel (2c) -> 1x1 conv, leaky ReLU -> 1x1 conv (c) -> 2 sigmoid(x)
                     -> times features

    (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 4, _LEAST_HIDDEN)
        self.statistics = ChannelMoments()
        self.hidden = nn.Sequential(Conv2d(2 * channels, hidden, 1), statistics_act())
        self.weigh = Conv2d(hidden, channels, 1)

    def forward(self, input: Tensor) -> Tensor:
        """Weigh a batch of features."""
        return input * (2 * torch.sigmoid(self.weigh(self.hidden(self.statistics(input)))))

    def start_open(self) -> None:
        """Start with weights close to 1."""
        identity.features(self.hidden[0])
        identity.add_little_of(self.weigh)


class SpatialGate(nn.Module):
    """Weigh each pixel by a number from 0 to 2, from its neighbourhood.

    ::

        features (c) -> 3x3 conv (1) -> 2 sigmoid(x) -> times features

    (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = Conv2d(channels, 1, 3)

    def forward(self, input: Tensor) -> Tensor:
        """Weigh a batch of features."""
        return input * (2 * torch.sigmoid(self.weigh(input)))

    def start_open(self) -> None:
        """Start with weights close to 1."""
        identity.add_little_of(self.weigh)
