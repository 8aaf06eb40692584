"""Curves and a color matrix from image statistics alone: the fastest end."""

import torch
from torch import Tensor, nn

from enhance_sweep.models import identity
from enhance_sweep.models.blocks import Conv2d, check_at_least
from enhance_sweep.models.color_matrix import NUMBERS, mixed
from enhance_sweep.models.statistics import ChannelMoments, statistics_act


class ToneGenerator(nn.Module):
    """A curve for each color, then a color matrix, the same for all pixels (curves after Guo et al. 2020, Zero-DCE).

    ::

        input (3) -> mean and deviation of each channel (6) -> [1x1 conv, leaky ReLU (hidden)] x 2
                  -> 1x1 conv (3 terms + 12): curves and matrix
        curve:  x + x (1 - x) (a_0 + a_1 x + a_2 x^2 ...), so that black and white stay
        matrix: 3x4, the difference from one that changes nothing

    (N, 3, H, W), RGB in [0, 1], to the same shape, a little beyond [0, 1]; any height and width.

    Args:
        terms: of each curve's polynomial a.
        hidden: width of the hidden layers.

    Raises:
        ValueError: a size is not positive.
    """

    multiple = 1

    def __init__(self, terms: int = 2, hidden: int = 16) -> None:
        super().__init__()
        check_at_least(1, terms=terms, hidden=hidden)
        self.terms = terms
        self.statistics = ChannelMoments()
        self.hidden = nn.Sequential(Conv2d(6, hidden, 1), statistics_act(), Conv2d(hidden, hidden, 1), statistics_act())
        self.curves = Conv2d(hidden, 3 * terms, 1)
        self.matrix = Conv2d(hidden, NUMBERS, 1)

    def forward(self, input: Tensor) -> Tensor:
        """Enhance a batch of photographs."""
        hidden = self.hidden(self.statistics(input))
        terms = self.curves(hidden)
        bend = terms[:, 3 * self.terms - 3 :]
        for number in range(self.terms - 2, -1, -1):  # Horner's rule
            bend = torch.addcmul(terms[:, 3 * number : 3 * number + 3], bend, input)
        curved: Tensor = input + bend * (input - input * input)
        return curved + mixed(curved, self.matrix(hidden))

    def start_as_identity(self) -> None:
        """Start as the photograph: see `enhance_sweep.models.identity`."""
        for layer in (self.hidden[0], self.hidden[2]):
            identity.features(layer)
        for layer in (self.curves, self.matrix):
            identity.add_little_of(layer)
