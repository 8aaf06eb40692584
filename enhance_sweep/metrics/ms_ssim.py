"""Multi-scale structural similarity, as the DPED code and the 2018 challenge compute it."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from enhance_sweep.metrics.images import check_pair

#: Weight of each scale, the finest first (Wang et al. 2003).
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

_WINDOW_SIZE = 11
_WINDOW_SIGMA = 1.5
_RANGE = 255.0
_C1 = (0.01 * _RANGE) ** 2
_C2 = (0.03 * _RANGE) ** 2


def ms_ssim(enhanced: Tensor, target: Tensor, *, minimum: float | None = None) -> Tensor:
    """MS-SSIM of each image, for values in [0, 1] (Wang et al. 2003; the DPED code's `MultiScaleSSIM`).

    Nothing is clipped: the protocol takes a network's outputs as they are, and clipping them changes some scores by
    7e-3. Where an image is smaller than the 11x11 window, the window shrinks to it and its sigma in proportion, so
    patches of 100x100, and even single pixels, have a score.

    Args:
        enhanced: (N, 3, H, W).
        target: the same shape.
        minimum: for a loss, clamp each scale's mean to at least this small positive number. For a metric (None), a
            negative mean contrast has no real power, and the image's score is NaN.

    Returns:
        (N,), at most 1, in float64 (float32 loses the variances of bright flat patches).

    Raises:
        ValueError: the shapes differ or are not (N, 3, H, W).

    Example:
        >>> image = torch.rand(1, 3, 100, 100)
        >>> ms_ssim(image, image)
        tensor([1.], dtype=torch.float64)
    """
    check_pair(enhanced, target)
    first, second = enhanced.double() * _RANGE, target.double() * _RANGE
    score = torch.ones(first.shape[0], dtype=first.dtype, device=first.device)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        similarity, contrast = _ssim(first, second)
        last = scale == len(SCALE_WEIGHTS) - 1
        mean = similarity if last else contrast
        score = score * (mean if minimum is None else mean.clamp_min(minimum)) ** weight
        if not last:
            first, second = _halve(first), _halve(second)
    return score


def _ssim(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The mean SSIM and the mean contrast term of each image, both (N,)."""
    height, width = first.shape[-2:]
    size = min(_WINDOW_SIZE, height, width)
    down, across = _band(size, height, first.dtype, first.device), _band(size, width, first.dtype, first.device).T
    # Only where the whole window lies on the image. Uses matrix products: float64 convolutions are far slower.
    moments = down @ (torch.stack([first, second, first * first, second * second, first * second]) @ across)
    mean1, mean2, square1, square2, product = moments.unbind()
    means, squared_means = mean1 * mean2, mean1 * mean1 + mean2 * mean2
    contrast = (2 * (product - means) + _C2) / (square1 + square2 - squared_means + _C2)
    luminance = (2 * means + _C1) / (squared_means + _C1)
    return (luminance * contrast).mean(dim=(1, 2, 3)), contrast.mean(dim=(1, 2, 3))


@lru_cache(maxsize=64)
def _band(size: int, length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(length - size + 1, length): each row holds the Gaussian window, one place further along.

    The window sums to 1; the centre of an even one lies between its middle pixels.
    """
    offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.exp(-(offsets**2) / (2 * (_WINDOW_SIGMA * size / _WINDOW_SIZE) ** 2))
    with torch.inference_mode(False):  # the cached band may serve a training later
        band = torch.zeros(length - size + 1, length, dtype=dtype)
        for offset, weight in enumerate(weights / weights.sum()):
            band.diagonal(offset).fill_(float(weight))
        return band.to(device)


def _halve(images: Tensor) -> Tensor:
    """Average pixels 2i and 2i+1 of both axes; an odd edge repeats its last pixel."""
    height, width = images.shape[-2:]
    even = F.pad(images, (0, width % 2, 0, height % 2), mode="replicate")
    return F.avg_pool2d(even, 2)
