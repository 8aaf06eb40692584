"""The paper's topology: most of the work at a quarter of the resolution."""

from torch import Tensor, nn

from enhance_sweep.models import identity
from enhance_sweep.models.blocks import (
    Activation,
    Conv2d,
    ConvTranspose2d,
    ResidualBlock,
    activation,
    check_at_least,
    start_as_identity,
    tail,
    to_unit_range,
)
from enhance_sweep.models.color_matrix import GlobalColor
from enhance_sweep.models.instance_norm import InstanceNorm2d


class StridedGenerator(nn.Module):
    """The strided network of de Stoutz et al. 2018 (Fig. 3, Table 2).

    ::

        input (3)
          | 9x9 conv, act
        full resolution (c) ------------------------------------- + -> k x k conv, act -> k x k conv, act
          | s x s conv / 2, norm, act                             ^      -> 9x9 conv (3) -> tanh(x) * 0.58 + 0.5
          |                                                       | s x s conv * 2, norm, act
        half (2c) ---------------------------------- + -----------'
          | s x s conv / 2, norm, act                ^
          |                                          | s x s conv * 2, norm, act
        quarter (4c) -> [residual block] x blocks ---'

    Features are added at each resolution, as the paper says; the authors' released code adds only the full-resolution
    ones. (N, 3, H, W), RGB in [0, 1], to the same shape, a little beyond [0, 1]; any height and width: strides round
    up, and the way back restores the exact size of the skip connection.

    Args:
        kernel_size: k, of the residual blocks and the two convolutions before the last.
        strided_kernel_size: s, of the strided and transposed convolutions; at least 2.
        channels: c at full resolution; 2c at half, 4c at a quarter.
        blocks: residual blocks at a quarter of the resolution; the paper has 2.
        prelu: PReLU with a learned slope per channel instead of ReLU.
        global_color: begin with a color matrix for the whole photograph; not in the paper.

    Raises:
        ValueError: a size is not positive, or `strided_kernel_size` is below 2.
    """

    multiple = 4

    def __init__(
        self,
        kernel_size: int = 3,
        strided_kernel_size: int = 4,
        channels: int = 16,
        blocks: int = 2,
        prelu: bool = False,
        global_color: bool = False,
    ) -> None:
        super().__init__()
        check_at_least(1, kernel_size=kernel_size, channels=channels)
        check_at_least(2, strided_kernel_size=strided_kernel_size)
        check_at_least(0, blocks=blocks)
        act = activation(prelu)
        self.color = GlobalColor() if global_color else None
        self.head = nn.Sequential(Conv2d(3, channels, 9), act(channels))
        self.down1 = _down(channels, 2 * channels, strided_kernel_size, act)
        self.down2 = _down(2 * channels, 4 * channels, strided_kernel_size, act)
        self.blocks = nn.Sequential(*(ResidualBlock(4 * channels, kernel_size, act) for _ in range(blocks)))
        self.up1 = _Up(4 * channels, 2 * channels, strided_kernel_size, act)
        self.up2 = _Up(2 * channels, channels, strided_kernel_size, act)
        self.tail = tail(channels, kernel_size, act)
        self.output = Conv2d(channels, 3, 9)

    def forward(self, input: Tensor) -> Tensor:
        """Enhance a batch of photographs."""
        full = self.head(input if self.color is None else self.color(input))
        half = self.down1(full)
        quarter = self.blocks(self.down2(half))
        features = self.up2(self.up1(quarter, half), full)
        return to_unit_range(self.output(self.tail(features)))

    def start_as_identity(self) -> None:
        """Start as the photograph, which goes through at full resolution: see `enhance_sweep.models.identity`."""
        if self.color is not None:
            self.color.start_as_identity()
        start_as_identity(self.head)
        for down in (self.down1, self.down2):
            identity.features(down[0])
        for block in self.blocks:
            assert isinstance(block, ResidualBlock)
            block.start_as_identity(has_picture=False)
        for up in (self.up1, self.up2):
            identity.features(up.conv)
            identity.add_little(up.norm, has_picture=up is self.up2)
        start_as_identity(self.tail)
        identity.show(self.output)


def _down(in_channels: int, out_channels: int, kernel_size: int, act: Activation) -> nn.Sequential:
    """Halve the resolution, rounding up."""
    return nn.Sequential(
        Conv2d(in_channels, out_channels, kernel_size, stride=2), InstanceNorm2d(out_channels), act(out_channels)
    )


class _Up(nn.Module):
    """Double the resolution to exactly that of `skip`, and add it."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, act: Activation) -> None:
        super().__init__()
        self.conv = ConvTranspose2d(in_channels, out_channels, kernel_size)
        self.norm = InstanceNorm2d(out_channels)
        self.act = act(out_channels)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """(N, in_channels, ceil(H/2), ceil(W/2)) and `skip` (N, out_channels, H, W) to the shape of `skip`."""
        enlarged: Tensor = self.act(self.norm(self.conv(features, skip)))
        return enlarged + skip
