"""A color matrix for each pixel, predicted at a fraction of the resolution."""

from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.models import identity
from enhance_sweep.models.blocks import Conv2d, activation, check_at_least, check_one_of
from enhance_sweep.models.color_matrix import NUMBERS, GlobalColor, mixed
from enhance_sweep.models.residual import Gate, Norm, Residual
from enhance_sweep.models.shuffled import to_multiple


class CoefficientsGenerator(nn.Module):
    """A small network that predicts a 3x4 color matrix for each pixel (after Gharbi et al. 2017, Cui et al. 2022).

    ::

        input (3) -> global color matrix = image (3) ----------------------------- matrix times image + -> + ->
          | pixels to channels / f                                                         ^               ^
        (3 f^2) -> 1x1 conv (c), act                                                       |               |
          | [residual block] x blocks                                                      |               |
        (c) -> k x k conv (12) -> enlarged bilinearly * f ---------------------------------'               |
          '-> k x k conv (3 f^2) -> channels to pixels * f (detail) ---------------------------------------'

    The matrix is the difference from one that changes nothing. (N, 3, H, W), RGB in [0, 1], to the same shape, a little
    beyond [0, 1]; any height and width: the photograph is extended to a multiple of f, and the result is cropped.

    Args:
        factor: f, by which the resolution is divided; 4 to 16 make sense.
        kernel_size: k, of the residual blocks and the convolutions behind them.
        channels: c, of all hidden features.
        blocks: number of residual blocks; 0 is allowed.
        norm: of the residual blocks.
        gate: of the residual blocks.
        detail: add what the matrices cannot: edges that the phone has blurred.
        global_color: begin with a color matrix for the whole photograph.
        prelu: PReLU with a learned slope per channel instead of ReLU.

    Raises:
        ValueError: a size is not positive, `factor` is below 2, or an option is not known.
    """

    def __init__(
        self,
        factor: int = 4,
        kernel_size: int = 3,
        channels: int = 24,
        blocks: int = 2,
        norm: Norm = "none",
        gate: Gate = "none",
        detail: bool = True,
        global_color: bool = True,
        prelu: bool = False,
    ) -> None:
        super().__init__()
        check_at_least(2, factor=factor)
        check_at_least(1, kernel_size=kernel_size, channels=channels)
        check_at_least(0, blocks=blocks)
        check_one_of(Norm, norm=norm)
        check_one_of(Gate, gate=gate)
        act = activation(prelu)
        self.factor = self.multiple = factor
        self.color = GlobalColor() if global_color else None
        self.unshuffle = nn.PixelUnshuffle(factor)
        self.head = nn.Sequential(Conv2d(3 * factor**2, channels, 1), act(channels))
        self.blocks = nn.Sequential(*(Residual(channels, kernel_size, act, norm, gate) for _ in range(blocks)))
        self.matrix = Conv2d(channels, NUMBERS, kernel_size)
        self.detail = (
            nn.Sequential(Conv2d(channels, 3 * factor**2, kernel_size), nn.PixelShuffle(factor)) if detail else None
        )

    def forward(self, input: Tensor) -> Tensor:
        """Enhance a batch of photographs."""
        height, width = input.shape[2:]
        image = input if self.color is None else self.color(input)
        features = self.blocks(self.head(self.unshuffle(to_multiple(image, self.factor))))
        matrix = F.interpolate(self.matrix(features), scale_factor=float(self.factor), mode="bilinear")
        enhanced = image + mixed(image, matrix[..., :height, :width])
        return enhanced if self.detail is None else enhanced + self.detail(features)[..., :height, :width]

    def start_as_identity(self) -> None:
        """Start as the photograph, to which little is added: see `enhance_sweep.models.identity`."""
        if self.color is not None:
            self.color.start_as_identity()
        identity.features(self.head[0])
        for block in self.blocks:
            assert isinstance(block, Residual)
            block.start_as_identity()
        identity.add_little_of(self.matrix)
        if self.detail is not None:
            identity.add_little_of(self.detail[0])
