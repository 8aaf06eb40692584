"""Topologies of other kinds than those in `conf/model`, as CONTRIBUTING.md has them added."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.models.blocks import Conv2d
from enhance_sweep.models.instance_norm import InstanceNorm2d


class Shuffled(nn.Module):
    """Space to depth, residual blocks, depth to space, added to the input; an odd side is padded by one pixel."""

    def __init__(self, channels: int = 8, blocks: int = 2, kernel_size: int = 3, padding: str = "replicate") -> None:
        super().__init__()
        self.padding = padding
        self.unshuffle = nn.PixelUnshuffle(2)
        self.head = Conv2d(12, channels, kernel_size)
        self.blocks = nn.Sequential(*(_Block(channels, kernel_size) for _ in range(blocks)))
        self.tail = Conv2d(channels, 12, kernel_size)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the same."""
        height, width = input.shape[-2:]
        padded = F.pad(input, (0, width % 2, 0, height % 2), mode=self.padding)
        residual: Tensor = self.shuffle(self.tail(self.blocks(self.head(self.unshuffle(padded)))))
        return input + residual[..., :height, :width]


class _Block(nn.Module):
    """conv, norm, act, conv, norm, + input."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = Conv2d(channels, channels, kernel_size), InstanceNorm2d(channels)
        self.act = nn.SiLU()
        self.conv2, self.norm2 = Conv2d(channels, channels, kernel_size), InstanceNorm2d(channels)

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, H, W) to the same."""
        features: Tensor = self.norm2(self.conv2(self.act(self.norm1(self.conv1(input)))))
        return input + features


class Gated(nn.Module):
    """A convolution, and a gain for each channel from the mean of the whole image: not to be run strip by strip."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.head = Conv2d(3, channels, 3)
        self.gain = Conv2d(channels, channels, 1)
        self.output = Conv2d(channels, 3, 3)

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the same."""
        features = self.head(input)
        gain = torch.sigmoid(self.gain(features.mean(dim=(2, 3), keepdim=True)))
        result: Tensor = self.output(features * gain)
        return result


class Sharpened(nn.Module):
    """Adds what a fixed blur takes away, weighed by one learned number for each channel; the blur is not saved."""

    kernel: Tensor

    def __init__(self, side: int = 5) -> None:
        super().__init__()
        self.amount = Conv2d(3, 3, 1, groups=3)
        self.register_buffer("kernel", torch.full((3, 1, side, side), side**-2.0), persistent=False)
        self.offset = torch.tensor(0.01)  # not even a buffer

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the same."""
        reach = self.kernel.shape[-1] // 2
        blurred = F.conv2d(F.pad(input, (reach,) * 4, mode="replicate"), self.kernel, groups=3)
        result: Tensor = input + self.amount(input - blurred) + self.offset
        return result
