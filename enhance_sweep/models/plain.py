"""The baseline's topology: a plain residual network at full resolution."""

from torch import Tensor, nn

from enhance_sweep.models import identity
from enhance_sweep.models.blocks import (
    Conv2d,
    ResidualBlock,
    activation,
    check_at_least,
    start_as_identity,
    tail,
    to_unit_range,
)
from enhance_sweep.models.color_matrix import GlobalColor


class PlainGenerator(nn.Module):
    """The residual network of Ignatov et al. 2017, with the axes that de Stoutz et al. 2018 sweep (Table 1).

    ::

        input (3) -> 9x9 conv, act -> [residual block] x blocks -> k x k conv, act -> k x k conv, act
                  -> 9x9 conv (3) -> tanh(x) * 0.58 + 0.5

    (N, 3, H, W), RGB in [0, 1], to the same shape, a little beyond [0, 1]; any height and width.

    Args:
        kernel_size: k, of all but the first and the last convolution.
        channels: c, of all hidden features.
        blocks: number of residual blocks; 0 is allowed.
        prelu: PReLU with a learned slope per channel instead of ReLU.
        global_color: begin with a color matrix for the whole photograph; not in the paper.

    Raises:
        ValueError: a size is not positive.
    """

    multiple = 1

    def __init__(
        self,
        kernel_size: int = 3,
        channels: int = 64,
        blocks: int = 4,
        prelu: bool = False,
        global_color: bool = False,
    ) -> None:
        super().__init__()
        check_at_least(1, kernel_size=kernel_size, channels=channels)
        check_at_least(0, blocks=blocks)
        act = activation(prelu)
        self.color = GlobalColor() if global_color else None
        self.head = nn.Sequential(Conv2d(3, channels, 9), act(channels))
        self.blocks = nn.Sequential(*(ResidualBlock(channels, kernel_size, act) for _ in range(blocks)))
        self.tail = tail(channels, kernel_size, act)
        self.output = Conv2d(channels, 3, 9)

    def forward(self, input: Tensor) -> Tensor:
        """Enhance a batch of photographs."""
        image = input if self.color is None else self.color(input)
        return to_unit_range(self.output(self.tail(self.blocks(self.head(image)))))

    def start_as_identity(self) -> None:
        """Start as the photograph: see `enhance_sweep.models.identity`."""
        if self.color is not None:
            self.color.start_as_identity()
        for layers in (self.head, self.blocks, self.tail):
            start_as_identity(layers)
        identity.show(self.output)
