"""Color matrices: one for the whole photograph, or one for each pixel."""

from torch import Tensor, nn

from enhance_sweep.models import identity
from enhance_sweep.models.blocks import Conv2d
from enhance_sweep.models.statistics import ChannelMoments, statistics_act

#: Numbers of a 3x4 matrix: what red, green and blue each add to red, green and blue, and an offset for each.
NUMBERS = 12


def mixed(image: Tensor, matrix: Tensor) -> Tensor:
    """Apply a color matrix to each pixel.

    Args:
        image: (N, 3, H, W).
        matrix: (N, 12, H, W), or (N, 12, 1, 1) for the same everywhere. Channels 0 to 2 are what red adds to red, green
            and blue, 3 to 5 what green adds, 6 to 8 what blue adds, 9 to 11 offsets.

    Returns:
        (N, 3, H, W).
    """
    red, green, blue = image.chunk(3, dim=1)
    by_red, by_green, by_blue, offset = matrix.chunk(4, dim=1)
    return by_red * red + by_green * green + by_blue * blue + offset


class GlobalColor(nn.Module):
    """One 3x4 color matrix for the whole photograph, from its statistics.

    ::

        input (3) -> mean and deviation of each channel (6) -> 1x1 conv, leaky ReLU (hidden) -> 1x1 conv (12)
                  -> the matrix's difference from one that changes nothing -> applied to every pixel

    (N, 3, H, W) to the same.

    Args:
        hidden: width of its hidden layer.
    """

    def __init__(self, hidden: int = 16) -> None:
        super().__init__()
        self.statistics = ChannelMoments()
        self.hidden = nn.Sequential(Conv2d(6, hidden, 1), statistics_act())
        self.matrix = Conv2d(hidden, NUMBERS, 1)

    def forward(self, input: Tensor) -> Tensor:
        """Set the colors of a batch of photographs."""
        return input + mixed(input, self.matrix(self.hidden(self.statistics(input))))

    def start_as_identity(self) -> None:
        """Start with next to no change of color."""
        identity.features(self.hidden[0])
        identity.add_little_of(self.matrix)
