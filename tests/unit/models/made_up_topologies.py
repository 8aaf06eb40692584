"""Topologies of other kinds than those in `conf/model`, as CONTRIBUTING.md has them added."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.models.blocks import Conv2d
from enhance_sweep.models.instance_norm import InstanceNorm2d


class Shuffled(nn.Module):
    """Space to depth, residual blocks, depth to space, added to the input; an odd side is padded by one pixel."""

    multiple = 2

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

    multiple = 1

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


class Pooled(nn.Module):
    """Three poolings, each enlarged again by interpolation; the features of each resolution multiply."""

    multiple = 8

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.head = Conv2d(3, channels, 3)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.down = nn.ModuleList(Conv2d(channels, channels, 3) for _ in range(3))
        self.output = Conv2d(channels, 3, 1)

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the same."""
        features = self.head(input)
        skips = []
        for convolution in self.down:
            skips.append(features)
            features = F.leaky_relu(convolution(self.pool(features)), 0.1)
        for skip in skips[::-1]:
            features = F.interpolate(features, size=skip.shape[-2:], mode="bilinear") * skip
        result: Tensor = self.output(features)
        return result


class Matrices(nn.Module):
    """A color matrix for each pixel at a quarter of the resolution, and curves from the image's mean, by functions."""

    multiple = 4

    def __init__(self, channels: int = 6) -> None:
        super().__init__()
        self.head = Conv2d(3, channels, 5, 4)
        self.matrix = nn.Parameter(torch.randn(12, channels, 1, 1))
        self.curve = nn.Linear(3, 3)

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the same."""
        height, width = input.shape[-2:]
        features = torch.relu(self.head(input))
        matrix = F.conv2d(features, self.matrix)
        matrix = F.interpolate(matrix, scale_factor=4.0, mode="bilinear", align_corners=False)[..., :height, :width]
        red, green, blue = input.chunk(3, dim=1)
        by_red, by_green, by_blue, offset = matrix.chunk(4, dim=1)
        mixed = input + by_red * red + by_green * green + by_blue * blue + offset
        gain = torch.sigmoid(self.curve(input.mean(dim=(2, 3))))
        return mixed * gain[:, :, None, None]


class Student(nn.Module):
    """1x7 and 7x1 convolutions, dilated, with a depthwise one and a concatenation; the contrast is raised first."""

    multiple = 1

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        padding = {"row": (0, 3), "column": (3, 0), "far row": (0, 6), "far column": (6, 0)}
        self.head = nn.Sequential(
            nn.Conv2d(3, channels, (1, 7), padding=padding["row"]),
            nn.LeakyReLU(0.05),
            nn.Conv2d(channels, channels, (7, 1), padding=padding["column"]),
            nn.LeakyReLU(0.05),
        )
        self.body = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, (1, 7), padding=padding["far row"], dilation=2),
            InstanceNorm2d(2 * channels),
            nn.LeakyReLU(0.05),
            nn.Conv2d(2 * channels, channels, (7, 1), padding=padding["far column"], dilation=2),
        )
        self.each = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.output = nn.Conv2d(2 * channels, 3, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the same."""
        mean = input.mean(dim=(2, 3), keepdim=True)
        features = self.head((input - mean) * 1.2 + mean)
        features = features + self.body(features)
        both = torch.cat([features, self.each(features)], dim=1)
        return torch.tanh(self.output(both)) * 0.58 + 0.5


class WrongSize(nn.Module):
    """A convolution without padding, or one that halves: refused."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.output = nn.Conv2d(3, 3, 3, stride, padding=1 if stride > 1 else 0)

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) to something smaller."""
        result: Tensor = self.output(F.pad(input, (1, 1, 1, 1)) if min(input.shape[2:]) < 3 else input)
        return result


class Odd(nn.Module):
    """What else a topology may do that is refused, by name."""

    def __init__(self, does: str = "tuple") -> None:
        super().__init__()
        self.does = does
        self.output = Conv2d(3, 3, 1)

    def forward(self, input: Tensor) -> object:
        """(N, 3, H, W) to what nobody wants."""
        result: Tensor = self.output(input)
        if self.does == "tuple":
            return result, result
        if self.does == "raises":
            raise RuntimeError("no such\nluck")
        if self.does == "values":
            return result * float(input.mean())
        if self.does == "one":
            return result[:1]
        return result[:, :1]


class Unbuildable(nn.Module):
    """A constructor that needs numbers, which the meta device has not."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.rand(1).item()

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the same."""
        return input * self.gain


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
