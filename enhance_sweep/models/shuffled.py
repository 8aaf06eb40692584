"""Residual blocks on a photograph whose pixels have become channels."""

from torch import Tensor, nn
from torch.nn import functional as F

from enhance_sweep.models import identity
from enhance_sweep.models.blocks import Conv2d, activation, check_at_least, check_one_of
from enhance_sweep.models.color_matrix import GlobalColor
from enhance_sweep.models.residual import Gate, Norm, Residual


class ShuffledGenerator(nn.Module):
    """Space to depth, residual blocks at a fraction of the resolution, depth to space, added to the photograph.

    ::

        input (3) -> global color matrix = image (3) -------------------------------------------------- + ->
          | pixels to channels / f                                                                      ^
        (3 f^2) -> k x k conv (c), act -> [residual block] x blocks -> k x k conv (3 f^2) -> channels to pixels * f

    (N, 3, H, W), RGB in [0, 1], to the same shape, a little beyond [0, 1]; any height and width: the photograph is
    extended to a multiple of f at the bottom and right, and the result is cropped. Shi et al. 2016 for the shuffles.

    Args:
        factor: f, by which the resolution is divided.
        kernel_size: k, of all convolutions.
        channels: c, of all hidden features.
        blocks: number of residual blocks; 0 is allowed.
        norm: of the residual blocks.
        gate: of the residual blocks.
        global_color: begin with a color matrix for the whole photograph.
        prelu: PReLU with a learned slope per channel instead of ReLU.

    Raises:
        ValueError: a size is not positive, `factor` is below 2, or an option is not known.
    """

    def __init__(
        self,
        factor: int = 2,
        kernel_size: int = 3,
        channels: int = 16,
        blocks: int = 2,
        norm: Norm = "none",
        gate: Gate = "none",
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
        self.head = nn.Sequential(Conv2d(3 * factor**2, channels, kernel_size), act(channels))
        self.blocks = nn.Sequential(*(Residual(channels, kernel_size, act, norm, gate) for _ in range(blocks)))
        self.output = Conv2d(channels, 3 * factor**2, kernel_size)
        self.shuffle = nn.PixelShuffle(factor)

    def forward(self, input: Tensor) -> Tensor:
        """Enhance a batch of photographs."""
        image = input if self.color is None else self.color(input)
        features = self.blocks(self.head(self.unshuffle(to_multiple(image, self.factor))))
        detail: Tensor = self.shuffle(self.output(features))
        return image + detail[..., : input.shape[2], : input.shape[3]]

    def start_as_identity(self) -> None:
        """Start as the photograph, to which little is added: see `enhance_sweep.models.identity`."""
        if self.color is not None:
            self.color.start_as_identity()
        identity.features(self.head[0])
        for block in self.blocks:
            assert isinstance(block, Residual)
            block.start_as_identity()
        identity.add_little_of(self.output)


def to_multiple(image: Tensor, factor: int) -> Tensor:
    """Extend an image at the bottom and right, by copies of its edge, to a height and width divisible by `factor`."""
    height, width = image.shape[2:]
    return F.pad(image, (0, -width % factor, 0, -height % factor), mode="replicate")
