"""Mean deviation similarity index."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from enhance_sweep.metrics.colors import lmn
from enhance_sweep.metrics.downsampling import averaging_size
from enhance_sweep.metrics.gradients import PREWITT, gradient_magnitude
from enhance_sweep.metrics.images import check_pair
from enhance_sweep.metrics.similarity import dissimilarity

#: The paper's constants, for values in [0, 255]: gradients of both images, gradients against their mean, chromaticity.
_C1, _C2, _C3 = 140.0, 55.0, 550.0

#: The weight of gradients against chromaticity, and the power before and after pooling (the paper's alpha, q and o).
_GRADIENTS, _POWER = 0.6, 0.25

#: Lightness of R, G and B.
_LIGHTNESS = (0.2989, 0.5870, 0.1140)


def mdsi(enhanced: Tensor, target: Tensor) -> Tensor:
    """MDSI of each image, for values in [0, 1] (Nafchi et al. 2016, in their sum form; piq 0.8.0).

    Edges and chromaticity are compared pixel by pixel, and the score is the mean deviation of the fourth root of their
    similarity. A shorter side of 384 pixels or more is averaged to about 256 first. Not symmetric: an edge that was
    added and one that was lost differ.

    Args:
        enhanced: (N, 3, H, W), of at least 3x3 pixels.
        target: the same shape.

    Returns:
        (N,), in 0 to about 0.8, in float64. Lower is better: 0, exactly, for identical images.

    Raises:
        ValueError: the shapes differ, are not (N, 3, H, W), or are too small.

    Example:
        >>> image = torch.rand(1, 3, 100, 100)
        >>> mdsi(image, image)
        tensor([0.], dtype=torch.float64)
    """
    check_pair(enhanced, target, "mdsi")
    first, second = _averaged(enhanced), _averaged(target)
    dissimilar = _GRADIENTS * _of_gradients(first, second) + (1 - _GRADIENTS) * _of_chromaticity(first, second)
    # Edges that only one image has can bring the similarity below 0, where its fourth root is complex.
    similarity = (1 - dissimilar).flatten(1)
    roots, negative = similarity.abs() ** _POWER, similarity < 0
    real = torch.where(negative, math.cos(math.pi * _POWER) * roots, roots)
    imaginary = torch.where(negative, math.sin(math.pi * _POWER) * roots, 0.0)
    deviation = torch.hypot(
        real - real.mean(dim=1, keepdim=True), imaginary - imaginary.mean(dim=1, keepdim=True)
    ).mean(dim=1)
    return deviation**_POWER


def _averaged(images: Tensor) -> Tensor:
    """In [0, 255], averaged to a shorter side of about 256 pixels; beyond the edges there are zeros."""
    images = images.double() * 255
    size = averaging_size(*images.shape[-2:])
    if size == 1:
        return images
    before, after = (size - 1) // 2, size // 2
    return F.avg_pool2d(F.pad(images, (before, after, before, after)), size)


def _of_gradients(first: Tensor, second: Tensor) -> Tensor:
    """How different the edges of lightness are, (N, H, W): from -1 to 2."""
    light1, light2 = ((images * images.new_tensor(_LIGHTNESS)[:, None, None]).sum(dim=1) for images in (first, second))
    edges1, edges2, fused = (gradient_magnitude(light, PREWITT) for light in (light1, light2, (light1 + light2) / 2))
    added, lost = dissimilarity(edges1, fused, _C2), dissimilarity(edges2, fused, _C2)
    return dissimilarity(edges1, edges2, _C1) + added - lost


def _of_chromaticity(first: Tensor, second: Tensor) -> Tensor:
    """How different the two opponent colors are, taken together, (N, H, W): from 0 to 2."""
    colors1, colors2 = lmn(first)[:, 1:], lmn(second)[:, 1:]
    power = colors1.square().sum(dim=1) + colors2.square().sum(dim=1)
    return (colors1 - colors2).square().sum(dim=1) / (power + _C3)
