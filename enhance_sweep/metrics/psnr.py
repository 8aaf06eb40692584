"""Peak signal-to-noise ratio."""

import torch
from torch import Tensor

from enhance_sweep.metrics.images import check_pair


def psnr(enhanced: Tensor, target: Tensor) -> Tensor:
    """PSNR of each image, in dB, for values in [0, 1].

    Nothing is clipped here: the protocol clips a network's outputs first (`enhanced.clamp(0, 1)`), as the 2018
    challenge did. An identical pair gives infinity; DPED has some (fully overexposed patches).

    Args:
        enhanced: (N, 3, H, W).
        target: the same shape.

    Returns:
        (N,), in dB, in float64: above 45 dB the mean square is too small for float32.

    Raises:
        ValueError: the shapes differ or are not (N, 3, H, W).

    Example:
        >>> psnr(torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.1))
        tensor([20.0000], dtype=torch.float64)
    """
    check_pair(enhanced, target)
    mean_square = (enhanced.double() - target.double()).square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(mean_square)
