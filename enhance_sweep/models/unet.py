"""A U-Net that begins at half the resolution, with one vector for the whole photograph at its bottom (RSGUNet)."""

from typing import Literal

from torch import Tensor, nn

from enhance_sweep.models import identity
from enhance_sweep.models.blocks import Activation, Conv2d, ConvTranspose2d, activation, check_at_least, check_one_of
from enhance_sweep.models.color_matrix import GlobalColor
from enhance_sweep.models.instance_norm import InstanceNorm2d
from enhance_sweep.models.residual import ChannelGate, Gate, Norm, SpatialGate, gate_layers, norm_layers
from enhance_sweep.models.statistics import ChannelMoments, statistics_act

#: How features of equal resolution meet.
Skip = Literal["multiply", "add"]

_STRIDED_KERNEL_SIZE = 4


class UNetGenerator(nn.Module):
    """After RSGUNet (Huang et al. 2018, team Mt.Phoenix, winner of the PIRM challenge).

    ::

        input (3) -> global color matrix = image (3) ------------------------------------------- + ->
          | k x k conv / 2, act                                                                  ^
        half (c) ------------------------------------------ x -> k x k conv, act -> k x k conv (12), channels to pixels
          | [4x4 conv / 2, norm, act] x depth               | [4x4 conv * 2, norm, act, x skip] x depth
        bottom (c 2^depth) -> k x k conv, act, + vector ----'
                          '-> mean and deviation of each channel -> 1x1 conv, leaky ReLU (vector)

    Channels double at each halving. Skips multiply the features on the way up, or are added. (N, 3, H, W), RGB in
    [0, 1], to the same shape, a little beyond [0, 1]; any height and width: strides round up, and the way back restores
    the exact size of each skip.

    Args:
        kernel_size: k, of convolutions without a stride and of the first one, where it is 2 at least.
        channels: c at half the resolution.
        depth: how often the resolution is halved again.
        skip: how features of equal resolution meet.
        global_vector: let the bottom see the whole photograph.
        norm: of the strided and transposed convolutions.
        gate: of the bottom.
        global_color: begin with a color matrix for the whole photograph.
        prelu: PReLU with a learned slope per channel instead of ReLU.

    Raises:
        ValueError: a size is not positive, or an option is not known.
    """

    def __init__(
        self,
        kernel_size: int = 3,
        channels: int = 8,
        depth: int = 2,
        skip: Skip = "multiply",
        global_vector: bool = True,
        norm: Norm = "none",
        gate: Gate = "none",
        global_color: bool = True,
        prelu: bool = False,
    ) -> None:
        super().__init__()
        check_at_least(1, kernel_size=kernel_size, channels=channels, depth=depth)
        check_one_of(Skip, skip=skip)
        check_one_of(Norm, norm=norm)
        check_one_of(Gate, gate=gate)
        act = activation(prelu)
        self.multiple = 2 ** (depth + 1)
        self.color = GlobalColor() if global_color else None
        self.head = nn.Sequential(Conv2d(3, channels, max(kernel_size, 2), stride=2), act(channels))
        self.levels = _level(channels, depth, kernel_size, skip == "multiply", global_vector, norm, gate, act)
        self.tail = nn.Sequential(Conv2d(channels, channels, kernel_size), act(channels))
        self.output = Conv2d(channels, 12, kernel_size)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, input: Tensor) -> Tensor:
        """Enhance a batch of photographs."""
        image = input if self.color is None else self.color(input)
        features = self.levels(self.head(image))
        detail: Tensor = self.shuffle(self.output(self.tail(features)))
        return image + detail[..., : input.shape[2], : input.shape[3]]

    def start_as_identity(self) -> None:
        """Start as the photograph, to which little is added: see `enhance_sweep.models.identity`."""
        for module in self.modules():
            if isinstance(module, Conv2d | ConvTranspose2d):
                identity.features(module)
        for module in self.modules():
            if isinstance(module, ChannelGate | SpatialGate):
                module.start_open()
            if isinstance(module, _Level):
                module.start_as_identity()
        if self.color is not None:
            self.color.start_as_identity()
        identity.add_little_of(self.output)


def _level(
    channels: int,
    depth: int,
    kernel_size: int,
    multiplies: bool,
    global_vector: bool,
    norm: Norm,
    gate: Gate,
    act: Activation,
) -> nn.Module:
    """So many levels, each within the one above it; at the end the bottom."""
    if depth == 0:
        return _Bottom(channels, kernel_size, global_vector, gate, act)
    below = _level(2 * channels, depth - 1, kernel_size, multiplies, global_vector, norm, gate, act)
    return _Level(channels, below, multiplies, norm, act)


class _Level(nn.Module):
    """Halve the resolution, go through the levels below, return to exactly the size before, and meet what was there.

    (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, below: nn.Module, multiplies: bool, norm: Norm, act: Activation) -> None:
        super().__init__()
        many = 2 * channels
        self.down = nn.Sequential(
            Conv2d(channels, many, _STRIDED_KERNEL_SIZE, stride=2), *norm_layers(norm, many), act(many)
        )
        self.below = below
        self.up = ConvTranspose2d(many, channels, _STRIDED_KERNEL_SIZE)
        self.rest = nn.Sequential(*norm_layers(norm, channels), act(channels))
        self.multiplies = multiplies

    def start_as_identity(self) -> None:
        """Start with little beside the input: a factor close to 1, or a small sum."""
        identity.add_little_of(self.up)
        norms = [layer for layer in self.rest if isinstance(layer, InstanceNorm2d)]
        for norm in norms:
            identity.features(self.up)
            identity.add_little(norm, has_picture=False)
        if self.multiplies:
            last = norms[-1] if norms else self.up
            assert last.bias is not None
            nn.init.ones_(last.bias)

    def forward(self, input: Tensor) -> Tensor:
        """The features times or plus what comes from below."""
        enlarged: Tensor = self.rest(self.up(self.below(self.down(input)), input))
        return enlarged * input if self.multiplies else enlarged + input


class _Bottom(nn.Module):
    """A convolution, and one vector for the whole photograph. (N, channels, H, W) to the same."""

    def __init__(self, channels: int, kernel_size: int, global_vector: bool, gate: Gate, act: Activation) -> None:
        super().__init__()
        self.conv = nn.Sequential(Conv2d(channels, channels, kernel_size), act(channels), *gate_layers(gate, channels))
        self.vector = (
            nn.Sequential(ChannelMoments(), Conv2d(2 * channels, channels, 1), statistics_act())
            if global_vector
            else None
        )

    def forward(self, input: Tensor) -> Tensor:
        """What each pixel sees, plus what the photograph is like."""
        features: Tensor = self.conv(input)
        return features if self.vector is None else features + self.vector(input)
