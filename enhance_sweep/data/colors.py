"""Changes of color that a network should not care about, made on input and target alike.

A training set has seen few colors: a sample of DPED is mostly gray streets. Each change is linear, so that all of them
together are one matrix for a crop.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: Gray of R, G and B (ITU-R BT.601); they sum to 1, so that gray stays as it is.
_GRAY = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class ColorChanges:
    """What to change at random, for each crop anew; the defaults change nothing.

    Attributes:
        permute_channels: put red, green and blue into another order.
        channel_gains_ev: make each channel up to so many stops brighter or darker.
        saturation: make colors up to this much stronger or weaker, 0 to 1 (0.3: 0.7 to 1.3 times).
        exposure_ev: make the crop up to so many stops brighter or darker.
    """

    permute_channels: bool = False
    channel_gains_ev: float = 0.0
    saturation: float = 0.0
    exposure_ev: float = 0.0

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return any(vars(self).values())

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
        """Matrices that map R, G and B to changed ones, (count, 3, 3)."""
        stops = rng.uniform(-1, 1, (count, 1, 3)) * self.channel_gains_ev
        stops = stops + rng.uniform(-1, 1, (count, 1, 1)) * self.exposure_ev
        saturation = 1 + rng.uniform(-1, 1, (count, 1, 1)) * self.saturation
        orders = rng.permuted(np.tile(np.arange(3), (count, 1)), axis=1)
        matrices = saturation * np.eye(3) + (1 - saturation) * _GRAY
        matrices = matrices * np.exp2(stops)
        if self.permute_channels:
            matrices = np.take_along_axis(matrices, orders[:, :, None], axis=1)
        drawn: NDArray[np.float32] = matrices.astype(np.float32)
        return drawn


def changed(images: Tensor, matrices: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [0, 1] under matrices (N, 3, 3), cut at 0 and 1, in the same memory layout."""
    result = torch.einsum("nij,njhw->nihw", matrices.to(images.device), images).clamp_(0, 1)
    return result.contiguous(memory_format=torch.channels_last)
