"""Statistics of whole images, gathered strip by strip."""

import torch
from torch import Tensor


class Moments:
    """Mean and variance of each channel over all strips (Chan, Golub & LeVeque 1979), in float64.

    Args:
        channels: of the image.
        step: only every `step`-th pixel of every `step`-th row counts, from the image's first.
    """

    def __init__(self, channels: int, step: int = 1) -> None:
        self._channels, self._step = channels, step
        self._count = 0
        self.mean = torch.zeros(channels, dtype=torch.float64)
        self._squares = torch.zeros(channels, dtype=torch.float64)

    def add(self, first: int, rows: Tensor) -> None:
        """Add a strip, (rows, W C), whose first row is the image's row `first`."""
        if self._step > 1:
            pixels = rows.view(len(rows), -1, self._channels)[-first % self._step :: self._step, :: self._step]
            rows = pixels.reshape(len(pixels), -1)
            if not len(rows):
                return
        values = rows.float()
        count = values.numel() // self._channels
        # Along columns of W C numbers first: a sum over C numbers a pixel is slow.
        mean = values.mean(dim=0).view(-1, self._channels).double().mean(dim=0)
        centred = values - mean.float().repeat(values.shape[1] // self._channels)
        squares = centred.square_().sum(dim=0).view(-1, self._channels).double().sum(dim=0)
        total = self._count + count
        difference = mean - self.mean
        self.mean += difference * (count / total)
        self._squares += squares + difference.square() * (self._count * count / total)
        self._count = total

    @property
    def variance(self) -> Tensor:
        """Biased."""
        return self._squares / self._count
