"""How far the two photographs of a pair are apart, whatever their exposure, color and sharpness.

Their edges are compared, not their brightness: an edge keeps its place and direction through a tone curve, a white
balance or a blur. Gradients of luma, each divided by its length plus the picture's median length so that neither strong
edges nor noise decide alone, are correlated over all shifts at once by a Fourier transform (orientation correlation,
Fitch et al., BMVC 2002, which divides by the length alone). The peak is the shift.

`docs/decisions/data-pairs.md` has what this finds on real pairs, and where the thresholds come from.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft, ndimage

from enhance_sweep.data.pairs import Pixels

#: Of the Gaussian whose derivatives are the gradients, in pixels: above noise and compression, below detail.
_SIGMA_PX = 1.5
#: A picture is halved, or divided by a larger whole number, down to this longest side: a peak is that precise.
_LONGEST_SIDE_PX = 2000
#: Added to lengths of gradients, in gray levels per pixel: a flat picture has none.
_FLAT = 0.5
#: How much better edges must agree when shifted: less is chance.
_GAIN = 0.03
#: Below this agreement two pictures show different things. Smaller ones agree more by chance: this times their side.
_AGREEMENT, _AGREEMENT_TIMES_SIDE_PX = 0.2, 50
#: Pictures that do not agree are told from those with nothing to agree on by their size and root mean square gradient.
_TELLING_SIDE_PX, _TELLING_GRADIENT = 256, 1.0

_Numbers = NDArray[Any]


@dataclass(frozen=True)
class Shift:
    """Where the target lies against its input.

    Attributes:
        right_px: how far it lies to the right; negative: to the left.
        down_px: how far it lies below; negative: above.
        agreement: of their edges at this shift, at most 1.
        agreement_unshifted: of their edges as they are.
        side_px: the side of a square with as many pixels as were compared.
        gradient: root mean square gradient of the flatter picture, in gray levels per pixel.
    """

    right_px: float
    down_px: float
    agreement: float
    agreement_unshifted: float
    side_px: float
    gradient: float

    @property
    def distance_px(self) -> float:
        """How far the target lies from its place."""
        return math.hypot(self.right_px, self.down_px)

    @property
    def is_certain(self) -> bool:
        """Whether edges agree more than by chance."""
        return self.agreement >= max(_AGREEMENT, _AGREEMENT_TIMES_SIDE_PX / self.side_px)

    @property
    def is_better(self) -> bool:
        """Whether edges agree clearly better at this shift than without it."""
        return self.is_certain and self.agreement - self.agreement_unshifted >= _GAIN

    @property
    def shows_something_else(self) -> bool:
        """Whether both have edges enough to tell that these agree at no shift."""
        telling = self.side_px >= _TELLING_SIDE_PX and self.gradient >= _TELLING_GRADIENT
        return telling and self.agreement < _AGREEMENT

    def __str__(self) -> str:
        """In words: ``3.0 px to the right and 1.5 px above``."""
        across = f"{abs(self.right_px):.1f} px to the {'right' if self.right_px > 0 else 'left'}"
        down = f"{abs(self.down_px):.1f} px {'below' if self.down_px > 0 else 'above'}"
        shown = [text for text, px in ((across, self.right_px), (down, self.down_px)) if abs(px) >= 0.05]
        return " and ".join(shown) or "0.0 px"


def shift_of(input: Pixels, target: Pixels) -> Shift:
    """Find the one shift at which the edges of two photographs agree best, to about a tenth of a pixel.

    Args:
        input: uint8 RGB of shape (H, W, 3).
        target: In the same shape.
    """
    factor = math.ceil(max(input.shape[:2]) / _LONGEST_SIDE_PX)
    (of_input, input_gradient), (of_target, target_gradient) = (_edges(one, factor) for one in (input, target))
    product = np.conj(fft.fft2(of_input)) * fft.fft2(of_target)
    energy = math.sqrt(_energy(of_input) * _energy(of_target))
    agreement = fft.ifft2(product).real / energy if energy else np.zeros(of_input.shape)
    peak = np.unravel_index(int(np.argmax(agreement)), agreement.shape)
    down, right = (_place_of_peak(agreement, peak, axis) * factor for axis in (0, 1))
    return Shift(
        right,
        down,
        float(agreement[peak]),
        float(agreement[0, 0]),
        math.sqrt(agreement.size),
        min(input_gradient, target_gradient),
    )


def _edges(pixels: Pixels, factor: int) -> tuple[_Numbers, float]:
    """Gradients as complex numbers, x + iy, evened out and fading towards the borders; their root mean square."""
    luma = np.asarray(Image.fromarray(pixels).convert("L").reduce(factor), np.float32)
    across, down = (ndimage.gaussian_filter(luma, _SIGMA_PX, order) for order in ((0, 1), (1, 0)))
    gradients = across + 1j * down
    lengths = np.abs(gradients)
    evened = gradients / (lengths + np.median(lengths) + _FLAT)
    # Two more, whose first and last are zero: a picture of one pixel fades to something, too.
    fading = np.outer(*(np.hanning(side + 2)[1:-1].astype(np.float32) for side in luma.shape))
    return evened * fading, float(np.sqrt(np.mean(lengths**2)))


def _energy(edges: _Numbers) -> float:
    return float(np.sum(np.abs(edges) ** 2))


def _place_of_peak(agreement: _Numbers, peak: tuple[Any, ...], axis: int) -> float:
    """The peak of a parabola through three neighbours on an axis, as a signed shift."""
    side = agreement.shape[axis]
    place = int(peak[axis])
    before, at, after = (
        float(agreement[tuple((place + step) % side if one == axis else int(peak[one]) for one in (0, 1))])
        for step in (-1, 0, 1)
    )
    curvature = before - 2 * at + after
    place_between = place + (0.5 * (before - after) / curvature if curvature < 0 else 0.0)
    return place_between - side if place > side // 2 else place_between
