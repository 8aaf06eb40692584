"""Haar wavelet-based perceptual similarity index."""

import torch
from torch import Tensor
from torch.nn import functional as F

from enhance_sweep.metrics.colors import yiq
from enhance_sweep.metrics.downsampling import halved
from enhance_sweep.metrics.images import check_pair
from enhance_sweep.metrics.similarity import dissimilarity, weighted_mean

#: The paper's constants, for values in [0, 255]: of the similarity, and the slope of the logistic function.
_CONSTANT, _SLOPE = 30.0, 4.2


def haarpsi(enhanced: Tensor, target: Tensor) -> Tensor:
    """HaarPSI of each image, for values in [0, 1] (Reisenhofer et al. 2018; piq 0.8.0).

    Horizontal and vertical Haar coefficients of the halved brightness are compared on two fine scales, each pixel
    weighted by the larger of the two images' coefficients on a third, coarser one. Colors (I and Q) are compared as
    means of 2x2 pixels. Symmetric.

    Args:
        enhanced: (N, 3, H, W), of at least 16x16 pixels, so that the coarsest filter fits into the halved image.
        target: the same shape.

    Returns:
        (N,), in 0 to 1, in float64. Higher is better: 1, within 1e-12, for identical images.

    Raises:
        ValueError: the shapes differ, are not (N, 3, H, W), or are too small.

    Example:
        >>> image = torch.rand(1, 3, 100, 100)
        >>> haarpsi(image, image)
        tensor([1.], dtype=torch.float64)
    """
    check_pair(enhanced, target, "haarpsi")
    first, second = (yiq(halved(images.double() * 255)) for images in (enhanced, target))
    fine, coarse1, coarse2 = [], _haar(first[:, :1], 8), _haar(second[:, :1], 8)
    for size in (2, 4):
        fine.append(dissimilarity(_haar(first[:, :1], size).abs(), _haar(second[:, :1], size).abs(), _CONSTANT))
    color1, color2 = (_color(images[:, 1:]).abs() for images in (first, second))
    color = dissimilarity(color1, color2, _CONSTANT).mean(dim=1, keepdim=True)
    weights = torch.maximum(coarse1.abs(), coarse2.abs())
    similarity = 1 - torch.cat([(fine[0] + fine[1]) / 2, color], dim=1)
    weights = torch.cat([weights, weights.mean(dim=1, keepdim=True)], dim=1)
    pooled = weighted_mean(torch.sigmoid(_SLOPE * similarity), weights)
    return (torch.logit(pooled) / _SLOPE).square()


def _haar(brightness: Tensor, size: int) -> Tensor:
    """Haar coefficients of `size` pixels, (N, 1, H, W) to (N, 2, H, W): differences down and across."""
    half = size // 2
    padded = F.pad(brightness, (half - 1, half, half - 1, half))
    # Sums over the halves of the filter, whose values are 1 / size and -1 / size: its squares sum to 1.
    flat = F.avg_pool2d(padded, (half, size), stride=1) * half
    tall = F.avg_pool2d(padded, (size, half), stride=1) * half
    return torch.cat([flat[..., :-half, :] - flat[..., half:, :], tall[..., :-half] - tall[..., half:]], dim=1)


def _color(maps: Tensor) -> Tensor:
    """Means of each pixel and its neighbors to the right and below; beyond the edges there are zeros."""
    return F.avg_pool2d(F.pad(maps, (0, 1, 0, 1)), 2, stride=1)
